-- wire: replies as they travel (RESP3), for the client library's own parser.

local concat, format = table.concat, string.format
local parts, used

local function put(text)
  used = used + 1
  parts[used] = text
end

local function put_text(text)
  parts[used + 1], parts[used + 2], parts[used + 3], parts[used + 4] = '$' .. #text, '\r\n', text, '\r\n'
  used = used + 4
end

local put_value

local function put_list(head, list, size, count)
  put(head .. (count or size) .. '\r\n')
  for i = 1, size do
    put_value(list[i])
  end
end

-- A script's list ends before its first nil.
local function length(list)
  local size = 0
  while list[size + 1] ~= nil do
    size = size + 1
  end
  return size
end

local function put_table(value)
  if value.err then
    -- The server ends the line where a line break would.
    put('-' .. tostring(value.err):gsub('[\r\n]', ' ') .. '\r\n')
  elseif value.ok then
    put('+' .. tostring(value.ok):gsub('[\r\n]', ' ') .. '\r\n')
  else
    put_list('*', value, length(value))
  end
end

function put_value(value)
  local kind = type(value)
  if kind == 'string' then
    put_text(value)
  elseif kind == 'number' then
    -- Whole, cut off towards zero.
    put(':' .. format('%.0f', value < 0 and math.ceil(value) or math.floor(value)) .. '\r\n')
  elseif kind == 'table' then
    put_table(value)
  elseif value == true then
    put(':1\r\n')
  else
    put('_\r\n')
  end
end

local function put_map(list)
  put_list('%', list, #list, #list / 2)
end

local SHAPES = {
  map = put_map,
  -- Pairs of a name and its rows, which travel as a map.
  rows = function(list)
    put('%' .. #list .. '\r\n')
    for _, pair in ipairs(list) do
      put_value(pair[1])
      put_value(pair[2])
    end
  end,
  set = function(list) put_list('~', list, #list) end,
  score = function(text) put(',' .. text .. '\r\n') end,
  -- Members alone, or each with its score.
  scored = function(list) put_list('*', list, #list) end,
  pairs = function(list)
    put('*' .. #list / 2 .. '\r\n')
    for i = 1, #list, 2 do
      put('*2\r\n')
      put_text(list[i])
      put(',' .. list[i + 1] .. '\r\n')
    end
  end,
  some_scores = function(list)
    put('*' .. #list .. '\r\n')
    for _, score in ipairs(list) do
      put(score and ',' .. score .. '\r\n' or '_\r\n')
    end
  end,
  libraries = function(list)
    if type(list) == 'string' then return put_text(list) end
    put('*' .. #list .. '\r\n')
    for _, library in ipairs(list) do
      put_map(library)
    end
  end,
}

-- A reply's bytes; shape as in `commands`.
local function encode(reply, shape)
  parts, used = {}, 0
  if not shape or not reply or type(reply) == 'table' and (reply.err or reply.ok) then
    put_value(reply)
  else
    SHAPES[reply.scored and 'pairs' or shape](reply)
  end
  return concat(parts, '', 1, used)
end

return { encode = encode }
