-- orders: the record of an order.
--
-- Packed: { channel, external_id, kind, op, fingerprint, placed_ms, rank, candidates, lines, state }
--   candidates  the ranking it came with, as the text it came as; used again when a backorder is served
--   lines       { { line, sku, ordered, committed, shipped, backordered, conflict, cancelled, returned, takes }, ... }
-- Needs: packing, stock, takes, and keys.orders, waiting.

function orders.unpack(id, packed)
  local row = cmsgpack.unpack(packed)
  local order = { id = id, channel = row[1], external_id = row[2], kind = row[3], op = row[4], fingerprint = row[5],
    placed_ms = row[6], rank = row[7], candidates = row[8], lines = {} }
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
  return packing.head(10) .. facts .. lines .. cmsgpack.pack(state), state
end

-- A waiting line's place in the queue of its sku: rank of the channel, then age.
local function waiting_member(order, line)
  return string.format('%s\0%05d%013d\0%s\0%s', line.sku, order.rank, order.placed_ms, order.id, line.line)
end

-- Writes the order and keeps the queue of backorders in step. Returns its ledger record.
function orders.write(order, packed)
  redis.call('HSET', keys.orders, order.id, packed)
  for _, line in ipairs(order.lines) do
    if line.backordered > 0 then
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
    if line.backordered > 0 and waiting_member(order, line) == member then
      return true
    end
  end
  return false
end
