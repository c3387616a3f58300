-- tracing: what became of each candidate, for the answer.
--
-- Needs: demand.

-- What a location where nothing was taken could have given: nothing_open, not_needed, or left_out when it has units
-- that a promise still wants and could not combine within the split limit.
local function verdict_of(needs, code, is_promise)
  local verdict = 'nothing_open'
  for _, need in ipairs(needs) do
    local shelf = need.at[code]
    if shelf and shelf.open + (is_promise and 0 or shelf.reserve + shelf.fence) > 0 then
      if is_promise and need.units > 0 then
        return 'left_out'
      end
      verdict = 'not_needed'
    end
  end
  return verdict
end

-- { code, verdict, units } per candidate: taken, not_needed, left_out, nothing_open, inactive or not_eligible.
function tracing.of(candidates, lines, needs, view, is_promise)
  local units, active, trace = {}, {}, {}
  for _, spot in ipairs(view.locations) do
    active[spot[1]] = spot[3]
  end
  for _, line in ipairs(lines) do
    for _, take in ipairs(line.takes) do
      units[take.location] = (units[take.location] or 0) + take.units
    end
  end
  for i, candidate in ipairs(candidates) do
    local code = candidate[1]
    local verdict = verdict_of(needs, code, is_promise)
    if (units[code] or 0) > 0 then
      verdict = 'taken'
    elseif not active[code] then
      verdict = 'not_eligible'
    elseif active[code] == 0 then
      verdict = 'inactive'
    end
    trace[i] = { code, verdict, units[code] or 0 }
  end
  return trace
end
