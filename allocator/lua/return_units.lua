#!lua flags=allow-oom
-- return_units: goods came back, for an order or without one; the disposition says where each unit goes
-- (shared/returning.lua). With the id of a return they are taken off what is announced of it (shared/announcing.lua).
--
-- KEYS
--   1 seller     hash
--   2 config     hash
--   3 stock      hash
--   4 ops        hash
--   5 ledger     stream
--   6 servable   set
--   7 orders     hash
--   8 waiting    zset
--   9 forgotten  string
--  10 slots      zset
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   order_id       channel:external id; empty: no order is known
--   why            text for the ledger, may be empty
--   return_id      the return that they are; may be empty, and is where no order is known
--   lines          how many, 1 to 500, then for each: line (of the order) or sku (without one), location, units,
--                  disposition
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_order [order_id]
--   unknown_line [line]
--   unknown_sku [sku, ...]
--   unknown_location [code, ...]
--   not_shipped [line, units shipped and not returned]
--   over_limit [sku, location, on_hand]
--   changed [state, lines, versions]   with an order; with a return id one more, the return as `announce_return` answers it
--   moved [versions]                   without one
-- KEEPS
--   returned + expected <= shipped on every line.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5], servable = KEYS[6],
  orders = KEYS[7], waiting = KEYS[8], forgotten = KEYS[9], slots = KEYS[10] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include rules
--@include takes
--@include packing
--@include orders
--@include write
--@include changes
--@include places
--@include announcing
--@include returning

local head = gate.read_op(gate.read_head())
local order_id = args.optional('order_id', args.ID_MAX + args.CODE_MAX)
local why = args.optional('why', 256)
local return_id = args.optional('return_id', args.ID_MAX)
local lines = returning.read_lines('lines')
if return_id ~= '' and order_id == '' then
  args.complain('return_id', 'is of an order')
end

local refused, order = gate.pass(head), nil
if not refused and order_id ~= '' then
  order, refused = changes.open(head, order_id)
  refused = refused or changes.refuse_unknown_line(head, order, lines)
end
refused = refused or returning.refuse_unknown(head, order, lines)
refused = refused or returning.book(head, order, lines, return_id)
if refused then
  return refused
end
if order then
  local named = return_id ~= '' and cmsgpack.pack(orders.row_of_announced(announcing.find(order, return_id))) or nil
  return changes.commit(head, 'return', why, order, nil, named)
end
return places.commit(head, 'return', why)
