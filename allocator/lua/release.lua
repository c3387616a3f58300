#!lua flags=allow-oom
-- release: let an open hold go; its units are everybody's again.
--
-- KEYS
--   1 seller     hash
--   2 stock      hash
--   3 ops        hash
--   4 ledger     stream
--   5 servable   set
--   6 holds      hash
--   7 owners     hash
--   8 deadlines  zset
--   9 forgotten  string
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   hold_id
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_hold [hold_id]          not remembered
--   hold_ended [hold_id, state]
--   released [[[sku, version], ...]]
-- KEEPS
--   Every unit goes back to where it was taken from; the hold ends exactly once.

keys = { seller = KEYS[1], stock = KEYS[2], ops = KEYS[3], ledger = KEYS[4], servable = KEYS[5], holds = KEYS[6],
  owners = KEYS[7], deadlines = KEYS[8], forgotten = KEYS[9] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include takes
--@include holds
--@include write

local head = gate.read_op(gate.read_head())
local hold_id = args.id('hold_id')

local refused = gate.pass(head)
if refused then
  return refused
end
local hold = holds.read(hold_id)
if not hold then
  gate.need_checked()
  refused = forgotten.ask(head, 'hold', hold_id)
  if refused then
    return refused
  end
  -- Not remembered: a release that came too early must not keep the hold from being released later.
  return { 'unknown_hold', cmsgpack.pack({ hold_id }), 0, head.op }
elseif hold.state ~= 'open' then
  return gate.refuse(head, 'hold_ended', { hold_id, hold.state })
end

stock.load(stock.skus_of(hold.skus))
holds.end_in_memory(hold, 'released')
local packed = holds.pack(hold)
local sealed = write.seal()
local answer = cmsgpack.pack({ sealed.versions })

local record = holds.write_ended(hold, packed)
return write.commit(head, 'release', '', sealed, { record }, 'released', answer)
