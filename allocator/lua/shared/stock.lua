-- stock: how a sku's state is stored, read, changed and written. Beside it only atp.lua knows its form.
--
-- Packed (cmsgpack), and worked on as it is: { version, owed, code, on_hand, held, committed, extra, code, on_hand, ... }
--   owed   0, or { backordered, conflict }
--   extra  0, or { deficit, { reason, units, ... }, { channel, quota, consumed, spent, floor, ... } }, and behind these,
--          where units are on their way to the place: { transfer, units, ... }
-- In memory, stock.skus[sku] = { sku, flat, moves }
--   flat   the array above; a place begins where its code stands (`find`), see the offsets below
--   moves  nil, or { code, bucket, of, units, ... }: all that changed, for the ledger
-- spent is the part of consumed that has been shipped, so consumed - spent is what open takes use.
--
-- Needs: gate, keys.stock.

stock.PLACE_MAX = 10000000000

-- Where the first place begins, the width of one, and offsets from its code.
stock.FIRST, stock.PLACE = 3, 5
local FIRST, PLACE = stock.FIRST, stock.PLACE
local ON_HAND, HELD, COMMITTED, EXTRA = 1, 2, 3, 4
-- Parts of an extra; buckets whose units have a name; width of a name with its units, of a quota.
local REASONS, QUOTAS, TRANSIT = 2, 3, 4
local NAMED = { unavailable = REASONS, in_transit = TRANSIT }
local PAIR, QUOTA = 2, 5
-- A sku at more places than this is searched with an index.
local SCAN_MAX = FIRST + 16 * PLACE

-- Here and elsewhere a nil in a new table is room: Lua makes a table that is full anew, which costs more than what is put
-- there, and most calls are about one sku.
function stock.begin()
  stock.skus = { sku = nil }
end

function stock.new_state(sku, version)
  return { sku = sku, flat = { version, 0 } }
end

local function indexed(state, code)
  local flat, index = state.flat, state.index
  if not index then
    index = {}
    for i = FIRST, #flat, PLACE do
      index[flat[i]] = i
    end
    state.index = index
  end
  return index[code]
end

-- Where a place begins in state.flat, or nil when nothing has ever been there.
local function find(state, code)
  local flat = state.flat
  local size = #flat
  if size > SCAN_MAX then
    return indexed(state, code)
  end
  for i = FIRST, size, PLACE do
    if flat[i] == code then
      return i
    end
  end
end

local function find_or_make(state, code)
  local at = find(state, code)
  if not at then
    local flat = state.flat
    at = #flat + 1
    flat[at], flat[at + ON_HAND], flat[at + HELD], flat[at + COMMITTED], flat[at + EXTRA] = code, 0, 0, 0, 0
    if state.index then
      state.index[code] = at
    end
  end
  return at
end

function stock.version(state)
  return state.flat[1]
end

-- Backordered and conflict.
function stock.debts(state)
  local owed = state.flat[2]
  if owed == 0 then
    return 0, 0
  end
  return owed[1], owed[2]
end

function stock.on_hand(state, code)
  local at = find(state, code)
  return at and state.flat[at + ON_HAND] or 0
end

function stock.unavailable_in(extra)
  local units = 0
  if extra ~= 0 then
    local reasons = extra[REASONS]
    for i = 2, #reasons, PAIR do
      units = units + reasons[i]
    end
  end
  return units
end

-- on_hand, unavailable, held and committed at a place; zeros when nothing has ever been there.
function stock.buckets(state, code)
  local flat, at = state.flat, find(state, code)
  if not at then
    return 0, 0, 0, 0
  end
  return flat[at + ON_HAND], stock.unavailable_in(flat[at + EXTRA]), flat[at + HELD], flat[at + COMMITTED]
end

-- on_hand − unavailable − held − committed; below zero when more is promised than is there.
local function available_at(flat, at)
  local units, extra = flat[at + ON_HAND] - flat[at + HELD] - flat[at + COMMITTED], flat[at + EXTRA]
  return extra == 0 and units or units - stock.unavailable_in(extra)
end

-- What is available at a place, and its extra for `stock.quotas`; nil when nothing has ever been there.
function stock.look(state, code)
  local at = find(state, code)
  if at then
    local flat = state.flat
    return available_at(flat, at), flat[at + EXTRA]
  end
end

-- Units of one name in a bucket that has names: of a reason (unavailable), of a transfer (in_transit).
function stock.units_of(state, code, bucket, name)
  local _, extra = stock.look(state, code)
  local named = extra and extra ~= 0 and extra[NAMED[bucket]] or {}
  for i = 1, #named, PAIR do
    if named[i] == name then
      return named[i + 1]
    end
  end
  return 0
end

-- Units of all transfers that are on their way to a place.
function stock.in_transit(extra)
  local units, named = 0, extra ~= 0 and extra[TRANSIT] or {}
  for i = 1, #named, PAIR do
    units = units + named[i + 1]
  end
  return units
end

-- The quotas of a place as { { channel, quota, consumed, floor }, ... }.
function stock.quotas(extra)
  local quotas, stored = {}, extra ~= 0 and extra[QUOTAS] or {}
  for i = 1, #stored, QUOTA do
    quotas[#quotas + 1] = { channel = stored[i], quota = stored[i + 1], consumed = stored[i + 2], floor = stored[i + 4] }
  end
  return quotas
end

local NO_QUOTA = { quota = 0, consumed = 0, floor = 0 }

-- One channel's quota at a place; zeros when it has none.
function stock.quota_of(state, code, channel)
  local _, extra = stock.look(state, code)
  for _, quota in ipairs(stock.quotas(extra or 0)) do
    if quota.channel == channel then
      return quota
    end
  end
  return NO_QUOTA
end

local function with_units(named)
  local kept = {}
  for i = 1, #named, PAIR do
    if named[i + 1] ~= 0 then
      kept[#kept + 1], kept[#kept + 2] = named[i], named[i + 1]
    end
  end
  return kept
end

-- Reasons and transfers without units and quotas without anything are not kept, nor places where all is zero.
local function tidy_extra(extra)
  local reasons, quotas, transit = with_units(extra[REASONS]), {}, with_units(extra[TRANSIT] or {})
  local stored = extra[QUOTAS]
  for i = 1, #stored, QUOTA do
    if stored[i + 1] ~= 0 or stored[i + 2] ~= 0 or stored[i + 4] ~= 0 then
      for j = i, i + 4 do
        quotas[#quotas + 1] = stored[j]
      end
    end
  end
  if #transit > 0 then
    return { extra[1], reasons, quotas, transit }
  elseif extra[1] == 0 and #reasons == 0 and #quotas == 0 then
    return 0
  end
  return { extra[1], reasons, quotas }
end

local function is_empty(flat, at)
  return flat[at + EXTRA] == 0 and flat[at + ON_HAND] == 0 and flat[at + HELD] == 0 and flat[at + COMMITTED] == 0
end

local function tidy(flat)
  local kept = { flat[1], flat[2] }
  for at = FIRST, #flat, PLACE do
    if not is_empty(flat, at) then
      local n = #kept
      for i = 0, PLACE - 1 do
        kept[n + 1 + i] = flat[at + i]
      end
    end
  end
  return kept
end

function stock.pack(state)
  local flat, some_empty = state.flat, false
  local owed = flat[2]
  if owed ~= 0 and owed[1] == 0 and owed[2] == 0 then
    flat[2] = 0
  end
  for at = FIRST, #flat, PLACE do
    if flat[at + EXTRA] ~= 0 then
      flat[at + EXTRA] = tidy_extra(flat[at + EXTRA])
    end
    some_empty = some_empty or is_empty(flat, at)
  end
  return cmsgpack.pack(some_empty and tidy(flat) or flat)
end

-- The skus of these lines, each once.
function stock.skus_of(lines)
  local first = lines[1]
  if first and not lines[2] then
    return { first.sku }
  end
  local skus, seen = {}, {}
  for _, line in ipairs(lines) do
    if not seen[line.sku] then
      seen[line.sku] = true
      skus[#skus + 1] = line.sku
    end
  end
  return skus
end

local function without_known(skus)
  local missing, known = { nil }, stock.skus
  for i = 1, #skus do
    if not known[skus[i]] then
      missing[#missing + 1] = skus[i]
    end
  end
  return missing
end

-- Reads these skus into stock.skus, once. Returns the list of those that do not exist; {} when all do. Stops the verb
-- at one that is closed.
function stock.load(skus)
  local missing, known = without_known(skus), stock.skus
  local unknown = {}
  if #missing == 0 then
    return unknown
  end
  local closed = gate.mode and gate.closed(missing)[1]
  if closed then
    gate.stop(closed[1], closed[2])
  end
  local found = redis.call('HMGET', keys.stock, unpack(missing))
  for i = 1, #missing do
    local sku = missing[i]
    if found[i] then
      local flat = cmsgpack.unpack(found[i])
      if not flat[2] then
        error('a state cannot be read')
      end
      known[sku] = { sku = sku, flat = flat, moves = nil }
    else
      unknown[#unknown + 1] = sku
    end
  end
  return unknown
end

-- Those of these skus that do not exist, whatever the state of the others.
function stock.unknown(skus)
  local unknown = {}
  local found = #skus > 0 and redis.call('HMGET', keys.stock, unpack(skus))
  for i, sku in ipairs(skus) do
    if not found[i] then
      unknown[#unknown + 1] = sku
    end
  end
  return unknown
end

local function note(state, code, bucket, of, units)
  local moves = state.moves
  if not moves then
    state.moves = { code, bucket, of, units }
    return
  end
  local n = #moves
  moves[n + 1], moves[n + 2], moves[n + 3], moves[n + 4] = code, bucket, of, units
end

-- Where the entry of this name begins in a list of reasons, quotas or transfers, made when it is not there.
local function entry_of(list, name, width)
  for i = 1, #list, width do
    if list[i] == name then
      return i
    end
  end
  local at = #list + 1
  list[at] = name
  for i = 1, width - 1 do
    list[at + i] = 0
  end
  return at
end

local PLAIN = { on_hand = ON_HAND, held = HELD, committed = COMMITTED }
local OF_QUOTA = { quota = 1, consumed = 2, spent = 3, floor = 4 }

-- Buckets that few places have: the deficit, units by reason and by transfer, quotas.
local function move_extra(flat, at, bucket, units, of)
  local extra = flat[at + EXTRA] ~= 0 and flat[at + EXTRA] or { 0, {}, {} }
  flat[at + EXTRA] = extra
  if bucket == 'deficit' then
    extra[1] = extra[1] + units
    return
  end
  local part = NAMED[bucket] or QUOTAS
  local list = extra[part] or {}
  local counter = entry_of(list, of, part == QUOTAS and QUOTA or PAIR) + (OF_QUOTA[bucket] or 1)
  list[counter] = list[counter] + units
  extra[part] = list
end

-- The only way to change a place. `of` is the reason (unavailable), transfer (in_transit) or channel (quota buckets).
function stock.move(state, code, bucket, units, of)
  if units == 0 then
    return
  end
  local flat, at, offset = state.flat, find_or_make(state, code), PLAIN[bucket]
  if offset then
    flat[at + offset] = flat[at + offset] + units
  else
    move_extra(flat, at, bucket, units, of)
  end
  note(state, code, bucket, of or '', units)
end

-- The only way to change what a sku owes: bucket is backordered or conflict.
function stock.owe(state, bucket, units)
  if units == 0 then
    return
  end
  local flat = state.flat
  local backordered, conflict = stock.debts(state)
  if bucket == 'backordered' then
    flat[2] = { backordered + units, conflict }
  else
    flat[2] = { backordered, conflict + units }
  end
  note(state, '', bucket, '', units)
end

local function sound_extra(extra)
  for _, part in pairs(NAMED) do
    local named = extra[part] or {}
    for i = 2, #named, PAIR do
      assert(named[i] >= 0, 'a bucket fell below zero')
    end
  end
  local quotas = extra[QUOTAS]
  for i = 1, #quotas, QUOTA do
    assert(quotas[i + 2] >= quotas[i + 3] and quotas[i + 3] >= 0, 'a quota consumed less than nothing')
  end
end

local function settle_place(state, at, allowed)
  local flat = state.flat
  local on_hand, extra, gap = flat[at + ON_HAND], flat[at + EXTRA], math.max(0, -available_at(flat, at))
  local deficit = extra ~= 0 and extra[1] or 0
  if gap ~= deficit then
    assert(gap < deficit or allowed, 'units were promised twice')
    stock.move(state, flat[at], 'deficit', gap - deficit)
  end
  assert(flat[at + HELD] >= 0 and flat[at + COMMITTED] >= 0, 'a bucket fell below zero')
  assert(on_hand <= stock.PLACE_MAX and on_hand >= -stock.PLACE_MAX, 'on_hand is out of range')
  -- A place without an extra comes here only to be found wrong before this.
  sound_extra(flat[at + EXTRA])
end

-- Books what is promised and not there as each place's deficit, and checks every number. Only a fact of the physical
-- world (`allowed`) may leave a deficit; if anything else would, units were sold twice: the script
-- stops before it wrote anything.
function stock.settle(state, allowed)
  local flat = state.flat
  for at = FIRST, #flat, PLACE do
    local on_hand, held, committed = flat[at + ON_HAND], flat[at + HELD], flat[at + COMMITTED]
    -- Mostly nothing is short, unavailable or ring-fenced, and there is nothing to look into.
    if flat[at + EXTRA] ~= 0 or held < 0 or committed < 0 or on_hand < held + committed or on_hand > stock.PLACE_MAX then
      settle_place(state, at, allowed)
    end
  end
  local backordered, conflict = stock.debts(state)
  assert(backordered >= 0 and conflict >= 0, 'a debt fell below zero')
end

-- Raises the version by one and returns it.
function stock.next_version(state)
  state.flat[1] = state.flat[1] + 1
  return state.flat[1]
end
