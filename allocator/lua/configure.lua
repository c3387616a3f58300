#!lua
-- configure: put compiled config in force under a new version, and make skus known; all or nothing.
--
-- Many skus come in several calls, each a version of its own.
--
-- KEYS
--   1 seller     hash
--   2 config     hash
--   3 stock      hash
--   4 ops        hash
--   5 ledger     stream
--   6 servable   set
--   7 forgotten  string
-- ARGV
--   epoch, config (always empty), now_ms, op, fingerprint, actor
--   base          the version this change was made against; 0 before the first
--   version       the new version, a whole number greater than the one in force
--   fields        how many, 0 to 1000, then for each: field, packed value (empty: remove the field)
--   skus          how many, 0 to 1000, then skus that must exist from now on
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          somebody else changed the config since; not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   configured [version, skus made]
-- KEEPS
--   Every other verb sees the whole old config or the whole new one.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5],
  servable = KEYS[6], forgotten = KEYS[7] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include write

local head = gate.read_op(gate.read_head())
local base = args.text('base', 16)
local version = args.whole('version', 1, 1e12)
local set, removed, made = {}, {}, {}
for _ = 1, args.whole('fields', 0, 1000) do
  local field, value = args.text('field', args.SKU_MAX + 16), args.bytes()
  if value == '' then
    removed[#removed + 1] = field
  else
    set[#set + 1] = field
    set[#set + 1] = value
  end
end
local skus = {}
for i = 1, args.whole('skus', 0, 1000) do
  skus[i] = args.sku()
end

local refused = gate.pass(head)
if refused then
  return refused
end
local active = redis.call('HGET', keys.seller, 'config') or '0'
if active ~= base then
  return { 'stale_config', cmsgpack.pack({ active }), 0, head.op }
end
if version <= tonumber(active) then
  return { 'invalid', cmsgpack.pack({ 'version must be greater than the one in force' }), 0, head.op }
end

for _, sku in ipairs(stock.unknown(skus)) do
  if not stock.skus[sku] then
    stock.skus[sku] = stock.new_state(sku, 0)
    made[#made + 1] = sku
  end
end
local packed_skus = {}
for _, sku in ipairs(made) do
  packed_skus[#packed_skus + 1] = sku
  packed_skus[#packed_skus + 1] = stock.pack(stock.skus[sku])
end
local answer = cmsgpack.pack({ version, #made })
local record = cmsgpack.pack({ version, set, removed, made })

if #set > 0 then
  redis.call('HSET', keys.config, unpack(set))
end
if #removed > 0 then
  redis.call('HDEL', keys.config, unpack(removed))
end
if #packed_skus > 0 then
  redis.call('HSET', keys.stock, unpack(packed_skus))
end
redis.call('HSET', keys.seller, 'config', string.format('%.0f', version))
return write.commit(head, 'configure', '', write.seal(), { { 'config', record } }, 'configured', answer)
