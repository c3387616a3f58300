-- store: the data of one server, and a journal by which the latest of it can be forgotten.
--
-- A key is { type, ... }: `string` has text; `hash` and `set` are tables of fields; `zset` has scores and a sorted list
-- of members; `stream` has entries. Fields and members keep the order in which they came, so a dump is the same in
-- every run.
--
-- Every change is written into the journal as four values: how to undo it, and three arguments for that. All changes of
-- one command or script are one unit, as in the server's append-only file: after a power cut a unit is there or not.

local store = { keys = {}, now_us = 0, random = 1 }

local journal, written = {}, 0
-- Where each unit ends that is not on the disk yet.
local ends, units = {}, 0

local function note(undo, a, b, c)
  journal[written + 1], journal[written + 2], journal[written + 3], journal[written + 4] = undo, a, b, c
  written = written + 4
end
store.note = note

-- Ends the unit that is being written, if it has changed anything.
function store.seal()
  if written > (ends[units] or 0) then
    units = units + 1
    ends[units] = written
  end
end

-- How many units would be lost if the power failed now.
function store.volatile()
  return units
end

-- All units are on the disk.
function store.fsync()
  journal, written, ends, units = {}, 0, {}, 0
end

-- Takes back the units behind the first `kept` of those that are not on the disk.
function store.undo(kept)
  local stop = kept > 0 and ends[kept] or 0
  for i = written - 3, stop + 1, -4 do
    journal[i](journal[i + 1], journal[i + 2], journal[i + 3])
  end
  written, units = stop, kept
end

-- Forgets the units behind the first `kept` of those that are not on the disk; what stays is on it.
function store.forget(kept)
  store.undo(kept)
  store.fsync()
end

-- Between 0 and 1, the same numbers in every run with the same `random` (Park and Miller).
function store.draw()
  store.random = store.random * 16807 % 2147483647
  return store.random / 2147483647
end

-- --- keys ---------------------------------------------------------------------------------------------------------

local function restore_key(name, old)
  store.keys[name] = old or nil
end

function store.put_key(name, value)
  note(restore_key, name, store.keys[name] or false, false)
  store.keys[name] = value
end

local NEW = {
  hash = function() return { type = 'hash', values = {}, order = {}, at = {}, size = 0, top = 0 } end,
  set = function() return { type = 'set', values = {}, order = {}, at = {}, size = 0, top = 0 } end,
  zset = function() return { type = 'zset', scores = {}, members = {} } end,
  stream = function()
    return { type = 'stream', entries = {}, first = 1, top = 0, last_ms = 0, last_seq = 0, added = 0, deleted = '0-0' }
  end,
}

function store.make(name, kind)
  local value = NEW[kind]()
  store.put_key(name, value)
  return value
end

-- --- hashes and sets ----------------------------------------------------------------------------------------------

local function put_field(hash, field, value)
  if hash.values[field] == nil then
    local top = hash.top + 1
    hash.order[top], hash.at[field], hash.top, hash.size = field, top, top, hash.size + 1
  end
  hash.values[field] = value
end

local function drop_field(hash, field)
  local order, place, top = hash.order, hash.at[field], hash.top
  hash.values[field], hash.at[field], hash.size = nil, nil, hash.size - 1
  order[place] = false
  while top > 0 and not order[top] do
    order[top], top = nil, top - 1
  end
  hash.top = top
end

local function undo_field(hash, field, old)
  if old == nil then
    drop_field(hash, field)
  else
    put_field(hash, field, old)
  end
end

-- Returns true when the field is new.
function store.set_field(hash, field, value)
  local old = hash.values[field]
  note(undo_field, hash, field, old)
  put_field(hash, field, value)
  return old == nil
end

-- Returns true when the field was there.
function store.delete_field(hash, field)
  local old = hash.values[field]
  if old == nil then
    return false
  end
  note(undo_field, hash, field, old)
  drop_field(hash, field)
  return true
end

-- --- sorted sets --------------------------------------------------------------------------------------------------

-- The first position whose member comes at or behind this one.
local function position(zset, score, member)
  local scores, members, low, high = zset.scores, zset.members, 1, #zset.members + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local other = members[middle]
    local other_score = scores[other]
    if other_score < score or (other_score == score and other < member) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function put_score(zset, member, score)
  local old = zset.scores[member]
  if old then
    table.remove(zset.members, position(zset, old, member))
    zset.scores[member] = nil
  end
  if score then
    table.insert(zset.members, position(zset, score, member), member)
    zset.scores[member] = score
  end
end

-- Sets a member's score, or takes it out when there is none. Returns what its score was.
function store.set_score(zset, member, score)
  local old = zset.scores[member]
  if old ~= score then
    note(put_score, zset, member, old)
    put_score(zset, member, score)
  end
  return old
end

-- --- streams ------------------------------------------------------------------------------------------------------

local function undo_entry(stream, last_ms, last_seq)
  stream.entries[stream.top] = nil
  stream.top, stream.added, stream.last_ms, stream.last_seq = stream.top - 1, stream.added - 1, last_ms, last_seq
end

-- entry: { ms, seq, id, fields }
function store.append(stream, entry)
  note(undo_entry, stream, stream.last_ms, stream.last_seq)
  stream.top, stream.added, stream.last_ms, stream.last_seq = stream.top + 1, stream.added + 1, entry.ms, entry.seq
  stream.entries[stream.top] = entry
end

local function undo_trim(stream, entry)
  stream.first = stream.first - 1
  stream.entries[stream.first] = entry
end

-- Takes the oldest entry out.
function store.trim_one(stream)
  note(undo_trim, stream, stream.entries[stream.first], false)
  stream.entries[stream.first] = nil
  stream.first = stream.first + 1
end

-- --- whole copies -------------------------------------------------------------------------------------------------

local function copy(value)
  if type(value) ~= 'table' then
    return value
  end
  local twin = {}
  for key, part in next, value do
    -- An entry of a stream never changes.
    twin[key] = type(part) == 'table' and not part.id and copy(part) or part
  end
  return twin
end

-- Everything there is, as it is now.
function store.snapshot()
  return copy(store.keys)
end

-- Everything becomes as the snapshot says, on the disk as well; the snapshot can be used again.
function store.restore(snapshot)
  store.keys = copy(snapshot)
  store.fsync()
end

return store
