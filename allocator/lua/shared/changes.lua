-- changes: what the later verbs of an order share: find it, change its lines, write it.
--
-- Needs: gate, forgotten, packing, stock, orders, write.

-- The order with its skus loaded, or nil and a refusal.
function changes.open(head, order_id)
  local order = orders.read(order_id)
  if not order then
    gate.need_checked()
    return nil, forgotten.ask(head, 'order', order_id) or gate.refuse(head, 'unknown_order', { order_id })
  end
  stock.load(stock.skus_of(order.lines))
  for _, line in ipairs(order.lines) do
    line.waited = orders.waiting_units(order, line) > 0
  end
  return order
end

-- The first named line that the order does not have, as a refusal, or nil.
function changes.refuse_unknown_line(head, order, wanted)
  for _, want in ipairs(wanted) do
    if not orders.find_line(order, want.line) then
      return gate.refuse(head, 'unknown_line', { want.line })
    end
  end
end

-- A refusal for an order that is to be shipped all at once and waits for units, or nil.
function changes.refuse_incomplete(head, order)
  local facts = orders.incomplete(order)
  return facts and gate.refuse(head, 'incomplete', facts)
end

-- `deficit_allowed`: the physical world has changed with it. `more` ends the answer; packed, or nil.
function changes.commit(head, verb, why, order, deficit_allowed, more)
  for _, line in ipairs(order.lines) do
    line.takes = takes.without_empty(line.takes)
  end
  local sealed = write.seal(deficit_allowed)
  local lines = orders.pack_lines(order)
  local packed, state = orders.pack(order, lines)
  local answer = packing.head(more and 4 or 3) .. cmsgpack.pack(state) .. lines .. cmsgpack.pack(sealed.versions) ..
    (more or '')
  local record = orders.write(order, packed)
  return write.commit(head, verb, why, sealed, { record }, 'changed', answer)
end
