#!lua flags=allow-oom
-- ship: units of an order have left their location; some lines, some units, or all that is committed.
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
--   lines          how many, 0 (all that is committed) to 500, then for each: line, location, units (1 to 10^9)
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
--   incomplete [line, units of it that wait]   all of the order is to be shipped together
--   not_committed [line, location, units committed there]
--   changed [state, lines, versions]
-- KEEPS
--   on_hand and committed fall together, so nobody's availability changes.

keys = { seller = KEYS[1], stock = KEYS[2], ops = KEYS[3], ledger = KEYS[4], servable = KEYS[5], orders = KEYS[6],
  waiting = KEYS[7], forgotten = KEYS[8], slots = KEYS[9] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include takes
--@include packing
--@include orders
--@include shipping
--@include write
--@include changes

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local wanted = {}
for i = 1, args.whole('lines', 0, 500) do
  wanted[i] = { line = args.id('line'), location = args.code('location'), units = args.units() }
end

local refused, order = gate.pass(head), nil
if not refused then
  order, refused = changes.open(head, order_id)
end
refused = refused or changes.refuse_unknown_line(head, order, wanted)
refused = refused or changes.refuse_incomplete(head, order)
if refused then
  return refused
end

local function ship_from(line, take, units)
  shipping.ship(stock.skus[line.sku], take, units)
  orders.has_left(order, take.location)
  line.committed, line.shipped = line.committed - units, line.shipped + units
end

-- Ships what a line wants from one location. Returns what was committed there if that is too little.
local function ship_line(want)
  local line, left = orders.find_line(order, want.line), want.units
  local there = takes.units_at(line.takes, want.location)
  if left > there then
    return there
  end
  for _, take in ipairs(line.takes) do
    local units = take.location == want.location and math.min(take.units, left) or 0
    if units > 0 then
      ship_from(line, take, units)
      left = left - units
    end
  end
end

for _, want in ipairs(wanted) do
  local there = ship_line(want)
  if there then
    return gate.refuse(head, 'not_committed', { want.line, want.location, there })
  end
end
if #wanted == 0 then
  local any = false
  for _, line in ipairs(order.lines) do
    for _, take in ipairs(line.takes) do
      ship_from(line, take, take.units)
      any = true
    end
  end
  if not any then
    return gate.refuse(head, 'not_committed', { '', '', 0 })
  end
end
return changes.commit(head, 'ship', '', order)
