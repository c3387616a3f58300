-- tracing: what became of each candidate, for the answer.
--
-- Needs: demand.

-- Whether this kind of demand could have had a unit there; nothing was drawn there, or it would be taken.
local function open_anywhere(needs, code, is_promise)
  for _, need in ipairs(needs) do
    local shelf = need.at[code]
    if shelf and shelf.open + (is_promise and 0 or shelf.reserve + shelf.fence) > 0 then
      return true
    end
  end
  return false
end

-- { code, verdict, units } per candidate: taken, not_needed, nothing_open, inactive or not_eligible.
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
    local verdict = open_anywhere(needs, code, is_promise) and 'not_needed' or 'nothing_open'
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
