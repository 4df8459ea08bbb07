#!lua
-- OPEN - where the history of a channel stands, for who wants to come back to it. It makes one that is not there.
--
-- keys  1 stream of the channel
-- args  1 n: the server's generation; an epoch that is smaller is over
--       2 ms after which a stream that is made here is forgotten; 0: never
--
-- Answers the id of the last entry, EPOCH-OFFSET; of an epoch that begins here EPOCH-0.
-- Errors: the server's own.

local call = redis.call
local stream, n = KEYS[1], tonumber(ARGV[1])
local last = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
local epoch = last and tonumber(string.match(last[1], '^%d+')) or 0
if epoch >= n then return last[1] end
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local id = call('XADD', stream, string.format('%.0f-0', math.max(now_ms, n)), 'k', '')
if ARGV[2] ~= '0' then call('PEXPIRE', stream, ARGV[2]) end
return id
