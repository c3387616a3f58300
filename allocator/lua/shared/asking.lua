-- asking: what the read-only verbs share.
--
-- Needs: args, state, takes, holds.

-- The only locations to count as { [code] = true }, or nil for all.
local function read_only_locations()
  local only, any = {}, false
  for _ = 1, whole('locations', 0, 100) do
    only[text('location', CODE_MAX)] = true
    any = true
  end
  return any and only or nil
end

-- Gives the owner's open hold on this channel back in memory. Returns true when the states were touched.
local function add_back(channel, owner)
  local id = owner ~= '' and redis.call('HGET', keys.owners, channel .. ':' .. owner)
  local hold = id and read_hold(id)
  if not hold then
    return false
  end
  load(skus_of_hold(hold))
  end_hold(hold, 'released')
  for _, state in pairs(stock) do
    for _, place in pairs(state.places) do
      place.deficit = math.max(0, -available(place))
    end
  end
  return true
end
