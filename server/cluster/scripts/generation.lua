#!lua
-- GENERATION - the number of this life of the server. A life is told by its replication id, which is another one after
-- each restart and failover; what the server had may be gone then. Each life has a larger number than those before, and
-- all nodes get the same one.
--
-- keys  1 generation: a hash, id and n
-- args  1 replication id, master_replid of INFO
--       2 the number that the node has had of the same id before; '': none
--
-- Answers n, as text. Of two answers for one id the larger counts.
-- Errors: the server's own.

local call = redis.call
local gen = call('HMGET', KEYS[1], 'id', 'n')
if gen[1] == ARGV[1] then return gen[2] end
local n = ARGV[2]
if gen[1] or n == '' then     -- else it is still the same life, and was emptied: streams begin anew by themselves
  local time = call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  n = string.format('%.0f', math.max(now_ms, (tonumber(gen[2]) or 0) + 1))
end
call('HSET', KEYS[1], 'id', ARGV[1], 'n', n)
return n
