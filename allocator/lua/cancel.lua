#!lua flags=allow-oom
-- cancel: an order, some lines or some units of a line are no longer wanted; or all of an order that is only pending.
--
-- Units that wait for a shelf go first, then committed ones, the last taken first, each back to where it came from.
-- Units whose pick has started stay; or, with `picked`, they go last. They are in a tote: they become unavailable with
-- the reason `put_away` at that location, and free by `unavailable` ... `out` once they are put away.
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
--   9 holds      hash
--  10 owners     hash
--  11 deadlines  zset
--  12 slots      zset
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   order_id       channel:external id
--   why            text for the ledger, may be empty
--   picked         0, or 1: units whose pick has started, too
--   pending        the field of owners that the order has while it is only pending; empty where no order is
--   lines          how many, 0 (the whole order) to 1500, then for each: line, units (1 to 10^9; empty: all of it)
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
--   pick_started [line, units being picked]   more would have to be cancelled than is not being picked; not with `picked`
--   not_committed [line, '', units that can be cancelled]
--   changed [state, lines, versions]   what was only pending is cancelled, its hold released
-- KEEPS
--   Every cancelled unit is free again, no longer owed, or waits to be put away.

keys = { seller = KEYS[1], stock = KEYS[2], ops = KEYS[3], ledger = KEYS[4], servable = KEYS[5], orders = KEYS[6],
  waiting = KEYS[7], forgotten = KEYS[8], holds = KEYS[9], owners = KEYS[10], deadlines = KEYS[11], slots = KEYS[12] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include takes
--@include cancelling
--@include packing
--@include orders
--@include holds
--@include write
--@include pending
--@include changes

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local why = args.optional('why', 256)
local picked = args.whole('picked', 0, 1) == 1
local pending_as = args.optional('pending', args.CODE_MAX + args.ID_MAX + 1)
local wanted = {}
for i = 1, args.whole('lines', 0, 1500) do
  wanted[i] = { line = args.id('line'), units = args.whole_or_none('units', 1, args.UNITS_MAX) }
end

-- The hold that is all there is of the order, or nil.
local function hold_of_pending()
  if #wanted == 0 and redis.call('HEXISTS', keys.orders, order_id) == 0 then
    local id = redis.call('HGET', keys.owners, pending_as)
    local hold = id and holds.read(id)
    return hold and hold.order and hold
  end
end

local refused, order = gate.pass(head), nil
local hold = not refused and hold_of_pending()
if hold then
  return pending.cancel(head, why, hold)
elseif not refused then
  order, refused = changes.open(head, order_id)
end
refused = refused or changes.refuse_unknown_line(head, order, wanted)
if refused then
  return refused
end

if #wanted == 0 then
  for i, line in ipairs(order.lines) do
    wanted[i] = { line = line.line }
  end
end
local any = false
for _, want in ipairs(wanted) do
  local line = orders.find_line(order, want.line)
  local units = want.units or cancelling.unshipped(line)
  refused = cancelling.refuse(head, line, units, picked)
  if refused then
    return refused
  end
  cancelling.cancel(line, units)
  any = any or units > 0
end
if not any then
  return gate.refuse(head, 'not_committed', { '', '', 0 })
end
return changes.commit(head, 'cancel', why, order)
