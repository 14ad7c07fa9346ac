/** What is remembered of those who wrote. */
export interface BookLimits {
  readonly deduplicationMs: number;
  readonly answersMax: number;
  readonly keysMax: number;
  readonly publishersMax: number;
}

/**
 * Publishers and idempotency keys. Each book has two halves: what is used is written into the young one, and looked for in both. When the young
 * half is full, or as old as things are remembered, it becomes the old one, and that is forgotten: bounded, at the cost of nothing per entry.
 *
 * A publisher is `<highest> <count> <first> <last>`, and a line for each of its latest answers, in the order of *n* and without a hole up to
 * `highest`: how far the event stands behind the last one that landed, or `!` and the error as JSON. `first` is where the first line counts from,
 * `last` where the next one will.
 */
export function booksPrelude({ deduplicationMs, answersMax, keysMax, publishersMax }: BookLimits): string {
  return `
local DEDUPLICATION_MS = ${deduplicationMs}
local ANSWERS_MAX = ${answersMax}
local HALF_MAX = { publishers = ${halfOf(publishersMax)}, keys = ${halfOf(keysMax)} }

local function recall(young, old, member)
  return redis.call("HGET", young, member) or redis.call("HGET", old, member)
end

local function remember(book, young, old, member, value)
  if redis.call("HSET", young, member, value) == 0 then return end
  keep_with_log(young)
  local since = log[book]
  if since == 0 then
    redis.call("HSET", META, book, now)
    log[book] = now
  elseif redis.call("HLEN", young) >= HALF_MAX[book] or now - since > DEDUPLICATION_MS then
    -- Nobody in the old half was heard of since the young one began.
    if now - since <= DEDUPLICATION_MS and book == "publishers" and redis.call("EXISTS", old) == 1 then
      redis.call("HSET", META, "doubt", since + DEDUPLICATION_MS)
    end
    redis.call("UNLINK", old)
    redis.call("RENAME", young, old)
    redis.call("HSET", META, book, now)
    log[book] = now
  end
end

local function parse(record)
  local highest, count, first, last, lines = string.match(record, "^(%d+) (%d+) (%d+) (%d+)\\n(.*)$")
  return tonumber(highest), tonumber(count), tonumber(first), tonumber(last), lines
end

-- What was answered to n, which is not above the highest.
local function answer_of(record, n)
  local highest, count, seq, _, lines = parse(record)
  local index = n - 1 - (highest - count)
  if index < 0 then return { "unknown" } end
  for line in string.gmatch(lines, "[^\\n]+") do
    local is_refused = string.sub(line, 1, 1) == "!"
    if not is_refused then seq = seq + tonumber(line) end
    if index == 0 then
      if is_refused then return { "refused", string.sub(line, 2) } end
      return { "repeat", log.epoch, seq }
    end
    index = index - 1
  end
  return { "unknown" }
end

-- What is known of a publish, or stands against it; nil where it may land or be refused. And the record.
local function check_count(session, n, settled)
  local record = recall(YOUNG, OLD, session)
  local highest = record and tonumber(string.match(record, "^%d+")) or 0
  if record and n <= highest then return answer_of(record, n) end
  if math.max(highest, settled) ~= n - 1 then return { "out-of-order", highest } end
  return nil, record
end

local function without_oldest(first, lines, drop)
  local from = 1
  for _ = 1, drop do
    local stop = string.find(lines, "\\n", from, true)
    local line = string.sub(lines, from, stop - 1)
    if string.sub(line, 1, 1) ~= "!" then first = first + tonumber(line) end
    from = stop + 1
  end
  return first, string.sub(lines, from)
end

local function settle(session, n, record, seq, refusal)
  local highest, count, first, last, lines = 0, 0, 0, 0, ""
  if record then highest, count, first, last, lines = parse(record) end
  -- What a client left out it has settled, and what was before that as well.
  if highest ~= n - 1 then count, first, last, lines = 0, 0, 0, "" end
  local line = refusal and "!" .. refusal or (seq - last)
  lines = count == 0 and line or lines .. "\\n" .. line
  count = count + 1
  if seq then last = seq end
  if count >= 2 * ANSWERS_MAX then
    first, lines = without_oldest(first, lines, count - ANSWERS_MAX)
    count = ANSWERS_MAX
  end
  remember("publishers", YOUNG, OLD, session, n .. " " .. count .. " " .. first .. " " .. last .. "\\n" .. lines)
end
`;
}

function halfOf(max: number): number {
  return Math.max(1, Math.floor(max / 2));
}
