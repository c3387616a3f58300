#!lua flags=allow-oom
-- shut: let nothing run any more, and say why; or, without a reason, check every sku and open again.
--
-- KEYS
--   1 seller  hash
-- ARGV
--   epoch, config (always empty), now_ms (unused, may be empty)
--   run   the run of the server that is meant
--   why   for people; empty to end it
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   shut [gate]                     as it stands now
-- KEEPS
--   What was shut is never open before it has been checked.

keys = { seller = KEYS[1] }

--@include args
--@include gate

local head = gate.read_head()
local run, why = args.text('run', 64), args.optional('why', 4096)

local refused = gate.pass_shut(head)
if refused then
  return refused
end
if why ~= '' then
  redis.call('HSET', keys.seller, 'gate', 'shut', 'why', why)
elseif redis.call('HGET', keys.seller, 'gate') == 'shut' then
  redis.call('HDEL', keys.seller, 'gate', 'why')
  gate.check_all(run)
end
return { 'shut', cmsgpack.pack({ redis.call('HGET', keys.seller, 'gate') or '' }), 0, '' }
