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
-- are the old ones, and nothing is done for these. Where a receipt was there, '=' stands in front. Ids are EPOCH-OFFSET;
-- EPOCH-0 is the entry with which an epoch begins, whatever its fields are, and no message. A message has the fields t,
-- ms by this server's clock, and d, the record.
-- Pushes 'ID T COUNT ' and the new records: ID is the first one's, the others follow it without a gap. The last event
-- is kept in this form, too.
-- Errors, with nothing done: LATE, after the deadline. FAR, look_from lies too many entries back. And the server's own:
-- OOM, READONLY, MISCONF, NOREPLICAS...

local call = redis.call
local FIRST = 13
local stream, count = KEYS[1], #ARGV - FIRST + 1
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local now = string.format('%.0f', now_ms)
local n, hint, maxlen, marks, look_from = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[10], ARGV[11]
if now_ms > tonumber(ARGV[1]) then return redis.error_reply('LATE after its deadline, nothing is done') end

local ids = {}

-- Looks behind look_from for records that are there already; false: they may lie further on.
local function look()
  local wanted, missing, left = {}, count, tonumber(ARGV[12])
  for i = 1, count do wanted[string.sub(ARGV[FIRST - 1 + i], 1, 16)] = i end
  local from = look_from == '-' and '-' or '(' .. look_from
  while true do
    local entries = call('XRANGE', stream, from, '+', 'COUNT', math.min(256, left))
    for _, entry in ipairs(entries) do
      local record = entry[2][4]
      local i = record and wanted[string.sub(record, 1, 16)]
      if i and not ids[i] and string.sub(entry[1], -2) ~= '-0' then
        ids[i] = entry[1]
        missing = missing - 1
      end
    end
    if missing == 0 or #entries < math.min(256, left) then return true end
    left = left - #entries
    if left == 0 then return false end
    from = '(' .. entries[#entries][1]
  end
end

local epoch     -- once it is known

-- Begins an epoch if there is none that goes on, or if it has to be larger than this one.
local function find_epoch(least)
  local last = call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  epoch = last and string.match(last[1], '^%d+') or '0'
  if tonumber(epoch) >= n and tonumber(epoch) > least then return end
  epoch = string.format('%.0f', math.max(now_ms, n, least + 1))
  call('XADD', stream, epoch .. '-0', 'k', '')
end

-- The first record goes into the hinted epoch, if that is the stream's.
local function add_first(record)
  local least = 0
  if tonumber(hint) >= n then
    local id = redis.pcall('XADD', stream, 'NOMKSTREAM', 'MAXLEN', '~', maxlen, hint .. '-*', 't', now, 'd', record)
    if type(id) == 'string' then
      if string.sub(id, -2) ~= '-0' then
        epoch = hint
        return id
      end
      least = tonumber(hint)     -- of a stream that was lost: its epoch must not begin twice
    end
  end
  find_epoch(least)
  return call('XADD', stream, 'MAXLEN', '~', maxlen, epoch .. '-*', 't', now, 'd', record)
end

if look_from ~= '' and not look() then return redis.error_reply('FAR too many entries to look through') end

local fresh, first, last, receipt = {}, nil, nil, 2
for i = 1, count do
  local record, mark, key = ARGV[FIRST - 1 + i], 0, nil
  if marks ~= '' then mark = string.byte(marks, i) - 48 end
  if mark % 2 == 1 then
    receipt = receipt + 1
    key = KEYS[receipt]
    if not ids[i] then
      local old = call('GET', key)
      ids[i] = old and '=' .. old or nil
    end
  end
  if not ids[i] then
    local id = epoch and call('XADD', stream, epoch .. '-*', 't', now, 'd', record) or add_first(record)
    ids[i] = id
    first = first or id
    fresh[#fresh + 1] = record
    if key then call('SET', key, id, 'PX', ARGV[8]) end
    if mark >= 2 then last = id .. ' ' .. now .. ' 1 ' .. record end
  end
end

if last then call('SET', KEYS[2], last, 'PX', ARGV[9]) end
if ARGV[7] ~= '0' then call('PEXPIRE', stream, ARGV[7]) end
if first then call(ARGV[6], ARGV[5], first .. ' ' .. now .. ' ' .. #fresh .. ' ' .. table.concat(fresh)) end
return ids
