-- firm: units for an order that has been sold already.
--
-- Needs: demand, planning.

local NO_BOUNDS = {}
local NOWHERE = {}

-- Candidates first, then the channel's other locations: a firm order uses all of them within its bounds.
local function all_of(candidates, view, bounds)
  local every, seen, without, only = {}, {}, bounds.without or NOWHERE, bounds.only
  for _, candidate in ipairs(planning.eligible(candidates, view)) do
    if not without[candidate[1]] and (not only or candidate[1] == only) then
      every[#every + 1] = candidate
    end
    seen[candidate[1]] = true
  end
  for position, spot in ipairs(view.locations) do
    if not seen[spot[1]] and not without[spot[1]] and (not only or spot[1] == only) then
      every[#every + 1] = { spot[1], 10001, position }
    end
  end
  return every
end

-- Plans a pass of a firm order: the split limit is only a wish.
local function plan_softly(every, lines, needs, pass, limit)
  local positions, plan, complete = planning.pass(every, lines, needs, pass, limit)
  if complete then
    return positions, plan
  end
  return planning.pass(every, lines, needs, pass, route.NO_LIMIT)
end

-- Looks at every shelf for what a promise may not touch. Returns the units of each pass.
local function look_behind(need)
  local units = { open = need.total, reserve = 0, fence = 0 }
  need.reserve, need.fence = {}, {}
  for position in ipairs(need.open) do
    local shelf = atp.shelf_of(need, position)
    need.reserve[position], need.fence[position] = shelf.reserve, shelf.fence
    units.reserve, units.fence = units.reserve + shelf.reserve, units.fence + shelf.fence
  end
  return units
end

-- How many units of each sku the passes up to each one may take together; what is owed already stays untouched.
local function ceilings(needs, ignore_owed)
  for _, need in ipairs(needs) do
    local owes = ignore_owed and 0 or need.owed
    local units, by_pass = 0, look_behind(need)
    need.ceiling, need.got = {}, 0
    for _, pass in ipairs({ 'open', 'reserve', 'fence' }) do
      units = units + by_pass[pass]
      need.ceiling[pass] = math.max(0, units - owes)
    end
  end
end

-- Sets what the pass aims at: what is wanted and not got, within the ceiling, and within ATP when `plain`.
local function aim(needs, pass, plain)
  local any = false
  for _, need in ipairs(needs) do
    local most = plain and math.min(need.ceiling[pass], need.after_buffer) or need.ceiling[pass]
    need.units = math.max(0, math.min(need.wanted, most) - need.got)
    any = any or need.units > 0
  end
  return any
end

local function fill_and_count(lines, needs, positions, pass, view, bucket, mark)
  local aimed = {}
  for n, need in ipairs(needs) do
    aimed[n] = need.units
  end
  demand.fill(lines, needs, positions, pass, view, bucket, mark)
  for n, need in ipairs(needs) do
    need.got = need.got + aimed[n] - need.units
  end
end

-- A firm order: each pass only for what the earlier ones left. What is still left afterwards is for the caller.
-- The first pass is routed as a whole; its units beyond ATP are marked as taken from the buffer.
-- bounds, or nil: { without = locations that are no choice; only = the one that is; limit = another split limit than the
-- channel's }, each or nil
function firm.take(lines, needs, candidates, view, bucket, ignore_owed, bounds)
  bounds = bounds or NO_BOUNDS
  local every, limit = all_of(candidates, view, bounds), bounds.limit or view.split_limit
  local plan = 'none'
  ceilings(needs, ignore_owed)
  if aim(needs, 'open') then
    local positions
    positions, plan = plan_softly(every, lines, needs, 'open', limit)
    aim(needs, 'open', not ignore_owed)
    fill_and_count(lines, needs, positions, 'open', view, bucket)
    aim(needs, 'open')
    fill_and_count(lines, needs, positions, 'open', view, bucket, 'buffer')
  end
  for _, pass in ipairs({ 'reserve', 'fence' }) do
    if aim(needs, pass) then
      local positions, later = plan_softly(every, lines, needs, pass, limit)
      fill_and_count(lines, needs, positions, pass, view, bucket)
      plan = plan == 'none' and later or plan
    end
  end
  return plan
end
