-- cancelling: units of an order's line that are no longer wanted.
--
-- Units whose pick has started are in a tote and on no shelf: they do not become free, but unavailable with the reason
-- `put_away` where they were picked, until somebody has put them away.
-- Needs: gate, stock, takes.

cancelling.PUT_AWAY = 'put_away'

-- Units of a line that have not left: the most that can be cancelled if no pick stands in the way.
function cancelling.unshipped(line)
  return line.committed + line.backordered + line.conflict
end

-- Why so many units of a line cannot be cancelled, as a refusal, or nil. `picked`: units of a started pick may be, too.
function cancelling.refuse(head, line, units, picked)
  local picking = picked and 0 or takes.picking_at(line.takes)
  local may = cancelling.unshipped(line) - picking
  if units <= may then
    return nil
  elseif picking > 0 then
    return gate.refuse(head, 'pick_started', { line.line, picking })
  end
  return gate.refuse(head, 'not_committed', { line.line, '', may })
end

-- Gives up to `units` of a line's takes back, the last taken first: of those that are being picked (1) or of the others
-- (0). Returns how many are left.
function cancelling.give_back(line, units, picking)
  local state = stock.skus[line.sku]
  for i = #line.takes, 1, -1 do
    local take = line.takes[i]
    if take.picking == picking then
      local given = takes.give_back(state, take, 'committed', units)
      stock.move(state, take.location, 'unavailable', picking * given, cancelling.PUT_AWAY)
      line.committed = line.committed - given
      units = units - given
    end
  end
  return units
end

-- Cancels units of a line, not more than `refuse` lets pass: those that wait for a shelf first, then those that no pick
-- has started for, then the others.
function cancelling.cancel(line, units)
  local state = stock.skus[line.sku]
  line.cancelled = line.cancelled + units
  for _, debt in ipairs({ 'backordered', 'conflict' }) do
    local waiting = math.min(line[debt], units)
    line[debt] = line[debt] - waiting
    stock.owe(state, debt, -waiting)
    units = units - waiting
  end
  cancelling.give_back(line, cancelling.give_back(line, units, 0), 1)
end
