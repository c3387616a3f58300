-- demand: lines that want units, and how a promise and a firm order get them.
--
-- A line here is { line, sku, asked, left, takes }: `left` is what it still wants. A need sums the lines of one sku, so that
-- two lines of the same sku can never be promised the same unit.
-- Needs: args, state, rules, atp, takes, route.

local LINES_MAX, CANDIDATES_MAX = 1500, 15

-- Locations in rank order, a repeated one only where it stands first.
local function read_candidates()
  local candidates, seen = {}, {}
  for _ = 1, whole('candidates', 0, CANDIDATES_MAX) do
    local code, tie = text('candidate', CODE_MAX), whole('tie', 0, 10000)
    if not seen[code] then
      seen[code] = true
      candidates[#candidates + 1] = { code, tie }
    end
  end
  return candidates
end

local function read_demand_lines()
  local lines, seen = {}, {}
  for i = 1, whole('lines', 1, LINES_MAX) do
    local line = { line = text('line', ID_MAX), sku = text('sku', SKU_MAX), asked = whole('units', 1, UNITS_MAX), takes = {} }
    line.left = line.asked
    if seen[line.line] then
      complain('line', 'is named twice')
    end
    seen[line.line] = true
    lines[i] = line
  end
  return lines
end

local function skus_of(lines)
  local skus, seen = {}, {}
  for _, line in ipairs(lines) do
    if not seen[line.sku] then
      seen[line.sku] = true
      skus[#skus + 1] = line.sku
    end
  end
  return skus
end

-- One need per sku, in line order, also found by sku: { sku, units, at, atp, left }.
local function needs_of(lines, view)
  local needs = {}
  for _, line in ipairs(lines) do
    local need = needs[line.sku]
    if not need then
      local atp = promise_of(view, stock[line.sku])
      need = { sku = line.sku, units = 0, wanted = 0, at = atp.at, atp = atp }
      needs[line.sku] = need
      needs[#needs + 1] = need
    end
    need.wanted = need.wanted + line.left
  end
  return needs
end

-- Only candidates the channel may sell from, with the tie they came with.
local function eligible(candidates, view)
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

-- Fills lines from these locations in this order, at most `need.units` per sku. job: { view, bucket, mark }.
local function fill(lines, needs, codes, pass, job)
  for _, line in ipairs(lines) do
    local need = needs[line.sku]
    for _, code in ipairs(codes) do
      local shelf, wanted = need.at[code], math.min(line.left, need.units)
      if wanted > 0 and shelf and shelf[pass] > 0 then
        job.state, job.take = stock[line.sku], take_at(line.takes, code)
        local units = draw(job, shelf, pass, wanted)
        line.left, need.units = line.left - units, need.units - units
      end
    end
  end
end

local function used_codes(lines)
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
local function plan_pass(candidates, lines, needs, pass, limit)
  local used, seen = used_codes(lines)
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
  local chosen, plan, complete = choose(without(candidates, seen), rest, pass, limit - #used)
  for _, code in ipairs(chosen) do
    codes[#codes + 1] = code
  end
  return codes, plan, complete
end

-- What a short or unroutable answer says per line: { line, sku, units, atp_now }.
local function line_facts(lines, needs)
  local facts = {}
  for i, line in ipairs(lines) do
    facts[i] = { line.line, line.sku, line.asked, needs[line.sku].atp.after_buffer }
  end
  return facts
end

local function open_anywhere(needs, code)
  for _, need in ipairs(needs) do
    local shelf = need.at[code]
    if shelf and shelf.had > 0 then
      return true
    end
  end
  return false
end

local function remember_open(needs)
  for _, need in ipairs(needs) do
    for _, shelf in ipairs(need.atp.shelves) do
      shelf.had = shelf.open + shelf.reserve + shelf.fence
    end
  end
end

-- { code, verdict, units } per candidate: taken, not_needed, nothing_open, inactive or not_eligible.
local function trace_of(candidates, lines, needs, view)
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
    local verdict = open_anywhere(needs, code) and 'not_needed' or 'nothing_open'
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

-- A promise: never beyond ATP, within the split limit; all or nothing, or what there is when `partial`.
-- Returns a refusal word with its facts, or nil, nil and the plan's name.
local function promise(lines, needs, candidates, view, bucket, partial)
  local short, some = false, false
  for _, need in ipairs(needs) do
    need.units = math.min(need.wanted, need.atp.after_buffer)
    short = short or need.units < need.wanted
    some = some or need.units > 0
  end
  local taken_over = #used_codes(lines) > 0
  if short and not (partial and (some or taken_over)) then
    return 'short', line_facts(lines, needs)
  end
  local may = eligible(candidates, view)
  local codes, plan, complete = plan_pass(may, lines, needs, 'open', view.split_limit)
  if not complete and not (partial and (#codes > 0 or taken_over)) then
    return 'unroutable', { view.split_limit, line_facts(lines, needs), trace_of(candidates, lines, needs, view) }
  end
  fill(lines, needs, codes, 'open', { view = view, bucket = bucket })
  return nil, nil, plan
end

-- Candidates first, then the channel's other locations: a firm order uses all of them.
local function all_of(candidates, view)
  local every, seen = eligible(candidates, view), {}
  for _, candidate in ipairs(every) do
    seen[candidate[1]] = true
  end
  for _, spot in ipairs(view.locations) do
    if not seen[spot[1]] then
      every[#every + 1] = { spot[1], 10001 }
    end
  end
  return every
end

-- Plans a pass of a firm order: the split limit is only a wish.
local function plan_softly(every, lines, needs, pass, view)
  local codes, plan, complete = plan_pass(every, lines, needs, pass, view.split_limit)
  if complete then
    return codes, plan
  end
  return plan_pass(every, lines, needs, pass, NO_LIMIT)
end

local function sum_of(need, pass)
  local units = 0
  for _, shelf in ipairs(need.atp.shelves) do
    units = units + shelf[pass]
  end
  return units
end

-- How many units of each sku the passes up to each one may take together; what is owed already stays untouched.
local function ceilings(needs, ignore_owed)
  for _, need in ipairs(needs) do
    local owes = ignore_owed and 0 or need.atp.owed
    local units = 0
    need.ceiling, need.got = {}, 0
    for _, pass in ipairs({ 'open', 'reserve', 'fence' }) do
      units = units + sum_of(need, pass)
      need.ceiling[pass] = math.max(0, units - owes)
    end
  end
end

-- Sets what the pass aims at: what is wanted and not got, within the ceiling, and within ATP when `plain`.
local function aim(needs, pass, plain)
  local any = false
  for _, need in ipairs(needs) do
    local most = plain and math.min(need.ceiling[pass], need.atp.after_buffer) or need.ceiling[pass]
    need.units = math.max(0, math.min(need.wanted, most) - need.got)
    any = any or need.units > 0
  end
  return any
end

local function fill_and_count(lines, needs, codes, pass, job)
  local aimed = {}
  for n, need in ipairs(needs) do
    aimed[n] = need.units
  end
  fill(lines, needs, codes, pass, job)
  for n, need in ipairs(needs) do
    need.got = need.got + aimed[n] - need.units
  end
end

-- A firm order: each pass only for what the earlier ones left. What is still left afterwards is for the caller.
-- The first pass is routed as a whole; its units beyond ATP are marked as taken from the buffer.
local function firm(lines, needs, candidates, view, bucket, ignore_owed)
  local every = all_of(candidates, view)
  local plan = 'none'
  ceilings(needs, ignore_owed)
  if aim(needs, 'open') then
    local codes
    codes, plan = plan_softly(every, lines, needs, 'open', view)
    aim(needs, 'open', not ignore_owed)
    fill_and_count(lines, needs, codes, 'open', { view = view, bucket = bucket })
    aim(needs, 'open')
    fill_and_count(lines, needs, codes, 'open', { view = view, bucket = bucket, mark = 'buffer' })
  end
  for _, pass in ipairs({ 'reserve', 'fence' }) do
    if aim(needs, pass) then
      local codes, later = plan_softly(every, lines, needs, pass, view)
      fill_and_count(lines, needs, codes, pass, { view = view, bucket = bucket })
      plan = plan == 'none' and later or plan
    end
  end
  return plan
end
