#!lua flags=allow-oom
-- meet: tell a seller which server holds its data. On another one than before every sku is closed until it is checked.
--
-- KEYS
--   1 seller  hash
-- ARGV
--   epoch, config (always empty), now_ms (unused, may be empty)
--   run  the server's own name for this run of it
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   met [gate, why]                 as it stands now; '' when it is open
-- KEEPS
--   What is shut stays shut, what is frozen stays frozen.

keys = { seller = KEYS[1] }

--@include args
--@include gate

local head = gate.read_head()
local run = args.text('run', 64)

local refused = gate.pass_shut(head)
if refused then
  return refused
end
if redis.call('HGET', keys.seller, 'run') ~= run then
  gate.check_all(run)
end
local found = redis.call('HMGET', keys.seller, 'gate', 'why')
return { 'met', cmsgpack.pack({ found[1] or '', found[2] or '' }), 0, '' }
