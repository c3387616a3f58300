-- asking: what the read-only verbs share.
--
-- Needs: args, gate, stock, rules, takes, holds.

-- The only locations to count as { [code] = true }, or nil for all.
function asking.read_only_locations()
  local count = args.whole_or_none('locations', 0, 100)
  if not count then
    return nil
  end
  local only = {}
  for _ = 1, count do
    only[args.code('location')] = true
  end
  return only
end

-- Fields of the config that are to count as other values, in this call.
function asking.read_overlay()
  for _ = 1, args.whole('overlay', 0, 1000) do
    rules.lay_over(args.text('field', args.SKU_MAX + 16), args.bytes())
  end
end

local MODES = { take = true, preview = true }

-- Whether a demand is a preview only; reads what is to count for it.
function asking.read_mode()
  local is_preview = args.choice('mode', MODES) == 'preview'
  if is_preview then
    asking.read_overlay()
  end
  return is_preview
end

-- Gives the owner's open hold on this channel back in memory, unless skus of it are closed. Returns true when the states
-- were touched.
function asking.add_back(channel, owner)
  local id = owner ~= '' and redis.call('HGET', keys.owners, channel .. ':' .. owner)
  local hold = id and holds.read(id)
  if not hold then
    return false
  end
  local skus = stock.skus_of(hold.skus)
  if gate.closed(skus)[1] then
    return false
  end
  stock.load(skus)
  holds.end_in_memory(hold, 'released')
  return true
end
