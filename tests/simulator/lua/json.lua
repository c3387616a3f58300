-- json: cjson.decode as the server's lua_cjson has it with its settings: numbers as strtod reads them (hex, inf, nan),
-- null as a value of its own, at most 1,000 levels. Only the words of its errors are other.

local DEPTH_MAX = 1000

local null = newproxy()
-- As strtod makes it; 0 / 0 has the other sign.
local NAN = tonumber('nan')
local text, at

local value

local function fail(what)
  error(what .. ' at character ' .. at, 0)
end

local function skip()
  at = text:find('[^ \t\n\r]', at) or #text + 1
end

local function utf8(code)
  if code < 128 then return string.char(code) end
  if code < 2048 then return string.char(192 + math.floor(code / 64), 128 + code % 64) end
  if code < 65536 then
    return string.char(224 + math.floor(code / 4096), 128 + math.floor(code / 64) % 64, 128 + code % 64)
  end
  return string.char(240 + math.floor(code / 262144), 128 + math.floor(code / 4096) % 64,
    128 + math.floor(code / 64) % 64, 128 + code % 64)
end

local function hex4(from)
  local digits = text:match('^\\u(%x%x%x%x)', from)
  return digits and tonumber(digits, 16)
end

-- \uXXXX, two of them where one stands for the upper half of a character.
local function escaped_code()
  local code = hex4(at)
  if not code or (code >= 0xDC00 and code < 0xE000) then
    fail('Expected a unicode escape')
  end
  at = at + 6
  if code >= 0xD800 and code < 0xDC00 then
    local low = hex4(at)
    if not low or low < 0xDC00 or low >= 0xE000 then
      fail('Expected the other half of a character')
    end
    at = at + 6
    return (code - 0xD800) * 1024 + (low - 0xDC00) + 0x10000
  end
  return code
end

local ESCAPES = { ['"'] = '"', ['\\'] = '\\', ['/'] = '/', b = '\b', f = '\f', n = '\n', r = '\r', t = '\t' }

local function quoted()
  local parts = {}
  at = at + 1
  while true do
    local plain, stop = text:match('^([^"\\%z]*)()', at)
    parts[#parts + 1], at = plain, stop
    local sign = text:sub(at, at)
    if sign == '"' then
      at = at + 1
      return table.concat(parts)
    elseif sign ~= '\\' then
      fail('Expected the end of a string')
    end
    local next_sign = text:sub(at + 1, at + 1)
    if next_sign == 'u' then
      parts[#parts + 1] = utf8(escaped_code())
    else
      parts[#parts + 1] = ESCAPES[next_sign] or fail('Expected an escape')
      at = at + 2
    end
  end
end

-- The forms of strtod, each with the form of its exponent.
local FORMS = {
  { '^(0[xX]%x+%.?%x*)()', '^([pP][+-]?%d+)()' },
  { '^(0[xX]%.%x+)()', '^([pP][+-]?%d+)()' },
  { '^(%d+%.?%d*)()', '^([eE][+-]?%d+)()' },
  { '^(%.%d+)()', '^([eE][+-]?%d+)()' },
}

-- The longest digits from here that strtod would read, and what follows them; nil when there are none.
local function digits(from)
  for _, form in ipairs(FORMS) do
    local found, stop = text:match(form[1], from)
    if found then
      local power, after = text:match(form[2], stop)
      return tonumber(found .. (power or '')), after or stop
    end
  end
end

-- The longest start that strtod would read.
local function number()
  local sign, from = text:match('^([+-]?)()', at)
  local found, stop = digits(from)
  local low = text:sub(from, from + 7):lower()
  if not found and low:sub(1, 3) == 'inf' then
    found, stop = math.huge, from + (low == 'infinity' and 8 or 3)
  elseif not found and low:sub(1, 3) == 'nan' then
    found, stop = NAN, from + 3
  end
  if not found then
    fail('Expected a value')
  end
  at = stop
  return sign == '-' and -found or found
end

-- Whether the list or object ends here; otherwise there is a comma, and it goes on.
local function ends(closing)
  skip()
  local sign = text:sub(at, at)
  at = at + 1
  if sign ~= closing and sign ~= ',' then
    fail('Expected a comma or ' .. closing)
  end
  return sign == closing
end

local function list(depth)
  local found, count = {}, 0
  at = at + 1
  skip()
  if text:sub(at, at) == ']' then
    at = at + 1
    return found
  end
  while true do
    count = count + 1
    found[count] = value(depth)
    if ends(']') then
      return found
    end
  end
end

local function object(depth)
  local found = {}
  at = at + 1
  skip()
  if text:sub(at, at) == '}' then
    at = at + 1
    return found
  end
  while true do
    skip()
    local key = text:sub(at, at) == '"' and quoted() or fail('Expected a key')
    skip()
    if text:sub(at, at) ~= ':' then
      fail('Expected a colon')
    end
    at = at + 1
    found[key] = value(depth)
    if ends('}') then
      return found
    end
  end
end

local WORDS = { { 'null', null }, { 'true', true }, { 'false', false } }

function value(depth)
  skip()
  local sign = text:sub(at, at)
  if sign == '"' then return quoted() end
  if sign == '[' or sign == '{' then
    if depth == DEPTH_MAX then
      fail('Found too many nested data structures')
    end
    return sign == '[' and list(depth + 1) or object(depth + 1)
  end
  for _, word in ipairs(WORDS) do
    if text:sub(at, at + #word[1] - 1) == word[1] then
      at = at + #word[1]
      return word[2]
    end
  end
  -- No number starts with its point here, though strtod would take it.
  if sign == '.' then
    fail('Expected a value')
  end
  return number()
end

local function decode(given)
  text, at = tostring(given), 1
  if #text >= 2 and (text:byte(1) == 0 or text:byte(2) == 0) then
    error('JSON parser does not support UTF-16 or UTF-32', 2)
  end
  local found = value(0)
  skip()
  if at <= #text and text:byte(at) ~= 0 then
    fail('Expected the end')
  end
  return found
end

return { decode = decode, null = null }
