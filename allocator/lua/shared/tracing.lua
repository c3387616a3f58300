-- tracing: what became of each candidate, for the answer.
--
-- Needs: demand.

-- What a location where nothing was taken could have given: nothing_open, not_needed, or left_out when it has units
-- that a promise still wants and could not combine within the split limit.
local function verdict_of(needs, position, is_promise)
  local verdict = 'nothing_open'
  for i = 1, #needs do
    local need = needs[i]
    local behind = need.reserve and need.reserve[position] + need.fence[position] or 0
    if need.open[position] + behind > 0 then
      if is_promise and need.units > 0 then
        return 'left_out'
      end
      verdict = 'not_needed'
    end
  end
  return verdict
end

local function units_by_location(lines)
  local units = { location = nil }
  for i = 1, #lines do
    local takes = lines[i].takes
    for n = 1, #takes do
      local code = takes[n].location
      units[code] = (units[code] or 0) + takes[n].units
    end
  end
  return units
end

-- { code, verdict, units, code, verdict, units, ... } of the candidates.
--   verdict  taken, not_needed, left_out, nothing_open, at_capacity, inactive or not_eligible; at_capacity: it has units,
--            and no place left on a day; `full` names those
function tracing.of(candidates, lines, needs, view, is_promise, full)
  -- Room for three candidates.
  local units, trace = units_by_location(lines), { nil, nil, nil, nil, nil, nil, nil, nil, nil }
  for i = 1, #candidates do
    local code, verdict = candidates[i][1], 'taken'
    if not units[code] then
      local position = view.position[code]
      if not position then
        verdict = 'not_eligible'
      elseif view.locations[position][3] == 0 then
        verdict = 'inactive'
      else
        verdict = verdict_of(needs, position, is_promise)
        verdict = full and full[code] and verdict ~= 'nothing_open' and 'at_capacity' or verdict
      end
    end
    local at = 3 * i
    trace[at - 2], trace[at - 1], trace[at] = code, verdict, units[code] or 0
  end
  return trace
end
