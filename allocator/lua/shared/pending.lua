-- pending: orders whose payment or check is pending. Such an order is a hold with a deadline, and nothing else yet.
--
-- The hold's owner is the order, so the order has at most one open hold, whatever its attempt; the hold's id is the owner's
-- name, a colon and the attempt.
-- Needs: args, gate, forgotten, packing, stock, takes, holds, write, and keys.orders, owners.

-- What a hold says of the order it is for, without its ranking and its lines, or nil when it is for none.
function pending.read()
  local external_id, reason = args.optional('external_id', args.ID_MAX), args.optional('reason', args.CODE_MAX)
  local kind = args.choice('order_kind', { promise = true, firm = true })
  local fingerprint = args.optional('order_fingerprint', 16)
  if external_id == '' then
    return nil
  elseif reason == '' then
    args.complain('reason', 'is missing')
  elseif #fingerprint ~= 16 then
    args.complain('order_fingerprint', 'must be 16 bytes')
  end
  return { external_id, reason, kind, 0, fingerprint }
end

-- A refusal when the order has been accepted, or the question whether it was, or nil.
function pending.refuse_accepted(head, order_id)
  if redis.call('HEXISTS', keys.orders, order_id) == 1 then
    return gate.refuse(head, 'accepted', { order_id })
  end
  return forgotten.ask(head, 'order', order_id)
end

-- The order with its ranking, its lines as they are held and its terms, as the hold's record keeps it.
function pending.of(order, partial, candidates, held_rows, asked)
  order[4], order[6], order[7], order[8] = partial and 1 or 0, candidates.text, held_rows, asked and asked.text
  return order
end

-- The id of the open hold of an order, by the name of its hold of any attempt.
function pending.open_id(channel, hold_id)
  return redis.call('HGET', keys.owners, channel .. ':' .. (hold_id:match('^(.*):') or hold_id))
end

-- An order that is only pending is no longer wanted: its hold is let go.
function pending.cancel(head, why, hold)
  local rows = {}
  for i, line in ipairs(hold.order[7]) do
    rows[i] = { line[1], line[2], line[3], 0, 0, 0, 0, line[3], 0, {} }
  end
  stock.load(stock.skus_of(hold.skus))
  holds.end_in_memory(hold, 'released')
  local packed = holds.pack(hold)
  local sealed = write.seal()
  local answer = cmsgpack.pack({ 'cancelled', rows, sealed.versions })
  return write.commit(head, 'cancel', why, sealed, { holds.write_ended(hold, packed) }, 'changed', answer)
end
