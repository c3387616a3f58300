#!lua
-- repair: put right what an inspection found, exactly as it was inspected; what has changed since is left alone.
--
-- The ledger is the truth, and this is an effect like any other: a sku becomes what its entries add up to, with the
-- moves that its holds and orders ask for on top, under the next version; a record becomes what the ledger has of it.
-- Indexes follow from records: whoever names a record has its own put right, a stray member goes if no record wants it.
--
-- KEYS
--   1 seller     hash
--   2 config     hash
--   3 stock      hash
--   4 ops        hash
--   5 ledger     stream
--   6 holds      hash
--   7 owners     hash
--   8 deadlines  zset
--   9 orders     hash
--   10 waiting   zset
--   11 servable  set
--   12 forgotten string
--   13 slots     zset
-- ARGV
--   epoch, config (always empty), now_ms, op, fingerprint, actor
--   why            the reason and the evidence, required
--   skus           how many, 0 to 100, then for each: sku, inspected (packed; empty: it was not there), state (packed,
--                  as the ledger has it), how many moves, 0 to 500, and for each: location (empty: the sku's own),
--                  bucket, of, units (-10^9 to 10^9)
--   records        how many, 0 to 100, then for each: kind (hold, order, answer or field), id, inspected (packed; empty:
--                  it was not there), record (packed; empty for a field that is to go)
--   strays         how many, 0 to 500, then for each: index (deadlines, owners, waiting or slots), member
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   changed_meanwhile [what, id]    it is not as it was inspected; look again
--   repaired [[[sku, version], ...], strays gone]
-- KEEPS
--   Folding the ledger gives the state. Deficits are booked, no bucket ends below zero, or nothing is written.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5],
  holds = KEYS[6], owners = KEYS[7], deadlines = KEYS[8], orders = KEYS[9], waiting = KEYS[10], servable = KEYS[11],
  forgotten = KEYS[12], slots = KEYS[13] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include takes
--@include holds
--@include packing
--@include orders
--@include write

local KEY_OF = { hold = 'holds', order = 'orders', answer = 'ops', field = 'config' }
local INDEXES = { deadlines = true, owners = true, waiting = true, slots = true }
local OWED = { backordered = true, conflict = true }
local BUCKETS = { on_hand = true, held = true, committed = true, unavailable = true, quota = true, consumed = true,
  spent = true, floor = true, in_transit = true }
local OF = { unavailable = true, quota = true, consumed = true, spent = true, floor = true, in_transit = true }

-- What was packed, or nil when it is no array.
local function unpacked(packed)
  local fine, value = pcall(cmsgpack.unpack, packed)
  return fine and type(value) == 'table' and value or nil
end

local function read_move()
  local move = { location = args.optional('location', args.CODE_MAX), bucket = args.bytes(),
    of = args.optional('of', args.CODE_MAX), units = args.whole('move', -args.UNITS_MAX, args.UNITS_MAX) }
  local known = BUCKETS[move.bucket] and move.location ~= '' or OWED[move.bucket] and move.location == ''
  if not known or (OF[move.bucket] or false) ~= (move.of ~= '') then
    args.complain('bucket', 'is none of that place')
  end
  return move
end

-- The same thing twice could not be compared with what was inspected.
local seen = {}
local function once(kind, id)
  if seen[kind .. ' ' .. id] then
    args.complain(kind, 'is there twice')
  end
  seen[kind .. ' ' .. id] = true
end

local function read_sku()
  local row = { sku = args.sku(), inspected = args.bytes(), state = args.bytes(), moves = {} }
  row.flat = unpacked(row.state)
  once('sku', row.sku)
  if not row.flat or not row.flat[2] then
    args.complain('state', 'cannot be read')
  end
  for i = 1, args.whole('moves', 0, 500) do
    row.moves[i] = read_move()
  end
  return row
end

local function read_record()
  local row = { kind = args.choice('kind', KEY_OF), id = args.text('id', args.ID_MAX + args.CODE_MAX + 32),
    inspected = args.bytes(), packed = args.bytes() }
  once(row.kind, row.id)
  local wants_array = row.kind == 'hold' or row.kind == 'order'
  if wants_array and not unpacked(row.packed) or row.kind == 'answer' and row.packed == '' then
    args.complain('record', 'cannot be read')
  end
  return row
end

local head = gate.read_op(gate.read_head())
local why = args.text('why', 2000)
local skus, records, strays = {}, {}, {}
for i = 1, args.whole('skus', 0, 100) do
  skus[i] = read_sku()
end
for i = 1, args.whole('records', 0, 100) do
  records[i] = read_record()
end
for i = 1, args.whole('strays', 0, 500) do
  strays[i] = { index = args.choice('index', INDEXES), member = args.bytes() }
end

-- Also while the gate is shut or a sku is frozen: that is when it is wanted.
local refused = gate.pass_shut(head) or gate.replay(head)
if refused then
  return refused
end
for _, row in ipairs(skus) do
  if (redis.call('HGET', keys.stock, row.sku) or '') ~= row.inspected then
    return gate.refuse(head, 'changed_meanwhile', { 'sku', row.sku })
  end
end
for _, row in ipairs(records) do
  if (redis.call('HGET', keys[KEY_OF[row.kind]], row.id) or '') ~= row.inspected then
    return gate.refuse(head, 'changed_meanwhile', { row.kind, row.id })
  end
end

for _, row in ipairs(skus) do
  local state = { sku = row.sku, flat = row.flat, moves = {} }
  stock.skus[row.sku] = state
  for _, move in ipairs(row.moves) do
    if OWED[move.bucket] then
      stock.owe(state, move.bucket, move.units)
    else
      stock.move(state, move.location, move.bucket, move.units, move.of)
    end
  end
end
local entries, coming = {}, {}
for _, row in ipairs(records) do
  if row.kind == 'hold' then
    row.hold = holds.unpack(row.id, row.packed)
    coming['hold ' .. row.id] = row.hold
    entries[#entries + 1] = { 'hold:' .. row.id, row.packed }
  elseif row.kind == 'order' then
    row.order = orders.unpack(row.id, row.packed)
    coming['order ' .. row.id] = row.order
    entries[#entries + 1] = { 'order:' .. row.id, row.packed }
  end
end
local sealed = write.seal(true)

local function write_record(row)
  if row.hold then
    redis.call('HSET', keys.holds, row.id, row.packed)
    holds.index(row.hold)
  elseif row.order then
    pcall(orders.go, row.id, row.inspected)
    orders.restore(row.order, row.packed)
  elseif row.packed == '' then
    redis.call('HDEL', keys.config, row.id)
  elseif row.kind == 'field' then
    redis.call('HSET', keys.config, row.id, row.packed)
  else
    redis.call('HSET', keys.ops, row.id, row.packed)
  end
end

-- The hold or order as it will be; nil when there is none. Raises an error when it cannot be read.
local function hold_of(id)
  return coming['hold ' .. id] or holds.read(id)
end

local function order_of(id)
  return coming['order ' .. id] or orders.read(id)
end

-- Whether the record a member of an index leads to wants it to be there.
local WANTED = {}

function WANTED.deadlines(id)
  local hold = hold_of(id)
  return hold and hold.state == 'open'
end

function WANTED.owners(field)
  local id = redis.call('HGET', keys.owners, field)
  local hold = id and hold_of(id)
  return hold and hold.state == 'open' and holds.owner_field(hold) == field
end

function WANTED.waiting(member)
  local id = member:match('^[^%z]*%z%d*%z([^%z]*)%z')
  local order = id and order_of(id)
  return order and orders.waits_as(order, member)
end

function WANTED.slots(member)
  local id = member:match('^[^%z]*%z[^%z]*%z(.*)$')
  local order = id and order_of(id)
  return order and orders.has_slot(order, member)
end

local function remove(stray)
  if stray.index == 'owners' then
    return redis.call('HDEL', keys.owners, stray.member)
  end
  return redis.call('ZREM', keys[stray.index], stray.member)
end

local gone = {}
for _, stray in ipairs(strays) do
  if not WANTED[stray.index](stray.member) then
    gone[#gone + 1] = stray
  end
end
local answer = cmsgpack.pack({ sealed.versions, #gone })
for _, row in ipairs(records) do
  write_record(row)
end
for _, stray in ipairs(gone) do
  remove(stray)
end
return write.commit(head, 'repair', why, sealed, entries, 'repaired', answer)
