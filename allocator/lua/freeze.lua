#!lua flags=allow-oom
-- freeze: no unit of a sku moves any more, because its records contradict each other; or, without evidence, end that.
--
-- KEYS
--   1 seller    hash
--   2 stock     hash
--   3 ledger    stream
--   4 servable  set
-- ARGV
--   epoch, config (always empty), now_ms
--   sku
--   seen      empty, or the packed state the evidence is about: another one by now is not frozen
--   run       empty, or the run of the server whose check found it: a sku that is open by then is not frozen
--   evidence  for people; empty to end it
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   changed_since [sku]             the state is not the one that was seen, or the sku was opened meanwhile
--   frozen_now [was]                the evidence there was before, '' for none
-- KEEPS
--   The state stays as it is, for somebody to look at.

keys = { seller = KEYS[1], stock = KEYS[2], ledger = KEYS[3], servable = KEYS[4] }

--@include args
--@include gate
--@include stock
--@include write

local head = gate.read_head()
local sku, seen, run, evidence = args.sku(), args.bytes(), args.optional('run', 64), args.optional('evidence', 4096)

local refused = gate.pass_shut(head)
if refused then
  return refused
end
local moved = seen ~= '' and redis.call('HGET', keys.stock, sku) ~= seen
if moved or (run ~= '' and not gate.is_unchecked(run, sku)) then
  return { 'changed_since', cmsgpack.pack({ sku }), 0, '' }
end
local before = gate.evidence(sku)
local answer = cmsgpack.pack({ before })
if before == evidence then
  return { 'frozen_now', answer, 0, '' }
end

gate.freeze(sku, evidence)
return write.commit(head, 'freeze', evidence, write.seal(), { { 'frozen:' .. sku, evidence } }, 'frozen_now', answer)
