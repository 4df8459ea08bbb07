#!lua
-- PLAIN - tells the nodes that read a channel which keeps no history, where a plain PUBLISH would not do: records that
-- have a key of their publisher's, or are the channel's last event.
--
-- keys  1 the channel's last event
--       2... receipts, one for each record with a mark for it, in order
-- args  1 deadline: ms by this server's clock, after which nothing is done
--       2 pub/sub channel    3 PUBLISH, or in a cluster SPUBLISH
--       4 ms for which receipts are kept    5 ms for which the last event is kept
--       6 marks, a digit for each record: 0 nothing, 1 has a receipt, 2 is the channel's last event, 3 both
--       7... records, up to 64
--
-- Answers for each record, in order, 1, or 0 where its receipt was there already and nothing is done.
-- Pushes '0-0 0 COUNT ' and the new records, as a node does who publishes without a script. The last event is kept in
-- this form, too.
-- Errors, with nothing done: LATE, after the deadline; and the server's own.

local call = redis.call
local FIRST = 7
local time = call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[1]) then
  return redis.error_reply('LATE after its deadline, nothing is done')
end

local done, fresh, last, receipt = {}, {}, nil, 1
for i = 1, #ARGV - FIRST + 1 do
  local record, mark = ARGV[FIRST - 1 + i], string.byte(ARGV[6], i) - 48
  done[i] = 1
  if mark % 2 == 1 then
    receipt = receipt + 1
    if not call('SET', KEYS[receipt], '0-0', 'NX', 'PX', ARGV[4]) then done[i] = 0 end
  end
  if done[i] == 1 then
    fresh[#fresh + 1] = record
    if mark >= 2 then last = record end
  end
end

if last then call('SET', KEYS[1], '0-0 0 1 ' .. last, 'PX', ARGV[5]) end
if #fresh > 0 then call(ARGV[3], ARGV[2], '0-0 0 ' .. #fresh .. ' ' .. table.concat(fresh)) end
return done
