-- orders: the record of an order.
--
-- Packed: { channel, external_id, kind, op, fingerprint, placed_ms, rank, candidates, lines, state }, and for an order
-- that was rejected somewhere one more, { desk, location, ... }; for an order that was promised something about time, or
-- is to be shipped or fetched in a special way, that one and one more, { ship_by_ms, deliver_by_ms, ship_complete, country,
-- region, pickup, place, ... }; for an order of which returns are announced, those two and one more, { announced, ... },
-- where an order without terms has nil before it
--   candidates  the ranking it came with, as the text it came as; used again when a debt is served
--   desk        1: its conflicts wait for somebody to decide, 0: they are served like backorders
--   location    those that rejected it; it is never sent there again by itself
--   ship_by_ms  what its buyer was promised when it was placed, 0: nothing; deliver_by_ms likewise
--   ship_complete   1: nothing of it is picked or shipped while units of it wait
--   pickup      the store where it is fetched, or ''
--   place       { location, day, ship_by_ms, deliver_by_ms, left }: what was promised there; with a day it has one of the
--               places of that day, until it has nothing there any more; left: 1 when units have been shipped from there
--   lines       { { line, sku, ordered, committed, shipped, backordered, conflict, cancelled, returned, takes }, ... }
--   announced   { return id, revision, due_ms, location, why, { { line, sku, units, arrived }, ... } }: a return (announcing)
-- Index `slots`: the places that orders have, as 'day\0location\0order'; so those of one day can be counted.
-- Needs: packing, stock, takes, and keys.orders, waiting, slots.

-- Packed: an array of one 0.
local NO_REJECTS = '\145\0'
-- Packed: nil.
local NO_TERMS = '\192'

local function unpack_terms(row)
  local terms = { ship_by = row[1], deliver_by = row[2], complete = row[3], country = row[4], region = row[5],
    pickup = row[6], places = {} }
  for i = 7, #row do
    local place = row[i]
    terms.places[i - 6] = { location = place[1], day = place[2], ship_by = place[3], deliver_by = place[4],
      left = place[5] }
  end
  return terms
end

local function unpack_announced(rows)
  local announced = {}
  for i, row in ipairs(rows) do
    local lines = {}
    for j, line in ipairs(row[6]) do
      lines[j] = { line = line[1], sku = line[2], units = line[3], arrived = line[4] }
    end
    announced[i] = { id = row[1], revision = row[2], due = row[3], location = row[4], why = row[5], lines = lines }
  end
  return announced
end

function orders.unpack(id, packed)
  local row = cmsgpack.unpack(packed)
  local order = { id = id, channel = row[1], external_id = row[2], kind = row[3], op = row[4], fingerprint = row[5],
    placed_ms = row[6], rank = row[7], candidates = row[8], lines = {}, desk = 0, rejected_at = {},
    terms = row[12] and unpack_terms(row[12]), announced = row[13] and unpack_announced(row[13]) }
  for i, value in ipairs(row[11] or {}) do
    if i == 1 then
      order.desk = value
    else
      order.rejected_at[i - 1] = value
    end
  end
  for _, line in ipairs(row[9]) do
    order.lines[#order.lines + 1] = { line = line[1], sku = line[2], ordered = line[3], committed = line[4],
      shipped = line[5], backordered = line[6], conflict = line[7], cancelled = line[8], returned = line[9],
      takes = takes.unpack(line[10]) }
  end
  return order
end

-- The order's lines, packed.
function orders.pack_lines(order)
  local rows, lines = { nil }, order.lines
  for i = 1, #lines do
    local line = lines[i]
    rows[i] = { line.line, line.sku, line.ordered, line.committed, line.shipped, line.backordered, line.conflict,
      line.cancelled, line.returned, takes.pack(line.takes) }
  end
  return cmsgpack.pack(rows)
end

local function check_line(line)
  local sum = line.committed + line.shipped + line.backordered + line.conflict + line.cancelled
  assert(sum == line.ordered and line.returned <= line.shipped, 'the units of a line do not add up')
end

function orders.read(id)
  local packed = redis.call('HGET', keys.orders, id)
  return packed and orders.unpack(id, packed) or nil
end

function orders.find_line(order, name)
  for _, line in ipairs(order.lines) do
    if line.line == name then
      return line
    end
  end
end

-- What the order as a whole is: the first that applies.
--   conflict, backordered   some units have no shelf
--   picking                 some units are being picked
--   partly_shipped          some left, some are still committed
--   committed               all units that are not cancelled wait on a shelf
--   returned                all that was shipped came back
--   shipped                 all that was not cancelled has left
--   cancelled               nothing is left of it
function orders.state_of(order)
  local committed, shipped, backordered, conflict, returned, picking = 0, 0, 0, 0, 0, 0
  local lines = order.lines
  for i = 1, #lines do
    local line = lines[i]
    local takes = line.takes
    committed, shipped, returned = committed + line.committed, shipped + line.shipped, returned + line.returned
    backordered, conflict = backordered + line.backordered, conflict + line.conflict
    for n = 1, #takes do
      picking = picking + takes[n].picking * takes[n].units
    end
  end
  if conflict > 0 then return 'conflict' end
  if backordered > 0 then return 'backordered' end
  if picking > 0 then return 'picking' end
  if committed > 0 then return shipped > 0 and 'partly_shipped' or 'committed' end
  if shipped > 0 then return returned == shipped and 'returned' or 'shipped' end
  return 'cancelled'
end

local CLOSED = { shipped = true, returned = true, cancelled = true }

-- Units of a line of a return that are announced and have not arrived.
function orders.expected(line)
  return math.max(0, line.units - line.arrived)
end

local function expects_goods(order)
  for _, announced in ipairs(order.announced or {}) do
    for _, line in ipairs(announced.lines) do
      if orders.expected(line) > 0 then
        return true
      end
    end
  end
end

-- Whether this is the record of an order of which nothing waits, lies ready or is announced to come back any more, for any
-- bytes.
function orders.is_closed(packed)
  local sound, closed = pcall(function()
    local order = orders.unpack('', packed)
    return CLOSED[orders.state_of(order)] and not expects_goods(order)
  end)
  return sound and closed
end

-- What was promised about time and more, packed.
function orders.pack_terms(terms)
  if terms.packed then
    return terms.packed
  end
  local row = { terms.ship_by, terms.deliver_by, terms.complete, terms.country, terms.region, terms.pickup }
  for i, place in ipairs(terms.places) do
    row[i + 6] = { place.location, place.day, place.ship_by, place.deliver_by, place.left }
  end
  return cmsgpack.pack(row)
end

-- An announced return as it is kept, and as it is answered.
function orders.row_of_announced(announced)
  local lines = {}
  for i, line in ipairs(announced.lines) do
    lines[i] = { line.line, line.sku, line.units, line.arrived }
  end
  return { announced.id, announced.revision, announced.due, announced.location, announced.why, lines }
end

local function pack_announced(order)
  local rows = {}
  for i, announced in ipairs(order.announced) do
    rows[i] = orders.row_of_announced(announced)
  end
  return cmsgpack.pack(rows)
end

-- What is promised for a location ends when the order has nothing there any more and nothing was shipped from there. Its
-- place of a day is `given` back then.
local function settle_places(order)
  local there, kept = {}, {}
  for _, line in ipairs(order.lines) do
    for _, take in ipairs(line.takes) do
      there[take.location] = true
    end
  end
  order.given = {}
  for _, place in ipairs(order.terms.places) do
    local list = (place.left == 1 or there[place.location]) and kept or order.given
    list[#list + 1] = place
  end
  order.terms.places = kept
end

-- Checks and packs; to be called before the first write. `lines` are packed. Returns the packed order and its state.
function orders.pack(order, lines)
  for i = 1, #order.lines do
    check_line(order.lines[i])
  end
  local state = orders.state_of(order)
  local facts = cmsgpack.pack(order.channel, order.external_id, order.kind, order.op, order.fingerprint,
    order.placed_ms, order.rank, order.candidates)
  local rejected_at, terms = order.rejected_at, NO_TERMS
  if order.terms then
    if not order.terms.packed then
      settle_places(order)
    end
    terms = orders.pack_terms(order.terms)
  end
  if order.terms or order.announced then
    local rejects = rejected_at and cmsgpack.pack({ order.desk, unpack(rejected_at) }) or NO_REJECTS
    local announced = order.announced and pack_announced(order) or ''
    local head = packing.head(order.announced and 13 or 12)
    return head .. facts .. lines .. cmsgpack.pack(state) .. rejects .. terms .. announced, state
  end
  if not rejected_at or #rejected_at == 0 then
    return packing.head(10) .. facts .. lines .. cmsgpack.pack(state), state
  end
  local rejects = cmsgpack.pack({ order.desk, unpack(rejected_at) })
  return packing.head(11) .. facts .. lines .. cmsgpack.pack(state) .. rejects, state
end

-- All places of a day at a location begin with this, and none of another.
function orders.slots_of(day, location)
  return day .. '\0' .. location .. '\0'
end

-- The places of days among these, as members of their index.
local function slots_among(id, places)
  local members = {}
  for _, place in ipairs(places or {}) do
    if place.day ~= '' then
      members[#members + 1] = orders.slots_of(place.day, place.location) .. id
    end
  end
  return members
end

local function give_slots(id, places)
  local members = slots_among(id, places)
  if members[1] then
    redis.call('ZREM', keys.slots, unpack(members))
  end
end

local function have_slots(id, places)
  for _, member in ipairs(slots_among(id, places)) do
    redis.call('ZADD', keys.slots, 0, member)
  end
end

-- The order is in the store from now on, or not any more, and its places with it.
function orders.come(id, packed)
  local terms = orders.unpack(id, packed).terms
  have_slots(id, terms and terms.places)
end

function orders.go(id, packed)
  local terms = orders.unpack(id, packed).terms
  give_slots(id, terms and terms.places)
end

-- Whether a place of the order is exactly this member of the index.
function orders.has_slot(order, member)
  for _, mine in ipairs(slots_among(order.id, order.terms and order.terms.places)) do
    if mine == member then
      return true
    end
  end
  return false
end

-- Units of the order have been shipped from there: its place of that day is used for good.
function orders.has_left(order, location)
  for _, place in ipairs(order.terms and order.terms.places or {}) do
    if place.location == location then
      place.left = 1
    end
  end
end

-- The first line of which units wait, though all must be there before anything may leave, as facts, or nil.
function orders.incomplete(order)
  for _, line in ipairs(order.terms and order.terms.complete == 1 and order.lines or {}) do
    if line.backordered + line.conflict > 0 then
      return { line.line, line.backordered + line.conflict }
    end
  end
end

-- A waiting line's place in the queue of its sku: rank of the channel, then age.
local function waiting_member(order, line)
  return string.format('%s\0%05d%013d\0%s\0%s', line.sku, order.rank, order.placed_ms, order.id, line.line)
end

-- Units of a line that wait to be served: those in conflict too, unless somebody has to decide about them.
function orders.waiting_units(order, line)
  return line.backordered + (order.desk == 1 and 0 or line.conflict)
end

-- Units of a line wait no longer: first up to `conflict` of those in conflict, then backordered ones.
function orders.lower_debt(line, units, conflict)
  local rescued = math.min(conflict, units)
  line.conflict, line.backordered = line.conflict - rescued, line.backordered - (units - rescued)
  stock.owe(stock.skus[line.sku], 'conflict', -rescued)
  stock.owe(stock.skus[line.sku], 'backordered', rescued - units)
end

-- Where the order may go by itself, for firm.take: not to the locations that rejected it, and if it is to be fetched, only
-- to its store.
function orders.bounds(order)
  local without = {}
  for _, location in ipairs(order.rejected_at) do
    without[location] = true
  end
  return { without = without, only = orders.pickup_of(order) }
end

-- The store where the order is fetched, or nil.
function orders.pickup_of(order)
  local pickup = order.terms and order.terms.pickup
  return pickup ~= '' and pickup or nil
end

function orders.in_conflict(order)
  for _, line in ipairs(order.lines) do
    if line.conflict > 0 then
      return true
    end
  end
  return false
end

-- Writes the order and keeps the queue of debts and the places of days in step. Returns its ledger record.
function orders.write(order, packed)
  redis.call('HSET', keys.orders, order.id, packed)
  if order.terms and not order.terms.packed then
    give_slots(order.id, order.given)
    have_slots(order.id, order.terms.places)
  end
  for i = 1, #order.lines do
    local line = order.lines[i]
    if orders.waiting_units(order, line) > 0 then
      redis.call('ZADD', keys.waiting, 0, waiting_member(order, line))
    elseif line.waited then
      redis.call('ZREM', keys.waiting, waiting_member(order, line))
    end
  end
  return { 'order:' .. order.id, packed }
end

-- Writes the order as its record has it; every line's place in the queue is put right, whatever it is.
function orders.restore(order, packed)
  for _, line in ipairs(order.lines) do
    line.waited = true
  end
  return orders.write(order, packed)
end

-- Whether a line of the order waits as exactly this member of the queue.
function orders.waits_as(order, member)
  for _, line in ipairs(order.lines) do
    if orders.waiting_units(order, line) > 0 and waiting_member(order, line) == member then
      return true
    end
  end
  return false
end
