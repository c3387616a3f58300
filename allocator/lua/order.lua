#!lua
-- order: take units for an order and decide where each line ships from, all in this one step.
--
-- A named hold of the same channel comes first: its units are re-taken where they lie, whatever rules say now, as far
-- as they are still there. The rest follows the kind of demand:
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
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   mode           take, or preview: the same answer, nothing written or remembered
--   channel, external_id
--   kind           promise, firm or gone
--   hold_id        may be empty
--   partial        0 or 1 (promise only)
--   candidates     how many, 0 to 15, then for each, best first: location, tie
--   lines          how many, 1 to 1500, then for each: line, sku, units (1 to 10^9)
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found]         another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this attempt, or the accepted one of this order, was another request
--   unknown_channel [channel]
--   unknown_sku [sku, ...]
--   unknown_location [code]         gone only
--   over_limit [sku, location, on_hand]   gone only
--   short [[line, sku, units, atp_now], ...]
--   unroutable [split_limit, [[line, sku, units, atp_now], ...], trace]
--   placed [state, placed_ms, lines, hold, plan, trace, versions]
--     lines  see shared/orders.lua; for gone with the takes as they were when the goods left
--     hold   '' (none named), used, unknown, other_channel, or the state of a hold that has ended
-- KEEPS
--   committed + shipped + backordered + conflict + cancelled = ordered on every line; a promise or firm order never
--   takes a unit that is not there.

local keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5], servable = KEYS[6],
  holds = KEYS[7], owners = KEYS[8], deadlines = KEYS[9], orders = KEYS[10], waiting = KEYS[11] }

--@include args
--@include gate
--@include state
--@include rules
--@include atp
--@include takes
--@include route
--@include demand
--@include holds
--@include orders
--@include shipping
--@include write

local head = read_op(read_head())
head.preview = choice('mode', { take = true, preview = true }) == 'preview'
local order = { channel = text('channel', CODE_MAX), external_id = text('external_id', ID_MAX) }
order.kind = choice('kind', { promise = true, firm = true, gone = true })
local hold_id = optional('hold_id', ID_MAX)
local partial = whole('partial', 0, 1) == 1
local candidates = read_candidates()
local lines = read_demand_lines()
order.id = order.channel .. ':' .. order.external_id
order.op, order.fingerprint, order.lines = head.op, head.fingerprint, lines

-- An acceptance is final for the id: another attempt hears it again.
local function accepted_before()
  local packed = redis.call('HGET', keys.orders, order.id)
  if not packed then
    return nil
  end
  local before = unpack_order(order.id, packed)
  local answer = replay({ op = before.op, fingerprint = head.fingerprint })
  if answer then
    answer[4] = head.op
  end
  return answer
end

local function refuse_demand()
  if order.kind == 'gone' and not candidates[1] then
    return { 'invalid', cmsgpack.pack({ 'candidates must name the location the goods left' }), 0, head.op }
  end
  local unknown = load(skus_of(lines))
  if #unknown > 0 then
    return refuse(head, 'unknown_sku', unknown)
  end
  if order.kind == 'gone' and (config_field('locations') or {})[candidates[1][1]] == nil then
    return refuse(head, 'unknown_location', { candidates[1][1] })
  end
end

-- Moves as much of one held take to the order's lines as they want and as is still there.
local function retake(state, take)
  local place = state.places[take.location]
  local there = math.max(0, place.on_hand - place.unavailable - place.committed)
  for _, line in ipairs(lines) do
    local units = line.sku == state.sku and math.min(take.units, line.left, there) or 0
    if units > 0 then
      local mine = take_at(line.takes, take.location)
      for _, part in ipairs(split_parts(take, units)) do
        add_part(mine, part[1], part[2], part[3])
      end
      move(state, take.location, 'held', -units)
      move(state, take.location, 'committed', units)
      line.left, there = line.left - units, there - units
    end
  end
end

-- Takes over the named hold in memory. Returns it if it was open, and what it gave.
local function take_over()
  local hold = hold_id ~= '' and read_hold(hold_id) or nil
  if not hold then
    return nil, hold_id ~= '' and 'unknown' or ''
  elseif hold.channel ~= order.channel then
    return nil, 'other_channel'
  elseif hold.state ~= 'open' then
    return nil, hold.state
  end
  load(skus_of_hold(hold))
  for _, entry in ipairs(hold.skus) do
    for _, take in ipairs(entry.takes) do
      if order.kind ~= 'gone' or take.location == candidates[1][1] then
        retake(stock[entry.sku], take)
      end
    end
  end
  end_hold(hold, 'ordered')
  return hold, 'used'
end

-- The goods have left one place: whatever is there goes, in the order of a firm order's passes; the rest is a fact too.
local function take_gone(view, needs)
  local code = candidates[1][1]
  local spot = { code, 0, 1 }
  for _, known in ipairs(view.locations) do
    spot = known[1] == code and { code, known[2], 1 } or spot
  end
  for _, need in ipairs(needs) do
    local shelf = shelf_at(view, stock[need.sku], sheets_of(need.sku), spot)
    need.at, need.atp.shelves = { [code] = shelf }, { shelf }
  end
  remember_open(needs)
  for _, pass in ipairs({ 'open', 'reserve', 'fence' }) do
    for _, need in ipairs(needs) do
      need.units = UNITS_MAX * LINES_MAX
    end
    fill(lines, needs, { code }, pass, { view = view, bucket = 'committed' })
  end
  for _, line in ipairs(lines) do
    if line.left > 0 then
      add_part(take_at(line.takes, code), 'deficit', line.left, '')
      move(stock[line.sku], code, 'committed', line.left)
      line.left = 0
    end
  end
  return 'single'
end

local function beyond_limit()
  for _, line in ipairs(lines) do
    local place = stock[line.sku].places[candidates[1][1]]
    if place and place.on_hand - place.committed < -PLACE_MAX then
      return { line.sku, candidates[1][1], place.on_hand }
    end
  end
end

local function taken_units(line)
  local units = 0
  for _, take in ipairs(line.takes) do
    units = units + take.units
  end
  return units
end

-- Gives every line its buckets. A firm order waits for what it did not get; a partial promise forgoes it.
local function book_lines()
  for _, line in ipairs(lines) do
    line.ordered, line.committed = line.asked, taken_units(line)
    line.shipped, line.conflict, line.returned = 0, 0, 0
    line.backordered = order.kind == 'firm' and line.left or 0
    line.cancelled = order.kind == 'promise' and line.left or 0
    owe(stock[line.sku], 'backordered', line.backordered)
  end
end

-- Returns the lines as they were before the goods left, with what left counted as shipped.
local function ship_gone()
  local rows = {}
  for i, line in ipairs(lines) do
    local takes = pack_takes(line.takes)
    for _, take in ipairs(line.takes) do
      ship_take(stock[line.sku], take, take.units)
    end
    line.committed, line.shipped, line.takes = 0, line.committed, {}
    rows[i] = { line.line, line.sku, line.ordered, 0, line.shipped, 0, 0, 0, 0, takes }
  end
  return rows
end

local refused = wrong_arguments() and gate(head) or enter(head)
if not refused and not head.preview then
  refused = replay(head) or accepted_before()
end
if refused then
  return refused
end
local view = channel_view(order.channel)
if not view then
  return refuse(head, 'unknown_channel', { order.channel })
end
refused = refuse_demand()
if refused then
  return refused
end

local hold, hold_said = take_over()
local needs = needs_of(lines, view)
remember_open(needs)
local word, facts, plan
if order.kind == 'promise' then
  word, facts, plan = promise(lines, needs, candidates, view, 'committed', partial)
elseif order.kind == 'firm' then
  plan = firm(lines, needs, candidates, view, 'committed', false)
else
  plan = take_gone(view, needs)
  facts = beyond_limit()
  word = facts and 'over_limit'
end
if word then
  return refuse(head, word, facts)
end

order.placed_ms, order.rank, order.candidates = head.now, view.rank, {}
for _, candidate in ipairs(candidates) do
  order.candidates[#order.candidates + 1] = candidate[1]
  order.candidates[#order.candidates + 1] = candidate[2]
end
book_lines()
local trace = trace_of(candidates, lines, needs, view)
local rows = order.kind == 'gone' and ship_gone() or line_rows(order)
local sealed = seal(order.kind == 'gone')
local packed = pack_order(order, order.kind == 'gone' and line_rows(order) or rows)
local answer = cmsgpack.pack({ order_state(order), head.now, rows, hold_said, plan, trace, sealed.versions })
if head.preview then
  return { 'placed', answer, 0, head.op }
end
local hold_packed = hold and pack_hold(hold)

local records = { write_order(order, packed) }
if hold then
  records[2] = write_ended(hold, hold_packed)
end
return write(head, 'order', order.kind, sealed, records, 'placed', answer)
