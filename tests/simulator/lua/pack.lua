-- pack: cmsgpack.pack as the server's lua_cmsgpack.c has it, byte for byte.
--
-- Whole numbers take the shortest form; other numbers take 4 bytes when a float says them exactly, else 8. A table is
-- an array when its keys are 1..n, else a map in the order of `next`. Strings are bytes.

local NESTING_MAX = 16

local char, concat = string.char, table.concat
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

local function pack_number(value)
  if value ~= floor(value) or value >= 2 ^ 63 or value < -2 ^ 63 then
    return pack_fraction(value)
  end
  return value >= 0 and pack_positive(value) or pack_negative(value)
end

-- --- packing ------------------------------------------------------------------------------------------------------

-- Parts of what is being packed; what lies behind `used` is left from earlier.
local parts, used = {}, 0

-- Short strings and numbers in their packed form; most come again and again. All forgotten when there are many.
local KNOWN_MAX = 5000
local known, known_count

local function forget()
  known, known_count = { [true] = '\195', [false] = '\194' }, 0
  for value = 0, 127 do known[value] = char(value) end
  for value = -32, -1 do known[value] = char(256 + value) end
end
forget()

local function keep(value, packed)
  if known_count == KNOWN_MAX then
    forget()
  end
  known[value], known_count = packed, known_count + 1
  return packed
end

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

-- What is not among the known.
local function put_new(value, level)
  local kind = type(value)
  if kind == 'table' and level < NESTING_MAX then
    return put_table(value, level)
  end
  used = used + 1
  if kind == 'string' then
    local size = #value
    if size < 32 then
      parts[used] = keep(value, STRING_HEADS[size] .. value)
    else
      parts[used], parts[used + 1] = long_head(size), value
      used = used + 1
    end
  elseif kind == 'number' then
    parts[used] = value == value and keep(value, pack_number(value)) or pack_number(value)
  else
    parts[used] = '\192'
  end
end

local function put(value, level)
  local packed = value ~= nil and known[value]
  if packed then
    used = used + 1
    parts[used] = packed
  else
    put_new(value, level)
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
    local packed = known[value]
    if packed then
      used = used + 1
      parts[used] = packed
    else
      put_new(value, level + 1)
    end
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

return pack
