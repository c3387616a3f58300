#!lua flags=no-writes
-- find: read one hold, one order, or the config that rankings need.
--
-- KEYS
--   1 seller  hash
--   2 config  hash
--   3 holds   hash
--   4 orders  hash
-- ARGV
--   epoch, config (always empty), now_ms (unused, may be empty)
--   kind          hold, order or config
--   id            hold id, or channel:external id; for config a field: document
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found]         another data set
--   stale_config [version]          never: this verb names no config
--   unknown_hold [id]
--   unknown_order [id]
--   found record                    as shared/holds.lua or shared/orders.lua pack it; for config [version, document],
--                                   '0' and '' before the first
-- KEEPS
--   Nothing is written.

keys = { seller = KEYS[1], config = KEYS[2], hold = KEYS[3], order = KEYS[4] }

--@include args
--@include gate

local head = gate.read_head()
local kind = args.choice('kind', { hold = true, order = true, config = true })
local id = args.text('id', args.ID_MAX + args.CODE_MAX)

local refused = gate.pass(head)
if refused then
  return refused
end
if kind == 'config' then
  local version, document = redis.call('HGET', keys.seller, 'config'), redis.call('HGET', keys.config, id)
  return { 'found', cmsgpack.pack({ version or '0', document or '' }), 0, '' }
end
local record = redis.call('HGET', keys[kind], id)
if record then
  return { 'found', record, 0, '' }
elseif kind == 'hold' then
  return { 'unknown_hold', cmsgpack.pack({ id }), 0, '' }
end
return { 'unknown_order', cmsgpack.pack({ id }), 0, '' }
