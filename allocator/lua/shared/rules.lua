-- rules: the compiled config as the scripts see it, and which rule wins.
--
-- A sheet is { category, safety, buffer, cutoff, max }: four maps from a place (a location for safety, a channel for
-- the others, '' for any) to a value; buffer's value is { units, percent_bp }. The most specific rule wins, alone:
--   sku and place > category and place > sku > category > place > global
-- What is read from the config outlives a call: it is kept under its own packed bytes, so it can never be out of date,
-- and nobody may change it.
-- Needs: keys.config.

local NO_SHEET = { '', {}, {}, {}, {} }
rules.SAFETY, rules.BUFFER, rules.CUTOFF, rules.MAX = 2, 3, 4, 5
rules.SCOPES = { 'sku+', 'category+', 'sku', 'category', '', 'global' }

-- Decoded fields by their bytes, and channels' views by channel; all forgotten when there are many.
local KEPT_MAX = 2000
local decoded, views, kept = {}, {}, 0
-- Of this call: packed fields read, packed sheets by sku, fields laid over, channels' ranks, and for one view the limits
-- by a sku's packed sheet.
local fetched, own_sheets, laid, ranks, limits_view, limits_by_sheet

function rules.begin()
  fetched, own_sheets, laid, ranks, limits_view, limits_by_sheet = {}, { sku = nil }, nil, nil, nil, nil
  if kept > KEPT_MAX then
    decoded, views, kept = {}, {}, 0
  end
end

-- Lets a field of the config count as this value ('' for none): what would be if it were in force.
function rules.lay_over(field, value)
  laid = laid or {}
  laid[field] = value
end

-- Reads at once what a verb will ask for: the rules of all, of this channel and of these skus.
function rules.fetch(channel, skus)
  local fields = { 'rules', 'channel:' .. channel, nil }
  for i = 1, #skus do
    fields[i + 2] = 'sku:' .. skus[i]
  end
  local found = redis.call('HMGET', keys.config, unpack(fields))
  fetched = { rules = found[1], [fields[2]] = found[2] }
  for i = 1, #skus do
    own_sheets[skus[i]] = found[i + 2]
  end
end

-- The packed value of a field, or false.
local function read(field)
  local packed = laid and laid[field]
  if packed then
    return packed ~= '' and packed
  end
  packed = fetched[field]
  if packed == nil then
    packed = redis.call('HGET', keys.config, field)
    fetched[field] = packed
  end
  return packed
end

-- Keeps what was worked out from the config, until there is too much of it.
function rules.keep(place, name, value)
  place[name], kept = value, kept + 1
end

local function own_sheet(sku)
  local packed = own_sheets[sku]
  if packed == nil or laid then
    packed = read('sku:' .. sku)
  end
  return packed
end

local function decode(packed)
  local value = decoded[packed]
  if value == nil then
    value = cmsgpack.unpack(packed)
    rules.keep(decoded, packed, value)
  end
  return value
end

function rules.config_field(field)
  local packed = read(field)
  return packed and decode(packed) or nil
end

local function new_view(channel, packed)
  local entry = decode(packed)
  local view = { channel = channel, packed = packed, rank = entry[1], overflow = entry[2], split_limit = entry[3],
    locations = entry[5], position = {}, zeros = {}, limits = {}, eligible = {} }
  for position, spot in ipairs(view.locations) do
    view.position[spot[1]], view.zeros[position] = position, 0
  end
  return view
end

-- The channel, or nil: its rank, overflow, split_limit, locations { { location, own_shelf, active }, ... }, the
-- position of each in that list, as many zeros as there are locations, and what has been worked out for it so far.
function rules.channel_view(channel)
  local packed = read('channel:' .. channel)
  if not packed then
    return nil
  end
  local view = views[channel]
  if not view or view.packed ~= packed then
    view = new_view(channel, packed)
    rules.keep(views, channel, view)
  end
  return view
end

-- The three sheets that may hold a rule for this sku: its own, its category's, the base.
function rules.sheets_of(sku)
  local packed = own_sheet(sku)
  local own = packed and decode(packed) or NO_SHEET
  local category = own[1] ~= '' and rules.config_field('category:' .. own[1]) or NO_SHEET
  return own, category, rules.config_field('rules') or NO_SHEET
end

-- Whether one of these skus is of this category.
function rules.has_category(skus, category)
  for _, sku in ipairs(skus) do
    if rules.sheets_of(sku)[1] == category then
      return true
    end
  end
  return false
end

-- What each scope says of a kind at a place, the most specific first; nil where it says nothing.
function rules.speakers(sku, kind, place)
  local own, category, base = rules.sheets_of(sku)
  own, category, base = own[kind], category[kind], base[kind]
  return { own[place], category[place], own[''], category[''], base[place], base[''] }
end

local function winner(own, category, base, kind, place)
  own, category, base = own[kind], category[kind], base[kind]
  local value = own[place]
  if value == nil then value = category[place] end
  if value == nil then value = own[''] end
  if value == nil then value = category[''] end
  if value == nil then value = base[place] end
  if value == nil then value = base[''] end
  return value
end

-- The safety stock this channel keeps at a spot; a till ignores it on its own shelf.
local function safety_at(own, category, base, spot)
  return spot[2] == 0 and winner(own, category, base, rules.SAFETY, spot[1]) or 0
end

function rules.safety_of(sku, spot)
  local own, category, base = rules.sheets_of(sku)
  return safety_at(own, category, base, spot)
end

local NO_BUFFER = { 0, 0 }

local function new_limits(view, own, category, base)
  local buffer = winner(own, category, base, rules.BUFFER, view.channel) or NO_BUFFER
  local limits = { category = category, base = base, safety = {}, keep = {}, buffer_units = buffer[1], buffer_bp = buffer[2],
    cutoff = winner(own, category, base, rules.CUTOFF, view.channel) or 0,
    max = winner(own, category, base, rules.MAX, view.channel) or false }
  for position, spot in ipairs(view.locations) do
    limits.safety[position] = safety_at(own, category, base, spot)
    limits.keep[spot[1]] = spot[3] == 1 and limits.safety[position] or nil
  end
  return limits
end

local function find_limits(view, sku)
  local own, category, base = rules.sheets_of(sku)
  local limits = view.limits[own]
  if not limits or limits.category ~= category or limits.base ~= base then
    limits = new_limits(view, own, category, base)
    rules.keep(view.limits, own, limits)
  end
  return limits
end

-- The values in force for a sku on a channel: { safety = { by position in view.locations }, keep = { the same by code, of
-- active locations }, buffer_units, buffer_bp,
-- cutoff, max or false }. Skus with the same sheets share it.
function rules.limits_of(view, sku)
  if limits_view ~= view then
    limits_view, limits_by_sheet = view, { sheet = nil }
  end
  local packed = own_sheet(sku)
  local limits = limits_by_sheet[packed]
  if not limits then
    limits = find_limits(view, sku)
    limits_by_sheet[packed] = limits
  end
  return limits
end

-- channel -> rank, read when the first quota asks; a channel that no longer exists comes last.
function rules.rank_of(channel)
  ranks = ranks or rules.config_field('ranks') or {}
  return ranks[channel] or 99999
end
