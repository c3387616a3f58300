#!lua
-- transfer_in: units of a transfer arrive or turn out to be lost, all lines or none; in parts, as they come.
--
-- They may arrive elsewhere than planned, at the sender's too. What was lost and is found later is received.
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
--   transfer       the transfer's id, at most 64 bytes
--   location       the transfer's destination
--   at             where the units have arrived: the destination, or another location
--   lines          how many, 1 to 500, then for each: sku, arrived and lost (0 to 10^9, not both 0)
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this op was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_sku [sku, ...]
--   unknown_location [code, ...]
--   not_enough [sku, location, units of the transfer in transit]
--   over_limit [sku, at, on_hand]
--   moved [[[sku, version], ...]]
-- KEEPS
--   on_hand + in transit of every sku, but for what is lost.

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
local transfer = args.code('transfer')
local location, at = args.code('location'), args.code('at')
local lines = {}
for i = 1, args.whole('lines', 1, 500) do
  lines[i] = { sku = args.sku(), location = location, arrived = args.whole('arrived', 0, args.UNITS_MAX),
    lost = args.whole('lost', 0, args.UNITS_MAX) }
  if lines[i].arrived + lines[i].lost == 0 then
    args.complain('arrived', 'and lost must not both be 0')
  end
end

local refused = gate.pass(head) or places.refuse_unknown(head, lines, at)
if refused then
  return refused
end

for _, line in ipairs(lines) do
  local state = stock.skus[line.sku]
  local coming, on_hand = stock.units_of(state, location, 'in_transit', transfer), stock.on_hand(state, at)
  if line.arrived + line.lost > coming then
    return gate.refuse(head, 'not_enough', { line.sku, location, coming })
  elseif on_hand + line.arrived > stock.PLACE_MAX then
    return gate.refuse(head, 'over_limit', { line.sku, at, on_hand })
  end
  stock.move(state, location, 'in_transit', -line.arrived - line.lost, transfer)
  stock.move(state, at, 'on_hand', line.arrived)
end

return places.commit(head, 'transfer_in', why)
