#!lua
-- exchange: goods of one order came back, and another order is placed for them; both or nothing, in this one step.
--
-- What comes back is booked first, so that restocked units may go out again with the new order. That is placed as `order`
-- places one, without a hold, all of it.
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
--   order_id       channel:external id of the order that goods came back for
--   why            text for the ledger, may be empty
--   returned       how many, 1 to 500, then for each: line (of that order), location, units, disposition
--   channel, external_id   of the new order
--   kind           promise, firm or gone
--   candidates     JSON, best first, as for `order`
--   lines          how many, 1 to 1500, then for each: line, sku, units (1 to 10^9)
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request, or this op made the new order before; not remembered
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_order [order_id]
--   unknown_line [line]
--   unknown_location [code, ...]    that goods came back to
--   unknown_channel [channel]
--   unknown_sku [sku, ...]
--   unknown_location [code]         that goods left from; gone only
--   not_shipped [line, units shipped and not returned]
--   over_limit [sku, location, on_hand]
--   short [[line, sku, units, atp_now], ...]
--   unroutable [split_limit, [[line, sku, units, atp_now], ...], trace]
--   exchanged [state, lines, kind, state, placed_ms, lines, plan, trace, versions]   the first two: of the order that
--     goods came back for; the others: of the new one, as `order` answers them
-- KEEPS
--   returned <= shipped on every line; a promise or firm order never takes a unit that is not there.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5], servable = KEYS[6],
  orders = KEYS[7], waiting = KEYS[8], forgotten = KEYS[9], slots = KEYS[10] }

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
--@include orders
--@include shipping
--@include gone
--@include placing
--@include write
--@include changes
--@include places
--@include announcing
--@include returning

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local why = args.optional('why', 256)
local returned = returning.read_lines('returned')
local new = placing.read_order(head)
local candidates = demand.read_candidates()
new.lines = demand.read_lines()

-- Finds the order that goods came back for. Returns a refusal, or nil, and the order.
local function open()
  local packed = redis.call('HGET', keys.orders, new.id)
  if packed then
    gate.touch()
    return { 'op_conflict', cmsgpack.pack({ orders.unpack(new.id, packed).op }), 1, head.op }
  end
  local old, refused = changes.open(head, order_id)
  refused = refused or forgotten.ask(head, 'order', new.id) or changes.refuse_unknown_line(head, old, returned)
  return refused or returning.refuse_unknown(head, old, returned), old
end

local refused, old = gate.pass(head), nil
if not refused then
  refused, old = open()
end
if refused then
  return refused
end
local skus = stock.skus_of(new.lines)
rules.fetch(new.channel, skus)
local view = rules.channel_view(new.channel)
if not view then
  return gate.refuse(head, 'unknown_channel', { new.channel })
end
refused = placing.refuse_unknown(head, new, candidates, skus) or returning.book(head, old, returned, '')
if refused then
  return refused
end

local needs = demand.needs_of(new.lines, view)
local word, facts, plan = placing.take(new, needs, candidates, view, false)
if word then
  return gate.refuse(head, word, facts)
end
local said, trace = placing.book(head, new, needs, candidates, view)
local sealed = write.seal(new.kind == 'gone')
local old_lines = orders.pack_lines(old)
local old_packed, old_state = orders.pack(old, old_lines)
local packed, state = placing.pack(new, said)
local answer = packing.head(9) .. cmsgpack.pack(old_state) .. old_lines ..
  cmsgpack.pack(new.kind, state, new.placed_ms) .. said .. cmsgpack.pack(plan, trace, sealed.versions)
local records = { orders.write(old, old_packed), orders.write(new, packed) }
return write.commit(head, 'exchange', why, sealed, records, 'exchanged', answer)
