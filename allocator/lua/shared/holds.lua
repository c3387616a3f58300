-- holds: the record of a hold, and letting one go.
--
-- Packed: { channel, owner, state, deadline_ms, skus }, skus a list of { sku, takes }, and for a hold that is an order
-- whose payment or check is pending one more, { external_id, reason, kind, partial, fingerprint, candidates, lines,
-- terms }
--   state        open, released, expired, replaced, ordered
--   fingerprint  what the order will have when it is placed as it was asked
--   candidates   the ranking it came with, as the text it came as
--   lines        { { line, sku, units, held }, ... }: as they were asked, and what of them is held
--   terms        what was asked for besides units, as the text it came as (shared/terms.lua); absent when nothing was
-- Needs: stock, takes, and keys.holds, deadlines, owners.

function holds.unpack(id, packed)
  local row = cmsgpack.unpack(packed)
  local hold = { id = id, channel = row[1], owner = row[2], state = row[3], deadline_ms = row[4], skus = {},
    order = row[6] }
  for _, entry in ipairs(row[5]) do
    hold.skus[#hold.skus + 1] = { sku = entry[1], takes = takes.unpack(entry[2]) }
  end
  return hold
end

function holds.pack(hold)
  local skus = {}
  for _, entry in ipairs(hold.skus) do
    skus[#skus + 1] = { entry.sku, takes.pack(entry.takes) }
  end
  return cmsgpack.pack({ hold.channel, hold.owner, hold.state, hold.deadline_ms, skus, hold.order })
end

function holds.read(id)
  local packed = redis.call('HGET', keys.holds, id)
  return packed and holds.unpack(id, packed) or nil
end

local ENDED = { released = true, expired = true, replaced = true, ordered = true }

-- Whether this is the record of a hold that has ended, for any bytes.
function holds.is_ended(packed)
  local sound, row = pcall(cmsgpack.unpack, packed)
  return sound and type(row) == 'table' and ENDED[row[3]] and type(row[5]) == 'table' and #row[5] == 0 or false
end

-- Gives all units of the hold back, in memory; the record keeps no takes once it has ended.
function holds.end_in_memory(hold, state)
  for _, entry in ipairs(hold.skus) do
    for _, take in ipairs(entry.takes) do
      takes.give_back(stock.skus[entry.sku], take, 'held', take.units)
    end
  end
  for _, line in ipairs(hold.order and hold.order[7] or {}) do
    line[4] = 0
  end
  hold.skus = {}
  hold.state = state
end

function holds.owner_field(hold)
  return hold.channel .. ':' .. hold.owner
end

-- Writes an ended hold. Returns its ledger record.
function holds.write_ended(hold, packed)
  redis.call('HSET', keys.holds, hold.id, packed)
  redis.call('ZREM', keys.deadlines, hold.id)
  if hold.owner ~= '' and redis.call('HGET', keys.owners, holds.owner_field(hold)) == hold.id then
    redis.call('HDEL', keys.owners, holds.owner_field(hold))
  end
  return { 'hold:' .. hold.id, packed }
end

-- Puts the hold's places in the indexes right, whatever they are.
function holds.index(hold)
  if hold.state ~= 'open' then
    redis.call('ZREM', keys.deadlines, hold.id)
    return
  end
  redis.call('ZADD', keys.deadlines, string.format('%.0f', hold.deadline_ms), hold.id)
  if hold.owner ~= '' then
    redis.call('HSET', keys.owners, holds.owner_field(hold), hold.id)
  end
end
