-- unpack: cmsgpack.unpack as the server's lua_cmsgpack.c has it, with its words for what cannot be read.

local byte, sub = string.byte, string.sub
local floor, ldexp, huge = math.floor, math.ldexp, math.huge

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
    -- Small numbers and short strings, of which most lists are made, without another call.
    local head = byte(text, at)
    if not head or (head > 127 and head < 160) or head > 191 then
      list[i] = take()
    elseif head < 128 then
      list[i], at = head, at + 1
    else
      local stop = at + head - 160
      if stop > size then
        error('Missing bytes in input.', 0)
      end
      list[i], at = sub(text, at + 1, stop), stop + 1
    end
  end
  return list
end

local function map(count)
  local found = {}
  for _ = 1, count do
    local key = take()
    local value = take()
    if key == nil or key ~= key then
      error(key == nil and 'table index is nil' or 'table index is NaN', 0)
    end
    found[key] = value
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
  -- The server reads these as signed, too.
  [207] = function() return signed(8) end,
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

return unpack_all
