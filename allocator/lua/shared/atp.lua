-- atp: what a channel may promise of a sku, in the five steps of the model. The only implementation there is.
--
-- A shelf is what one channel sees at one location, parted so that every free unit is in exactly one part:
--   own       its own quota's effective units
--   shared    what no quota covers
--   lenders   { channel, units, floor }: other quotas' effective units, least important channel first
--   reserve   safety stock that is really there
-- and from these:
--   open      own, plus shared unless overflow is `none`, plus what lenders have above their floor for `borrow`
--   fence     what `open` leaves of own, shared and lenders
-- Needs: stock, rules.

-- Shared by all shelves without quotas; never written to.
local NO_LENDERS = {}

local function by_rank(a, b)
  local rank_a, rank_b = rules.rank_of(a.channel), rules.rank_of(b.channel)
  if rank_a ~= rank_b then
    return rank_a < rank_b
  end
  return a.channel < b.channel
end

-- Step 2: quotas are covered in channel rank order from what is free; the rest is shared.
local function cover_quotas(shelf, place, channel)
  local left = shelf.shared
  shelf.lenders = {}
  table.sort(place.quotas, by_rank)
  for _, quota in ipairs(place.quotas) do
    local effective = math.max(0, math.min(quota.quota - quota.consumed, left))
    left = left - effective
    if quota.channel == channel then
      shelf.own = effective
    elseif effective > 0 then
      table.insert(shelf.lenders, 1, { channel = quota.channel, units = effective, floor = quota.floor })
    end
  end
  shelf.shared = left
end

function atp.lendable(lender)
  return math.max(0, lender.units - lender.floor)
end

local function count_open(shelf, overflow)
  local open, all = shelf.own, shelf.own + shelf.shared
  if overflow ~= 'none' then
    open = open + shelf.shared
  end
  for _, lender in ipairs(shelf.lenders) do
    all = all + lender.units
    if overflow == 'borrow' then
      open = open + atp.lendable(lender)
    end
  end
  shelf.open, shelf.fence = open, all - open
end

-- The safety stock this channel keeps at a location; a till ignores it on its own shelf.
function atp.safety_of(own_sheets, spot)
  return spot[2] == 0 and rules.winner(own_sheets, rules.SAFETY, spot[1]) or 0
end

-- Steps 1 and 2 at one location. spot: { code, own_shelf, active } of the channel's view.
function atp.shelf_at(view, state, own_sheets, spot)
  local code = spot[1]
  local place = state.places[code]
  local safety = atp.safety_of(own_sheets, spot)
  local there = place and spot[3] == 1 and stock.available(place) or 0
  local free = math.max(0, there - safety)
  local shelf = { code = code, own = 0, shared = free, lenders = NO_LENDERS, reserve = math.max(0, there) - free,
    open = free, fence = 0 }
  if place and place.quotas[1] then
    cover_quotas(shelf, place, view.channel)
  end
  count_open(shelf, view.overflow)
  return shelf
end

local function ceil_share(units, bp)
  local whole = math.floor(units / 10000)
  return whole * bp + math.ceil((units - whole * 10000) * bp / 10000)
end

-- Steps 3 to 5 over the channel's locations, or over those in `only` ({ [code] = true }) when given.
-- Returns { shelves, at = { [code] = shelf }, owed, pool, buffer, after_buffer, cutoff, max, published }.
function atp.of(view, state, only)
  local own_sheets = rules.sheets_of(state.sku)
  local sums = { shelves = {}, at = {}, open = 0, owed = stock.owed(state), pool = 0, buffer = 0, after_buffer = 0,
    cutoff = 0, max = false, published = 0 }
  for _, spot in ipairs(view.locations) do
    if not only or only[spot[1]] then
      local shelf = atp.shelf_at(view, state, own_sheets, spot)
      sums.shelves[#sums.shelves + 1] = shelf
      sums.at[shelf.code] = shelf
      sums.open = sums.open + shelf.open
    end
  end
  sums.pool = math.max(0, sums.open - sums.owed)
  local buffer = rules.winner(own_sheets, rules.BUFFER, view.channel)
  sums.buffer = buffer and math.max(buffer[1], ceil_share(sums.pool, buffer[2])) or 0
  sums.after_buffer = math.max(0, sums.pool - sums.buffer)
  local max = rules.winner(own_sheets, rules.MAX, view.channel)
  sums.cutoff, sums.max = rules.winner(own_sheets, rules.CUTOFF, view.channel) or 0, max
  sums.published = sums.after_buffer
  if sums.after_buffer <= sums.cutoff then
    sums.published = 0
  elseif max and max < sums.published then
    sums.published = max
  end
  return sums
end

-- The published number by location, in rank order up to what is open there: { code, units, code, units, ... }.
function atp.spread(sums)
  local left, spots = sums.published, {}
  for _, shelf in ipairs(sums.shelves) do
    local units = math.min(shelf.open, left)
    left = left - units
    spots[#spots + 1] = shelf.code
    spots[#spots + 1] = units
  end
  return spots
end
