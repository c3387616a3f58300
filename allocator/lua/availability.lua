#!lua flags=no-writes
-- availability: what channels may promise of skus now.
--
-- KEYS
--   1 seller  hash
--   2 config  hash
--   3 stock   hash
--   4 holds   hash
--   5 owners  hash
-- ARGV
--   epoch, config, now_ms (unused, may be empty)
--   owner        empty, or whose open holds are added back, per channel
--   locations    empty: all the channel may sell from; else how many, 0 to 100, then the only locations to count
--   channels     how many, 1 to 100, then their codes
--   skus         how many, 1 to 100, then the skus
--   overlay      how many, 0 to 1000, then for each: a config field, and the value it is to have (empty: none)
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]
--   frozen [sku, evidence]          never: it counts as none
--   checking [sku]                  not opened yet after a restart
--   unknown_channel [channel]
--   available [sku, version, atp_now, published, atp_now, published, ..., sku, version, ...]
--     one pair per channel in the order asked; version -1 and zeros for a sku that does not exist, -2 for one that is frozen
-- KEEPS
--   Nothing is written.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], holds = KEYS[4], owners = KEYS[5] }

--@include args
--@include gate
--@include stock
--@include rules
--@include atp
--@include takes
--@include holds
--@include asking

local head = gate.read_head()
local owner = args.optional('owner', args.ID_MAX)
local only = asking.read_only_locations()
local channels, skus = {}, {}
for i = 1, args.whole('channels', 1, 100) do
  channels[i] = args.code('channel')
end
for i = 1, args.whole('skus', 1, 100) do
  skus[i] = args.sku()
end

asking.read_overlay()

local refused = gate.pass(head)
if refused then
  return refused
end

-- A frozen sku may not be promised, and says so; one that has yet to be checked may be fine in a moment.
local frozen, open = {}, {}
for _, closed in ipairs(gate.closed(skus)) do
  if closed[1] == 'checking' then
    gate.stop(closed[1], closed[2])
  end
  frozen[closed[2][1]] = true
end
for _, sku in ipairs(skus) do
  if not frozen[sku] then
    open[#open + 1] = sku
  end
end

rules.fetch(channels[1], skus)
stock.load(open)
local levels, width = {}, 2 + 2 * #channels
for n, channel in ipairs(channels) do
  local view = rules.channel_view(channel)
  if not view then
    return { 'unknown_channel', cmsgpack.pack({ channel }), 0, '' }
  end
  local restore = asking.add_back(channel, owner)
  local states = stock.skus
  for i, sku in ipairs(skus) do
    local state, at = states[sku], (i - 1) * width + 2 * n
    if n == 1 then
      levels[at - 1], levels[at] = sku, state and stock.version(state) or frozen[sku] and -2 or -1
    end
    if state then
      levels[at + 1], levels[at + 2] = atp.numbers(view, state, only)
    else
      levels[at + 1], levels[at + 2] = 0, 0
    end
  end
  if restore then
    stock.begin()
    stock.load(open)
  end
end
return { 'available', cmsgpack.pack(levels), 0, '' }
