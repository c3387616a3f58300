#!lua flags=no-writes
-- find: read one hold, one order, the hold of a pending order, an earlier answer, or the config that rankings need.
--
-- KEYS
--   1 seller     hash
--   2 config     hash
--   3 holds      hash
--   4 orders     hash
--   5 ops        hash
--   6 forgotten  string
--   7 owners     hash
-- ARGV
--   epoch, config (always empty), now_ms (unused, may be empty)
--   kind          hold, order, pending, answer or config
--   id            hold id, or channel:external id; for what is pending the field of owners; for an answer the op; for
--                 config a field: document
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]          never: this verb names no config
--   checking [sku]                  '': a restart, and not every sku is opened yet, so it may be what was lost
--   ask_history [op, hold or order; its id]   it may have left for SQL
--   unknown_hold [id]
--   unknown_order [id]
--   found record                    an answer as shared/gate.lua keeps it; a hold or order shared/holds.lua and
--                                   shared/orders.lua pack it; for pending [hold id]; for config [version, document], '0'
--                                   and '' before the first
-- KEEPS
--   Nothing is written.

keys = { seller = KEYS[1], config = KEYS[2], hold = KEYS[3], order = KEYS[4], answer = KEYS[5],
  forgotten = KEYS[6], pending = KEYS[7] }

--@include args
--@include gate
--@include forgotten

local head = gate.read_head()
local kind = args.choice('kind', { hold = true, order = true, pending = true, answer = true, config = true })
local id = args.record_id()

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
  return { 'found', kind == 'pending' and cmsgpack.pack({ record }) or record, 0, '' }
end
gate.need_checked()
local asks = kind ~= 'pending' and forgotten.ask(head, kind == 'answer' and 'op' or kind, id)
if asks then
  return asks
elseif kind == 'hold' then
  return { 'unknown_hold', cmsgpack.pack({ id }), 0, '' }
end
return { 'unknown_order', cmsgpack.pack({ id }), 0, '' }
