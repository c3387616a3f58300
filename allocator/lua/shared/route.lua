-- route: which locations serve a demand together. Python ranked them; here they are counted.
--
-- One location that can fill everything comes first, else the best pair, else the best triple of the first 8
-- candidates that have any of it, else greedily, each time the location that covers most of what is still missing.
-- Better ranked (a smaller sum of ties) wins, then more open units, then the order given. At most `limit` locations.
--
-- candidates  { { code, tie, position }, ... } in rank order; a location is known by its position in the channel's list
-- needs       { { units, [pass] = { by position } }, ... }, one per sku
-- pass        the part of a shelf that is counted: open, reserve or fence

local EXACT_AMONG = 8
route.NO_LIMIT = 1000

-- The candidates that have any of it: { position, tie, units, open = { by need } }, best first.
local function with_units(candidates, needs, pass)
  local some = {}
  for place, candidate in ipairs(candidates) do
    local spot = { position = candidate[3], tie = candidate[2], place = place, units = 0, open = {} }
    for n, need in ipairs(needs) do
      spot.open[n] = need.units > 0 and need[pass][spot.position] or 0
      spot.units = spot.units + spot.open[n]
    end
    if spot.units > 0 then
      some[#some + 1] = spot
    end
  end
  table.sort(some, function(a, b)
    if a.tie ~= b.tie then return a.tie < b.tie end
    if a.units ~= b.units then return a.units > b.units end
    return a.place < b.place
  end)
  return some
end

local function fills(spots, needs)
  for n, need in ipairs(needs) do
    local open = 0
    for _, spot in ipairs(spots) do
      open = open + spot.open[n]
    end
    if open < need.units then
      return false
    end
  end
  return true
end

local function better(spots, best)
  if not best then
    return true
  end
  local tie, units, best_tie, best_units = 0, 0, 0, 0
  for i, spot in ipairs(spots) do
    tie, units = tie + spot.tie, units + spot.units
    best_tie, best_units = best_tie + best[i].tie, best_units + best[i].units
  end
  return tie < best_tie or (tie == best_tie and units > best_units)
end

-- The best set of `size` spots that fills all needs, or nil. `chosen` grows by recursion, at most three deep.
local function best_set(spots, needs, size, among, from, chosen, best)
  for i = from, among do
    chosen[#chosen + 1] = spots[i]
    if #chosen < size then
      best = best_set(spots, needs, size, among, i + 1, chosen, best)
    elseif fills(chosen, needs) and better(chosen, best) then
      best = { unpack(chosen) }
    end
    chosen[#chosen] = nil
  end
  return best
end

local function covers(spot, missing)
  local units = 0
  for n, left in ipairs(missing) do
    units = units + math.min(left, spot.open[n])
  end
  return units
end

local function greedy(spots, needs, limit)
  local missing, chosen, used = {}, {}, {}
  for n, need in ipairs(needs) do
    missing[n] = need.units
  end
  while #chosen < limit do
    local best, most = nil, 0
    for i, spot in ipairs(spots) do
      local units = not used[i] and covers(spot, missing) or 0
      if units > most then
        best, most = i, units
      end
    end
    if not best then
      break
    end
    used[best] = true
    chosen[#chosen + 1] = spots[best]
    for n, left in ipairs(missing) do
      missing[n] = left - math.min(left, spots[best].open[n])
    end
  end
  return chosen
end

-- All open units of a location if it fills every need alone, else nil.
local function fills_alone(position, needs, pass)
  local units = 0
  for i = 1, #needs do
    local need = needs[i]
    if need.units > 0 then
      local open = need[pass][position]
      if open < need.units then
        return nil
      end
      units = units + open
    end
  end
  return units
end

-- Most orders end here, so nothing is built for it.
local function best_single(candidates, needs, pass)
  local best, best_tie, best_units
  for i = 1, #candidates do
    local candidate = candidates[i]
    local units = fills_alone(candidate[3], needs, pass)
    if units and (not best or candidate[2] < best_tie or (candidate[2] == best_tie and units > best_units)) then
      best, best_tie, best_units = candidate[3], candidate[2], units
    end
  end
  return best
end

local function nothing_needed(needs)
  for i = 1, #needs do
    if needs[i].units > 0 then
      return false
    end
  end
  return true
end

local SIZES = { 'single', 'pair', 'triple' }

local function positions_of(spots)
  local positions = {}
  for i, spot in ipairs(spots) do
    positions[i] = spot.position
  end
  return positions
end

-- Returns the positions of the chosen locations, the plan's name (single, pair, triple, greedy, none) and whether all is filled.
function route.choose(candidates, needs, pass, limit)
  if nothing_needed(needs) then
    return {}, 'none', true
  end
  local single = limit >= 1 and best_single(candidates, needs, pass)
  if single then
    return { single }, 'single', true
  end
  local spots = with_units(candidates, needs, pass)
  local among = math.min(EXACT_AMONG, #spots)
  for size = 2, math.min(3, limit) do
    local best = best_set(spots, needs, size, among, 1, {}, nil)
    if best then
      return positions_of(best), SIZES[size], true
    end
  end
  local chosen = greedy(spots, needs, limit)
  return positions_of(chosen), #chosen > 0 and 'greedy' or 'none', fills(chosen, needs)
end
