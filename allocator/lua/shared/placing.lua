-- placing: an order takes its units, by its kind; shared by all verbs that make orders.
--
-- An order here is { id, channel, external_id, kind, op, fingerprint, lines }, and with `bounds` what terms.bounds says.
-- Needs: args, gate, forgotten, stock, rules, takes, demand, tracing, promise, firm, packing, orders, gone.

local KINDS = { promise = true, firm = true, gone = true }

-- Reads whose order it is; its lines, and what else becomes of it, are to be set.
function placing.read_order(head)
  local channel, external_id = args.code('channel'), args.id('external_id')
  return { channel = channel, external_id = external_id, id = channel .. ':' .. external_id,
    kind = args.choice('kind', KINDS), op = head.op, fingerprint = head.fingerprint, lines = nil, bounds = nil,
    placed_ms = nil, rank = nil, candidates = nil, terms = nil }
end

-- rest   packed: what became of a named hold, plan, trace, versions
function placing.answer(order, state, packed_lines, rest)
  local terms = order.terms
  return packing.head(terms and 9 or 8) .. cmsgpack.pack(order.kind, state, order.placed_ms) .. packed_lines .. rest ..
    (terms and orders.pack_terms(terms) or '')
end

-- An acceptance is final for the id: another attempt hears it again.
function placing.accepted_before(head, id)
  local packed = redis.call('HGET', keys.orders, id)
  if not packed then
    return forgotten.ask(head, 'order', id)
  end
  local before = orders.unpack(id, packed)
  local answer = gate.remembered({ op = before.op, fingerprint = head.fingerprint })
  if answer then
    answer[4] = head.op
    return answer
  elseif before.fingerprint ~= head.fingerprint then
    return { 'op_conflict', cmsgpack.pack({ head.op }), 1, head.op }
  end
  -- The answer itself has been forgotten since; the order has not.
  local rest = cmsgpack.pack('', 'none', {}, {})
  return { 'placed', placing.answer(before, orders.state_of(before), orders.pack_lines(before), rest), 1, head.op }
end

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

-- Gives every line its buckets. A firm order waits for what it did not get; a partial promise forgoes it.
local function book_lines(order)
  local lines = order.lines
  for i = 1, #lines do
    local line = lines[i]
    line.committed = line.asked - line.left
    if order.kind == 'firm' then
      line.backordered = line.left
      stock.owe(stock.skus[line.sku], 'backordered', line.left)
    else
      line.cancelled = line.left
    end
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
