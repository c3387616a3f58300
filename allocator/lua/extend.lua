#!lua
-- extend: let an open hold live until ttl_ms from now, when that is later than its deadline.
--
-- KEYS
--   1 seller     hash
--   2 stock      hash
--   3 ops        hash
--   4 ledger     stream
--   5 servable   set
--   6 holds      hash
--   7 deadlines  zset
--   8 forgotten  string
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   hold_id
--   ttl_ms         1 to 10^10
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   checking [sku]                  '': a restart, and not every sku is opened yet; not remembered
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   unknown_hold [hold_id]
--   hold_ended [hold_id, state]
--   extended [deadline_ms]
-- KEEPS
--   An open hold has exactly one deadline, which never moves to an earlier time.

keys = { seller = KEYS[1], stock = KEYS[2], ops = KEYS[3], ledger = KEYS[4], servable = KEYS[5], holds = KEYS[6],
  deadlines = KEYS[7], forgotten = KEYS[8] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include takes
--@include holds
--@include write

local head = gate.read_op(gate.read_head())
local hold_id = args.id('hold_id')
local ttl_ms = args.whole('ttl_ms', 1, 1e10)

local refused = gate.pass(head)
if refused then
  return refused
end
gate.need_checked()
local hold = holds.read(hold_id)
if not hold then
  return forgotten.ask(head, 'hold', hold_id) or gate.refuse(head, 'unknown_hold', { hold_id })
elseif hold.state ~= 'open' then
  return gate.refuse(head, 'hold_ended', { hold_id, hold.state })
end

hold.deadline_ms = math.max(hold.deadline_ms, head.now + ttl_ms)
local packed = holds.pack(hold)
local answer = cmsgpack.pack({ hold.deadline_ms })
local sealed = write.seal()

redis.call('HSET', keys.holds, hold_id, packed)
redis.call('ZADD', keys.deadlines, string.format('%.0f', hold.deadline_ms), hold_id)
return write.commit(head, 'extend', '', sealed, { { 'hold:' .. hold_id, packed } }, 'extended', answer)
