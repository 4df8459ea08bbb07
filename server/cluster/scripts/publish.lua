#!lua
-- PUBLISH - puts records behind the history of a channel, in order, and tells the nodes that read it.
--
-- keys  1 stream of the channel
--       2 the channel's last event     both only if there are marks,
--       3... receipts                  one for each record with a mark for it, in order
-- args  1 deadline: ms by this server's clock, after which nothing is done
--       2 n: the server's generation; an epoch that is smaller is over
--       3 hint: the channel's epoch, as the node knows it; 0: it knows none
--       4 how many entries the stream keeps, about
--       5 pub/sub channel    6 PUBLISH, or in a cluster SPUBLISH
--       7 ms after which the stream is forgotten; 0: as it was
--       8 ms for which receipts are kept    9 ms for which the last event is kept
--       10 marks, a digit for each record: 1 has a receipt, 2 is the channel's last event, 3 both; '': none has any
--       11 look_from: a call whose answer was lost is repeated: the id behind which the records may be, '-': they may
--          be anywhere; '': this is the first time
--       12 after how many entries the look is given up
--       13... records, up to 64. Each begins with its token of 16 bytes, by which a repeat finds it.
--
-- Answers the id of each record, in order: those of records that were there already, by their token or their receipt,
-- are the old ones, and nothing is done for these. Where a receipt was there, '=' stands in front. Ids are
-- EPOCH-OFFSET; EPOCH-0 is the entry with which an epoch begins, whatever its fields are, and no message. A message has
-- the fields t, ms by this server's clock, and d, the record.
-- Pushes 'ID T COUNT ' and the new records: ID is the first one's, the others follow it without a gap. The last event
-- is kept in this form, too.
-- Errors, with nothing done: LATE, after the deadline. FAR, look_from lies too many entries back. And the server's own:
-- OOM, READONLY, MISCONF, NOREPLICAS...

-- Not obvious: there are no functions in it, nor a table for a record alone, since Lua would make them anew in each
-- call.

local call, sub = redis.call, string.sub
local FIRST = 13
local stream, count = KEYS[1], #ARGV - FIRST + 1
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if now_ms > tonumber(ARGV[1]) then return redis.error_reply('LATE after its deadline, nothing is done') end
local now, n, hint, maxlen, marks = string.format('%.0f', now_ms), tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[10]
local ids = {}

-- A repeat looks for the records that are there already, page by page.
if ARGV[11] ~= '' then
  local wanted, missing, left = {}, count, tonumber(ARGV[12])
  for i = 1, count do wanted[sub(ARGV[FIRST - 1 + i], 1, 16)] = i end
  local from = ARGV[11] == '-' and '-' or '(' .. ARGV[11]
  while from do
    local page = math.min(256, left)
    local entries = call('XRANGE', stream, from, '+', 'COUNT', page)
    for _, entry in ipairs(entries) do
      local record = entry[2][4]
      local i = record and wanted[sub(record, 1, 16)]
      if i and not ids[i] and sub(entry[1], -2) ~= '-0' then
        ids[i] = entry[1]
        missing = missing - 1
      end
    end
    left = left - #entries
    from = missing > 0 and #entries == page and '(' .. entries[page][1]
    if from and left == 0 then return redis.error_reply('FAR too many entries to look through') end
  end
end

local epoch     -- once it is known
local fresh, alone, together = 0, nil, nil     -- how many records are new; the first, as bytes; all, as a table
local first, last, receipt = nil, nil, 2
for i = 1, count do
  local record, mark, key, id = ARGV[FIRST - 1 + i], 0, nil, nil
  if marks ~= '' then mark = string.byte(marks, i) - 48 end
  if mark % 2 == 1 then
    receipt = receipt + 1
    key = KEYS[receipt]
    local old = not ids[i] and call('GET', key)
    if old then ids[i] = '=' .. old end
  end
  if not ids[i] then
    if epoch then
      id = call('XADD', stream, epoch .. '-*', 't', now, 'd', record)
    else
      local least = 0     -- the epoch has to be larger
      if tonumber(hint) >= n then
        id = redis.pcall('XADD', stream, 'NOMKSTREAM', 'MAXLEN', '~', maxlen, hint .. '-*', 't', now, 'd', record)
        if type(id) == 'table' then     -- an error: the stream has a larger epoch
          id = nil
        elseif not id or sub(id, -2) == '-0' then     -- it was lost: the hinted epoch must not begin twice
          least, id = tonumber(hint), nil
        else
          epoch = hint
        end
      end
      if not id then
        local newest = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
        epoch = newest and string.match(newest[1], '^%d+') or '0'
        if tonumber(epoch) < n or tonumber(epoch) <= least then
          epoch = string.format('%.0f', math.max(now_ms, n, least + 1))
          call('XADD', stream, epoch .. '-0', 'k', '')
        end
        id = call('XADD', stream, 'MAXLEN', '~', maxlen, epoch .. '-*', 't', now, 'd', record)
      end
    end
    ids[i] = id
    first = first or id
    fresh = fresh + 1
    if fresh == 1 then
      alone = record
    else
      together = together or { alone }
      together[fresh] = record
    end
    if key then call('SET', key, id, 'PX', ARGV[8]) end
    if mark >= 2 then last = id .. ' ' .. now .. ' 1 ' .. record end
  end
end

if last then call('SET', KEYS[2], last, 'PX', ARGV[9]) end
if ARGV[7] ~= '0' then call('PEXPIRE', stream, ARGV[7]) end
if first then
  if together then alone = table.concat(together) end
  call(ARGV[6], ARGV[5], first .. ' ' .. now .. ' ' .. fresh .. ' ' .. alone)
end
return ids
