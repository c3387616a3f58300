#!lua
-- announce_return: goods of an order are said to come back; or fewer of them, or none any more (shared/announcing.lua).
--
-- Nothing lies anywhere because of it: what is announced is in no stock and in nobody's ATP. `return_units` books the goods
-- when they are there.
--
-- KEYS
--   1 seller     hash
--   2 stock      hash
--   3 ops        hash
--   4 ledger     stream
--   5 servable   set
--   6 orders     hash
--   7 waiting    zset
--   8 forgotten  string
--   9 slots      zset
--  10 config     hash
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   order_id       channel:external id
--   why            text for the ledger and the return, may be empty
--   return_id      the return's own name, of this order
--   revision       1 to 9999999999999; of two announcements of a return the higher one says what is announced
--   location       where it is expected; may be empty
--   due_ms         when it is expected; empty: nobody knows
--   lines          how many, 0 to 500, then for each: line, units (0 to 10^9) that are announced with this return as a
--                  whole, those that have arrived included; lines that are not named: none
-- RETURNS, first match wins
--   invalid [what]                  nonsense, or a return more than 100 of the order; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_order [order_id]
--   superseded [return_id, revision]   of the last announcement, which is as new or newer
--   unknown_line [line]
--   unknown_location [code]
--   too_many_returns [[line, units expected over all returns, units shipped and not returned], ...]
--   announced [return_id, revision, due_ms, location, why, [[line, sku, units, arrived], ...]]
-- KEEPS
--   returned + expected <= shipped on every line; no unit moves.

keys = { seller = KEYS[1], stock = KEYS[2], ops = KEYS[3], ledger = KEYS[4], servable = KEYS[5], orders = KEYS[6],
  waiting = KEYS[7], forgotten = KEYS[8], slots = KEYS[9], config = KEYS[10] }

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
--@include announcing

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local why = args.optional('why', 256)
local said = { why = why, id = args.id('return_id'), revision = args.whole('revision', 1, 9999999999999),
  location = args.optional('location', args.CODE_MAX), due = args.whole_or_none('due_ms', 1, 9999999999999) or 0,
  lines = {} }
local seen = {}
for i = 1, args.whole('lines', 0, 500) do
  local line = { line = args.id('line'), units = args.whole('units', 0, args.UNITS_MAX) }
  if seen[line.line] then
    args.complain('line', 'is named twice')
  end
  seen[line.line], said.lines[i] = true, line
end

local refused, order = gate.pass(head), nil
if not refused then
  order, refused = changes.open(head, order_id)
end
refused = refused or announcing.refuse(head, order, said) or changes.refuse_unknown_line(head, order, said.lines)
if not refused and said.location ~= '' and (rules.config_field('locations') or {})[said.location] == nil then
  refused = gate.refuse(head, 'unknown_location', { said.location })
end
if refused then
  return refused
end

local announced = announcing.announce(order, said)
refused = announcing.refuse_too_many(head, order)
if refused then
  return refused
end
local sealed = write.seal()
local packed = orders.pack(order, orders.pack_lines(order))
local answer = cmsgpack.pack(orders.row_of_announced(announced))
return write.commit(head, 'announce_return', why, sealed, { orders.write(order, packed) }, 'announced', answer)
