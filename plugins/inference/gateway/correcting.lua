-- What is held is what the calls under way hold; KEYS: a period's counter, ARGV: now_ms.
-- Returns what is spent ("" where that is not known), when it was told, and the ids of the calls under way.
local key, now = KEYS[1], tonumber(ARGV[1])
local holds = key .. ":holds"
redis.call("ZREMRANGEBYSCORE", holds, "-inf", now)
local held, ids = 0, {}
for _, hold in ipairs(redis.call("ZRANGE", holds, 0, -1)) do
  local id, amount = string.match(hold, "^(.*):([0-9]+)$")
  held = held + tonumber(amount)
  ids[#ids + 1] = id
end
if redis.call("EXISTS", key) == 1 then
  redis.call("HSET", key, "held", string.format("%.0f", held))
end
return {redis.call("HGET", key, "spent") or "", redis.call("HGET", key, "told") or "", ids}
