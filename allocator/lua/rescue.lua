#!lua
-- rescue: what is promised at a location and not there leaves the orders that lose by policy, and goes elsewhere.
--
-- The caller says which orders lose, the first one first; each gives back as much as the deficit still has, of what is
-- not being picked. Then they are routed again without that location, the one that lost last first. They never get units
-- that others wait for. What finds no place is in conflict. Nothing is done where there is no deficit (any more). Run
-- every second.
--
-- KEYS
--   1 seller    hash
--   2 config    hash
--   3 stock     hash
--   4 ledger    stream
--   5 servable  set
--   6 orders    hash
--   7 waiting   zset
--   8 slots     zset
-- ARGV
--   epoch, config (always empty: the config in force counts), now_ms
--   sku
--   location       where units are missing
--   orders         how many, 1 to 100, then for each: order_id; unknown ones and such without units there are passed over
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]          never: this verb names no config
--   frozen [sku, evidence]          its records contradict each other
--   checking [sku]                  not opened yet after a restart
--   unknown_sku [sku]
--   rescued [[[order_id, line, units elsewhere, units in conflict], ...], deficit left]   as they were routed
-- KEEPS
--   A unit that is missing is promised once: elsewhere, or in conflict; nothing else changes.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ledger = KEYS[4], servable = KEYS[5], orders = KEYS[6],
  waiting = KEYS[7], slots = KEYS[8] }

--@include args
--@include gate
--@include stock
--@include rules
--@include atp
--@include takes
--@include drawing
--@include route
--@include demand
--@include planning
--@include firm
--@include packing
--@include orders
--@include leaving
--@include write

local head = gate.read_head()
local sku, location = args.sku(), args.code('location')
local ids, seen = {}, {}
for i = 1, args.whole('orders', 1, 100) do
  ids[i] = args.order_id()
  if seen[ids[i]] then
    args.complain('orders', 'must be named once each')
  end
  seen[ids[i]] = true
end

local refused = gate.pass(head)
if refused then
  return refused
end
if #stock.load({ sku }) > 0 then
  return gate.refuse(head, 'unknown_sku', { sku })
end
local state, said = stock.skus[sku], {}

local function deficit()
  local available = stock.look(state, location)
  return math.max(0, -(available or 0))
end

-- Gives back what of a line is missing. Returns whether that was any.
local function leave_line(line)
  local units = takes.units_at(line.takes, location) - takes.picking_at(line.takes, location)
  units = math.min(units, deficit())
  leaving.leave(line, location, units)
  return units > 0
end

local touched = {}
for _, id in ipairs(ids) do
  local order, losing = orders.read(id), {}
  for _, line in ipairs(order and order.lines or {}) do
    if line.sku == sku and leave_line(line) then
      losing[#losing + 1] = line
    end
  end
  if #losing > 0 then
    order.losing, touched[#touched + 1] = losing, order
  end
end

-- Who lost last has the first choice of what there is elsewhere. Nobody gave back more than is missing, so there is
-- nothing to be had where they lost it.
for i = #touched, 1, -1 do
  local order, lost = touched[i], {}
  for n, line in ipairs(order.losing) do
    lost[n] = line.left
  end
  leaving.go_elsewhere(order, order.losing, demand.candidates_of(order.candidates))
  for n, line in ipairs(order.losing) do
    said[#said + 1] = { order.id, line.line, lost[n] - line.left, line.left }
  end
  leaving.into_conflict(order.losing)
end

local answer = cmsgpack.pack({ said, deficit() })
if #touched == 0 then
  return { 'rescued', answer, 0, '' }
end
local sealed, packed, records = write.seal(), {}, {}
for i, order in ipairs(touched) do
  for _, line in ipairs(order.lines) do
    line.takes = takes.without_empty(line.takes)
  end
  packed[i] = orders.pack(order, orders.pack_lines(order))
end
for i, order in ipairs(touched) do
  records[i] = orders.write(order, packed[i])
end
return write.commit(head, 'rescue', location, sealed, records, 'rescued', answer)
