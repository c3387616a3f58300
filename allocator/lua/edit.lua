#!lua
-- edit: an order is to have other units, other lines or another way from now on; all of it or nothing.
--
-- Fewer units go as `cancel` lets them go, without those whose pick has started. More are taken as the order's own kind
-- takes them:
--   promise  all of them or none, or what there is with `partial`: what it does not get is not ordered
--   firm     in the passes of a firm order; what is left is backordered
--   gone     none: goods that have left cannot become more
-- With `replan` every take whose pick has not started is given back and taken anew in the same step. What the order gives
-- back it may have again, whatever is owed or kept back by now; of it a partial promise forgoes what it does not get.
-- Nothing is taken at a location that has rejected the order.
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
--   candidates     JSON as for `order`, if the order is a promise; kept from now on; empty: what it was placed with stays
--   relaxed        the same, if it is firm
--   replan         0 or 1
--   partial        0 or 1 (promise only)
--   lines          how many, 0 to 1500, then for each: line, sku, units (0 to 10^9) that are wanted in all, those shipped
--                  included; lines that are not named stay as they are, a name that is new is a new line
-- RETURNS, first match wins
--   invalid [what]                  nonsense, or more than 1500 lines then; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_order [order_id]
--   other_sku [line, its sku]
--   unknown_sku [sku, ...]
--   pick_started [line, units being picked]   fewer are wanted than are being picked
--   not_committed [line, '', units that can be cancelled]   fewer are wanted than have been shipped
--   has_left [order_id]
--   unknown_channel [channel]       only when units are to be taken
--   short [[line, sku, units, atp_now], ...]   lines that are to take units; atp_now is what this order may have
--   unroutable [split_limit, [[line, sku, units, atp_now], ...], trace]
--   changed [state, lines, versions]
-- KEEPS
--   committed + shipped + backordered + conflict + cancelled = ordered on every line; what is being picked or was shipped
--   stays where it is; no unit is taken that is not there.

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
--@include cancelling
--@include packing
--@include orders
--@include write
--@include changes

local head = gate.read_op(gate.read_head())
local order_id = args.order_id()
local why = args.optional('why', 256)
local strict, relaxed = demand.read_candidates_or_none('candidates'), demand.read_candidates_or_none('relaxed')
local replan = args.whole('replan', 0, 1) == 1
local partial = args.whole('partial', 0, 1) == 1
local wanted, order = {}, nil

local function read_wanted()
  local seen = {}
  for i = 1, args.whole('lines', 0, demand.LINES_MAX) do
    local want = { line = args.id('line'), sku = args.sku(), units = args.whole('units', 0, args.UNITS_MAX) }
    if seen[want.line] then
      args.complain('line', 'is named twice')
    end
    seen[want.line], wanted[i] = true, want
  end
end

-- Finds every line that is named, and makes those that are new and want units. Returns a refusal, or nil.
local function find_lines()
  local known = {}
  for _, line in ipairs(order.lines) do
    known[line.line] = line
    line.asked, line.left = 0, 0
  end
  for _, want in ipairs(wanted) do
    want.found = known[want.line]
    if want.found and want.found.sku ~= want.sku then
      return gate.refuse(head, 'other_sku', { want.line, want.found.sku })
    elseif not want.found and want.units > 0 then
      want.found = demand.new_line(want.line, want.sku, 0)
      order.lines[#order.lines + 1] = want.found
    end
  end
  if #order.lines > demand.LINES_MAX then
    return { 'invalid', cmsgpack.pack({ 'an order has at most 1500 lines' }), 0, head.op }
  end
  local unknown = stock.load(stock.skus_of(order.lines))
  return #unknown > 0 and gate.refuse(head, 'unknown_sku', unknown) or nil
end

-- How many units more each named line is to have. Returns a refusal when it cannot have fewer, and whether any has more.
local function weigh_lines()
  local grows = false
  for _, want in ipairs(wanted) do
    local line = want.found
    want.more = line and want.units - (line.ordered - line.cancelled) or 0
    local refused = want.more < 0 and cancelling.refuse(head, line, -want.more, false)
    if refused then
      return refused
    end
    grows = grows or want.more > 0
  end
  return nil, grows
end

-- What there is for the order's skus before anything is given back: open to it, and by whatever pass.
local function look(view)
  local before = demand.needs_of(order.lines, view)
  for _, need in ipairs(before) do
    need.all = 0
    for position in ipairs(need.open) do
      local shelf = atp.shelf_of(need, position)
      need.all = need.all + shelf.open + shelf.reserve + shelf.fence
    end
  end
  return before
end

-- Gives back what is not wanted any more, and what is to be taken anew.
local function give_back()
  for _, want in ipairs(wanted) do
    if want.more < 0 then
      cancelling.cancel(want.found, -want.more)
    elseif want.more > 0 then
      want.found.asked, want.found.ordered = want.more, want.found.ordered + want.more
    end
  end
  for _, line in ipairs(order.lines) do
    if replan then
      local committed = line.committed
      cancelling.give_back(line, committed, 0)
      line.asked = line.asked + committed - line.committed
    end
    line.left, line.takes = line.asked, takes.without_empty(line.takes)
  end
end

-- The order may have again what it gave back: of what is owed only so much binds it as was there without that.
local function needs_since(before, view)
  local needs = demand.needs_of(order.lines, view)
  for _, need in ipairs(needs) do
    local was = before[need.state.sku]
    need.after_buffer = math.max(need.after_buffer, need.total - was.total)
    need.owed = math.min(need.owed, was.all)
  end
  return needs
end

local function rows_that_take(rows)
  local some = {}
  for _, row in ipairs(rows) do
    if row[3] > 0 then
      some[#some + 1] = row
    end
  end
  return some
end

-- The candidates that have not rejected the order.
local function willing(candidates, without)
  local some = {}
  for _, candidate in ipairs(candidates) do
    if not without[candidate[1]] then
      some[#some + 1] = candidate
    end
  end
  return some
end

-- Takes what the lines ask for. Returns a refusal, or nil.
local function take(needs, candidates, view)
  local bounds = orders.bounds(order)
  if order.kind == 'firm' then
    firm.take(order.lines, needs, candidates, view, 'committed', false, bounds)
    return nil
  end
  local may = willing(candidates, bounds.without)
  local word, facts = promise.take(order.lines, needs, may, view, 'committed', partial)
  if word == 'short' then
    return gate.refuse(head, word, rows_that_take(facts))
  elseif word then
    return gate.refuse(head, word, { facts[1], rows_that_take(facts[2]), facts[3] })
  end
end

-- What a promise did not get was not ordered; of what it had before it forgoes the rest.
local function forgo(line, more)
  local unordered = math.min(line.left, more)
  line.ordered = line.ordered - unordered
  line.cancelled = line.cancelled + line.left - unordered
end

local function book_lines()
  local more, kept = {}, {}
  for _, want in ipairs(wanted) do
    more[want.line] = math.max(0, want.more)
  end
  for _, line in ipairs(order.lines) do
    line.committed = line.committed + line.asked - line.left
    if order.kind == 'firm' then
      line.backordered = line.backordered + line.left
      stock.owe(stock.skus[line.sku], 'backordered', line.left)
    else
      forgo(line, more[line.line] or 0)
    end
    if line.ordered > 0 then
      kept[#kept + 1] = line
    end
  end
  order.lines = kept
end

read_wanted()
if #wanted == 0 and not strict and not relaxed and not replan then
  args.complain('lines', 'are none, and nothing else is to change')
end
local grows
local refused = gate.pass(head)
if not refused then
  order, refused = changes.open(head, order_id)
end
refused = refused or find_lines()
if not refused then
  refused, grows = weigh_lines()
end
if refused then
  return refused
elseif grows and order.kind == 'gone' then
  return gate.refuse(head, 'has_left', { order_id })
end
local ranking = order.kind == 'firm' and relaxed or order.kind ~= 'firm' and strict or nil
ranking = not orders.pickup_of(order) and ranking or nil
order.candidates = ranking and ranking.text or order.candidates
if order.kind == 'gone' or not (grows or replan) then
  give_back()
  return changes.commit(head, 'edit', why, order)
end

rules.fetch(order.channel, stock.skus_of(order.lines))
local view = rules.channel_view(order.channel)
if not view then
  return gate.refuse(head, 'unknown_channel', { order.channel })
end
local before = look(view)
give_back()
refused = take(needs_since(before, view), demand.candidates_of(order.candidates), view)
if refused then
  return refused
end
book_lines()
return changes.commit(head, 'edit', why, order)
