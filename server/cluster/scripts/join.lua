#!lua
-- JOIN - the first connection of a user on a node has come into a presence channel.
--
-- keys  1 presence of the channel: a hash, user -> ' NODE NODE |info', and '' -> version
-- args  1 deadline: ms by this server's clock, after which nothing is done
--       2 node    3 user, not empty    4 info of the member
--       5 pub/sub channel    6 PUBLISH, or in a cluster SPUBLISH
--
-- Answers 2: the user is a new member; 1: was one already, on other nodes, whose info stays; 0: was here already.
-- May be repeated.
-- Pushes, of 2 only, '+ VERSION 1 BYTES user BYTES info'. The version grows by one with each change of
-- the members, also where the hash was lost meanwhile: a new one begins with the time.
-- Errors, with nothing done: LATE, after the deadline; and the server's own.

local call = redis.call
local members, node, user, info = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if now_ms > tonumber(ARGV[1]) then return redis.error_reply('LATE after its deadline, nothing is done') end

local known = call('HMGET', members, user, '')
local value = known[1]
if value then
  local nodes = string.sub(value, 1, string.find(value, '|', 1, true))
  if string.find(nodes, ' ' .. node .. ' ', 1, true) then return 0 end
  call('HSET', members, user, ' ' .. node .. value)
  return 1
end
local version = string.format('%.0f', (tonumber(known[2]) or now_ms * 1000) + 1)
call('HSET', members, user, ' ' .. node .. ' |' .. info, '', version)
call(ARGV[6], ARGV[5], '+ ' .. version .. ' 1 ' .. #user .. ' ' .. user .. ' ' .. #info .. ' ' .. info)
return 2
