-- demand: lines that want units, what they need by sku, and filling them from locations.
--
-- A line here is { line, sku, asked, left, takes }: `left` is what it still wants. A need sums the lines of one sku,
-- so that two lines of the same sku can never be promised the same unit.
-- Needs: args, stock, rules, atp, takes, drawing.

local CANDIDATES_MAX, CANDIDATES_TEXT_MAX, TIE_MAX = 15, 8000, 10000
-- Rankings by their text, kept beyond a call: many demands come with the same. All forgotten when there are many.
local RANKED_MAX = 2000
local ranked, ranked_count = {}, 0
demand.LINES_MAX = 1500

local function is_code(value)
  return type(value) == 'string' and value ~= '' and #value <= args.CODE_MAX and not value:find('%c')
end

local function is_tie(value)
  return type(value) == 'number' and value >= 0 and value <= TIE_MAX and value % 1 == 0
end

local function candidates_from(text)
  local read, list = pcall(cjson.decode, text)
  if not read or type(list) ~= 'table' then
    return nil
  end
  local candidates, seen = {}, {}
  for i = 1, #list, 2 do
    local code, tie = list[i], list[i + 1]
    if not is_code(code) or not is_tie(tie) or seen[code] or #candidates == CANDIDATES_MAX then
      return nil
    end
    seen[code] = true
    candidates[#candidates + 1] = { code, tie }
  end
  candidates.text = text
  return candidates
end

-- Locations in rank order: { { code, tie }, ..., text }, text being the JSON they come and are stored as. Nobody may
-- change it. nil for anything else.
function demand.candidates_of(text)
  local candidates = ranked[text]
  if not candidates then
    candidates = candidates_from(text)
    if ranked_count == RANKED_MAX then
      ranked, ranked_count = {}, 0
    end
    if candidates then
      ranked[text], ranked_count = candidates, ranked_count + 1
    end
  end
  return candidates
end

local function read_ranking(name, text)
  local candidates = demand.candidates_of(text)
  if not candidates then
    args.complain(name, 'must be up to 15 locations, each once, with their ties')
  end
  return candidates or {}
end

function demand.read_candidates()
  return read_ranking('candidates', args.text('candidates', CANDIDATES_TEXT_MAX))
end

-- The same under another name, or nil when nothing is said.
function demand.read_candidates_or_none(name)
  local text = args.optional(name, CANDIDATES_TEXT_MAX)
  return text ~= '' and read_ranking(name, text) or nil
end

-- A line that asks for all it is ordered with.
function demand.new_line(name, sku, units)
  return { line = name, sku = sku, asked = units, left = units, takes = { nil }, ordered = units, committed = 0,
    shipped = 0, backordered = 0, conflict = 0, cancelled = 0, returned = 0 }
end

function demand.read_lines()
  local lines, seen = { nil }, { line = nil }
  for i = 1, args.whole('lines', 1, demand.LINES_MAX) do
    local name, sku, units = args.id('line'), args.sku(), args.units()
    local line = demand.new_line(name, sku, units)
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
  local needs = { nil, sku = nil }
  for i = 1, #lines do
    local line = lines[i]
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

-- Fills lines from these positions in this order, at most `need.units` per sku. mark: the source of all units, or nil.
function demand.fill(lines, needs, positions, pass, view, bucket, mark)
  local job = { view = view, bucket = bucket, mark = mark, state = nil, take = nil }
  for i = 1, #lines do
    local line = lines[i]
    local need = needs[line.sku]
    for n = 1, #positions do
      local position = positions[n]
      local wanted, open = math.min(line.left, need.units), need[pass]
      if wanted > 0 and open[position] > 0 then
        local units = demand.fill_line(line, atp.shelf_of(need, position), pass, wanted, job)
        need.units, open[position] = need.units - units, open[position] - units
      end
    end
  end
end
