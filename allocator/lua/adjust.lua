#!lua
-- adjust: correct on_hand up or down, with a reason; all lines or none.
--
-- A correction below what is promised leaves a deficit, which everybody's ATP owes from this step on.
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
--   why            the reason, required
--   lines          how many, 1 to 500, then for each: sku, location, units (-10^9 to 10^9, not 0)
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
--   not_enough [sku, location, on_hand]   nobody can take away what is not there
--   over_limit [sku, location, on_hand]
--   moved [[[sku, version], ...]]
-- KEEPS
--   on_hand changes by exactly the units named and does not fall below 0.

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
local why = args.text('why', 256)
local lines = places.read_differences()

local refused = gate.pass(head) or places.refuse_unknown(head, lines)
if refused then
  return refused
end

for _, line in ipairs(lines) do
  local on_hand = stock.on_hand(stock.skus[line.sku], line.location)
  if line.units < 0 and on_hand + line.units < 0 then
    return gate.refuse(head, 'not_enough', { line.sku, line.location, on_hand })
  end
  refused = places.correct(head, line)
  if refused then
    return refused
  end
end

return places.commit(head, 'adjust', why, true)
