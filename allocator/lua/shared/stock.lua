-- stock: the one place that knows how a sku's state is stored, read, changed and written.
--
-- Packed (cmsgpack): { version, owed, code, on_hand, held, committed, extra, code, on_hand, ... }
--   owed   0, or { backordered, conflict }
--   extra  0, or { deficit, { reason, units, ... }, { channel, quota, consumed, spent, floor, ... } }
-- Unpacked, stock.skus[sku]: { sku, version, backordered, conflict, codes, places = { [code] = place }, moves }
--   place  { on_hand, held, committed, unavailable, deficit, reasons = { { reason, units } }, quotas = { quota } }
--   moves  { code, bucket, of, units, ... }: all that changed, for the ledger
-- spent is the part of consumed that has been shipped, so consumed - spent is what open takes use.
--
-- Needs: keys.stock.

stock.PLACE_MAX = 10000000000

function stock.begin()
  stock.skus = {}
end

-- Shared by all places without reasons or quotas; never written to.
local NONE = {}

function stock.new_place(state, code)
  local place = { on_hand = 0, held = 0, committed = 0, unavailable = 0, deficit = 0, reasons = NONE, quotas = NONE }
  state.places[code] = place
  state.codes[#state.codes + 1] = code
  return place
end

local function new_quota(channel, quota, consumed, spent, floor)
  return { channel = channel, quota = quota, consumed = consumed, spent = spent, floor = floor }
end

local function unpack_extra(place, extra)
  place.deficit, place.reasons, place.quotas = extra[1], {}, {}
  for i = 1, #extra[2], 2 do
    place.reasons[#place.reasons + 1] = { reason = extra[2][i], units = extra[2][i + 1] }
    place.unavailable = place.unavailable + extra[2][i + 1]
  end
  local quotas = extra[3]
  for i = 1, #quotas, 5 do
    place.quotas[#place.quotas + 1] =
      new_quota(quotas[i], quotas[i + 1], quotas[i + 2], quotas[i + 3], quotas[i + 4])
  end
end

local function unpack_state(sku, packed)
  local flat = cmsgpack.unpack(packed)
  local owed = flat[2]
  local state = { sku = sku, version = flat[1], backordered = 0, conflict = 0, codes = {}, places = {}, moves = {} }
  if owed ~= 0 then
    state.backordered, state.conflict = owed[1], owed[2]
  end
  for i = 3, #flat, 5 do
    local place = stock.new_place(state, flat[i])
    place.on_hand, place.held, place.committed = flat[i + 1], flat[i + 2], flat[i + 3]
    if flat[i + 4] ~= 0 then
      unpack_extra(place, flat[i + 4])
    end
  end
  return state
end

local function pack_extra(place)
  if place.deficit == 0 and place.reasons == NONE and place.quotas == NONE then
    return 0
  end
  local reasons, quotas = {}, {}
  for _, reason in ipairs(place.reasons) do
    if reason.units ~= 0 then
      reasons[#reasons + 1] = reason.reason
      reasons[#reasons + 1] = reason.units
    end
  end
  for _, quota in ipairs(place.quotas) do
    if quota.quota ~= 0 or quota.consumed ~= 0 or quota.floor ~= 0 then
      local n = #quotas
      quotas[n + 1], quotas[n + 2], quotas[n + 3] = quota.channel, quota.quota, quota.consumed
      quotas[n + 4], quotas[n + 5] = quota.spent, quota.floor
    end
  end
  if place.deficit == 0 and #reasons == 0 and #quotas == 0 then
    return 0
  end
  return { place.deficit, reasons, quotas }
end

function stock.pack(state)
  local owed = (state.backordered ~= 0 or state.conflict ~= 0) and { state.backordered, state.conflict } or 0
  local flat = { state.version, owed }
  for _, code in ipairs(state.codes) do
    local place = state.places[code]
    local extra = pack_extra(place)
    if extra ~= 0 or place.on_hand ~= 0 or place.held ~= 0 or place.committed ~= 0 then
      local n = #flat
      flat[n + 1], flat[n + 2], flat[n + 3] = code, place.on_hand, place.held
      flat[n + 4], flat[n + 5] = place.committed, extra
    end
  end
  return cmsgpack.pack(flat)
end

-- The skus of these lines, each once.
function stock.skus_of(lines)
  local skus, seen = {}, {}
  for _, line in ipairs(lines) do
    if not seen[line.sku] then
      seen[line.sku] = true
      skus[#skus + 1] = line.sku
    end
  end
  return skus
end

-- Reads these skus into stock.skus, once. Returns the list of those that do not exist; {} when all do.
function stock.load(skus)
  local missing, unknown = {}, {}
  for _, sku in ipairs(skus) do
    if not stock.skus[sku] then
      missing[#missing + 1] = sku
    end
  end
  if #missing == 0 then
    return unknown
  end
  local found = redis.call('HMGET', keys.stock, unpack(missing))
  for i, sku in ipairs(missing) do
    if found[i] then
      stock.skus[sku] = unpack_state(sku, found[i])
    else
      unknown[#unknown + 1] = sku
    end
  end
  return unknown
end

-- The entry of this name in place.reasons or place.quotas; `blank` becomes it when there is none.
local function entry_of(place, list, field, name, blank)
  for _, entry in ipairs(place[list]) do
    if entry[field] == name then
      return entry
    end
  end
  place[list] = place[list] == NONE and {} or place[list]
  table.insert(place[list], blank)
  return blank
end

function stock.quota_at(place, channel)
  return entry_of(place, 'quotas', 'channel', channel, new_quota(channel, 0, 0, 0, 0))
end

local QUOTA_BUCKETS = { quota = true, consumed = true, spent = true, floor = true }

-- The only way to change a place. `of` is the reason (unavailable) or the channel (quota buckets).
function stock.move(state, code, bucket, units, of)
  if units == 0 then
    return
  end
  local place = state.places[code] or stock.new_place(state, code)
  if QUOTA_BUCKETS[bucket] then
    local quota = stock.quota_at(place, of)
    quota[bucket] = quota[bucket] + units
  else
    place[bucket] = place[bucket] + units
    if bucket == 'unavailable' then
      local reason = entry_of(place, 'reasons', 'reason', of, { reason = of, units = 0 })
      reason.units = reason.units + units
    end
  end
  local moves, n = state.moves, #state.moves
  moves[n + 1], moves[n + 2], moves[n + 3], moves[n + 4] = code, bucket, of or '', units
end

-- The only way to change what a sku owes: bucket is backordered or conflict.
function stock.owe(state, bucket, units)
  if units == 0 then
    return
  end
  state[bucket] = state[bucket] + units
  local moves, n = state.moves, #state.moves
  moves[n + 1], moves[n + 2], moves[n + 3], moves[n + 4] = '', bucket, '', units
end

function stock.available(place)
  return place.on_hand - place.unavailable - place.held - place.committed
end

-- Units promised at a place that are not there. place.deficit is what is on record, until `write` settles it.
function stock.missing(place)
  return math.max(0, -stock.available(place))
end

function stock.owed(state)
  local units = state.backordered + state.conflict
  for _, place in pairs(state.places) do
    units = units + stock.missing(place)
  end
  return units
end
