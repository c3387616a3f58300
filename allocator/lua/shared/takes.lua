-- takes: units of a hold or an order at one location, part by part; they go back the way they came, last first.
--
-- A take is { location, units, picking, parts }; parts is a list of { source, units, quota }. Units that came from a
-- quota raise what that quota has consumed, whoever took them.
-- Needs: stock.

-- Merged with the part before when that is alike, so that serving unit by unit leaves no trail.
function takes.add_part(take, source, units, quota)
  local last = take.parts[#take.parts]
  if last and last[1] == source and last[3] == quota then
    last[2] = last[2] + units
  else
    take.parts[#take.parts + 1] = { source, units, quota }
  end
  take.units = take.units + units
end

function takes.at(takes, location)
  for i = 1, #takes do
    local take = takes[i]
    if take.location == location and take.picking == 0 then
      return take
    end
  end
  local take = { location = location, units = 0, picking = 0, parts = { nil } }
  takes[#takes + 1] = take
  return take
end

-- Gives up to `units` of a take back to where they came from, last first. Returns the units given back.
function takes.give_back(state, take, bucket, units)
  local left = math.min(units, take.units)
  local given = left
  while left > 0 do
    local part = take.parts[#take.parts]
    local back = math.min(part[2], left)
    if part[3] ~= '' then
      stock.move(state, take.location, 'consumed', -back, part[3])
    end
    part[2] = part[2] - back
    left = left - back
    if part[2] == 0 then
      table.remove(take.parts)
    end
  end
  take.units = take.units - given
  stock.move(state, take.location, bucket, -given)
  return given
end

-- Parts the first `units` of a take from it. Returns them as parts; the buckets are the caller's to move.
function takes.split_parts(take, units)
  local left, parts = units, {}
  while left > 0 do
    local part = take.parts[1]
    local some = math.min(part[2], left)
    parts[#parts + 1] = { part[1], some, part[3] }
    part[2] = part[2] - some
    left = left - some
    if part[2] == 0 then
      table.remove(take.parts, 1)
    end
  end
  take.units = take.units - units
  return parts
end

-- Units of all takes at a location, or everywhere.
function takes.units_at(takes, location)
  local units = 0
  for _, take in ipairs(takes) do
    if not location or take.location == location then
      units = units + take.units
    end
  end
  return units
end

-- Units of the takes at a location, or everywhere, whose pick has started.
function takes.picking_at(takes, location)
  local units = 0
  for _, take in ipairs(takes) do
    if not location or take.location == location then
      units = units + take.picking * take.units
    end
  end
  return units
end

function takes.without_empty(takes)
  local kept = {}
  for _, take in ipairs(takes) do
    if take.units > 0 then
      kept[#kept + 1] = take
    end
  end
  return kept
end

-- Packed: { location, units, picking, source, units, quota, source, units, quota, ... }
function takes.pack(takes)
  local rows = { nil }
  for i = 1, #takes do
    local take = takes[i]
    local parts, row = take.parts, { take.location, take.units, take.picking, nil, nil, nil }
    for n = 1, #parts do
      local at, part = 3 * n, parts[n]
      row[at + 1], row[at + 2], row[at + 3] = part[1], part[2], part[3]
    end
    rows[i] = row
  end
  return rows
end

function takes.unpack(rows)
  local takes = {}
  for _, row in ipairs(rows) do
    local take = { location = row[1], units = row[2], picking = row[3], parts = {} }
    for i = 4, #row, 3 do
      take.parts[#take.parts + 1] = { row[i], row[i + 1], row[i + 2] }
    end
    takes[#takes + 1] = take
  end
  return takes
end
