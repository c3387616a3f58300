#!lua
-- reject: a location refuses what an order was to get from it; the reason changes its stock, the rest goes elsewhere.
--
-- The units are given back and the stock is changed first. Then the lines are routed again without the locations that
-- have rejected the order, with the passes of a firm order and never with units that others wait for; what finds no
-- place is in conflict. When `rejects_max` rejects are reached it is in conflict at once, and somebody has to decide.
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
--   order_id       channel:external id
--   location       that rejects
--   reason         a code, for the ledger; with the effect `unavailable` the bucket
--   effect         on each sku's stock there
--     none         it is still there
--     less         as many units as are rejected are not there
--     zero         nothing that could be sold is there
--     unavailable  as many units as are rejected are there and cannot be sold
--   recount        0 or 1: somebody is to count what lost units by it; for the ledger
--   rejects_max    1 to 100: with so many rejects an order is not routed again
--   candidates     JSON, as in order; with none the ranking the order came with
--   lines          how many, 0 (all that is committed there) to 500, then for each: line, units (1 to 10^9)
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
--   not_committed [line, location, units committed there]
--   changed [state, lines, versions]
-- KEEPS
--   Every rejected unit is committed elsewhere or in conflict; no unit that is owed to others is taken.

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
--@include firm
--@include packing
--@include orders
--@include leaving
--@include write
--@include changes

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local location, reason = args.code('location'), args.code('reason')
local effect = args.choice('effect', { none = true, less = true, zero = true, unavailable = true })
local recount = args.whole('recount', 0, 1) == 1
local rejects_max = args.whole('rejects_max', 1, 100)
local candidates = demand.read_candidates()
local wanted = {}
for i = 1, args.whole('lines', 0, 500) do
  wanted[i] = { line = args.id('line'), units = args.units() }
end

local refused, order = gate.pass(head), nil
if not refused then
  order, refused = changes.open(head, order_id)
end
refused = refused or changes.refuse_unknown_line(head, order, wanted)
if refused then
  return refused
end

if #wanted == 0 then
  for _, line in ipairs(order.lines) do
    local there = takes.units_at(line.takes, location)
    if there > 0 then
      wanted[#wanted + 1] = { line = line.line, units = there }
    end
  end
end
if #wanted == 0 then
  return gate.refuse(head, 'not_committed', { '', location, 0 })
end

local rejected = {}
for _, want in ipairs(wanted) do
  local line = orders.find_line(order, want.line)
  local there = takes.units_at(line.takes, location)
  if want.units > there then
    return gate.refuse(head, 'not_committed', { want.line, location, there })
  end
  leaving.leave(line, location, want.units)
  rejected[line.sku] = (rejected[line.sku] or 0) + want.units
end

-- What the reason means for the units of a sku that are there, as far as they are.
local function change_stock(state, units)
  local on_hand, unavailable = stock.buckets(state, location)
  if effect == 'less' then
    stock.move(state, location, 'on_hand', -math.min(units, math.max(0, on_hand)))
  elseif effect == 'zero' then
    stock.move(state, location, 'on_hand', -math.max(0, on_hand - unavailable))
  elseif effect == 'unavailable' then
    stock.move(state, location, 'unavailable', math.min(units, math.max(0, on_hand - unavailable)), reason)
  end
end

for sku, units in pairs(rejected) do
  change_stock(stock.skus[sku], units)
end
order.rejected_at[#order.rejected_at + 1] = location
if #order.rejected_at >= rejects_max then
  order.desk = 1
else
  leaving.go_elsewhere(order, order.lines, candidates[1] and candidates or demand.candidates_of(order.candidates))
end
leaving.into_conflict(order.lines)
local why = location .. ' ' .. reason .. (recount and ' recount' or '')
return changes.commit(head, 'reject', why, order, effect ~= 'none')
