#!lua
-- LEAVE - users have no connection on a node any more, in a presence channel. One who has left; or many, when a node
-- leaves in order, or is swept after its end.
--
-- keys  1 presence of the channel: a hash, user -> ' NODE NODE |info', and '' -> version
-- args  1 deadline: ms by this server's clock, after which nothing is done
--       2 node    3 pub/sub channel    4 PUBLISH, or in a cluster SPUBLISH
--       5... users, up to 500
--
-- Answers for each user, in order, 2: is no member any more; 1: still is, on other nodes; 0: was not here. May be
-- repeated.
-- Pushes, if there are any of 2, '- VERSION COUNT ' and for each of them 'BYTES user ': VERSION is the first one's, the
-- others follow it.
-- Errors, with nothing done: LATE, after the deadline; and the server's own.

local call = redis.call
local FIRST = 5
local members, node = KEYS[1], ' ' .. ARGV[2] .. ' '
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if now_ms > tonumber(ARGV[1]) then return redis.error_reply('LATE after its deadline, nothing is done') end

local answers, gone, told = {}, 0, {}
for i = 1, #ARGV - FIRST + 1 do
  local user = ARGV[FIRST - 1 + i]
  local value = user ~= '' and call('HGET', members, user)
  local bar = value and string.find(value, '|', 1, true)
  local at = bar and string.find(string.sub(value, 1, bar), node, 1, true)
  if not at then
    answers[i] = 0
  elseif at == 1 and #node + 1 == bar then
    answers[i] = 2
    gone = gone + 1
    told[gone] = #user .. ' ' .. user .. ' '
    call('HDEL', members, user)
  else
    answers[i] = 1
    call('HSET', members, user, string.sub(value, 1, at) .. string.sub(value, at + #node))
  end
end

if gone > 0 then
  local known = call('HGET', members, '')
  local before = tonumber(known or now_ms * 1000)
  if call('HLEN', members) == (known and 1 or 0) then
    call('DEL', members)
  else
    call('HSET', members, '', string.format('%.0f', before + gone))
  end
  local first = string.format('%.0f', before + 1)
  call(ARGV[4], ARGV[3], '- ' .. first .. ' ' .. gone .. ' ' .. table.concat(told))
end
return answers
