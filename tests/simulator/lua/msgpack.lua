-- msgpack: cmsgpack.pack and cmsgpack.unpack as the server's lua_cmsgpack.c has them, byte for byte.
--
-- Whole numbers take the shortest form; other numbers take 4 bytes when a float says them exactly, else 8. A table is
-- an array when its keys are 1..n, else a map in the order of `next`. Strings are bytes.

local NESTING_MAX = 16

local byte, char, sub, concat = string.byte, string.char, string.sub, table.concat
local floor, frexp, ldexp, huge = math.floor, math.frexp, math.ldexp, math.huge

-- --- numbers as bytes ---------------------------------------------------------------------------------------------

-- A whole number of 0..2^(8 * size) - 1, big end first.
local function big_endian(value, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = char(value % 256)
    value = floor(value / 256)
  end
  return concat(bytes)
end

-- sign bit and exponent in front of the mantissa: 52 bits of it for a double, 23 for a float.
local function ieee(value, size, bits, bias)
  local sign, exponent, mantissa = 0, 0, 0
  if value ~= value then
    sign, exponent, mantissa = tostring(value):sub(1, 1) == '-' and 1 or 0, 2 * bias + 1, 2 ^ (bits - 1)
  else
    if value < 0 or 1 / value < 0 then
      sign, value = 1, -value
    end
    if value == huge then
      exponent = 2 * bias + 1
    elseif value ~= 0 then
      local fraction, power = frexp(value)
      if power + bias - 1 < 1 then
        mantissa = ldexp(fraction, power + bias - 1 + bits)
      else
        exponent, mantissa = power + bias - 1, ldexp(fraction * 2 - 1, bits)
      end
    end
  end
  -- In two halves: a double has no room for 64 bits.
  if size == 4 then
    return big_endian(sign * 2 ^ 31 + exponent * 2 ^ 23 + mantissa, 4)
  end
  local high = floor(mantissa / 2 ^ 32)
  return big_endian(sign * 2 ^ 31 + exponent * 2 ^ 20 + high, 4) .. big_endian(mantissa - high * 2 ^ 32, 4)
end

local function fits_float(value)
  if value == huge or value == -huge then
    return true
  end
  local fraction, power = frexp(value)
  if power > 128 or power < -148 then
    return false
  end
  local bits = power < -125 and 149 + power or 24
  local scaled = ldexp(fraction, bits)
  return scaled == floor(scaled)
end

local function pack_fraction(value)
  if value == value and fits_float(value) then
    return '\202' .. ieee(value, 4, 23, 127)
  end
  return '\203' .. ieee(value, 8, 52, 1023)
end

local function pack_positive(value)
  if value < 256 then return char(204, value) end
  if value < 65536 then return char(205, floor(value / 256), value % 256) end
  if value < 2 ^ 32 then return '\206' .. big_endian(value, 4) end
  local high = floor(value / 2 ^ 32)
  return '\207' .. big_endian(high, 4) .. big_endian(value - high * 2 ^ 32, 4)
end

local function pack_negative(value)
  if value >= -128 then return char(208, 256 + value) end
  if value >= -32768 then return '\209' .. big_endian(65536 + value, 2) end
  if value >= -2147483648 then return '\210' .. big_endian(2 ^ 32 + value, 4) end
  -- Two's complement in halves, since -1 of 64 bits fits no double.
  local high = floor(value / 2 ^ 32)
  return '\211' .. big_endian(2 ^ 32 + high, 4) .. big_endian(value - high * 2 ^ 32, 4)
end

local SMALL = {}
for value = 0, 127 do SMALL[value] = char(value) end
for value = -32, -1 do SMALL[value] = char(256 + value) end

local function pack_number(value)
  if value ~= floor(value) or value >= 2 ^ 63 or value < -2 ^ 63 then
    return pack_fraction(value)
  end
  return value >= 0 and pack_positive(value) or pack_negative(value)
end

-- --- packing ------------------------------------------------------------------------------------------------------

-- Parts of what is being packed; what lies behind `used` is left from earlier.
local parts, used = {}, 0

local STRING_HEADS, ARRAY_HEADS = {}, {}
for size = 0, 31 do STRING_HEADS[size] = char(160 + size) end
for size = 0, 15 do ARRAY_HEADS[size] = char(144 + size) end

local function long_head(size)
  if size < 256 then return char(217, size) end
  if size < 65536 then return '\218' .. big_endian(size, 2) end
  return '\219' .. big_endian(size, 4)
end

local function array_head(size)
  return ARRAY_HEADS[size] or (size < 65536 and '\220' .. big_endian(size, 2)) or '\221' .. big_endian(size, 4)
end

local function map_head(size)
  return size < 16 and char(128 + size) or (size < 65536 and '\222' .. big_endian(size, 2))
    or '\223' .. big_endian(size, 4)
end

local put_table

local function put(value, level)
  local kind = type(value)
  if kind == 'string' then
    local size = #value
    parts[used + 1], parts[used + 2] = STRING_HEADS[size] or long_head(size), value
    used = used + 2
  elseif kind == 'number' then
    used = used + 1
    parts[used] = SMALL[value] or pack_number(value)
  elseif kind == 'table' and level < NESTING_MAX then
    put_table(value, level)
  else
    used = used + 1
    parts[used] = kind == 'boolean' and (value and '\195' or '\194') or '\192'
  end
end

local function is_array(list)
  local count, max = 0, 0
  for key in next, list do
    if type(key) ~= 'number' or key < 1 or key ~= floor(key) then
      return false
    end
    count, max = count + 1, key > max and key or max
  end
  return count == max
end

-- A table whose keys do not come as 1, 2, 3: a map, or an array with a part of it in the table's hash.
local function put_unordered(list, level)
  local start, count = used + 1, 0
  used = start
  if is_array(list) then
    parts[start] = array_head(#list)
    for i = 1, #list do
      put(list[i], level + 1)
    end
    return
  end
  for key, value in next, list do
    count = count + 1
    put(key, level + 1)
    put(value, level + 1)
  end
  parts[start] = map_head(count)
end

function put_table(list, level)
  local start, count = used + 1, 0
  used = start
  for key, value in next, list do
    count = count + 1
    if key ~= count then
      used = start - 1
      return put_unordered(list, level)
    end
    put(value, level + 1)
  end
  parts[start] = array_head(count)
end

local function pack(...)
  local count = select('#', ...)
  if count == 0 then
    error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 2)
  end
  used = 0
  for i = 1, count do
    put((select(i, ...)), 0)
  end
  return concat(parts, '', 1, used)
end

-- --- unpacking ----------------------------------------------------------------------------------------------------

local text, at, size

local function need(count)
  if at + count - 1 > size then
    error('Missing bytes in input.', 0)
  end
end

local function whole(count)
  need(count)
  local value = 0
  for i = at, at + count - 1 do
    value = value * 256 + byte(text, i)
  end
  at = at + count
  return value
end

local function signed(count)
  need(count)
  local negative = byte(text, at) > 127
  if count < 8 then
    local value = whole(count)
    return negative and value - 256 ^ count or value
  end
  -- From both halves, the upper one signed, so that small numbers stay exact.
  local high = whole(4)
  local low = whole(4)
  return (negative and high - 2 ^ 32 or high) * 2 ^ 32 + low
end

local function fraction(sign, exponent, mantissa, bits, bias)
  local value
  if exponent == 2 * bias + 1 then
    value = mantissa == 0 and huge or huge - huge
  elseif exponent == 0 then
    value = ldexp(mantissa, 1 - bias - bits)
  else
    value = ldexp(mantissa + 2 ^ bits, exponent - bias - bits)
  end
  return sign == 1 and -value or value
end

local function float()
  local value = whole(4)
  local sign = value >= 2 ^ 31 and 1 or 0
  value = value - sign * 2 ^ 31
  local exponent = floor(value / 2 ^ 23)
  return fraction(sign, exponent, value - exponent * 2 ^ 23, 23, 127)
end

local function double()
  need(8)
  local high = whole(4)
  local sign = high >= 2 ^ 31 and 1 or 0
  high = high - sign * 2 ^ 31
  local exponent = floor(high / 2 ^ 20)
  return fraction(sign, exponent, (high - exponent * 2 ^ 20) * 2 ^ 32 + whole(4), 52, 1023)
end

local function bytes(count)
  need(count)
  local from = at
  at = at + count
  return sub(text, from, at - 1)
end

local take

local function array(count)
  local list = {}
  for i = 1, count do
    list[i] = take()
  end
  return list
end

local function map(count)
  local found = {}
  for _ = 1, count do
    local key = take()
    found[key] = take()
  end
  return found
end

local OTHERS = {
  [192] = function() return nil end,
  [194] = function() return false end,
  [195] = function() return true end,
  [202] = float,
  [203] = double,
  [204] = function() return whole(1) end,
  [205] = function() return whole(2) end,
  [206] = function() return whole(4) end,
  [207] = function() return whole(8) end,
  [208] = function() return signed(1) end,
  [209] = function() return signed(2) end,
  [210] = function() return signed(4) end,
  [211] = function() return signed(8) end,
  [217] = function() return bytes(whole(1)) end,
  [218] = function() return bytes(whole(2)) end,
  [219] = function() return bytes(whole(4)) end,
  [220] = function() return array(whole(2)) end,
  [221] = function() return array(whole(4)) end,
  [222] = function() return map(whole(2)) end,
  [223] = function() return map(whole(4)) end,
}

function take()
  local head = byte(text, at)
  if not head then
    error('Missing bytes in input.', 0)
  end
  at = at + 1
  if head < 128 then
    return head
  elseif head < 144 then
    return map(head - 128)
  elseif head < 160 then
    return array(head - 144)
  elseif head < 192 then
    return bytes(head - 160)
  elseif head > 223 then
    return head - 256
  end
  local other = OTHERS[head]
  if not other then
    error('Bad data format in input.', 0)
  end
  return other()
end

-- All that the text has, one after the other; mostly it is one value.
local function take_all()
  if size == 0 then
    return
  end
  local first = take()
  if at > size then
    return first
  end
  local found, count = { first }, 1
  while at <= size do
    count = count + 1
    found[count] = take()
  end
  return unpack(found, 1, count)
end

local function give(read, ...)
  if not read then
    error((...), 3)
  end
  return ...
end

local function unpack_all(packed)
  if type(packed) ~= 'string' and type(packed) ~= 'number' then
    error(string.format("bad argument #1 to 'unpack' (string expected, got %s)", packed == nil and 'no value'
      or type(packed)), 2)
  end
  text, at = tostring(packed), 1
  size = #text
  return give(pcall(take_all))
end

return { pack = pack, unpack = unpack_all }
