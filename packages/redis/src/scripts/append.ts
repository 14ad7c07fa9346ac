/** So many appends at most in one script, and of so many bytes as JSON together, or one: nobody else is served while it runs. */
export const APPENDS_MAX = 64;
export const APPEND_BYTES_MAX = 262_144;

/**
 * Appends, to one channel or to several. Of each channel its keys, and a section of arguments: how many appends, how long the channel stays, a
 * retention; then of each append nine: the event as JSON, its id; `publisher`, session, n and settled, or `key`, the key's digest, or nothing; the expected
 * epoch, or none, its seq and the id that was seen there.
 *
 * Answers with a reply to each, in their order; `failed` and why where one could not be done. What a script did stays done where it fails, so what went before a
 * failure is made whole all the same, and what comes after it goes on.
 */
export const appendBody = `
local SECTION_ARGS, APPEND_ARGS = 6, 9
-- What was appended and not told yet, and the id of the event before it.
local run, before
local ttl

local function deliver()
  if #run == 0 then return end
  redis.call("HSET", META, "seq", log.seq, "tip", log.tip, "at", log.at, "total", log.total)
  local text = message(log.seq - #run + 1, before, table.concat(run, "\\n"))
  run = {}
  redis.call(PUBLISH, TOPIC, text)
end

local function append(event, tip, kind, member, n, settled, epoch, expected, seen)
  local record
  if kind == "publisher" then
    local known
    known, record = check_count(member, tonumber(n), tonumber(settled))
    if known then return known end
  elseif kind == "key" then
    local seq = recall(YOUNG_KEYS, OLD_KEYS, member)
    if seq then return { "repeat", log.epoch, tonumber(seq) } end
  end
  if epoch ~= "" then
    local is_head = epoch == log.epoch and tonumber(expected) == log.seq
    local is_same = seen == "" or log.tip == "" or seen == log.tip
    if not (is_head and is_same) then
      -- What is of this epoch is told before the next one begins.
      deliver()
      heal(epoch, tonumber(expected), seen, false)
      return { "conflict", log.epoch, log.seq }
    end
  end

  local seq, at = log.seq + 1, math.max(log.at, now)
  redis.call("XADD", EVENTS, seq .. "-" .. at, "start", log.total, "event", event)
  if #run == 0 then before = log.tip end
  run[#run + 1] = event
  log.seq, log.tip, log.at, log.total = seq, tip, at, log.total + #event
  if #run == 1 then keep_for(ttl) end
  if kind == "publisher" then settle(member, tonumber(n), record, seq) end
  if kind == "key" then remember("keys", YOUNG_KEYS, OLD_KEYS, member, seq) end
  return { "appended", log.epoch, seq }
end

local function forget_where_due(keep)
  local behind = log.seq - (log.floor + SLACK_COUNT)
  local is_due = log.total - log.below > keep.bytes_max * 1.125 or behind >= keep.count_max
  if not is_due and behind > 0 and behind >= keep.count_min then
    if log.edge < 0 then
      log.edge = mark(log.floor + SLACK_COUNT)
      redis.call("HSET", META, "edge", log.edge)
    end
    is_due = now - log.edge >= keep.age_min
  end
  if is_due then forget_spare(keep, log.seq - 1) end
end

-- Nil where it was done and has nothing to answer.
local function attempt(task, ...)
  local is_done, reply = pcall(task, ...)
  if is_done then return reply end
  local text = type(reply) == "table" and reply.err or tostring(reply)
  -- A replica takes nothing of anybody.
  if string.find(text, "^READONLY") then error({ err = text }, 0) end
  return { "failed", text }
end

local replies, section = {}, 3
for channel = 0, #KEYS / KEYS_EACH - 1 do
  use(channel)
  local count, keep = tonumber(ARGV[section]), retention_of(section + 2)
  local first = section + SECTION_ARGS
  ttl, run, section = tonumber(ARGV[section + 1]), {}, first + count * APPEND_ARGS
  local trouble = attempt(open)
  local seq = log and log.seq
  for index = first, section - 1, APPEND_ARGS do
    replies[#replies + 1] = trouble or attempt(append, unpack(ARGV, index, index + APPEND_ARGS - 1))
  end
  if not trouble and log.seq > seq then
    local rest = attempt(deliver) or keep and attempt(forget_where_due, keep)
    if rest then replies[#replies] = rest end
  end
end
return replies
`;
