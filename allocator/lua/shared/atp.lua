-- atp: what a channel may promise of a sku, in the five steps of the model. The only implementation there is.
--
-- What one channel sees at one location is parted so that every free unit is in exactly one part:
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

-- The quotas of a place, those that are covered first coming first.
function atp.quotas(extra)
  local quotas = stock.quotas(extra)
  if quotas[2] then
    table.sort(quotas, by_rank)
  end
  return quotas
end

-- Step 2: quotas are covered in channel rank order from what is free; the rest is shared.
-- Returns own, shared and the lenders.
local function cover_quotas(quotas, free, channel)
  local own, left, lenders = 0, free, {}
  for _, quota in ipairs(quotas) do
    local effective = math.max(0, math.min(quota.quota - quota.consumed, left))
    left = left - effective
    if quota.channel == channel then
      own = effective
    elseif effective > 0 then
      table.insert(lenders, 1, { channel = quota.channel, units = effective, floor = quota.floor })
    end
  end
  return own, left, lenders
end

function atp.lendable(lender)
  return math.max(0, lender.units - lender.floor)
end

local function open_of(overflow, own, shared, lenders)
  local open = overflow == 'none' and own or own + shared
  if overflow == 'borrow' then
    for _, lender in ipairs(lenders) do
      open = open + atp.lendable(lender)
    end
  end
  return open
end

-- Steps 1 and 2 where quotas may be. Returns open, own, shared, lenders.
local function parts_of(view, extra, free)
  local quotas = atp.quotas(extra)
  local own, shared, lenders = 0, free, NO_LENDERS
  if quotas[1] then
    own, shared, lenders = cover_quotas(quotas, free, view.channel)
  end
  return open_of(view.overflow, own, shared, lenders), own, shared, lenders
end

-- Any location as the channel would see it if it were active there.
function atp.spot_of(view, code)
  local position = view.position[code]
  return { code, position and view.locations[position][2] or 0, 1 }
end

-- What a channel sees at one location, with all its parts. spot: { code, own_shelf, active } of the channel's view.
function atp.shelf(view, state, spot, safety)
  local shelf = { code = spot[1], open = 0, own = 0, shared = 0, lenders = NO_LENDERS, reserve = 0, fence = 0 }
  local there, extra = stock.look(state, spot[1])
  if spot[3] ~= 1 or not there or there <= 0 then
    return shelf
  end
  local free = math.max(0, there - safety)
  shelf.open, shelf.own, shelf.shared, shelf.lenders = parts_of(view, extra, free)
  shelf.reserve, shelf.fence = there - free, free - shelf.open
  return shelf
end

-- One walk over a sku's places: what is open to the channel in all, and what the sku owes: backordered, in conflict,
-- and promised at a place but not there. `keep` has the safety stock of each location that counts. `open`, when given, gets the open units by position in view.locations.
local function walk(view, state, keep, only, open)
  local flat, closed = state.flat, view.overflow == 'none'
  local total, owed = 0, flat[2]
  if owed ~= 0 then
    owed = owed[1] + owed[2]
  end
  for at = stock.FIRST, #flat, stock.PLACE do
    local code, extra = flat[at], flat[at + 4]
    local there = flat[at + 1] - flat[at + 2] - flat[at + 3]
    if extra ~= 0 then
      there = there - stock.unavailable_in(extra)
    end
    if there < 0 then
      owed = owed - there
    end
    local safety = keep[code]
    if safety and there > safety and (not only or only[code]) then
      local units = there - safety
      if extra ~= 0 then
        units = parts_of(view, extra, units)
      elseif closed then
        units = 0
      end
      total = total + units
      if open then
        open[view.position[code]] = units
      end
    end
  end
  return total, owed
end

local function ceil_share(units, bp)
  local whole = math.floor(units / 10000)
  return whole * bp + math.ceil((units - whole * 10000) * bp / 10000)
end

-- Steps 3 to 5. Returns pool, buffer, after_buffer, published.
local function steps(limits, open, owed)
  local pool = open - owed
  if pool < 0 then pool = 0 end
  local buffer, max = limits.buffer_units, limits.max
  if limits.buffer_bp > 0 then
    buffer = math.max(buffer, ceil_share(pool, limits.buffer_bp))
  end
  local after = pool - buffer
  if after < 0 then after = 0 end
  if after <= limits.cutoff then
    return pool, buffer, after, 0
  end
  return pool, buffer, after, max and max < after and max or after
end

-- atp_now and published over the channel's locations, or over those in `only` ({ [code] = true }) when given.
function atp.numbers(view, state, only)
  local limits = rules.limits_of(view, state.sku)
  local _, _, after, published = steps(limits, walk(view, state, limits.keep, only))
  return after, published
end

-- The same with everything a demand or an explanation needs: { view, state, limits, open = { by position in
-- view.locations }, shelves = {} (see `atp.shelf_of`), total, owed, pool, buffer, after_buffer, published }.
function atp.of(view, state, only)
  local limits, open = rules.limits_of(view, state.sku), { unpack(view.zeros) }
  local total, owed = walk(view, state, limits.keep, only, open)
  local pool, buffer, after, published = steps(limits, total, owed)
  return { view = view, state = state, limits = limits, open = open, shelves = { nil, nil, nil }, total = total, owed = owed,
    pool = pool, buffer = buffer, after_buffer = after, published = published }
end

-- The shelf at a position, made when it is first asked for; before anything was drawn from it.
function atp.shelf_of(sums, position)
  local shelf = sums.shelves[position]
  if not shelf then
    shelf = atp.shelf(sums.view, sums.state, sums.view.locations[position], sums.limits.safety[position])
    sums.shelves[position] = shelf
  end
  return shelf
end

-- The published number by location, in rank order up to what is open there: { code, units, code, units, ... }.
function atp.spread(sums, only)
  local left, spots = sums.published, {}
  for position, spot in ipairs(sums.view.locations) do
    if not only or only[spot[1]] then
      local units = math.min(sums.open[position], left)
      left = left - units
      spots[#spots + 1] = spot[1]
      spots[#spots + 1] = units
    end
  end
  return spots
end
