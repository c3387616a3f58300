-- write: the last step of every mutating verb. Checks all, then writes all; nothing after the first write can fail.
--
-- Needs: gate, stock, and keys.seller, stock, ops, ledger, servable.

-- Lua cannot pass more than some 8,000 values to a call; even, because fields come in pairs.
local UNPACK_MAX = 4000

local FREES = { on_hand = 1, held = -1, committed = -1, unavailable = -1 }

local function got_units(state)
  local gain, moves = {}, state.moves
  for i = 1, #moves, 4 do
    local sign = FREES[moves[i + 1]]
    if sign then
      gain[moves[i]] = (gain[moves[i]] or 0) + sign * moves[i + 3]
    end
  end
  for _, units in pairs(gain) do
    if units > 0 then
      return true
    end
  end
  return false
end

-- Settles every changed sku, raises its version by one and returns what the ledger, the answer and the store need; the
-- versions as { sku, version, sku, version, ... }.
-- Nothing said means that no deficit may come of it.
function write.seal(deficit_allowed)
  local changes, versions, fields, servable, skus = { nil }, { nil, nil }, { nil, nil }, {}, { nil }
  for sku, state in pairs(stock.skus) do
    if state.moves then
      skus[#skus + 1] = sku
    end
  end
  if skus[2] then
    table.sort(skus)
  end
  for i = 1, #skus do
    local sku = skus[i]
    local state = stock.skus[sku]
    stock.settle(state, deficit_allowed)
    local version = stock.next_version(state)
    changes[i] = { sku, version, state.moves }
    versions[2 * i - 1], versions[2 * i] = sku, version
    fields[2 * i - 1], fields[2 * i] = sku, stock.pack(state)
    local backordered, conflict = stock.debts(state)
    if backordered + conflict > 0 and got_units(state) then
      servable[#servable + 1] = sku
    end
  end
  return { changes = changes, versions = versions, fields = fields, servable = servable }
end

-- The clock only follows time that passes; a jump is for `expire` to judge. The first verb of all starts it. Returns it.
local function tick(head)
  if head.now > head.clock and (head.clock == 0 or head.now - head.clock <= gate.JUMP_MS) then
    redis.call('HSET', keys.seller, 'clock', gate.stamp(head))
    return head.now
  end
  return head.clock
end

-- verb, why   for the ledger
-- sealed      what seal() returned
-- records     { { 'hold:<id>' or 'order:<id>', packed }, ... }: holds and orders as they are now
-- answer      packed
function write.commit(head, verb, why, sealed, records, word, answer)
  for from = 1, #sealed.fields, UNPACK_MAX do
    redis.call('HSET', keys.stock, unpack(sealed.fields, from, math.min(from + UNPACK_MAX - 1, #sealed.fields)))
  end
  if #sealed.servable > 0 then
    redis.call('SADD', keys.servable, unpack(sealed.servable))
  end
  local clock = tick(head)
  local entry = { verb, head.op or '', head.fingerprint or '', head.now, head.actor or '', why, head.epoch, head.config,
    word, sealed.changes }
  if clock ~= head.now then
    -- Time has jumped: what happens next may be earlier than this, but never earlier than the clock.
    entry[11] = clock
  end
  local fields = { 'entry', cmsgpack.pack(entry), 'answer', answer, nil, nil }
  for i = 1, #records do
    fields[2 * i + 3], fields[2 * i + 4] = records[i][1], records[i][2]
  end
  redis.call('XADD', keys.ledger, '*', unpack(fields))
  if head.op then
    gate.remember(head, word, answer)
  end
  return { word, answer, 0, head.op or '' }
end
