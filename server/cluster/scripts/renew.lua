#!lua
-- RENEW - a node lives: its lease is renewed, and it gets to know which others live and which have ended.
--
-- keys  1 nodes: a sorted set, scored by when their leases end, in ms by this server's clock
--       2 what nodes say of themselves: a hash
-- args  1 node    2 ms that the lease lasts from now on
--       3 what the node says of itself; '': as before
--       4 how many of each kind are told at most
--
-- Answers 1 if the lease was there and not over, else 0; the time in ms, as text; the nodes whose leases are over, the
-- oldest first; the nodes whose leases run, this one among them. May be repeated.
-- A node whose lease was over may be swept by others at that time: it goes on under another name, with which it joins
-- all its channels again, so that nothing of it is swept that has come back.
-- Errors: the server's own.

local call = redis.call
local nodes, node, most = KEYS[1], ARGV[1], ARGV[4]
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)
local score = tonumber(call('ZSCORE', nodes, node) or 0)
call('ZADD', nodes, string.format('%.0f', now_ms + ARGV[2]), node)
if ARGV[3] ~= '' then call('HSET', KEYS[2], node, ARGV[3]) end
return {
  score >= now_ms and 1 or 0,
  now,
  call('ZRANGEBYSCORE', nodes, '-inf', '(' .. now, 'LIMIT', 0, most),
  call('ZRANGEBYSCORE', nodes, now, '+inf', 'LIMIT', 0, most),
}
