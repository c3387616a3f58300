#!lua
-- pick: the pick of an order's takes at a location has started; from now on they cannot simply be cancelled.
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
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   order_id       channel:external id
--   location       empty: every location of the order
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_order [order_id]
--   incomplete [line, units of it that wait]   all of the order is to be shipped together
--   not_committed ['', location, 0]   nothing of the order waits there
--   changed [state, lines, versions]
-- KEEPS
--   No units move.

keys = { seller = KEYS[1], stock = KEYS[2], ops = KEYS[3], ledger = KEYS[4], servable = KEYS[5], orders = KEYS[6],
  waiting = KEYS[7], forgotten = KEYS[8], slots = KEYS[9] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include takes
--@include packing
--@include orders
--@include write
--@include changes

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local location = args.optional('location', args.CODE_MAX)

local refused, order = gate.pass(head), nil
if not refused then
  order, refused = changes.open(head, order_id)
end
refused = refused or changes.refuse_incomplete(head, order)
if refused then
  return refused
end

local any = false
for _, line in ipairs(order.lines) do
  for _, take in ipairs(line.takes) do
    if location == '' or take.location == location then
      take.picking, any = 1, true
    end
  end
end
if not any then
  return gate.refuse(head, 'not_committed', { '', location, 0 })
end
return changes.commit(head, 'pick', location, order)
