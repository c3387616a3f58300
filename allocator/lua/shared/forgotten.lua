-- forgotten: whether an op, a hold or an order has left the store for SQL, as far as a filter can tell.
--
-- A Bloom filter: it says yes of all that was added, and of one in a thousand others at most, so a no is certain and a
-- yes is a question for SQL. A name's bits lie in one block, which is read with one call. It grows in levels, each
-- twice the one before. allocator/forgotten.py is the same in Python.
-- Needs: keys.forgotten; head.forgotten is how many names are in it.

-- Names of the first level, bytes of a block, blocks of the first level (24 bits a name).
local FIRST, BLOCK, BLOCKS = 1048576, 128, 24576
-- The next level would pass the 512 MB of a string. So the last one takes all that comes: from 133 million names on a
-- yes is wrong more often, and never a no.
local LEVELS = 7
local BITS = 8

-- Of each level: how many names there are before it, where it begins in bytes, how many blocks it has.
local BEFORE, BEGINS, SIZE = {}, {}, {}
for level = 0, LEVELS - 1 do
  BEFORE[level], BEGINS[level], SIZE[level] = FIRST * (2 ^ level - 1), BLOCKS * (2 ^ level - 1) * BLOCK, BLOCKS * 2 ^ level
end

-- What an op is in the filter as: one name for all attempts of an order, and for the order itself.
function forgotten.name_of(op)
  return op:sub(1, 6) == 'order:' and op:match('^(.*):%d+$') or op
end

-- The last level that has names, when there are so many; -1 for none.
local function last_level(names)
  local level = -1
  while level < LEVELS - 1 and BEFORE[level + 1] < names do
    level = level + 1
  end
  return level
end

-- Which block of a level a name has: 32 bits of its hash.
local function number_of(hash)
  return tonumber(hash:sub(1, 8), 16)
end

local function place(number, level)
  return BEGINS[level] + number % SIZE[level] * BLOCK
end

local function read_block(at)
  return redis.call('GETRANGE', keys.forgotten, at, at + BLOCK - 1)
end

-- The byte of a block and the value in it of a name's bit, the first to the eighth: 16 bits of its hash for each.
local function bit_of(hash, nth)
  local bit = tonumber(hash:sub(4 * nth + 5, 4 * nth + 8), 16) % (BLOCK * 8)
  return math.floor(bit / 8) + 1, 2 ^ (bit % 8)
end

local function is_set(byte, value)
  return byte ~= nil and byte % (2 * value) >= value
end

local function has_others(block, hash)
  for nth = 2, BITS do
    local at, value = bit_of(hash, nth)
    if not is_set(block:byte(at), value) then
      return false
    end
  end
  return true
end

local function look(head, name)
  local hash = redis.sha1hex(name)
  local number = number_of(hash)
  -- Mostly the first bit says that a name is not there.
  local at, value = bit_of(hash, 1)
  for level = 0, last_level(head.forgotten) do
    local block = read_block(place(number, level))
    if is_set(block:byte(at), value) and has_others(block, hash) then
      return true
    end
  end
  return false
end

-- Whether this name may be one that was added. A name that is asked about again is not looked up again.
function forgotten.has(head, name)
  if head.looked ~= name then
    head.looked, head.found = name, head.forgotten > 0 and look(head, name)
  end
  return head.found
end

-- Adds a name, unless the filter says yes of it already.
function forgotten.add(head, name)
  if look(head, name) then
    return
  end
  local hash = redis.sha1hex(name)
  local at = place(number_of(hash), last_level(head.forgotten + 1))
  local bytes = { read_block(at):byte(1, BLOCK) }
  for i = #bytes + 1, BLOCK do
    bytes[i] = 0
  end
  for nth = 1, BITS do
    local i, value = bit_of(hash, nth)
    if not is_set(bytes[i], value) then
      bytes[i] = bytes[i] + value
    end
  end
  redis.call('SETRANGE', keys.forgotten, at, string.char(unpack(bytes)))
  head.forgotten = head.forgotten + 1
end

local LETTERS = { op = 'a', hold = 'h', order = 'o' }

-- The question for SQL when this op (what: op), hold or order may have left the store and the caller has not asked
-- about it yet; nil when it surely has not. Nothing was done.
function forgotten.ask(head, what, id)
  if head.asked ~= '' and head.asked:find(LETTERS[what], 1, true) then
    return nil
  end
  if forgotten.has(head, what == 'op' and forgotten.name_of(id) or what .. ':' .. id) then
    return { 'ask_history', cmsgpack.pack({ what, id }), 0, head.op or '' }
  end
end
