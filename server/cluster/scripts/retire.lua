#!lua
-- RETIRE - a node is forgotten: one that leaves in order, when it has left all its channels, or one whose lease is over,
-- when all is swept that it had.
--
-- keys  1 nodes: a sorted set, scored by when their leases end, in ms by this server's clock
--       2 what nodes say of themselves: a hash
-- args  1 node    2 1: it says so itself; 0: only if its lease is over
--
-- Answers 1, or 0 if it was not there or its lease runs: only one of those who swept it gets to know that it is gone.
-- Errors: the server's own.

local call = redis.call
local score = call('ZSCORE', KEYS[1], ARGV[1])
if not score then return 0 end
if ARGV[2] ~= '1' then
  local time = call('TIME')
  if tonumber(score) >= time[1] * 1000 + math.floor(time[2] / 1000) then return 0 end
end
call('ZREM', KEYS[1], ARGV[1])
call('HDEL', KEYS[2], ARGV[1])
return 1
