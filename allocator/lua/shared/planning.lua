-- planning: which of the candidates a pass is filled from, given what the order uses already.
--
-- Needs: rules, demand, route.

-- Only candidates the channel may sell from: { code, tie, position in its list }. Worked out once for a view; nobody
-- may change it.
function planning.eligible(candidates, view)
  local may = view.eligible[candidates]
  if not may then
    may = {}
    for _, candidate in ipairs(candidates) do
      local position = view.position[candidate[1]]
      if position then
        may[#may + 1] = { candidate[1], candidate[2], position }
      end
    end
    rules.keep(view.eligible, candidates, may)
  end
  return may
end

-- Whether one of these lines has a take.
function planning.has_takes(lines)
  for i = 1, #lines do
    if lines[i].takes[1] then
      return true
    end
  end
end

-- The locations these lines have takes at, in order.
function planning.used_codes(lines)
  local codes, seen = {}, {}
  for i = 1, #lines do
    for _, take in ipairs(lines[i].takes) do
      if not seen[take.location] then
        seen[take.location] = true
        codes[#codes + 1] = take.location
      end
    end
  end
  return codes, seen
end

-- Those that are not among these locations.
function planning.without(candidates, seen)
  local rest = {}
  for _, candidate in ipairs(candidates) do
    if not seen[candidate[1]] then
      rest[#rest + 1] = candidate
    end
  end
  return rest
end

-- The candidates among the locations in use, as positions in the order of their use.
local function positions_in_use(used, candidates)
  local by_code, positions = {}, {}
  for _, candidate in ipairs(candidates) do
    by_code[candidate[1]] = candidate[3]
  end
  for _, code in ipairs(used) do
    positions[#positions + 1] = by_code[code]
  end
  return positions
end

-- What needs still want when these positions have given all they have.
local function rest_of(needs, positions, pass)
  local rest = {}
  for n, need in ipairs(needs) do
    local left = need.units
    for _, position in ipairs(positions) do
      left = left - math.min(left, need[pass][position])
    end
    rest[n] = { units = left, [pass] = need[pass] }
  end
  return rest
end

-- Plans one pass: locations in use already cost no further parcel and are emptied first, others join up to the limit.
-- Returns the positions to fill from, the plan's name and whether all needs are met.
function planning.pass(candidates, lines, needs, pass, limit)
  if not planning.has_takes(lines) then
    return route.choose(candidates, needs, pass, limit)
  end
  local used, seen = planning.used_codes(lines)
  local positions = positions_in_use(used, candidates)
  local rest = rest_of(needs, positions, pass)
  local chosen, plan, complete = route.choose(planning.without(candidates, seen), rest, pass, limit - #used)
  for _, position in ipairs(chosen) do
    positions[#positions + 1] = position
  end
  return positions, plan, complete
end
