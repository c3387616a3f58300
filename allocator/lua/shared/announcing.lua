-- announcing: what is said to come back before it does.
--
-- An order keeps its announced returns, the first the first; each line of one has the units that are announced of it with
-- that return as a whole, and those that have arrived. What is announced and has not arrived is expected: on every line
-- of the order at most what was shipped and has not come back. Goods that come with another return, or with none, may be
-- those that were announced: what can come no more counts as arrived.
-- Needs: gate, orders.

-- Most returns that may be announced of one order.
local RETURNS_MAX = 100

-- The return of this id, or nil.
function announcing.find(order, return_id)
  for _, announced in ipairs(order.announced or {}) do
    if announced.id == return_id then
      return announced
    end
  end
end

-- The return of this id; a new one has not been announced yet.
local function find_or_add(order, return_id)
  local found = announcing.find(order, return_id)
  if not found then
    found = { id = return_id, revision = 0, due = 0, location = '', why = '', lines = {} }
    order.announced = order.announced or {}
    table.insert(order.announced, found)
  end
  return found
end

-- The line of a return, added when it is not there.
local function line_of(announced, name, sku)
  for _, line in ipairs(announced.lines) do
    if line.line == name then
      return line
    end
  end
  local line = { line = name, sku = sku, units = 0, arrived = 0 }
  table.insert(announced.lines, line)
  return line
end

-- Units of an order's line that are expected, over all returns.
local function expected_of(order, name)
  local units = 0
  for _, announced in ipairs(order.announced) do
    for _, line in ipairs(announced.lines) do
      units = units + (line.line == name and orders.expected(line) or 0)
    end
  end
  return units
end

-- Of an order's line this many units fewer are expected; those of the first return go first.
local function expect_fewer(order, name, units)
  for _, announced in ipairs(order.announced) do
    for _, line in ipairs(announced.lines) do
      if line.line == name then
        local some = math.min(units, orders.expected(line))
        line.arrived, units = line.arrived + some, units - some
      end
    end
  end
end

-- Goods of these lines have been booked as this return, '' for one without a name.
function announcing.arrive(order, lines, return_id)
  if return_id ~= '' then
    local announced = find_or_add(order, return_id)
    for _, came in ipairs(lines) do
      local line = line_of(announced, came.line, came.sku)
      line.arrived = line.arrived + came.units
    end
  end
  if order.announced then
    for _, came in ipairs(lines) do
      local sold = orders.find_line(order, came.line)
      local excess = expected_of(order, came.line) - (sold.shipped - sold.returned)
      expect_fewer(order, came.line, math.max(0, excess))
    end
  end
end

-- A refusal of an announcement that is not newer than the last one, or of one return too many, or nil.
function announcing.refuse(head, order, said)
  local before = announcing.find(order, said.id)
  if before and said.revision <= before.revision then
    return gate.refuse(head, 'superseded', { said.id, before.revision })
  end
  if not before and #(order.announced or {}) >= RETURNS_MAX then
    return { 'invalid', cmsgpack.pack({ 'an order has at most 100 announced returns' }), 0, head.op }
  end
end

-- A return is to be this from now on: `said` has its revision, due, location and why, and units by line of the order.
-- What has arrived stays. Returns it.
function announcing.announce(order, said)
  local announced, kept = find_or_add(order, said.id), {}
  announced.revision, announced.due, announced.location, announced.why = said.revision, said.due, said.location, said.why
  for _, line in ipairs(announced.lines) do
    line.units = 0
  end
  for _, want in ipairs(said.lines) do
    line_of(announced, want.line, orders.find_line(order, want.line).sku).units = want.units
  end
  for _, line in ipairs(announced.lines) do
    if line.units + line.arrived > 0 then
      kept[#kept + 1] = line
    end
  end
  announced.lines = kept
  return announced
end

-- A refusal when more is expected of any line than can come back, or nil.
function announcing.refuse_too_many(head, order)
  local rows = {}
  for _, line in ipairs(order.lines) do
    local units, left = expected_of(order, line.line), line.shipped - line.returned
    if units > left then
      rows[#rows + 1] = { line.line, units, left }
    end
  end
  return #rows > 0 and gate.refuse(head, 'too_many_returns', rows) or nil
end
