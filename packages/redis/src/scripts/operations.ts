/** Arguments: session, n, settled, the error as JSON, how long a channel stays that nobody wrote to. */
export const refuseBody = `
open()
local known, record = check_count(ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]))
if known then return known end
if log.expires ~= 0 then keep_for(tonumber(ARGV[7])) end
settle(ARGV[3], tonumber(ARGV[4]), record, nil, ARGV[6])
return { "refused", ARGV[6] }
`;

/** Arguments: `publisher`, session, n, or `key`, the key's digest. */
export const lookupBody = `
if redis.call("EXISTS", META) == 0 then return { "none" } end
open()
if ARGV[3] == "key" then
  local seq = recall(YOUNG_KEYS, OLD_KEYS, ARGV[4])
  return seq and { "repeat", log.epoch, tonumber(seq) } or { "none" }
end
local record = recall(YOUNG, OLD, ARGV[4])
if not record then return { now <= log.doubt and "unknown" or "none" } end
local n = tonumber(ARGV[5])
return n <= tonumber(string.match(record, "^%d+")) and answer_of(record, n) or { "none" }
`;

/** Arguments: epoch, seq and event id of the last that was seen; how many events; `1` where the event at that place is to come too. */
export const readBody = `
local PAGE_BYTES_MAX = 1048576
local epoch, after, count = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[6])
open()
heal(epoch, after, ARGV[5], false)
local gap = { "gap", log.epoch, log.seq, log.tip, log.floor, log.floor_id }
if epoch ~= log.epoch or after < log.floor or after > log.seq then return gap end
local first = after + 1
if ARGV[7] == "1" and after > log.floor then
  first, count = after, count + 1
end
if first > log.seq then return { "page", log.epoch, log.seq, log.tip, log.floor, log.floor_id, {} } end
if log.total - log.below > PAGE_BYTES_MAX then
  -- One that was asked for comes, whatever its size.
  local least, last = math.min(after + 1, log.seq), math.min(first + count - 1, log.seq)
  local _, start = mark(first)
  count = last_where(least, last, function(seq)
    local stop = log.total
    if seq < log.seq then _, stop = mark(seq + 1) end
    return stop - start <= PAGE_BYTES_MAX
  end) - first + 1
end
local entries = redis.call("XRANGE", EVENTS, first, "+", "COUNT", count)
local found = entries[1] and tonumber(string.match(entries[1][1], "^%d+"))
if found ~= first then
  -- Somebody evicted or deleted the events, and not the rest.
  forget(log.seq)
  return { "gap", log.epoch, log.seq, log.tip, log.floor, log.floor_id }
end
return { "page", log.epoch, log.seq, log.tip, log.floor, log.floor_id, entries }
`;

/** Arguments: epoch, seq and event id of the last that was seen, or none; `1` where it is known that the log was another; `1` for the last two events too. */
export const headBody = `
open()
if ARGV[3] ~= "" then heal(ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6] == "1") end
local wants_last = ARGV[7] == "1"
return { log.epoch, log.seq, log.tip, log.floor, log.floor_id, wants_last and event_at(log.seq) or "", wants_last and event_at(log.seq - 1) or "" }
`;

/** Arguments: `count` or `age`, and how many events or ms. */
export const locateBody = `
open()
local back = tonumber(ARGV[4])
local since = now - back
local seq = ARGV[3] == "count" and math.max(log.floor, log.seq - back)
  or last_where(log.floor, log.seq, function(at) return mark(at) < since end)
return { log.epoch, seq, id_at(seq) }
`;

/** Arguments: epoch, seq, retention, `1` where nothing is to go that the snapshot does not hold. Answers with 1 where there is more to forget. */
export const trimBody = `
open()
if ARGV[3] ~= log.epoch then return 0 end
local up_to = math.min(tonumber(ARGV[4]), log.seq)
if ARGV[9] == "1" then up_to = math.min(up_to, tonumber(redis.call("HGET", SNAPSHOT, "seq") or 0)) end
if up_to <= log.floor then return 0 end
return forget_spare(retention_of(5), up_to) and 1 or 0
`;

/** Arguments: epoch, seq, event id, version and state as JSON, the event id as JSON. Answers with 1 where it, or a newer one, is kept. */
export const saveBody = `
open()
local seq = tonumber(ARGV[4])
if ARGV[3] ~= log.epoch or seq > log.seq then return 0 end
if seq == log.seq and ARGV[5] ~= "" and log.tip ~= "" and ARGV[5] ~= log.tip then return 0 end
local there = id_at(seq)
if ARGV[7] ~= "" and there ~= "" and ARGV[7] ~= there then return 0 end
local kept = redis.call("HGET", SNAPSHOT, "seq")
if kept and tonumber(kept) > seq then return 1 end
redis.call("HSET", SNAPSHOT, "seq", seq, "tip", ARGV[5], "state", ARGV[6])
keep_with_log(SNAPSHOT)
return 1
`;

/** Answers with epoch, seq, event id, and version and state as JSON, or with nothing. */
export const loadBody = `
local epoch = redis.call("HGET", META, "epoch")
local kept = redis.call("HMGET", SNAPSHOT, "seq", "tip", "state")
if not epoch or not kept[1] then return {} end
return { epoch, tonumber(kept[1]), kept[2], kept[3] }
`;
