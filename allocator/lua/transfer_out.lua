#!lua
-- transfer_out: units leave a location for another one, all lines or none; until they arrive they are in transit.
--
-- What is in transit is on no shelf and in nobody's ATP. It is kept at its destination under the transfer's id; what is
-- sent there under the same id once more adds up.
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
--   from, to       two different locations
--   lines          how many, 1 to 500, then for each: sku, units (1 to 10^9)
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
--   not_enough [sku, from, units available there]
--   over_limit [sku, to, units of the transfer in transit]
--   moved [[[sku, version], ...]]
-- KEEPS
--   on_hand + in transit of every sku; what is held, committed or unavailable does not leave.

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
local from, to = args.code('from'), args.code('to')
local lines = {}
for i = 1, args.whole('lines', 1, 500) do
  lines[i] = { sku = args.sku(), location = from, units = args.units() }
end
if from == to then
  args.complain('to', 'must be another location than from')
end

local refused = gate.pass(head) or places.refuse_unknown(head, lines, to)
if refused then
  return refused
end

for _, line in ipairs(lines) do
  local state = stock.skus[line.sku]
  local there, coming = math.max(0, stock.look(state, from) or 0), stock.units_of(state, to, 'in_transit', transfer)
  if line.units > there then
    return gate.refuse(head, 'not_enough', { line.sku, from, there })
  elseif coming + line.units > stock.PLACE_MAX then
    return gate.refuse(head, 'over_limit', { line.sku, to, coming })
  end
  stock.move(state, from, 'on_hand', -line.units)
  stock.move(state, to, 'in_transit', line.units, transfer)
end

return places.commit(head, 'transfer_out', why)
