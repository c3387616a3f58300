-- tracing: what became of each candidate, for the answer.
--
-- Needs: demand.

-- What a location where nothing was taken could have given: nothing_open, not_needed, or left_out when it has units
-- that a promise still wants and could not combine within the split limit.
local function verdict_of(needs, position, is_promise)
  local verdict = 'nothing_open'
  for _, need in ipairs(position and needs or {}) do
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

-- { code, verdict, units, code, verdict, units, ... } of the candidates: taken, not_needed, left_out, nothing_open, at_capacity, inactive or not_eligible.
-- at_capacity: it has units, and no place left on a day; `full` names those.
function tracing.of(candidates, lines, needs, view, is_promise, full)
  local units, trace = {}, {}
  for _, line in ipairs(lines) do
    for _, take in ipairs(line.takes) do
      units[take.location] = (units[take.location] or 0) + take.units
    end
  end
  for _, candidate in ipairs(candidates) do
    local code, verdict = candidate[1], 'taken'
    local position = view.position[code]
    if not units[code] then
      if not position then
        verdict = 'not_eligible'
      elseif view.locations[position][3] == 0 then
        verdict = 'inactive'
      else
        verdict = verdict_of(needs, position, is_promise)
        verdict = full and full[code] and verdict ~= 'nothing_open' and 'at_capacity' or verdict
      end
    end
    local n = #trace
    trace[n + 1], trace[n + 2], trace[n + 3] = code, verdict, units[code] or 0
  end
  return trace
end
