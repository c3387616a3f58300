#!lua
-- serve: give units that have arrived to the orders that wait for them: best ranked channel first, then oldest; of a
-- line what is in conflict before what is backordered.
--
-- What is owed is in nobody's ATP; serving a debt is the one thing that ignores it. A line is served from its
-- channel's locations in the order its ranking had, with the passes of a firm order. Run every second.
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
--   sweep          1: first put up to 100 more waiting skus on the list, for units that rules or locations set free
--   skus           most skus to look at, 1 to 100
--   lines          most order lines to look at in all, 1 to 100
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]          never: this verb names no config
--   frozen [sku, evidence]          never: its backorders wait
--   checking [sku]                  never: its backorders wait
--   served [[[order_id, line, sku, units], ...], more]   more: 1 when it should be run again at once
-- KEEPS
--   A unit that waits becomes a committed one, or stays; nothing else changes.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ledger = KEYS[4], servable = KEYS[5],
  orders = KEYS[6], waiting = KEYS[7], slots = KEYS[8] }

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
--@include write

-- How far one run looks into the queue of one sku.
local PAGE, PAGES_MAX = 1000, 10

local head = gate.read_head()
local sweep = args.whole('sweep', 0, 1) == 1
local sku_limit = args.whole('skus', 1, 100)
local line_limit = args.whole('lines', 1, 100)

local refused = gate.pass(head)
if refused then
  return refused
end

-- Walks the queue of waiting lines sku by sku, a hundred a run, from where the last sweep stopped.
local function swept_skus()
  local from, skus = redis.call('HGET', keys.seller, 'swept') or '', {}
  while #skus < 100 do
    local min = from == '' and '-' or '(' .. from .. '\1'
    local member = redis.call('ZRANGEBYLEX', keys.waiting, min, '+', 'LIMIT', 0, 1)[1]
    from = member and member:match('^([^%z]*)') or ''
    if from == '' then
      break
    end
    skus[#skus + 1] = from
  end
  return skus, from
end

local touched, records, served = {}, {}, {}

local function order_of(id)
  touched[id] = touched[id] or orders.read(id)
  return touched[id]
end

-- Gives a waiting line what there is. Returns true when that was less than it waits for.
local function serve_line(order, sku, name)
  local view, line = rules.channel_view(order.channel), orders.find_line(order, name)
  if not view then
    return true
  end
  line.left, line.waited = orders.waiting_units(order, line), true
  local owed = line.left
  local candidates = demand.candidates_of(order.candidates)
  firm.take({ line }, demand.needs_of({ line }, view), candidates, view, 'committed', true, orders.bounds(order))
  local units = owed - line.left
  if units > 0 then
    orders.lower_debt(line, units, order.desk == 1 and 0 or line.conflict)
    line.committed = line.committed + units
    order.served = true
    served[#served + 1] = { order.id, name, sku, units }
  end
  return line.left > 0
end

-- A page of the queue of one sku after this member.
local function waiting_after(sku, member)
  local from = member and '(' .. member or '[' .. sku .. '\0'
  return redis.call('ZRANGEBYLEX', keys.waiting, from, '(' .. sku .. '\1', 'LIMIT', 0, PAGE)
end

-- Serves one sku's queue. A channel that got less than it waits for has nothing left; its other lines are passed over.
-- Returns false when the limit of lines was reached first.
local function serve_sku(sku)
  local dry, last = {}, nil
  for _ = 1, PAGES_MAX do
    local queue = waiting_after(sku, last)
    for _, member in ipairs(queue) do
      local order_id, name = member:match('^[^%z]*%z%d*%z([^%z]*)%z(.*)$')
      local channel = order_id:match('^[^:]*')
      if not dry[channel] and line_limit == 0 then
        return false
      elseif not dry[channel] then
        line_limit = line_limit - 1
        dry[channel] = serve_line(order_of(order_id), sku, name)
      end
    end
    last = queue[#queue]
    if #queue < PAGE then
      break
    end
  end
  return true
end

local done = {}
if sweep then
  local swept, stopped = swept_skus()
  redis.call('HSET', keys.seller, 'swept', stopped)
  if #swept > 0 then
    redis.call('SADD', keys.servable, unpack(swept))
  end
end
local skus = redis.call('SRANDMEMBER', keys.servable, sku_limit)
table.sort(skus)
local closed = {}
for _, one in ipairs(gate.closed(skus)) do
  closed[one[2][1]] = true
end
local open = {}
for _, sku in ipairs(skus) do
  if not closed[sku] then
    open[#open + 1] = sku
  end
end
skus = open
stock.load(skus)
for _, sku in ipairs(skus) do
  if serve_sku(sku) then
    done[#done + 1] = sku
  end
end
local more = #done < #skus or #skus == sku_limit
local answer = cmsgpack.pack({ served, more and 1 or 0 })
local sealed = write.seal()
local packed = {}
for id, order in pairs(touched) do
  if order.served then
    packed[id] = orders.pack(order, orders.pack_lines(order))
  end
end

for id, order in pairs(touched) do
  if packed[id] then
    records[#records + 1] = orders.write(order, packed[id])
  end
end
if #done > 0 then
  redis.call('SREM', keys.servable, unpack(done))
end
if #served == 0 then
  return { 'served', answer, 0, '' }
end
return write.commit(head, 'serve', '', sealed, records, 'served', answer)
