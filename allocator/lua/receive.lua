#!lua
-- receive: units arrive on shelves, all lines or none.
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
--   lines          how many, 1 to 500, then for each: sku, location, units (1 to 10^9)
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
--   over_limit [sku, location, on_hand]
--   moved [[[sku, version], ...]]
-- KEEPS
--   on_hand grows by exactly the units named.

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
local lines = places.read_lines(1)

local refused = gate.pass(head) or places.refuse_unknown(head, lines)
if refused then
  return refused
end

for _, line in ipairs(lines) do
  local on_hand = stock.on_hand(stock.skus[line.sku], line.location)
  if on_hand + line.units > stock.PLACE_MAX then
    return gate.refuse(head, 'over_limit', { line.sku, line.location, on_hand })
  end
  stock.move(stock.skus[line.sku], line.location, 'on_hand', line.units)
end

return places.commit(head, 'receive', why)
