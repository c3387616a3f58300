-- orders: the record of an order.
--
-- Packed: { channel, external_id, kind, op, fingerprint, placed_ms, rank, candidates, lines, state }, and for an order
-- that was rejected somewhere one more, { desk, location, ... }
--   candidates  the ranking it came with, as the text it came as; used again when a debt is served
--   desk        1: its conflicts wait for somebody to decide, 0: they are served like backorders
--   location    those that rejected it; it is never sent there again by itself
--   lines       { { line, sku, ordered, committed, shipped, backordered, conflict, cancelled, returned, takes }, ... }
-- Needs: packing, stock, takes, and keys.orders, waiting.

function orders.unpack(id, packed)
  local row = cmsgpack.unpack(packed)
  local order = { id = id, channel = row[1], external_id = row[2], kind = row[3], op = row[4], fingerprint = row[5],
    placed_ms = row[6], rank = row[7], candidates = row[8], lines = {}, desk = 0, rejected_at = {} }
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
  local rows, lines = {}, order.lines
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
  for _, line in ipairs(order.lines) do
    committed, shipped, returned = committed + line.committed, shipped + line.shipped, returned + line.returned
    backordered, conflict = backordered + line.backordered, conflict + line.conflict
    for _, take in ipairs(line.takes) do
      picking = picking + take.picking * take.units
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

-- Whether this is the record of an order of which nothing waits or lies ready any more, for any bytes.
function orders.is_closed(packed)
  local sound, state = pcall(function()
    return orders.state_of(orders.unpack('', packed))
  end)
  return sound and CLOSED[state] or false
end

-- Checks and packs; to be called before the first write. `lines` are packed. Returns the packed order and its state.
function orders.pack(order, lines)
  for _, line in ipairs(order.lines) do
    check_line(line)
  end
  local state = orders.state_of(order)
  local facts = packing.values({ order.channel, order.external_id, order.kind, order.op, order.fingerprint,
    order.placed_ms, order.rank, order.candidates })
  local rejected_at = order.rejected_at
  if not rejected_at or #rejected_at == 0 then
    return packing.head(10) .. facts .. lines .. cmsgpack.pack(state), state
  end
  local rejects = cmsgpack.pack({ order.desk, unpack(rejected_at) })
  return packing.head(11) .. facts .. lines .. cmsgpack.pack(state) .. rejects, state
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

-- The locations that rejected the order, as a set, added to `at` when that is given.
function orders.rejecters(order, at)
  at = at or {}
  for _, location in ipairs(order.rejected_at) do
    at[location] = true
  end
  return at
end

function orders.in_conflict(order)
  for _, line in ipairs(order.lines) do
    if line.conflict > 0 then
      return true
    end
  end
  return false
end

-- Writes the order and keeps the queue of debts in step. Returns its ledger record.
function orders.write(order, packed)
  redis.call('HSET', keys.orders, order.id, packed)
  for _, line in ipairs(order.lines) do
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
