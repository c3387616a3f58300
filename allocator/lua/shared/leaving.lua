-- leaving: units of an order lose their location and look for another.
--
-- Needs: stock, rules, takes, demand, firm, orders.

-- Gives units of a line back where they lie; they are `left` then. What is not being picked goes first: it was taken
-- last.
function leaving.leave(line, location, units)
  local left = units
  for i = #line.takes, 1, -1 do
    local take = line.takes[i]
    if take.location == location then
      left = left - takes.give_back(stock.skus[line.sku], take, 'committed', left)
    end
  end
  line.committed, line.left = line.committed - units, (line.left or 0) + units
end

-- Commits what is left of these lines of an order elsewhere, with the passes of a firm order; never units that are owed,
-- and never at a location that rejected it. Nobody asks whether a day has places left there.
function leaving.go_elsewhere(order, lines, candidates)
  local view = rules.channel_view(order.channel)
  if not view then
    return
  end
  for _, line in ipairs(lines) do
    line.left, line.takes = line.left or 0, takes.without_empty(line.takes)
  end
  firm.take(lines, demand.needs_of(lines, view), candidates, view, 'committed', false, orders.bounds(order))
  for _, line in ipairs(lines) do
    line.committed = takes.units_at(line.takes)
  end
end

-- What found no place.
function leaving.into_conflict(lines)
  for _, line in ipairs(lines) do
    local left = line.left or 0
    line.conflict = line.conflict + left
    stock.owe(stock.skus[line.sku], 'conflict', left)
  end
end
