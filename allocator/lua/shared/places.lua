-- places: what stock movements share: the lines they name must exist.
--
-- Needs: gate, stock, rules.

-- Reads `count` lines of sku, location and units.
function places.read_lines(units_min)
  local lines = {}
  for i = 1, args.whole('lines', 1, 500) do
    local sku, location = args.sku(), args.code('location')
    lines[i] = { sku = sku, location = location, units = args.whole('units', units_min, args.UNITS_MAX) }
  end
  return lines
end

-- Reads `count` lines of sku, location and a difference, which is never 0.
function places.read_differences()
  local lines = places.read_lines(-args.UNITS_MAX)
  for _, line in ipairs(lines) do
    if line.units == 0 then
      args.complain('units', 'must not be 0')
    end
  end
  return lines
end

-- A refusal when a sku or a location does not exist, else nil; the skus are loaded then. `other` is a location that no
-- line names, or nil.
function places.refuse_unknown(head, lines, other)
  local unknown = stock.load(stock.skus_of(lines))
  if #unknown > 0 then
    return gate.refuse(head, 'unknown_sku', unknown)
  end
  local known = rules.config_field('locations') or {}
  for _, line in ipairs(lines) do
    if known[line.location] == nil then
      unknown[#unknown + 1] = line.location
    end
  end
  if other and known[other] == nil then
    unknown[#unknown + 1] = other
  end
  return #unknown > 0 and gate.refuse(head, 'unknown_location', unknown) or nil
end

-- Books a difference of on_hand in memory, or returns the refusal when no place can count as far, up or down.
function places.correct(head, line)
  local on_hand = stock.on_hand(stock.skus[line.sku], line.location)
  if math.abs(on_hand + line.units) > stock.PLACE_MAX then
    return gate.refuse(head, 'over_limit', { line.sku, line.location, on_hand })
  end
  stock.move(stock.skus[line.sku], line.location, 'on_hand', line.units)
end

-- Writes a movement that has been booked in memory.
function places.commit(head, verb, why, deficit_allowed)
  local sealed = write.seal(deficit_allowed)
  return write.commit(head, verb, why, sealed, {}, 'moved', cmsgpack.pack({ sealed.versions }))
end
