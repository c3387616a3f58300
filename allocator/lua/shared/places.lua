-- places: what stock movements share: the lines they name must exist.
--
-- Needs: gate, state, rules.

-- Reads `count` lines of sku, location and units.
local function read_lines(units_min)
  local lines = {}
  for i = 1, whole('lines', 1, 500) do
    lines[i] = { sku = text('sku', SKU_MAX), location = text('location', CODE_MAX), units = whole('units', units_min, UNITS_MAX) }
  end
  return lines
end

local function names_of(lines, field)
  local names = {}
  for i, line in ipairs(lines) do
    names[i] = line[field]
  end
  return names
end

-- A refusal when a sku or a location does not exist, else nil; the skus are loaded then.
local function refuse_unknown(head, lines)
  local unknown = load(names_of(lines, 'sku'))
  if #unknown > 0 then
    return refuse(head, 'unknown_sku', unknown)
  end
  local known = config_field('locations') or {}
  for _, line in ipairs(lines) do
    if known[line.location] == nil then
      unknown[#unknown + 1] = line.location
    end
  end
  return #unknown > 0 and refuse(head, 'unknown_location', unknown) or nil
end

local function place_of(line)
  local state = stock[line.sku]
  return state.places[line.location] or new_place(state, line.location)
end

-- Writes a movement that has been booked in memory.
local function write_movement(head, verb, why, deficit_allowed)
  local sealed = seal(deficit_allowed)
  return write(head, verb, why, sealed, {}, 'moved', cmsgpack.pack({ sealed.versions }))
end
