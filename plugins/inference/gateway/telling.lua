-- Tell what was spent in a period of which nothing is known, and which calls are under way; once: a second time does
-- nothing. KEYS: the period's counter. ARGV: spent, when it is forgotten (ms; 0: never), when holds end (ms), then
-- for each call its id and what is held for it.
local key, until_ms = KEYS[1], tonumber(ARGV[3])
if redis.call("HSETNX", key, "spent", ARGV[1]) == 0 then
  return 0
end
redis.call("HSET", key, "told", ARGV[3])
for place = 4, #ARGV, 2 do
  if redis.call("ZADD", key .. ":holds", until_ms, ARGV[place] .. ":" .. ARGV[place + 1]) == 1 then
    redis.call("HINCRBY", key, "held", ARGV[place + 1])
  end
end
if ARGV[2] ~= "0" then
  redis.call("PEXPIREAT", key, ARGV[2])
  redis.call("PEXPIREAT", key .. ":holds", ARGV[2])
end
return 1
