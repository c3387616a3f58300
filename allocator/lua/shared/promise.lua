-- promise: units for a hold or a promised order.
--
-- Needs: demand, planning, tracing.

-- What a short or unroutable answer says per line: { line, sku, units, atp_now }.
local function line_facts(lines, needs)
  local facts = {}
  for i, line in ipairs(lines) do
    facts[i] = { line.line, line.sku, line.asked, needs[line.sku].after_buffer }
  end
  return facts
end

-- A promise: never beyond ATP, within the split limit; all or nothing, or what there is when `partial`.
-- bounds, or nil: { limit = another split limit than the channel's, or nil; full = locations without a place left on the
-- days they may be promised for, which are no choice, or nil }
-- Returns a refusal word with its facts, or nil, nil and the plan's name; of an unroutable one fourth whether the full
-- locations could have served it.
function promise.take(lines, needs, candidates, view, bucket, partial, bounds)
  local limit, full = bounds and bounds.limit or view.split_limit, bounds and bounds.full
  local short, some = false, false
  for i = 1, #needs do
    local need = needs[i]
    need.units = math.min(need.wanted, need.after_buffer)
    short = short or need.units < need.wanted
    some = some or need.units > 0
  end
  local taken_over = partial and planning.has_takes(lines)
  if short and not (partial and (some or taken_over)) then
    return 'short', line_facts(lines, needs)
  end
  local may = planning.eligible(candidates, view)
  local open = full and planning.without(may, full) or may
  local positions, plan, complete = planning.pass(open, lines, needs, 'open', limit)
  if not complete and not (partial and (#positions > 0 or taken_over)) then
    local trace = tracing.of(candidates, lines, needs, view, true, full)
    local otherwise = select(3, planning.pass(may, lines, needs, 'open', limit))
    return 'unroutable', { limit, line_facts(lines, needs), trace }, nil, otherwise
  end
  demand.fill(lines, needs, positions, 'open', view, bucket)
  return nil, nil, plan
end
