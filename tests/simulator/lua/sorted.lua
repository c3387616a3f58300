-- sorted: the commands of sorted sets; see commands.lua.

local store, shared = ...
local add, get, get_or_make, drop_if_empty = shared.add, shared.get, shared.get_or_make, shared.drop_if_empty
local integer, unknown = shared.integer, shared.unknown

local INFINITE = { inf = math.huge, ['+inf'] = math.huge, infinity = math.huge, ['+infinity'] = math.huge,
  ['-inf'] = -math.huge, ['-infinity'] = -math.huge }

-- A number as the server reads a score, or nil.
local function score_of(text)
  local infinite = INFINITE[text:lower()]
  if infinite then return infinite end
  if text:find('[%s%z]') or text == '' then return nil end
  local value = tonumber(text)
  -- Too large for a double is no number.
  if not value or value ~= value or math.abs(value) == math.huge then return nil end
  return value
end

local function in_digits(score)
  if score == math.huge then return 'inf' end
  if score == -math.huge then return '-inf' end
  -- The shortest form that is read back as the same number.
  for digits = 15, 16 do
    local text = string.format('%.' .. digits .. 'g', score)
    if tonumber(text) == score then return text end
  end
  return string.format('%.17g', score)
end

local OPTIONS = { NX = true, XX = true, GT = true, LT = true, CH = true, INCR = true }

add('ZADD', -4, function(args)
  if OPTIONS[args[3]:upper()] then
    return unknown('options of ZADD')
  end
  if #args % 2 == 1 then return shared.SYNTAX end
  local scores = {}
  for i = 3, #args, 2 do
    scores[i] = score_of(args[i])
    if not scores[i] then
      return { err = 'ERR value is not a valid float' }
    end
  end
  local zset, wrong = get_or_make(args[2], 'zset')
  if wrong then return wrong end
  local made = 0
  for i = 3, #args, 2 do
    made = made + (store.set_score(zset, args[i + 1], scores[i]) and 0 or 1)
  end
  return made
end, { write = true })

add('ZREM', -3, function(args)
  local zset, wrong = get(args[2], 'zset')
  if wrong then return wrong end
  local count = 0
  for i = 3, zset and #args or 0 do
    if zset.scores[args[i]] then
      store.set_score(zset, args[i], nil)
      count = count + 1
      drop_if_empty(args[2], #zset.members)
    end
  end
  return count
end, { write = true })

add('ZCARD', 2, function(args)
  local zset, wrong = get(args[2], 'zset')
  return wrong or zset and #zset.members or 0
end)

add('ZSCORE', 3, function(args)
  local zset, wrong = get(args[2], 'zset')
  local score = zset and zset.scores[args[3]]
  return wrong or score and in_digits(score) or false
end, { shape = 'score' })

add('ZMSCORE', -3, function(args)
  local zset, wrong = get(args[2], 'zset')
  if wrong then return wrong end
  local found = {}
  for i = 3, #args do
    local score = zset and zset.scores[args[i]]
    found[i - 2] = score and in_digits(score) or false
  end
  return found
end, { shape = 'some_scores' })

local function with_scores(zset, from, to)
  local found = {}
  for i = from, to do
    found[#found + 1] = zset.members[i]
    found[#found + 1] = in_digits(zset.scores[zset.members[i]])
  end
  return found
end

add('ZRANGE', -4, function(args)
  local from, to, scores = integer(args[3]), integer(args[4]), args[5] and args[5]:upper() == 'WITHSCORES'
  if args[6] or (args[5] and not scores) then
    return unknown('options of ZRANGE')
  end
  if not from or not to then return shared.NOT_INTEGER end
  local zset, wrong = get(args[2], 'zset')
  if wrong or not zset then return wrong or {} end
  local size = #zset.members
  from, to = math.max(from < 0 and from + size or from, 0), math.min(to < 0 and to + size or to, size - 1)
  if scores then
    local found = with_scores(zset, from + 1, to + 1)
    found.scored = true
    return found
  end
  local found = {}
  for i = from + 1, to + 1 do
    found[#found + 1] = zset.members[i]
  end
  return found
end, { shape = 'scored' })

add('ZSCAN', -3, function(args)
  local zset, reply = shared.scan(args, 'zset')
  if not zset then return reply end
  -- A page would not be the same after a member before it went: all of it at once, as the server does with small sets.
  return { '0', with_scores(zset, 1, #zset.members) }
end)

-- LIMIT offset count behind the bounds of a range. Returns offset, count (below zero: all), or an error.
local function limit_of(args)
  if not args[5] then return 0, -1 end
  if args[5]:upper() == 'WITHSCORES' then
    return unknown('WITHSCORES here')
  end
  if args[5]:upper() ~= 'LIMIT' or not args[7] or args[8] then
    return nil, nil, shared.SYNTAX
  end
  local offset, count = integer(args[6]), integer(args[7])
  if not offset or not count then return nil, nil, shared.NOT_INTEGER end
  return offset, count
end

-- The members of one range, which is one stretch of the sorted list.
local function stretch(zset, above, below, offset, count)
  local found, passed = {}, 0
  if offset < 0 then return found end
  local low, high = 1, #zset.members + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if above(zset.members[middle]) then high = middle else low = middle + 1 end
  end
  for i = low, #zset.members do
    local member = zset.members[i]
    if count == #found or not below(member) then break end
    passed = passed + 1
    if passed > offset then
      found[#found + 1] = member
    end
  end
  return found
end

-- A bound of scores: the number, and whether it is itself outside.
local function score_bound(text)
  local open = text:sub(1, 1) == '('
  text = open and text:sub(2) or text
  return text == '' and 0 or score_of(text), open
end

add('ZRANGEBYSCORE', -4, function(args)
  local min, min_open = score_bound(args[3])
  local max, max_open = score_bound(args[4])
  local offset, count, bad = limit_of(args)
  if bad then return bad end
  if not min or not max then
    return { err = 'ERR min or max is not a float' }
  end
  local zset, wrong = get(args[2], 'zset')
  if wrong or not zset then return wrong or {} end
  local scores = zset.scores
  return stretch(zset, function(member)
    return scores[member] > min or (scores[member] == min and not min_open)
  end, function(member)
    return scores[member] < max or (scores[member] == max and not max_open)
  end, offset, count)
end)

-- A bound of members: -1 and 1 for before and behind all, 0 for the text, which may itself be outside; nil for nonsense.
local function lex_bound(text)
  if text == '-' then return -1 end
  if text == '+' then return 1 end
  local sign = text:sub(1, 1)
  if sign ~= '(' and sign ~= '[' then return nil end
  return 0, text:sub(2), sign == '('
end

-- The members between two bounds, or an error.
local function between(args, offset, count)
  local min_side, min, min_open = lex_bound(args[3])
  local max_side, max, max_open = lex_bound(args[4])
  if not min_side or not max_side then
    return { err = 'ERR min or max not valid string range item' }
  end
  local zset, wrong = get(args[2], 'zset')
  if wrong or not zset then return wrong or {} end
  return stretch(zset, function(member)
    return min_side < 0 or (min_side == 0 and (member > min or (member == min and not min_open)))
  end, function(member)
    return max_side > 0 or (max_side == 0 and (member < max or (member == max and not max_open)))
  end, offset, count)
end

add('ZRANGEBYLEX', -4, function(args)
  local offset, count, bad = limit_of(args)
  return bad or between(args, offset, count)
end)

add('ZLEXCOUNT', 4, function(args)
  local found = between(args, 0, -1)
  return found.err and found or #found
end)
