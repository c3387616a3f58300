-- planning: which of the candidates a pass is filled from, given what the order uses already.
--
-- Needs: demand, route.

-- Only candidates the channel may sell from, with the tie they came with.
function planning.eligible(candidates, view)
  local mine, kept = {}, {}
  for _, spot in ipairs(view.locations) do
    mine[spot[1]] = true
  end
  for _, candidate in ipairs(candidates) do
    if mine[candidate[1]] then
      kept[#kept + 1] = candidate
    end
  end
  return kept
end

function planning.used_codes(lines)
  local codes, seen = {}, {}
  for _, line in ipairs(lines) do
    for _, take in ipairs(line.takes) do
      if not seen[take.location] then
        seen[take.location] = true
        codes[#codes + 1] = take.location
      end
    end
  end
  return codes, seen
end

local function without(candidates, seen)
  local rest = {}
  for _, candidate in ipairs(candidates) do
    if not seen[candidate[1]] then
      rest[#rest + 1] = candidate
    end
  end
  return rest
end

-- Plans one pass: locations in use already cost no further parcel and are emptied first, others join up to the limit.
-- Returns the codes to fill from, the plan's name and whether all needs are met.
function planning.pass(candidates, lines, needs, pass, limit)
  local used, seen = planning.used_codes(lines)
  if #used == 0 then
    return route.choose(candidates, needs, pass, limit)
  end
  local allowed = {}
  for _, candidate in ipairs(candidates) do
    allowed[candidate[1]] = true
  end
  local codes, rest = {}, {}
  for _, code in ipairs(used) do
    if allowed[code] then
      codes[#codes + 1] = code
    end
  end
  for n, need in ipairs(needs) do
    local left = need.units
    for _, code in ipairs(codes) do
      left = left - math.min(left, need.at[code] and need.at[code][pass] or 0)
    end
    rest[n] = { units = left, at = need.at }
  end
  local chosen, plan, complete = route.choose(without(candidates, seen), rest, pass, limit - #used)
  for _, code in ipairs(chosen) do
    codes[#codes + 1] = code
  end
  return codes, plan, complete
end
