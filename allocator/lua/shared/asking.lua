-- asking: what the read-only verbs share.
--
-- Needs: args, stock, takes, holds.

-- The only locations to count as { [code] = true }, or nil for all.
function asking.read_only_locations()
  local only, any = {}, false
  for _ = 1, args.whole('locations', 0, 100) do
    only[args.code('location')] = true
    any = true
  end
  return any and only or nil
end

-- Gives the owner's open hold on this channel back in memory. Returns true when the states were touched.
function asking.add_back(channel, owner)
  local id = owner ~= '' and redis.call('HGET', keys.owners, channel .. ':' .. owner)
  local hold = id and holds.read(id)
  if not hold then
    return false
  end
  stock.load(holds.skus_of(hold))
  holds.end_in_memory(hold, 'released')
  for _, state in pairs(stock.skus) do
    for _, place in pairs(state.places) do
      place.deficit = math.max(0, -stock.available(place))
    end
  end
  return true
end
