-- rules: the compiled config as the scripts see it, and which rule wins.
--
-- A sheet is { category, safety, buffer, cutoff, max }: four maps from a place (a location for safety, a channel for
-- the others, '' for any) to a value; buffer's value is { units, percent_bp }. The most specific rule wins, alone:
--   sku and place > category and place > sku > category > place > global
-- Needs: keys.config.

local NO_SHEET = { '', {}, {}, {}, {} }
rules.SAFETY, rules.BUFFER, rules.CUTOFF, rules.MAX = 2, 3, 4, 5
rules.SCOPES = { 'sku+', 'category+', 'sku', 'category', '', 'global' }
local base_sheet, sheets_by_sku, sheets_by_category, fetched, laid, ranks

function rules.begin()
  base_sheet, sheets_by_sku, sheets_by_category, fetched, laid, ranks = nil, {}, {}, {}, {}, nil
end

-- Lets a field of the config count as this value ('' for none): what would be if it were in force.
function rules.lay_over(field, value)
  laid[field] = value ~= '' and value
end

-- Reads at once what a verb will ask for: the rules of all, of this channel and of these skus.
function rules.fetch(channel, skus)
  local fields = { 'rules', 'channel:' .. channel }
  for i, sku in ipairs(skus) do
    fields[i + 2] = 'sku:' .. sku
  end
  local found = redis.call('HMGET', keys.config, unpack(fields))
  for i, field in ipairs(fields) do
    fetched[field] = found[i]
  end
end

function rules.config_field(field)
  local packed = laid[field]
  if packed == nil then
    packed = fetched[field]
  end
  if packed == nil then
    packed = redis.call('HGET', keys.config, field)
  end
  return packed and cmsgpack.unpack(packed) or nil
end

-- The channel, its rank, overflow, split_limit and locations { { location, own_shelf, active }, ... }; or nil.
function rules.channel_view(channel)
  local view = rules.config_field('channel:' .. channel)
  if not view then
    return nil
  end
  return { channel = channel, rank = view[1], overflow = view[2], split_limit = view[3], locations = view[5] }
end

local function category_sheet(category)
  if not sheets_by_category[category] then
    sheets_by_category[category] = category ~= '' and rules.config_field('category:' .. category) or NO_SHEET
  end
  return sheets_by_category[category]
end

-- The three sheets that may hold a rule for this sku.
function rules.sheets_of(sku)
  base_sheet = base_sheet or rules.config_field('rules') or NO_SHEET
  local own = sheets_by_sku[sku]
  if not own then
    local sheet = rules.config_field('sku:' .. sku) or NO_SHEET
    own = { sheet, category_sheet(sheet[1]), base_sheet }
    sheets_by_sku[sku] = own
  end
  return own
end

function rules.speakers(own, kind, place)
  local sku, category, base = own[1][kind], own[2][kind], own[3][kind]
  return { sku[place], category[place], sku[''], category[''], base[place], base[''] }
end

-- The value in force, or nil when no rule speaks.
function rules.winner(own, kind, place)
  local sku, category, base = own[1][kind], own[2][kind], own[3][kind]
  local value = sku[place]
  if value == nil then value = category[place] end
  if value == nil then value = sku[''] end
  if value == nil then value = category[''] end
  if value == nil then value = base[place] end
  if value == nil then value = base[''] end
  return value
end

-- channel -> rank, read when the first quota asks; a channel that no longer exists comes last.
function rules.rank_of(channel)
  ranks = ranks or rules.config_field('ranks') or {}
  return ranks[channel] or 99999
end
