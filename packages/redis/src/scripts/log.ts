/**
 * What all scripts of a channel begin with: its log as it is, opened where nobody wrote yet. `ARGV[1]` is an epoch for a log that begins,
 * `ARGV[2]` how far the test's clock is ahead, in ms; the server's own clock rules, so that nodes whose clocks differ agree.
 *
 * A log counts by ones. An event is an entry of the stream with the id `<seq>-<at>` and the fields `start` (what all events before it take, in
 * bytes) and `event` (JSON, of which no script reads more than the id at its beginning).
 */
export const logPrelude = `
local KEYS_EACH = 8
local META, EVENTS, YOUNG, OLD, YOUNG_KEYS, OLD_KEYS, SNAPSHOT, TOPIC
local key_before

-- Which channel is meant from now on, where the keys are those of several.
local function use(channel)
  key_before = channel * KEYS_EACH
  META, EVENTS, YOUNG, OLD, YOUNG_KEYS, OLD_KEYS, SNAPSHOT, TOPIC = unpack(KEYS, key_before + 1, key_before + KEYS_EACH)
end
use(0)

local BLANK_MS = 600000
local clock = redis.call("TIME")
local real = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now = real + ARGV[2]
local log

local function replication()
  return string.match(redis.call("INFO", "replication"), "master_replid:(%x+)") or ""
end

local function open()
  local m = redis.call("HMGET", META, "epoch", "seq", "floor", "tip", "at", "total", "below", "edge", "expires", "publishers", "keys", "doubt", "floor_id")
  if not m[1] then
    -- Nothing of an earlier life may be taken for a part of this one.
    redis.call("UNLINK", EVENTS, YOUNG, OLD, YOUNG_KEYS, OLD_KEYS, SNAPSHOT)
    redis.call("HSET", META, "epoch", ARGV[1], "reign", replication())
    redis.call("PEXPIRE", META, BLANK_MS)
    m = { ARGV[1] }
  elseif not m[9] then
    -- Nobody wrote to it, and somebody waits that somebody does.
    redis.call("PEXPIRE", META, BLANK_MS)
  end
  log = {
    epoch = m[1], seq = tonumber(m[2] or 0), floor = tonumber(m[3] or 0), tip = m[4] or "", at = tonumber(m[5] or 0),
    total = tonumber(m[6] or 0), below = tonumber(m[7] or 0), edge = tonumber(m[8] or -1), expires = m[9] and tonumber(m[9]),
    publishers = tonumber(m[10] or 0), keys = tonumber(m[11] or 0), doubt = tonumber(m[12] or 0), floor_id = m[13] or "",
  }
end

-- When an event was appended, and what stands before it. One that was evicted counts as older than all.
local function mark(seq)
  local entry = redis.call("XRANGE", EVENTS, seq, seq, "COUNT", 1)[1]
  if not entry then return 0, 0 end
  return tonumber(string.match(entry[1], "-(%d+)$")), tonumber(entry[2][2])
end

local function event_at(seq)
  if seq <= log.floor then return false end
  local entry = redis.call("XRANGE", EVENTS, seq, seq, "COUNT", 1)[1]
  return entry and entry[2][4]
end

-- The id of an event as JSON, with which its text begins; empty where it is not known.
local function id_at(seq)
  if seq == log.floor then return log.floor_id end
  local event = event_at(seq)
  if not event or string.sub(event, 1, 12) ~= '{"eventId":"' then return "" end
  local at = string.find(event, '["\\\\]', 13)
  while at and string.sub(event, at, at) ~= '"' do at = string.find(event, '["\\\\]', at + 2) end
  return at and string.sub(event, 12, at) or ""
end

local function last_where(low, high, holds)
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if holds(middle) then low = middle else high = middle - 1 end
  end
  return low
end

local function forget(up_to)
  local below = log.total
  if up_to < log.seq then
    local _, start = mark(up_to + 1)
    below = start
  end
  local id = id_at(up_to)
  redis.call("XTRIM", EVENTS, "MINID", up_to + 1)
  redis.call("HSET", META, "floor", up_to, "floor_id", id, "below", below, "edge", -1)
  log.floor, log.floor_id, log.below, log.edge = up_to, id, below, -1
end

-- Of one event, or of several that follow each other, each in a line of its own.
local function message(seq, tip_before, event)
  return log.epoch .. " " .. seq .. " " .. (seq - 1) .. " " .. tip_before .. "\\n" .. event
end
`;

/**
 * A log that lost its tail keeps its epoch, and would give its positions away a second time. What shows it is somebody who saw further than it
 * reaches. Whoever says so is believed only where something can have been lost: the server has another replication id than when the epoch began,
 * as it has after each restart and fail-over. What is lost then is told to all who listen, by the last event under the new epoch.
 */
export const healingPrelude = `
local function heal(epoch, seq, tip, is_broken)
  if epoch ~= log.epoch then return end
  local is_other = seq == log.seq and tip ~= "" and log.tip ~= "" and tip ~= log.tip
  if not (is_broken or is_other or seq > log.seq) then return end
  local reign = replication()
  if redis.call("HGET", META, "reign") == reign then return end
  redis.call("HSET", META, "epoch", ARGV[1], "reign", reign)
  log.epoch = ARGV[1]
  local event = event_at(log.seq)
  if event then redis.call(PUBLISH, TOPIC, message(log.seq, "", event)) end
end
`;

/** How long the keys of a channel stay: `ttl` in ms from the last use, give or take a quarter, so that not each use has to say so; 0 is for ever. */
export const lifePrelude = `
local function keep_for(ttl)
  if ttl == 0 then
    if log.expires == 0 and log.seq > 1 then return end
    for index = 1, 7 do redis.call("PERSIST", KEYS[key_before + index]) end
    log.expires = 0
  else
    if log.expires and log.expires - real >= ttl and log.seq > 1 then return end
    log.expires = math.floor(real + ttl * 1.25)
    for index = 1, 7 do redis.call("PEXPIREAT", KEYS[key_before + index], log.expires) end
  end
  redis.call("HSET", META, "expires", log.expires)
end

-- For a key that came into being after the others.
local function keep_with_log(key)
  if log.expires and log.expires > 0 then redis.call("PEXPIREAT", key, log.expires) end
end
`;

/** What a retention does not want; it is told as four arguments, the first of them empty where there is none. */
export const retentionPrelude = `
local SLACK_COUNT = 64
-- How many events this script may forget still, of however many channels.
local forgettable = 1024

local function retention_of(first)
  if ARGV[first] == "" then return nil end
  return { count_min = tonumber(ARGV[first]), age_min = tonumber(ARGV[first + 1]), count_max = tonumber(ARGV[first + 2]), bytes_max = tonumber(ARGV[first + 3]) }
end

-- Where it holds, it holds for all before it. The newest is always wanted, whatever its size.
local function is_spare(keep, seq)
  local behind = log.seq - seq
  if behind <= 0 then return false end
  if behind >= keep.count_max then return true end
  local at, start = mark(seq)
  return log.total - start > keep.bytes_max or (behind >= keep.count_min and now - at >= keep.age_min)
end

-- Forgets a slice; whether there may be more.
local function forget_spare(keep, up_to)
  local limit = math.min(up_to, log.floor + forgettable)
  local spare = keep and last_where(log.floor, limit, function(seq) return is_spare(keep, seq) end) or limit
  forgettable = forgettable - (spare - log.floor)
  if spare > log.floor then forget(spare) end
  return spare == limit and limit < up_to
end
`;
