#!lua
-- COUNT - how many subscribers a channel has on a node.
--
-- keys  1 counts of the channel: a hash, node -> subscribers there, and '' -> the sum
-- args  1 deadline: ms by this server's clock, after which nothing is done
--       2 node    3 how many; 0: none any more
--       4 pub/sub channel    5 PUBLISH, or in a cluster SPUBLISH
--
-- Answers the sum before and after: from 0 the channel is occupied, to 0 it is vacated, and only one node gets to know
-- it so. May be repeated.
-- Pushes '= SUM ' if that has changed.
-- Errors, with nothing done: LATE, after the deadline; and the server's own.

local call = redis.call
local counts, node, count = KEYS[1], ARGV[2], tonumber(ARGV[3])
local time = call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[1]) then
  return redis.error_reply('LATE after its deadline, nothing is done')
end

local known = call('HMGET', counts, node, '')
local before = tonumber(known[2]) or 0
local after = before - (tonumber(known[1]) or 0) + count
if after == before then return {before, after} end
if count > 0 then
  call('HSET', counts, node, count, '', after)
elseif after > 0 then
  call('HDEL', counts, node)
  call('HSET', counts, '', after)
else
  call('DEL', counts)
end
call(ARGV[5], ARGV[4], '= ' .. after .. ' ')
return {before, after}
