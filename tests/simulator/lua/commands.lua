-- commands: what the server does for each command that the scripts and the readers use, with its words for errors.
--
-- commands.NAME = { arity, run, write, alone, shape }
--   arity  as the server counts: the name included; below zero for at least as many
--   run    function(args), args a list of byte strings, the name first. Returns what a script gets from it:
--          a string, a number, false, a list, { ok = text } or { err = text }
--   write  it may change data
--   alone  scripts may not call it
--   shape  how its reply travels when it is more than a list (see `wire`)

local store, wrong_type = ..., { err = 'WRONGTYPE Operation against a key holding the wrong kind of value' }

local commands = {}

local NOT_INTEGER = { err = 'ERR value is not an integer or out of range' }
local SYNTAX = { err = 'ERR syntax error' }
local EXACT_MAX = 2 ^ 53

local function add(name, arity, run, about)
  local command = about or {}
  command.name, command.arity, command.run = name, arity, run
  commands[name] = command
end

local function wrong_count(name)
  return { err = "ERR wrong number of arguments for '" .. name:lower() .. "' command" }
end

-- What the simulator does not know stops the world: a guess would be a lie about the server.
local function unknown(what)
  error('the simulator does not know ' .. what, 0)
end

-- The key when it is of this type; nil when there is none; nil and an error when it is of another.
local function get(name, kind)
  local value = store.keys[name]
  if value and value.type ~= kind then
    return nil, wrong_type
  end
  return value
end

local function get_or_make(name, kind)
  local value, wrong = get(name, kind)
  return value or (not wrong and store.make(name, kind)) or nil, wrong
end

local function drop_if_empty(name, size)
  if size == 0 then
    store.put_key(name, nil)
  end
end

local function integer(text)
  if not (text:find('^%-?[1-9]%d*$') or text == '0') then
    return nil
  end
  local value = tonumber(text)
  if value > EXACT_MAX or value < -EXACT_MAX then
    return unknown('whole numbers beyond 2^53: ' .. text)
  end
  return value
end

local function in_digits(value)
  return string.format('%.0f', value)
end

-- --- keys and the server ------------------------------------------------------------------------------------------

add('PING', -1, function(args)
  if #args > 2 then return wrong_count('ping') end
  return args[2] or { ok = 'PONG' }
end)

add('TIME', 1, function()
  return { in_digits(math.floor(store.now_us / 1000000)), in_digits(store.now_us % 1000000) }
end)

add('DEL', -2, function(args)
  local count = 0
  for i = 2, #args do
    if store.keys[args[i]] then
      store.put_key(args[i], nil)
      count = count + 1
    end
  end
  return count
end, { write = true })

-- Nobody waits for memory here, so nothing is freed later.
add('UNLINK', -2, commands.DEL.run, { write = true })

add('EXISTS', -2, function(args)
  local count = 0
  for i = 2, #args do
    count = count + (store.keys[args[i]] and 1 or 0)
  end
  return count
end)

add('TYPE', 2, function(args)
  local value = store.keys[args[2]]
  return { ok = value and value.type or 'none' }
end)

add('KEYS', 2, function(args)
  local pattern = '^' .. args[2]:gsub('[%^%$%(%)%%%.%+%-]', '%%%0'):gsub('%*', '.*'):gsub('%?', '.') .. '$'
  local names = {}
  for name in next, store.keys do
    if name:find(pattern) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end)

add('FLUSHALL', -1, function()
  for _, name in ipairs(commands.KEYS.run({ 'KEYS', '*' })) do
    store.put_key(name, nil)
  end
  return { ok = 'OK' }
end, { write = true })

-- --- strings ------------------------------------------------------------------------------------------------------

add('GET', 2, function(args)
  local value, wrong = get(args[2], 'string')
  return wrong or value and value.text or false
end)

add('SET', -3, function(args)
  if args[4] then
    return unknown('options of SET')
  end
  store.put_key(args[2], { type = 'string', text = args[3] })
  return { ok = 'OK' }
end, { write = true })

add('GETRANGE', 4, function(args)
  local from, to = integer(args[3]), integer(args[4])
  if not from or not to then return NOT_INTEGER end
  local value, wrong = get(args[2], 'string')
  if wrong then return wrong end
  local size = value and #value.text or 0
  if from < 0 and to < 0 and from > to then return '' end
  from, to = math.max(0, from < 0 and from + size or from), math.max(0, to < 0 and to + size or to)
  return from <= to and value and value.text:sub(from + 1, to + 1) or ''
end)

local STRING_MAX = 512 * 1024 * 1024

add('SETRANGE', 4, function(args)
  local at, part = integer(args[3]), args[4]
  if not at then return NOT_INTEGER end
  if at < 0 then return { err = 'ERR offset is out of range' } end
  local value, wrong = get(args[2], 'string')
  if wrong then return wrong end
  local text = value and value.text or ''
  if part == '' then return #text end
  if at + #part > STRING_MAX then
    return { err = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)' }
  end
  local before = text:sub(1, at) .. ('\0'):rep(at - #text)
  store.put_key(args[2], { type = 'string', text = before .. part .. text:sub(at + #part + 1) })
  return math.max(#text, at + #part)
end, { write = true })

-- --- hashes -------------------------------------------------------------------------------------------------------

add('HGET', 3, function(args)
  local hash, wrong = get(args[2], 'hash')
  return wrong or hash and hash.values[args[3]] or false
end)

add('HMGET', -3, function(args)
  local hash, wrong = get(args[2], 'hash')
  if wrong then return wrong end
  local values, found = hash and hash.values or {}, {}
  for i = 3, #args do
    found[i - 2] = values[args[i]] or false
  end
  return found
end)

add('HSET', -4, function(args)
  if #args % 2 == 1 then
    return wrong_count('hset')
  end
  local hash, wrong = get_or_make(args[2], 'hash')
  if wrong then return wrong end
  local made = 0
  for i = 3, #args, 2 do
    if store.set_field(hash, args[i], args[i + 1]) then
      made = made + 1
    end
  end
  return made
end, { write = true })

local function delete_fields(args, kind)
  local hash, wrong = get(args[2], kind)
  if wrong then return wrong end
  local count = 0
  for i = 3, hash and #args or 0 do
    if store.delete_field(hash, args[i]) then
      count = count + 1
      drop_if_empty(args[2], hash.size)
    end
  end
  return count
end

add('HDEL', -3, function(args) return delete_fields(args, 'hash') end, { write = true })

add('HEXISTS', 3, function(args)
  local hash, wrong = get(args[2], 'hash')
  return wrong or hash and hash.values[args[3]] and 1 or 0
end)

add('HLEN', 2, function(args)
  local hash, wrong = get(args[2], 'hash')
  return wrong or hash and hash.size or 0
end)

add('HINCRBY', 4, function(args)
  local by = integer(args[4])
  if not by then return NOT_INTEGER end
  local hash, wrong = get_or_make(args[2], 'hash')
  if wrong then return wrong end
  local value = integer(hash.values[args[3]] or '0')
  if not value then
    return { err = 'ERR hash value is not an integer' }
  end
  if math.abs(value + by) > EXACT_MAX then
    return unknown('whole numbers beyond 2^53')
  end
  store.set_field(hash, args[3], in_digits(value + by))
  return value + by
end, { write = true })

local function fields_of(hash, from, to, with_values, prefix)
  local found, order, values = {}, hash.order, hash.values
  for i = from, to do
    local field = order[i]
    if field and (not prefix or field:sub(1, #prefix) == prefix) then
      found[#found + 1] = field
      if with_values then
        found[#found + 1] = values[field]
      end
    end
  end
  return found
end

add('HGETALL', 2, function(args)
  local hash, wrong = get(args[2], 'hash')
  return wrong or hash and fields_of(hash, 1, hash.top, true) or {}
end, { shape = 'map' })

add('HKEYS', 2, function(args)
  local hash, wrong = get(args[2], 'hash')
  return wrong or hash and fields_of(hash, 1, hash.top) or {}
end)

-- The cursor is a place in the order in which fields came, so what stays all the time is seen once.
-- Returns the value, the cursor, the count and what every field begins with; or no value, and the reply.
local function scan(args, kind)
  local cursor, count, prefix = args[3]:find('^%d+$') and tonumber(args[3]), 10, nil
  if not cursor then
    return nil, { err = 'ERR invalid cursor' }
  end
  local value, wrong = get(args[2], kind)
  if not value then
    return nil, wrong or { '0', {} }
  end
  for i = 4, #args, 2 do
    local option, given = args[i]:upper(), args[i + 1] or ''
    if option == 'MATCH' and kind == 'hash' and given:find('^[%w:]*%*$') then
      prefix = given:sub(1, -2)
    elseif option ~= 'COUNT' or not args[i + 1] then
      return unknown('this way of scanning: ' .. args[i])
    else
      count = integer(given)
      if not count then return nil, NOT_INTEGER end
      if count < 1 then return nil, SYNTAX end
    end
  end
  return value, cursor, count, prefix
end

add('HSCAN', -3, function(args)
  local hash, cursor, count, prefix = scan(args, 'hash')
  if not hash then return cursor end
  -- A small hash comes whole, as from the server.
  local last = cursor == 0 and hash.size <= count and hash.top or math.min(cursor + count, hash.top)
  return { last < hash.top and in_digits(last) or '0', fields_of(hash, cursor + 1, last, true, prefix) }
end)

-- --- sets ---------------------------------------------------------------------------------------------------------

add('SADD', -3, function(args)
  local set, wrong = get_or_make(args[2], 'set')
  if wrong then return wrong end
  local made = 0
  for i = 3, #args do
    if set.values[args[i]] == nil and store.set_field(set, args[i], true) then
      made = made + 1
    end
  end
  return made
end, { write = true })

add('SREM', -3, function(args) return delete_fields(args, 'set') end, { write = true })

add('SCARD', 2, function(args)
  local set, wrong = get(args[2], 'set')
  return wrong or set and set.size or 0
end)

add('SISMEMBER', 3, function(args)
  local set, wrong = get(args[2], 'set')
  return wrong or set and set.values[args[3]] and 1 or 0
end)

add('SMEMBERS', 2, function(args)
  local set, wrong = get(args[2], 'set')
  return wrong or set and fields_of(set, 1, set.top) or {}
end, { shape = 'set' })

-- `count` of the members, each at most once.
local function sample(members, count)
  local drawn = {}
  for i = 1, math.min(count, #members) do
    local other = i + math.floor(store.draw() * (#members - i + 1))
    members[i], members[other] = members[other], members[i]
    drawn[i] = members[i]
  end
  return drawn
end

add('SRANDMEMBER', -2, function(args)
  if args[4] then return SYNTAX end
  local count = args[3] and integer(args[3])
  if args[3] and not count then return NOT_INTEGER end
  local set, wrong = get(args[2], 'set')
  if wrong or not set then
    return wrong or (count and {}) or false
  end
  local members = fields_of(set, 1, set.top)
  if not count then
    return sample(members, 1)[1]
  end
  if count >= 0 then
    return count >= #members and members or sample(members, count)
  end
  local drawn = {}
  for i = 1, -count do
    drawn[i] = members[1 + math.floor(store.draw() * #members)]
  end
  return drawn
end)

return { commands = commands, add = add, get = get, get_or_make = get_or_make, drop_if_empty = drop_if_empty,
  integer = integer, unknown = unknown, wrong_count = wrong_count, scan = scan,
  NOT_INTEGER = NOT_INTEGER, SYNTAX = SYNTAX }
