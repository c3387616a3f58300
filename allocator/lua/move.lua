#!lua
-- move: units of an order go to a location that somebody has chosen, from another one or from those that wait.
--
-- They are given back and taken in the same step. Whoever moves has decided: any part of the shelf may be taken, safety
-- stock and quotas last, and units that are owed too, since nothing is owed that was not owed before.
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
--   why            text for the ledger, may be empty
--   from           empty: what is in conflict or backordered
--   to             a location
--   lines          how many, 0 (all that is there and not being picked) to 500, then for each: line, units (1 to 10^9)
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
--   unknown_location [code]
--   not_committed [line, from, units that can be moved]
--   not_enough [sku, location, units there]
--   changed [state, lines, versions]
-- KEEPS
--   Every moved unit is committed at its new location; none is promised twice.

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
--@include demand
--@include packing
--@include orders
--@include leaving
--@include write
--@include changes

-- What a channel that no longer exists sees: all that is shared.
local NOBODY = { position = {} }

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local why = args.optional('why', 256)
local from, to = args.optional('from', args.CODE_MAX), args.code('to')
local wanted = {}
for i = 1, args.whole('lines', 0, 500) do
  wanted[i] = { line = args.id('line'), units = args.units() }
end
if from == to then
  args.complain('to', 'must be another location')
end

local refused, order = gate.pass(head), nil
if not refused then
  order, refused = changes.open(head, order_id)
end
refused = refused or changes.refuse_unknown_line(head, order, wanted)
if not refused and (rules.config_field('locations') or {})[to] == nil then
  refused = gate.refuse(head, 'unknown_location', { to })
end
if refused then
  return refused
end

-- What of a line may be moved.
local function movable(line)
  if from == '' then
    return line.conflict + line.backordered
  end
  return takes.units_at(line.takes, from) - takes.picking_at(line.takes, from)
end

-- Takes units of a line from where they are; they are `left` then.
local function part_from(line, units)
  if from ~= '' then
    leaving.leave(line, from, units)
    return
  end
  orders.lower_debt(line, units, line.conflict)
  line.left = (line.left or 0) + units
end

-- Takes what is left of a line at the new location. Returns what was there when that is too little.
local function take_there(line, view)
  local state, wish = stock.skus[line.sku], line.left
  local spot = atp.spot_of(view, to)
  local shelf = atp.shelf(view, state, spot, rules.safety_of(line.sku, spot))
  for _, pass in ipairs({ 'open', 'reserve', 'fence' }) do
    demand.fill_line(line, shelf, pass, line.left, { view = view, bucket = 'committed' })
  end
  line.committed = takes.units_at(line.takes)
  return line.left > 0 and wish - line.left or nil
end

if #wanted == 0 then
  for _, line in ipairs(order.lines) do
    if movable(line) > 0 then
      wanted[#wanted + 1] = { line = line.line, units = movable(line) }
    end
  end
end
if #wanted == 0 then
  return gate.refuse(head, 'not_committed', { '', from, 0 })
end
local moved = {}
for _, want in ipairs(wanted) do
  local line = orders.find_line(order, want.line)
  if want.units > movable(line) then
    return gate.refuse(head, 'not_committed', { want.line, from, movable(line) })
  end
  part_from(line, want.units)
  moved[#moved + 1] = line
end
local view = rules.channel_view(order.channel) or NOBODY
for _, line in ipairs(moved) do
  local there = take_there(line, view)
  if there then
    return gate.refuse(head, 'not_enough', { line.sku, to, there })
  end
end
order.desk = orders.in_conflict(order) and order.desk or 0
return changes.commit(head, 'move', why, order)
