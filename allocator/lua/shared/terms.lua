-- terms: what may be promised about time when an order is placed, and what else it asks for besides units.
--
-- Python knows the calendars and says for each location which days it can be promised for; here is counted which of these
-- days have a place left. The JSON it comes as:
--   [ship_complete, country, region, pickup, [[category, split_limit], ...],
--    {location: [places a day or -1, day, ship_by_ms, deliver_by_ms, day, ship_by_ms, deliver_by_ms, ...], ...}]
--   category     '' fits every order; the first that fits says the order's split limit
--   day          year-month-day; up to five, the earliest first; deliver_by_ms 0: not known
-- Needs: args, rules, planning, orders.

local TEXT_MAX, RULES_MAX, LOCATIONS_MAX, OPTIONS_MAX, LIMIT_MAX = 16000, 50, 15, 5, 15
local TIME_MAX = 9999999999999
-- What was read, by its text, kept beyond a call: many orders come with the same. All forgotten when there are many.
local KNOWN_MAX = 2000
local known, known_count = {}, 0
-- What binds an order that only says where it goes.
local UNBOUND = { open = {} }

local function is_text(value)
  return type(value) == 'string' and #value <= args.CODE_MAX and not value:find('%c')
end

local function is_whole(value, min, max)
  return type(value) == 'number' and value >= min and value <= max and value % 1 == 0
end

-- { places = a day or -1, { day, ship_by, deliver_by }, ... }, or nil for anything else.
local function options_of(row)
  if type(row) ~= 'table' or not is_whole(row[1], -1, args.UNITS_MAX) or #row < 4 or #row > 1 + 3 * OPTIONS_MAX then
    return nil
  end
  local options = { places = row[1] }
  for i = 2, #row, 3 do
    local day, ship_by, deliver_by = row[i], row[i + 1], row[i + 2]
    local is_day = type(day) == 'string' and day:find('^%d%d%d%d%-%d%d%-%d%d$')
    if not is_day or not is_whole(ship_by, 1, TIME_MAX) or not is_whole(deliver_by, 0, TIME_MAX) then
      return nil
    end
    options[#options + 1] = { day, ship_by, deliver_by }
  end
  return options
end

local function promises_of(rows)
  local promises, count = {}, 0
  for code, row in pairs(rows) do
    promises[code], count = options_of(row), count + 1
    if not is_text(code) or code == '' or not promises[code] or count > LOCATIONS_MAX then
      return nil
    end
  end
  return promises
end

local function are_limits(rows)
  for _, row in ipairs(rows) do
    if type(row) ~= 'table' or not is_text(row[1]) or not is_whole(row[2], 1, LIMIT_MAX) then
      return false
    end
  end
  return #rows <= RULES_MAX
end

-- The terms of an order that only says where it goes, as most do: the same for all of them, and packed once.
local function bare_of(asked)
  local bare = { ship_by = 0, deliver_by = 0, complete = 0, country = asked.country, region = asked.region, pickup = '',
    places = {} }
  bare.packed = orders.pack_terms(bare)
  return bare
end

local function terms_from(text)
  local _, row = pcall(cjson.decode, text)
  if type(row) ~= 'table' or not is_whole(row[1], 0, 1) then
    return nil
  end
  for i = 2, 4 do
    if not is_text(row[i]) then
      return nil
    end
  end
  local promises = type(row[6]) == 'table' and promises_of(row[6])
  if type(row[5]) ~= 'table' or not are_limits(row[5]) or not promises then
    return nil
  end
  local asked = { text = text, complete = row[1], country = row[2], region = row[3], pickup = row[4], limits = row[5],
    promises = promises }
  if asked.complete == 0 and asked.pickup == '' and #asked.limits == 0 and next(promises) == nil then
    asked.bare = bare_of(asked)
  end
  return asked
end

-- What an order asks for; nobody may change it. nil when nothing is said.
function terms.read()
  local text = args.optional('terms', TEXT_MAX)
  if text == '' then
    return nil
  end
  local asked = known[text]
  if not asked then
    asked = terms_from(text)
    if not asked then
      args.complain('terms', 'must be what is asked besides units: six values, and up to 15 locations with their days')
      return nil
    end
    if known_count == KNOWN_MAX then
      known, known_count = {}, 0
    end
    known[text], known_count = asked, known_count + 1
  end
  return asked
end

local function has_place(code, places, day)
  local from = orders.slots_of(day, code)
  return redis.call('ZLEXCOUNT', keys.slots, '[' .. from, '(' .. from:sub(1, -2) .. '\1') < places
end

-- The first day with a place left, or nil.
local function first_open(code, options)
  for i = 1, #options do
    if options.places < 0 or has_place(code, options.places, options[i][1]) then
      return options[i]
    end
  end
end

-- The split limit of an order of these skus that asks for this, or nil: its channel's.
function terms.limit_of(asked, skus)
  for _, rule in ipairs(asked.limits) do
    if rule[1] == '' or rules.has_category(skus, rule[1]) then
      return rule[2]
    end
  end
end

-- What binds an order that asks for this: { limit = its own split limit, or nil; open = by location the first option with a
-- place left; full = the locations that have none, or nil }.
function terms.bounds(asked, skus)
  if asked.bare then
    return UNBOUND
  end
  local bounds = { limit = terms.limit_of(asked, skus), open = {} }
  for code, options in pairs(asked.promises) do
    local open = first_open(code, options)
    bounds.open[code] = open
    if not open then
      bounds.full = bounds.full or {}
      bounds.full[code] = true
    end
  end
  return bounds
end

-- The later of two, of which 0 is not known and makes the other unknown too; nil is none at all.
local function later(one, other)
  return one == 0 and 0 or other == 0 and 0 or math.max(one or other, other)
end

-- What the order was promised, when it has its takes: for each location its first option with a place left, or, beyond what
-- can leave, its last. It has a place of that day then.
function terms.settle(order, asked)
  if asked.bare then
    order.terms = asked.bare
    return
  end
  local mine = { complete = asked.complete, country = asked.country, region = asked.region, pickup = asked.pickup,
    places = {} }
  for _, code in ipairs((planning.used_codes(order.lines))) do
    local options = asked.promises[code]
    local option = options and (order.bounds.open[code] or options[#options])
    mine.ship_by = later(mine.ship_by, option and option[2] or 0)
    mine.deliver_by = later(mine.deliver_by, option and option[3] or 0)
    if option then
      mine.places[#mine.places + 1] = { location = code, day = options.places < 0 and '' or option[1], ship_by = option[2],
        deliver_by = option[3], left = 0 }
    end
  end
  mine.ship_by, mine.deliver_by = mine.ship_by or 0, mine.deliver_by or 0
  order.terms = mine
end
