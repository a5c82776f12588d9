-- Admit a call, or say by which meter it is refused. One step: of two calls at once only one takes the last place.
-- ARGV: now_ms, the call's id, when its holds end (ms), then for each key of KEYS: kind, limit, amount, length_ms.
--   "window": so many in a sliding length; "bucket": an amount out of one that fills in a length;
--   "parallel": so many at once; "money": spent and held together, whose spending must be known;
--   "policy": an upstream's tokens of a window, in all (limit), asked (amount), answered (length_ms); nobody is refused
--   for it: what remains is 1 while the upstream may be asked, else 0.
-- Returns {verdict, index, number, ...remaining}: "ok"; "over", the meter, milliseconds until there is room;
--   "unknown", the meter whose spending must be told first.
local now, id, until_ms = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local remaining = {}
for index, key in ipairs(KEYS) do
  local base = 3 + (index - 1) * 4
  local kind, limit = ARGV[base + 1], tonumber(ARGV[base + 2])
  local amount, length = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4])
  if kind == "window" then
    local start = now - now % length
    local counts = redis.call("HMGET", key, tostring(start), tostring(start - length))
    local before = tonumber(counts[2] or 0) * (1 - (now - start) / length)
    local left = limit - tonumber(counts[1] or 0) - before
    if left < amount then
      return {"over", index, math.ceil(start + length - now)}
    end
    remaining[index] = math.floor(left - amount)
  elseif kind == "bucket" then
    local kept = redis.call("HMGET", key, "level", "at")
    local level = math.min(limit, tonumber(kept[1] or limit) + (now - tonumber(kept[2] or now)) * limit / length)
    if level < amount then
      return {"over", index, math.ceil((amount - level) * length / math.max(limit, 1))}
    end
    remaining[index] = math.floor(level - amount)
  elseif kind == "parallel" then
    redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
    local left = limit - redis.call("ZCARD", key)
    if left < amount then
      return {"over", index, 1000}
    end
    remaining[index] = left - amount
  elseif kind == "money" then
    local spent = redis.call("HGET", key, "spent")
    if not spent then
      return {"unknown", index, 0}
    end
    local holds = key .. ":holds"
    for _, hold in ipairs(redis.call("ZRANGEBYSCORE", holds, "-inf", now)) do
      redis.call("HINCRBY", key, "held", -tonumber(string.match(hold, "([0-9]+)$")))
      redis.call("ZREM", holds, hold)
    end
    local left = limit - tonumber(spent) - tonumber(redis.call("HGET", key, "held") or 0)
    if left < amount then
      return {"over", index, 0}
    end
    remaining[index] = left - amount
  elseif kind == "policy" then
    local used = redis.call("HMGET", key, "total", "prompt", "completion")
    local is_open = 1
    for place, most in ipairs({limit, amount, length}) do
      if most > 0 and tonumber(used[place] or 0) >= most then
        is_open = 0
      end
    end
    remaining[index] = is_open
  end
end
for index, key in ipairs(KEYS) do
  local base = 3 + (index - 1) * 4
  local kind, limit = ARGV[base + 1], tonumber(ARGV[base + 2])
  local amount, length = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4])
  if kind == "window" then
    local start = now - now % length
    redis.call("HINCRBY", key, tostring(start), amount)
    for _, field in ipairs(redis.call("HKEYS", key)) do
      if tonumber(field) < start - length then
        redis.call("HDEL", key, field)
      end
    end
    redis.call("PEXPIRE", key, 2 * length)
  elseif kind == "bucket" then
    redis.call("HSET", key, "level", tostring(remaining[index]), "at", tostring(now))
    redis.call("PEXPIRE", key, 2 * length)
  elseif kind == "parallel" then
    redis.call("ZADD", key, until_ms, id)
    redis.call("PEXPIRE", key, until_ms - now + 1000)
  elseif kind == "money" then
    if redis.call("ZADD", key .. ":holds", until_ms, id .. ":" .. ARGV[base + 3]) == 1 then
      redis.call("HINCRBY", key, "held", amount)
    end
    redis.call("PEXPIRE", key .. ":holds", until_ms - now + 86400000)
  end
end
local answer = {"ok", 0, 0}
for _, left in ipairs(remaining) do
  answer[#answer + 1] = string.format("%.0f", left)
end
return answer
