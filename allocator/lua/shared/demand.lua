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

-- One need per sku, in line order, also found by sku: what `atp.of` says, with the units `wanted` and the `units` that
-- a pass aims at.
function demand.needs_of(lines, view)
  local needs = {}
  for _, line in ipairs(lines) do
    local need = needs[line.sku]
    if not need then
      need = atp.of(view, stock.skus[line.sku])
      need.units, need.wanted = 0, 0
      needs[line.sku] = need
      needs[#needs + 1] = need
    end
    need.wanted = need.wanted + line.left
  end
  return needs
end

-- Fills a line from one shelf. Returns the units it got.
function demand.fill_line(line, shelf, pass, wanted, job)
  job.state, job.take = stock.skus[line.sku], takes.at(line.takes, shelf.code)
  local units = drawing.draw(job, shelf, pass, wanted)
  line.left = line.left - units
  return units
end

-- Fills lines from these positions in this order, at most `need.units` per sku. job: { view, bucket, mark }.
function demand.fill(lines, needs, positions, pass, job)
  for i = 1, #lines do
    local line = lines[i]
    local need = needs[line.sku]
    for _, position in ipairs(positions) do
      local wanted, open = math.min(line.left, need.units), need[pass]
      if wanted > 0 and open[position] > 0 then
        local units = demand.fill_line(line, atp.shelf_of(need, position), pass, wanted, job)
        need.units, open[position] = need.units - units, open[position] - units
      end
    end
  end
end
