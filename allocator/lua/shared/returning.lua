-- returning: goods that came back, for an order or without one; the disposition says where each unit goes.
--
--   restock     on the shelf, for sale again
--   quarantine  on the shelf, unavailable with the reason `quarantine`
--   scrap       counted on the order, on no shelf
-- Needs: args, gate, stock, orders, places, announcing.

local DISPOSITIONS = { restock = true, quarantine = true, scrap = true }

-- Reads 1 to 500 lines of line (of an order) or sku (without one), location, units and disposition.
function returning.read_lines(name)
  local lines = {}
  for i = 1, args.whole(name, 1, 500) do
    lines[i] = { line = args.id('line or sku'), location = args.code('location'), units = args.units(),
      disposition = args.choice('disposition', DISPOSITIONS) }
  end
  return lines
end

-- Says of every line what sku it is of. A refusal when a sku or a location does not exist, else nil.
function returning.refuse_unknown(head, order, lines)
  for _, line in ipairs(lines) do
    line.sku = order and orders.find_line(order, line.line).sku or line.line
  end
  return places.refuse_unknown(head, lines)
end

local function shelve(line)
  if line.disposition ~= 'scrap' then
    stock.move(stock.skus[line.sku], line.location, 'on_hand', line.units)
  end
  if line.disposition == 'quarantine' then
    stock.move(stock.skus[line.sku], line.location, 'unavailable', line.units, 'quarantine')
  end
end

-- Books what came back in memory, as this return ('' for one without a name). Returns a refusal, or nil.
function returning.book(head, order, lines, return_id)
  for _, line in ipairs(lines) do
    local on_hand = stock.on_hand(stock.skus[line.sku], line.location)
    local sold = order and orders.find_line(order, line.line)
    if sold then
      if line.units > sold.shipped - sold.returned then
        return gate.refuse(head, 'not_shipped', { line.line, sold.shipped - sold.returned })
      end
      sold.returned = sold.returned + line.units
    end
    if line.disposition ~= 'scrap' and on_hand + line.units > stock.PLACE_MAX then
      return gate.refuse(head, 'over_limit', { line.sku, line.location, on_hand })
    end
    shelve(line)
  end
  if order then
    announcing.arrive(order, lines, return_id)
  end
end
