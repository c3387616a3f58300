-- args: read ARGV one by one, each with its name and its limits.
--
-- A wrong argument is remembered in `wrong` and read as something harmless, so that a script reads on and refuses
-- once, before any write. tonumber() alone is not enough: it takes ' 5 ', '0x10', '1e3' and 'nan'.

local ARGV, cursor, wrong, clean

-- Whole numbers of up to three digits by their text: most are units, ties and counts.
local small = {}

function args.begin(arguments)
  ARGV, cursor, wrong = arguments, 0, nil
  -- Looked for in all of them at once; where there is none, which is almost always, nobody looks again. One run over
  -- what may be there costs a third of a search for what may not.
  clean = table.concat(arguments):find('^%C*$') ~= nil
end

function args.complain(name, what)
  wrong = wrong or (name .. ' ' .. what)
end

-- Bytes of any kind.
function args.bytes()
  cursor = cursor + 1
  return ARGV[cursor] or ''
end

local function not_text(name, max)
  args.complain(name, 'must be text of at most ' .. max .. ' bytes without control characters')
  return ''
end

-- Text of at most `max` bytes, possibly empty, without control characters (they part the fields of index members).
function args.optional(name, max)
  cursor = cursor + 1
  local value = ARGV[cursor] or ''
  if #value > max or not clean and value:find('%c') then
    return not_text(name, max)
  end
  return value
end

function args.text(name, max)
  cursor = cursor + 1
  local value = ARGV[cursor]
  if value == nil or value == '' then
    args.complain(name, 'is missing')
    return ''
  elseif #value > max or not clean and value:find('%c') then
    return not_text(name, max)
  end
  return value
end

local function number_of(value)
  local number = #value <= 16 and value:find('^%-?%d+$') and tonumber(value) or false
  if #value <= 3 then
    small[value] = number
  end
  return number
end

function args.whole(name, min, max)
  cursor = cursor + 1
  local value = ARGV[cursor] or ''
  local number = small[value]
  if number == nil then
    number = number_of(value)
  end
  if not number or number < min or number > max then
    args.complain(name, string.format('must be a whole number from %.0f to %.0f', min, max))
    return min
  end
  return number
end

-- A whole number, or nothing at all.
function args.whole_or_none(name, min, max)
  if ARGV[cursor + 1] == '' then
    cursor = cursor + 1
    return nil
  end
  return args.whole(name, min, max)
end

function args.choice(name, choices)
  local value = args.bytes()
  if not choices[value] then
    args.complain(name, 'has a value that is not known')
  end
  return value
end

-- Call when all is read: what is wrong with the arguments, or nil.
function args.wrong()
  if cursor ~= #ARGV then
    args.complain('the arguments', 'are not as many as announced')
  end
  return wrong
end

args.CODE_MAX, args.SKU_MAX, args.ID_MAX, args.UNITS_MAX = 64, 256, 512, 1000000000

function args.code(name)
  return args.text(name, args.CODE_MAX)
end

function args.sku()
  return args.text('sku', args.SKU_MAX)
end

function args.id(name)
  return args.text(name, args.ID_MAX)
end

-- The id of a hold or an order, or an op.
function args.record_id()
  return args.text('id', args.ID_MAX + args.CODE_MAX + 32)
end

-- An order's id: its channel, a colon, its external id.
function args.order_id()
  return args.text('order_id', args.CODE_MAX + args.ID_MAX)
end

function args.units()
  return args.whole('units', 1, args.UNITS_MAX)
end
