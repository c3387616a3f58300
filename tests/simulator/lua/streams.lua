-- streams: the commands of streams; see commands.lua.

local store, shared = ...
local add, get, get_or_make, integer = shared.add, shared.get, shared.get_or_make, shared.integer

local BAD_ID = { err = 'ERR Invalid stream ID specified as stream command argument' }
local ZERO_ID = { err = 'ERR The ID specified in XADD must be greater than 0-0' }
local PART_MAX = 2 ^ 64

local function part(text)
  local value = text:find('^%d+$') and #text <= 20 and tonumber(text)
  return value and value < PART_MAX and value or nil
end

-- ms and seq of an id; a missing seq is `default`. nil for nonsense.
local function parse(text, default)
  local ms, seq = text:match('^(%d+)%-(%d+)$')
  if not ms then
    return part(text), default
  end
  ms, seq = part(ms), part(seq)
  return seq and ms, seq
end

local function before(a_ms, a_seq, b_ms, b_seq)
  return a_ms < b_ms or (a_ms == b_ms and a_seq < b_seq)
end

local function id_of(ms, seq)
  return string.format('%.0f-%.0f', ms, seq)
end

-- The id a new entry asks for. Returns ms, seq, or an error.
local function new_id(stream, text)
  if text == '*' then
    local ms = math.floor(store.now_us / 1000)
    if ms > stream.last_ms then
      return ms, 0
    end
    return stream.last_ms, stream.last_seq + 1
  end
  local open = text:match('^(%d+)%-%*$')
  if open then
    local ms = part(open)
    return ms, ms == stream.last_ms and stream.last_seq + 1 or 0, not ms and BAD_ID or nil
  end
  local ms, seq = parse(text, 0)
  return ms, seq, not ms and BAD_ID or ms == 0 and seq == 0 and ZERO_ID or nil
end

local NOT_RISING = { err = 'ERR The ID specified in XADD is equal or smaller than the target stream top item' }

local OPTIONS = { NOMKSTREAM = true, MAXLEN = true, MINID = true, LIMIT = true }

add('XADD', -5, function(args)
  if OPTIONS[args[3]:upper()] then
    return shared.unknown('options of XADD: ' .. args[3])
  end
  local known, wrong = get(args[2], 'stream')
  local zero = { last_ms = 0, last_seq = 0, added = 0 }
  local ms, seq, bad = new_id(known or zero, args[3])
  if bad == BAD_ID then return bad end
  if #args % 2 == 0 then
    return shared.wrong_count('xadd')
  end
  if bad or wrong then return bad or wrong end
  local stream = known or zero
  if not before(stream.last_ms, stream.last_seq, ms, seq) then
    return NOT_RISING
  end
  local entry = { ms = ms, seq = seq, id = id_of(ms, seq), fields = { unpack(args, 4) } }
  store.append(get_or_make(args[2], 'stream'), entry)
  return entry.id
end, { write = true })

add('XLEN', 2, function(args)
  local stream, wrong = get(args[2], 'stream')
  return wrong or stream and stream.top - stream.first + 1 or 0
end)

-- The first place whose entry is at or behind this id.
local function position(stream, ms, seq)
  local low, high = stream.first, stream.top + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = stream.entries[middle]
    if before(entry.ms, entry.seq, ms, seq) then low = middle + 1 else high = middle end
  end
  return low
end

local function row(entry)
  return { entry.id, entry.fields }
end

-- A bound of a range: ms, seq and whether it is itself outside; or an error.
local function bound(text, default)
  local open = text:sub(1, 1) == '('
  text = open and text:sub(2) or text
  if not open and text == '-' then return 0, 0, false end
  if not open and text == '+' then return math.huge, math.huge, false end
  local ms, seq = parse(text, default)
  return ms, seq, open, not ms and BAD_ID or nil
end

local function count_of(args)
  if not args[5] then return math.huge end
  if args[5]:upper() ~= 'COUNT' or not args[6] then return nil, shared.SYNTAX end
  local count = integer(args[6])
  if not count then return nil, shared.NOT_INTEGER end
  return math.max(count, 0), args[7] and shared.SYNTAX or nil
end

-- Places of the first and the last entry of a range.
local function span(stream, from, to)
  local first, last = position(stream, from[1], from[2]), position(stream, to[1], to[2])
  local at_from, at_to = stream.entries[first], stream.entries[last]
  if from[3] and at_from and at_from.ms == from[1] and at_from.seq == from[2] then
    first = first + 1
  end
  if not (at_to and at_to.ms == to[1] and at_to.seq == to[2] and not to[3]) then
    last = last - 1
  end
  return first, last
end

local function range(args, backwards)
  local low, high = backwards and args[4] or args[3], backwards and args[3] or args[4]
  local from_ms, from_seq, from_open, bad_from = bound(low, 0)
  local to_ms, to_seq, to_open, bad_to = bound(high, math.huge)
  local count, bad = count_of(args)
  if bad_from or bad_to or bad then return bad_from or bad_to or bad end
  local stream, wrong = get(args[2], 'stream')
  if wrong then return wrong end
  local found = {}
  if not stream then return found end
  if count == 0 then return false end
  local first, last = span(stream, { from_ms, from_seq, from_open }, { to_ms, to_seq, to_open })
  if backwards then
    for i = last, math.max(first, last - count + 1), -1 do found[#found + 1] = row(stream.entries[i]) end
  else
    for i = first, math.min(last, first + count - 1) do found[#found + 1] = row(stream.entries[i]) end
  end
  return found
end

add('XRANGE', -4, function(args) return range(args, false) end)
add('XREVRANGE', -4, function(args) return range(args, true) end)

-- The options before STREAMS: count, and where the keys begin; or an error. Nobody waits in virtual time.
local function read_options(args)
  local at, count = 2, math.huge
  while args[at] and args[at]:upper() ~= 'STREAMS' do
    local option = args[at]:upper()
    local value = args[at + 1] and integer(args[at + 1])
    if option ~= 'COUNT' and option ~= 'BLOCK' then return nil, nil, shared.SYNTAX end
    if not value then return nil, nil, shared.NOT_INTEGER end
    if option == 'COUNT' and value > 0 then count = value end
    at = at + 2
  end
  return count, at + 1
end

add('XREAD', -4, function(args)
  local count, at, bad = read_options(args)
  if bad then return bad end
  local names = (#args - at + 1) / 2
  if names < 1 or names % 1 ~= 0 then
    return shared.unknown('this form of XREAD')
  end
  local found = {}
  for i = at, at + names - 1 do
    local stream, wrong = get(args[i], 'stream')
    if wrong then return wrong end
    local from = args[i + names]
    local ms, seq = parse(from, 0)
    if from ~= '$' and not ms then return BAD_ID end
    local rows = stream and from ~= '$' and range({ 'XRANGE', args[i], '(' .. id_of(ms, seq), '+', 'COUNT',
      count == math.huge and '9007199254740992' or tostring(count) })
    if rows and #rows > 0 then
      found[#found + 1] = { args[i], rows }
    end
  end
  return #found > 0 and found or false
end, { shape = 'rows' })

local function how_many_to_trim(stream, strategy, threshold)
  if strategy == 'MAXLEN' then
    local most = integer(threshold)
    if not most then return nil, shared.NOT_INTEGER end
    if most < 0 then return nil, { err = 'ERR The MAXLEN argument must be >= 0.' } end
    return stream and math.max(0, stream.top - stream.first + 1 - most) or 0
  end
  local ms, seq = parse(threshold, 0)
  if not ms then return nil, BAD_ID end
  return stream and position(stream, ms, seq) - stream.first or 0
end

add('XTRIM', -4, function(args)
  local strategy, at = args[3]:upper(), args[4] == '=' and 5 or 4
  if (strategy ~= 'MAXLEN' and strategy ~= 'MINID') or not args[at] or args[at] == '~' or args[at + 1] then
    return shared.unknown('this form of XTRIM')
  end
  local known, wrong = get(args[2], 'stream')
  local count, bad = how_many_to_trim(known, strategy, args[at])
  if bad or wrong then return bad or wrong end
  for _ = 1, count do
    store.trim_one(known)
  end
  return count
end, { write = true })

add('XINFO', -2, function(args)
  if args[2]:upper() ~= 'STREAM' or #args ~= 3 then
    return shared.unknown('this form of XINFO')
  end
  local stream, wrong = get(args[3], 'stream')
  if wrong then return wrong end
  if not stream then return { err = 'ERR no such key' } end
  local first, last = stream.entries[stream.first], stream.entries[stream.top]
  return { 'length', stream.top - stream.first + 1, 'last-generated-id', id_of(stream.last_ms, stream.last_seq),
    'max-deleted-entry-id', stream.deleted, 'entries-added', stream.added, 'recorded-first-entry-id',
    first and first.id or '0-0', 'groups', 0, 'first-entry', first and row(first) or false, 'last-entry',
    last and row(last) or false }
end, { shape = 'map' })
