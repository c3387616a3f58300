#!lua
-- recall: put a hold or an order that was forgotten back, as SQL has it, because a verb needs it again; an order with its
-- places of days.
--
-- KEYS
--   1 seller  hash
--   2 holds   hash
--   3 orders  hash
--   4 slots   zset
-- ARGV
--   epoch, config (always empty), now_ms (unused, may be empty)
--   kind         hold or order
--   id           hold id, or channel:external id
--   record       as shared/holds.lua and shared/orders.lua pack it
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]          never: this verb names no config
--   recalled [how many]             0: it was there
-- KEEPS
--   No unit moves: only what has ended comes back, and nothing is overwritten.

keys = { seller = KEYS[1], hold = KEYS[2], order = KEYS[3], slots = KEYS[4] }

--@include args
--@include gate
--@include takes
--@include holds
--@include orders

local head = gate.read_head()
local kind = args.choice('kind', { hold = true, order = true })
local id, packed = args.record_id(), args.bytes()
if not (kind == 'hold' and holds.is_ended or orders.is_closed)(packed) then
  args.complain('record', 'is not that of an ended hold or a closed order')
end

local refused = gate.pass(head)
if refused then
  return refused
end
if redis.call('HEXISTS', keys[kind], id) == 1 then
  return { 'recalled', cmsgpack.pack({ 0 }), 0, '' }
end
redis.call('HSET', keys[kind], id, packed)
if kind == 'order' then
  orders.come(id, packed)
end
return { 'recalled', cmsgpack.pack({ 1 }), 0, '' }
