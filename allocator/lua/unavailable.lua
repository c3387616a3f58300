#!lua
-- unavailable: take units out of sale for a reason, or put them back; all lines or none.
--
-- Taking out what is promised leaves a deficit: damage is a fact and is not refused.
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
--   reason         the name of the bucket: damaged, quality_hold, ...
--   direction      in (out of sale) or out (back into sale)
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
--   not_enough [sku, location, units there]   in: units on_hand and not unavailable yet; out: units of this reason
--   moved [[[sku, version], ...]]
-- KEEPS
--   0 <= unavailable; taking out never makes unavailable more than on_hand.

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
local reason = args.code('reason')
local direction = args.choice('direction', { ['in'] = true, out = true })
local lines = places.read_lines(1)

local refused = gate.pass(head) or places.refuse_unknown(head, lines)
if refused then
  return refused
end

-- What may be moved: units on the shelf that are not unavailable yet, or those that are for this reason.
local function movable(line)
  local state = stock.skus[line.sku]
  if direction == 'out' then
    return stock.units_of(state, line.location, 'unavailable', reason)
  end
  local on_hand, unavailable = stock.buckets(state, line.location)
  return math.max(0, on_hand - unavailable)
end

for _, line in ipairs(lines) do
  local there = movable(line)
  if line.units > there then
    return gate.refuse(head, 'not_enough', { line.sku, line.location, there })
  end
  local units = direction == 'in' and line.units or -line.units
  stock.move(stock.skus[line.sku], line.location, 'unavailable', units, reason)
end

return places.commit(head, 'unavailable', reason .. ' ' .. direction, true)
