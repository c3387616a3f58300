#!lua
-- move_quota: hand units that one channel has ring-fenced and not consumed to another channel at the same location.
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
--   sku, location
--   from, to       two different channels
--   units          1 to 10^9
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
--   not_enough [sku, location, quota - consumed of from]
--   over_limit [sku, location, quota of to]
--   moved [[[sku, version], ...]]
-- KEEPS
--   The sum of the quotas of a sku at a location.

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
local from, to = args.code('from'), args.code('to')
local units = args.units()
if from == to then
  args.complain('to', 'must be another channel than from')
end

local refused = gate.pass(head)
for _, channel in ipairs({ from, to }) do
  if not refused and not rules.channel_view(channel) then
    refused = gate.refuse(head, 'unknown_channel', { channel })
  end
end
refused = refused or places.refuse_unknown(head, { line })
if refused then
  return refused
end

local state = stock.skus[line.sku]
local giver, taker = stock.quota_of(state, line.location, from), stock.quota_of(state, line.location, to)
local spare = math.max(0, giver.quota - giver.consumed)
if units > spare then
  return gate.refuse(head, 'not_enough', { line.sku, line.location, spare })
elseif taker.quota + units > args.UNITS_MAX then
  return gate.refuse(head, 'over_limit', { line.sku, line.location, taker.quota })
end
stock.move(state, line.location, 'quota', -units, from)
stock.move(state, line.location, 'quota', units, to)

return places.commit(head, 'move_quota', why)
