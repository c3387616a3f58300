-- take_over: an order takes over holds of its channel: units are re-taken where they lie, as far as they are there.
--
-- Needs: forgotten, stock, takes, holds, pending.

-- A hold that has ended and left the store must say how it ended: the question for SQL, or nil.
function take_over.ask(head, id)
  if id ~= '' and redis.call('HEXISTS', keys.holds, id) == 0 then
    return forgotten.ask(head, 'hold', id)
  end
end

-- Nobody may change it.
local NONE = {}

-- Moves as much of one held take to the order's lines as they want and as is still there.
local function retake(lines, state, take)
  local on_hand, unavailable, _, committed = stock.buckets(state, take.location)
  local there = on_hand - unavailable - committed
  for _, line in ipairs(lines) do
    local units = line.sku == state.sku and math.min(take.units, line.left, there) or 0
    if units > 0 then
      local mine = takes.at(line.takes, take.location)
      for _, part in ipairs(takes.split_parts(take, units)) do
        takes.add_part(mine, part[1], part[2], part[3])
      end
      stock.move(state, take.location, 'held', -units)
      stock.move(state, take.location, 'committed', units)
      line.left, there = line.left - units, there - units
    end
  end
end

-- Takes over the named hold in memory, or what of it lies at `only_at`. Returns it if it was open, else nil and why not.
function take_over.take(order, hold_id, only_at)
  local hold = hold_id ~= '' and holds.read(hold_id) or nil
  if not hold then
    return nil, 'unknown'
  elseif hold.channel ~= order.channel then
    return nil, 'other_channel'
  elseif hold.state ~= 'open' then
    return nil, hold.state
  end
  stock.load(stock.skus_of(hold.skus))
  for _, entry in ipairs(hold.skus) do
    for _, take in ipairs(entry.takes) do
      if not only_at or take.location == only_at then
        retake(order.lines, stock.skus[entry.sku], take)
      end
    end
  end
  holds.end_in_memory(hold, 'ordered')
  return hold
end

-- Takes over the hold that the order was while it was pending, whatever its attempt was then (`pending_id` is the hold of
-- this attempt, or empty), and the one it names. Returns those that were open, and what became of them.
function take_over.take_all(order, named, pending_id, only_at)
  if named == '' and pending_id == '' then
    return NONE, ''
  end
  local waited = pending_id ~= '' and pending.open_id(order.channel, pending_id) or pending_id
  local first, said = take_over.take(order, waited, only_at)
  local second
  if named ~= '' and named ~= waited then
    second, said = take_over.take(order, named, only_at)
  elseif named == '' and said == 'unknown' then
    said = ''
  end
  local taken = { first }
  taken[#taken + 1] = second
  return taken, taken[1] and 'used' or said
end
