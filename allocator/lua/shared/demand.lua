-- demand: lines that want units, what they need by sku, and filling them from locations.
--
-- A line here is { line, sku, asked, left, takes }: `left` is what it still wants. A need sums the lines of one sku,
-- so that two lines of the same sku can never be promised the same unit.
-- Needs: args, stock, rules, atp, takes, drawing.

local CANDIDATES_MAX = 15
demand.LINES_MAX = 1500

-- Locations in rank order, a repeated one only where it stands first.
function demand.read_candidates()
  local candidates, seen = {}, {}
  for _ = 1, args.whole('candidates', 0, CANDIDATES_MAX) do
    local code, tie = args.code('candidate'), args.whole('tie', 0, 10000)
    if not seen[code] then
      seen[code] = true
      candidates[#candidates + 1] = { code, tie }
    end
  end
  return candidates
end

function demand.read_lines()
  local lines, seen = {}, {}
  for i = 1, args.whole('lines', 1, demand.LINES_MAX) do
    local name, sku, units = args.id('line'), args.sku(), args.units()
    local line = { line = name, sku = sku, asked = units, left = units, takes = {}, ordered = units, committed = 0,
      shipped = 0, backordered = 0, conflict = 0, cancelled = 0, returned = 0 }
    if seen[line.line] then
      args.complain('line', 'is named twice')
    end
    seen[line.line] = true
    lines[i] = line
  end
  return lines
end

-- One need per sku, in line order, also found by sku: { sku, units, at, atp, left }.
function demand.needs_of(lines, view)
  local needs = {}
  for _, line in ipairs(lines) do
    local need = needs[line.sku]
    if not need then
      local sums = atp.of(view, stock.skus[line.sku])
      need = { sku = line.sku, units = 0, wanted = 0, at = sums.at, atp = sums }
      needs[line.sku] = need
      needs[#needs + 1] = need
    end
    need.wanted = need.wanted + line.left
  end
  return needs
end

-- Fills lines from these locations in this order, at most `need.units` per sku. job: { view, bucket, mark }.
function demand.fill(lines, needs, codes, pass, job)
  for _, line in ipairs(lines) do
    local need = needs[line.sku]
    for _, code in ipairs(codes) do
      local shelf, wanted = need.at[code], math.min(line.left, need.units)
      if wanted > 0 and shelf and shelf[pass] > 0 then
        job.state, job.take = stock.skus[line.sku], takes.at(line.takes, code)
        local units = drawing.draw(job, shelf, pass, wanted)
        line.left, need.units = line.left - units, need.units - units
      end
    end
  end
end
