#!lua flags=allow-oom
-- open: let skus that were found in order be sold again after a restart; in the end all that is not frozen.
--
-- KEYS
--   1 seller  hash
-- ARGV
--   epoch, config (always empty), now_ms (unused, may be empty)
--   run    the run of the server that was checked
--   upto   every sku up to this one, by bytes, is open from now on; empty for none
--   last   1: all are
--   skus   how many, 0 to 1000, then skus opened before their turn
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   changed_since [gate, run]       nothing is being checked, or another run of the server
--   opened [gate]                   as it stands now; '' when it is open
-- KEEPS
--   A frozen sku stays frozen.

keys = { seller = KEYS[1] }

--@include args
--@include gate

local head = gate.read_head()
local run, upto = args.text('run', 64), args.optional('upto', args.SKU_MAX)
local last = args.whole('last', 0, 1) == 1
local skus = {}
for i = 1, args.whole('skus', 0, 1000) do
  skus[i] = args.sku()
end

local refused = gate.pass_shut(head)
if refused then
  return refused
end
local found = redis.call('HMGET', keys.seller, 'gate', 'run')
if found[1] ~= 'checking' or found[2] ~= run then
  return { 'changed_since', cmsgpack.pack({ found[1] or '', found[2] or '' }), 0, '' }
end

for _, sku in ipairs(skus) do
  if gate.evidence(sku) == '' then
    redis.call('HSET', keys.seller, 'sku:' .. sku, '')
  end
end
if upto ~= '' then
  redis.call('HSET', keys.seller, 'opened', upto)
end
if last then
  gate.open_all()
end
return { 'opened', cmsgpack.pack({ redis.call('HGET', keys.seller, 'gate') or '' }), 0, '' }
