#!lua
-- set_quota: ring-fence units of a sku for one channel at one location. Sets, does not add.
--
-- KEYS
--   1 seller     hash
--   2 config     hash
--   3 stock      hash
--   4 ops        hash
--   5 ledger     stream
--   6 servable   set
--   7 forgotten  string
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   why            text for the ledger, may be empty
--   sku, location, channel
--   quota          units, 0 to 10^9; what has been consumed stays counted
--   floor          units of it that no other channel may borrow, 0 to 10^9
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_channel [channel]
--   unknown_sku [sku]
--   unknown_location [code]
--   moved [[[sku, version], ...]]   empty when nothing changed
-- KEEPS
--   No bucket of units changes: a quota says who may sell, not what there is.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5],
  servable = KEYS[6], forgotten = KEYS[7] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include rules
--@include write
--@include places

local head = gate.read_op(gate.read_head())
local why = args.optional('why', 256)
local line = { sku = args.sku(), location = args.code('location') }
local channel = args.code('channel')
local units, floor = args.whole('quota', 0, args.UNITS_MAX), args.whole('floor', 0, args.UNITS_MAX)

local refused = gate.pass(head)
if not refused and not rules.channel_view(channel) then
  refused = gate.refuse(head, 'unknown_channel', { channel })
end
refused = refused or places.refuse_unknown(head, { line })
if refused then
  return refused
end

local state = stock.skus[line.sku]
local quota = stock.quota_of(state, line.location, channel)
stock.move(state, line.location, 'floor', floor - quota.floor, channel)
stock.move(state, line.location, 'quota', units - quota.quota, channel)

return places.commit(head, 'set_quota', why)
