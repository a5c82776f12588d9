-- Put a period's counter right: add to what is spent, unless it was told anew since somebody looked.
-- KEYS: the counter. ARGV: when it was told, as the look has seen it; what is to be added. Returns whether it was.
local key = KEYS[1]
if redis.call("HEXISTS", key, "spent") == 0 or (redis.call("HGET", key, "told") or "") ~= ARGV[1] then
  return 0
end
redis.call("HINCRBY", key, "spent", ARGV[2])
return 1
