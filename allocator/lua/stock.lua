#!lua flags=no-writes
-- stock: what is kept of skus.
--
-- KEYS
--   1 seller  hash
--   2 stock   hash
-- ARGV
--   epoch, config, now_ms (unused, may be empty)
--   skus         how many, 1 to 100, then the skus
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]
--   found [state, ...]              in the order asked, as shared/stock.lua packs them; '' for a sku that is unknown
-- KEEPS
--   Nothing is written.

keys = { seller = KEYS[1], stock = KEYS[2] }

--@include args
--@include gate

local head = gate.read_head()
local skus = {}
for i = 1, args.whole('skus', 1, 100) do
  skus[i] = args.sku()
end

local refused = gate.pass(head)
if refused then
  return refused
end
local states = redis.call('HMGET', keys.stock, unpack(skus))
for i, packed in ipairs(states) do
  states[i] = packed or ''
end
return { 'found', cmsgpack.pack(states), 0, '' }
