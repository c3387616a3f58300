-- placing: an order takes its units, by its kind; shared by all verbs that make orders.
--
-- An order here is { id, channel, external_id, kind, op, fingerprint, lines }, and with `bounds` what terms.bounds says.
-- Needs: gate, stock, rules, takes, demand, tracing, promise, firm, orders, gone.

-- A refusal when the demand names what does not exist, else nil; its skus are loaded then.
function placing.refuse_unknown(head, order, candidates, skus)
  if order.kind == 'gone' and not candidates[1] then
    return { 'invalid', cmsgpack.pack({ 'candidates must name the location the goods left' }), 0, head.op }
  end
  local unknown = stock.load(skus)
  if #unknown > 0 then
    return gate.refuse(head, 'unknown_sku', unknown)
  end
  if order.kind == 'gone' and (rules.config_field('locations') or {})[candidates[1][1]] == nil then
    return gate.refuse(head, 'unknown_location', { candidates[1][1] })
  end
end

-- A firm order goes to locations without a place left on a day only for what it finds nowhere else.
local function take_firm(order, needs, candidates, view)
  local lines, bounds = order.lines, order.bounds
  local full = bounds and bounds.full
  local first = bounds and { limit = bounds.limit, without = full }
  local plan = firm.take(lines, needs, candidates, view, 'committed', false, first)
  if full then
    local last = demand.needs_of(lines, view)
    local later = firm.take(lines, last, candidates, view, 'committed', false, { limit = bounds.limit })
    plan = plan == 'none' and later or plan
  end
  return plan
end

-- Takes what the lines want, in memory. Returns a refusal's word and facts, or nil, nil and the plan's name; fourth as
-- promise.take.
function placing.take(order, needs, candidates, view, partial)
  local lines = order.lines
  if order.kind == 'promise' then
    return promise.take(lines, needs, candidates, view, 'committed', partial, order.bounds)
  elseif order.kind == 'firm' then
    return nil, nil, take_firm(order, needs, candidates, view)
  end
  local plan = gone.take(lines, needs, view, candidates[1][1])
  local facts = gone.beyond_limit(lines, candidates[1][1])
  local word = facts and 'over_limit'
  return word, facts, plan
end

local function taken_units(line)
  local units = 0
  for _, take in ipairs(line.takes) do
    units = units + take.units
  end
  return units
end

-- Gives every line its buckets. A firm order waits for what it did not get; a partial promise forgoes it.
local function book_lines(order)
  for _, line in ipairs(order.lines) do
    line.committed = taken_units(line)
    line.backordered = order.kind == 'firm' and line.left or 0
    line.cancelled = order.kind == 'promise' and line.left or 0
    stock.owe(stock.skus[line.sku], 'backordered', line.backordered)
  end
end

-- Makes the order what it is from now on; goods that are gone leave. Returns its lines, packed, as they are answered, and
-- what became of the candidates.
function placing.book(head, order, needs, candidates, view)
  order.placed_ms, order.rank, order.candidates = head.now, view.rank, candidates.text
  book_lines(order)
  -- Goods that are gone have left one place; the others were no choice.
  local full = order.bounds and order.bounds.full
  local some = order.kind == 'gone' and {} or needs
  local trace = tracing.of(candidates, order.lines, some, view, order.kind == 'promise', full)
  return order.kind == 'gone' and gone.ship(order.lines) or orders.pack_lines(order), trace
end

-- Packs the order's record, when all is booked. Returns it and the order's state.
function placing.pack(order, said)
  return orders.pack(order, order.kind == 'gone' and orders.pack_lines(order) or said)
end
