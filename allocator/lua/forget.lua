#!lua flags=allow-oom
-- forget: remove answers, ended holds and closed orders that SQL has, and remember that there were such.
--
-- The caller has seen them in SQL, byte for byte. What was changed since, or is not over, stays. From the same step on
-- every verb that misses one of them says ask_history. An order's places of days go with it.
--
-- KEYS
--   1 seller     hash
--   2 ops        hash
--   3 holds      hash
--   4 orders     hash
--   5 forgotten  string
--   6 slots      zset
-- ARGV
--   epoch, config (always empty), now_ms (unused, may be empty)
--   records      how many, 1 to 100, then for each: kind (answer, hold or order), id (for an answer its op), and the
--                record as it is kept
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]          never: this verb names no config
--   forgotten [how many]
-- KEEPS
--   No unit moves and no answer changes; what is removed is in the filter.

keys = { seller = KEYS[1], answer = KEYS[2], hold = KEYS[3], order = KEYS[4], forgotten = KEYS[5], slots = KEYS[6] }

--@include args
--@include gate
--@include forgotten
--@include takes
--@include holds
--@include orders

local head = gate.read_head()
local wanted = {}
for i = 1, args.whole('records', 1, 100) do
  wanted[i] = { kind = args.choice('kind', { answer = true, hold = true, order = true }), id = args.record_id(),
    packed = args.bytes() }
end

local refused = gate.pass(head)
if refused then
  return refused
end

local function is_over(record)
  if record.kind == 'order' then
    return orders.is_closed(record.packed)
  end
  return record.kind == 'answer' or holds.is_ended(record.packed)
end

local before, names, removed = head.forgotten, {}, { answer = {}, hold = {}, order = {} }
local gone = {}
for _, record in ipairs(wanted) do
  local kind, id = record.kind, record.id
  if redis.call('HGET', keys[kind], id) == record.packed and is_over(record) then
    names[#names + 1] = kind == 'answer' and forgotten.name_of(id) or kind .. ':' .. id
    table.insert(removed[kind], id)
    if kind == 'order' then
      gone[#gone + 1] = record
    end
  end
end

for _, name in ipairs(names) do
  forgotten.add(head, name)
end
if head.forgotten > before then
  redis.call('HSET', keys.seller, 'forgotten', string.format('%.0f', head.forgotten))
end
for _, record in ipairs(gone) do
  orders.go(record.id, record.packed)
end
local count = 0
for kind, ids in pairs(removed) do
  if #ids > 0 then
    count = count + redis.call('HDEL', keys[kind], unpack(ids))
  end
end
return { 'forgotten', cmsgpack.pack({ count }), 0, '' }
