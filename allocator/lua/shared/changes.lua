-- changes: what the later verbs of an order share: find it, change its lines, write it.
--
-- Needs: gate, state, orders, write.

-- The order with its skus loaded, or nil and a refusal.
local function open_order(head, order_id)
  local order = read_order(order_id)
  if not order then
    return nil, refuse(head, 'unknown_order', { order_id })
  end
  load(skus_of_order(order))
  for _, line in ipairs(order.lines) do
    line.waited = line.backordered > 0
  end
  return order
end

-- The first named line that the order does not have, as a refusal, or nil.
local function refuse_unknown_line(head, order, wanted)
  for _, want in ipairs(wanted) do
    if not find_line(order, want.line) then
      return refuse(head, 'unknown_line', { want.line })
    end
  end
end

local function write_change(head, verb, why, order)
  for _, line in ipairs(order.lines) do
    line.takes = without_empty(line.takes)
  end
  local sealed = seal(false)
  local rows = line_rows(order)
  local packed = pack_order(order, rows)
  local answer = cmsgpack.pack({ order_state(order), rows, sealed.versions })
  local record = write_order(order, packed)
  return write(head, verb, why, sealed, { record }, 'changed', answer)
end
