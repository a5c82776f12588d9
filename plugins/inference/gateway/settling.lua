-- Settle a call: what was held for it is given back, what it used is counted. Told again, it changes nothing.
-- ARGV: now_ms, the call's id, then for each key of KEYS: kind, limit, what was held, what was used, length_ms;
--   for a "policy": how long it is kept (ms), and the tokens in all, asked and answered.
-- Returns for each key what is spent; -1 where that is not known, or no money.
local now, id = tonumber(ARGV[1]), ARGV[2]
local spent = {}
for index, key in ipairs(KEYS) do
  local base = 2 + (index - 1) * 5
  local kind, limit = ARGV[base + 1], tonumber(ARGV[base + 2])
  local held, used, length = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4]), tonumber(ARGV[base + 5])
  spent[index] = "-1"
  if kind == "bucket" then
    local kept = redis.call("HMGET", key, "level", "at")
    if kept[1] then
      local level = tonumber(kept[1]) + (now - tonumber(kept[2])) * limit / length + held - used
      redis.call("HSET", key, "level", string.format("%.0f", math.min(limit, level)), "at", tostring(now))
    end
  elseif kind == "parallel" then
    redis.call("ZREM", key, id)
  elseif kind == "money" then
    -- A hold that is gone was settled before, or lost with all that Redis knew: the table of calls has the truth. So
    -- it has where nothing is known of what was spent: to count from nothing would make the period seem empty.
    if redis.call("ZREM", key .. ":holds", id .. ":" .. ARGV[base + 3]) == 1 then
      redis.call("HINCRBY", key, "held", -held)
      if redis.call("HEXISTS", key, "spent") == 1 then
        redis.call("HINCRBY", key, "spent", used)
      end
    end
    spent[index] = redis.call("HGET", key, "spent") or "-1"
  elseif kind == "policy" then
    redis.call("HINCRBY", key, "total", held)
    redis.call("HINCRBY", key, "prompt", used)
    redis.call("HINCRBY", key, "completion", length)
    redis.call("PEXPIRE", key, limit)
  end
end
return spent
