-- rules: the compiled config as the scripts see it, and which rule wins.
--
-- A sheet is { category, safety, buffer, cutoff, max }: four maps from a place (a location for safety, a channel for
-- the others, '' for any) to a value; buffer's value is { units, percent_bp }. The most specific rule wins, alone:
--   sku and place > category and place > sku > category > place > global
-- Needs: keys.config.

local NO_SHEET = { '', {}, {}, {}, {} }
local SAFETY, BUFFER, CUTOFF, MAX = 2, 3, 4, 5
local SCOPES = { 'sku+', 'category+', 'sku', 'category', '', 'global' }
local base_sheet
local sheets = {}

local function config_field(field)
  local packed = redis.call('HGET', keys.config, field)
  return packed and cmsgpack.unpack(packed) or nil
end

-- { rank, overflow, split_limit, demand, { { location, own_shelf, active }, ... } } as a table with names, or nil.
local function channel_view(channel)
  local view = config_field('channel:' .. channel)
  if not view then
    return nil
  end
  return { channel = channel, rank = view[1], overflow = view[2], split_limit = view[3], demand = view[4], locations = view[5] }
end

local function category_sheet(category)
  if not sheets['category:' .. category] then
    sheets['category:' .. category] = category ~= '' and config_field('category:' .. category) or NO_SHEET
  end
  return sheets['category:' .. category]
end

-- The three sheets that may hold a rule for this sku.
local function sheets_of(sku)
  base_sheet = base_sheet or config_field('rules') or NO_SHEET
  local own = sheets[sku]
  if not own then
    local sheet = config_field('sku:' .. sku) or NO_SHEET
    own = { sheet, category_sheet(sheet[1]), base_sheet }
    sheets[sku] = own
  end
  return own
end

local function candidates_of(own, kind, place)
  local sku, category, base = own[1][kind], own[2][kind], own[3][kind]
  return { sku[place], category[place], sku[''], category[''], base[place], base[''] }
end

-- The value in force and the number of its scope in SCOPES, or nil when no rule speaks.
local function rule(own, kind, place)
  local sku, category, base = own[1][kind], own[2][kind], own[3][kind]
  local value = sku[place]
  if value ~= nil then return value, 1 end
  value = category[place]
  if value ~= nil then return value, 2 end
  value = sku['']
  if value ~= nil then return value, 3 end
  value = category['']
  if value ~= nil then return value, 4 end
  value = base[place]
  if value ~= nil then return value, 5 end
  value = base['']
  if value ~= nil then return value, 6 end
  return nil
end

-- channel -> rank, read when the first quota asks; a channel that no longer exists comes last.
local ranks
local function rank_of(channel)
  ranks = ranks or config_field('ranks') or {}
  return ranks[channel] or 99999
end
