#!lua
-- order: take units for an order and decide where each line ships from, all in this one step.
--
-- A named hold of the same channel comes first, and the hold that the order was while it was pending: their units are
-- re-taken where they lie, whatever rules say now, as far as they are still there. The rest follows the kind of demand:
--   promise  never beyond ATP and within the split limit, else refused (or partly taken when `partial`)
--   firm     the buffer, then safety stock, then others' quotas; what is left is backordered; never refused
--   gone     the goods have left the first candidate: on_hand falls, and what was promised there becomes a deficit
--
-- KEYS
--   1 seller     hash
--   2 config     hash
--   3 stock      hash
--   4 ops        hash
--   5 ledger     stream
--   6 servable   set
--   7 holds      hash
--   8 owners     hash
--   9 deadlines  zset
--  10 orders     hash
--  11 waiting    zset
--  12 forgotten  string
--  13 slots      zset
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   mode           take, or preview: the same answer, nothing written or remembered
--   overlay        preview only: how many, 0 to 1000, then for each: a config field, and the value it is to have (empty: none)
--   channel, external_id
--   kind           promise, firm or gone
--   hold_id        may be empty
--   pending        the hold of this attempt, had it been pending (shared/pending.lua); empty where no order is
--   partial        0 or 1 (promise only)
--   candidates     JSON, best first: [location, tie, location, tie, ...], up to 15 locations
--   terms          JSON, see shared/terms.lua; empty: nothing is promised about time, and nothing else is asked for
--   lines          how many, 1 to 1500, then for each: line, sku, units (1 to 10^9)
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this attempt, or the accepted one of this order, was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_channel [channel]
--   unknown_sku [sku, ...]
--   unknown_location [code]         gone only
--   over_limit [sku, location, on_hand]   gone only
--   short [[line, sku, units, atp_now], ...]
--   at_capacity [split_limit, [[line, sku, units, atp_now], ...], trace]   it would be routable with a place of a day
--     at a location that has none left
--   unroutable [split_limit, [[line, sku, units, atp_now], ...], trace]
--   placed [kind, state, placed_ms, lines, hold, plan, trace, versions]   with terms one more: what was promised, as in
--     the order's record, see shared/orders.lua
--     lines  see shared/orders.lua; for gone with the takes as they were when the goods left
--     hold   '' (none named and none pending), used, unknown, other_channel, or the state of a hold that has ended
-- KEEPS
--   committed + shipped + backordered + conflict + cancelled = ordered on every line; a promise or firm order never
--   takes a unit that is not there. A promise never takes a place of a day that is full.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5], servable = KEYS[6],
  holds = KEYS[7], owners = KEYS[8], deadlines = KEYS[9], orders = KEYS[10], waiting = KEYS[11], forgotten = KEYS[12],
  slots = KEYS[13] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include rules
--@include atp
--@include takes
--@include drawing
--@include route
--@include demand
--@include planning
--@include tracing
--@include promise
--@include firm
--@include packing
--@include holds
--@include write
--@include pending
--@include take_over
--@include orders
--@include terms
--@include shipping
--@include gone
--@include placing
--@include asking

local head = gate.read_op(gate.read_head())
head.preview = asking.read_mode()
local order = placing.read_order(head)
local hold_id = args.optional('hold_id', args.ID_MAX)
local pending_id = args.optional('pending', args.ID_MAX)
local partial = args.whole('partial', 0, 1) == 1
local candidates = demand.read_candidates()
local asked = terms.read()
local lines = demand.read_lines()
order.lines = lines

local refused = args.wrong() and gate.pass(head) or gate.enter(head)
if not refused and not head.preview then
  refused = gate.replay(head) or placing.accepted_before(head, order.id)
end
refused = refused or take_over.ask(head, hold_id) or take_over.ask(head, pending_id)
if refused then
  return refused
end
local skus = stock.skus_of(lines)
rules.fetch(order.channel, skus)
local view = rules.channel_view(order.channel)
if not view then
  return gate.refuse(head, 'unknown_channel', { order.channel })
end
refused = placing.refuse_unknown(head, order, candidates, skus)
if refused then
  return refused
end

if order.kind == 'gone' then
  asked = nil
end
order.bounds = asked and terms.bounds(asked, skus)
local left_from = order.kind == 'gone' and candidates[1][1] or nil
local taken, hold_said = take_over.take_all(order, hold_id, pending_id, left_from)
local needs = demand.needs_of(lines, view)
local word, facts, plan, otherwise = placing.take(order, needs, candidates, view, partial)
if otherwise then
  return gate.refuse(head, 'at_capacity', facts)
elseif word then
  return gate.refuse(head, word, facts)
end

if asked then
  terms.settle(order, asked)
end
local said, trace = placing.book(head, order, needs, candidates, view)
local sealed = write.seal(order.kind == 'gone')
local packed, state = placing.pack(order, said)
local answer = placing.answer(order, state, said, cmsgpack.pack(hold_said, plan, trace, sealed.versions))
if head.preview then
  return { 'placed', answer, 0, head.op }
end
local packed_holds = {}
for i, hold in ipairs(taken) do
  packed_holds[i] = holds.pack(hold)
end

local records = { orders.write(order, packed) }
for i, hold in ipairs(taken) do
  records[i + 1] = holds.write_ended(hold, packed_holds[i])
end
return write.commit(head, 'order', order.kind, sealed, records, 'placed', answer)
