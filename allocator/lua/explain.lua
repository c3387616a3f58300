#!lua flags=no-writes
-- explain: every step of one channel's ATP for one sku, and which rule won.
--
-- KEYS
--   1 seller  hash
--   2 config  hash
--   3 stock   hash
--   4 holds   hash
--   5 owners  hash
-- ARGV
--   epoch, config, now_ms (unused, may be empty)
--   owner        empty, or whose open hold on the channel is added back
--   locations    empty: all the channel may sell from; else how many, 0 to 100, then the only locations to count
--   channel, sku
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_channel [channel]
--   unknown_sku [sku]
--   explained [version, overflow, shelves, debts, steps, rules, spread]
--     shelves  [[location, on_hand, unavailable, held, committed, available, safety_stock, free, own, shared,
--                borrowable, open, deficit, in_transit, quotas], ...] in rank order; quotas
--                [[channel, quota, consumed, floor], ...]
--     debts    [backordered, conflict, deficits]
--     steps    [open, owed, pool, buffer, after_buffer, cutoff, max_published or -1, published]
--     rules    [[kind, place, [[scope, value], ...]], ...]: for each kind and place all rules that could speak, the
--              winner first; value is units, or [units, percent_bp] for a buffer; scope as in shared/rules.lua
--     spread   [location, units, ...]: the published number by location
-- KEEPS
--   Nothing is written; the numbers are those that availability, hold and order use.

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
local channel, sku = args.code('channel'), args.sku()

local refused = gate.pass(head)
if refused then
  return refused
end
local view = rules.channel_view(channel)
if not view then
  return { 'unknown_channel', cmsgpack.pack({ channel }), 0, '' }
end
if #stock.load({ sku }) > 0 then
  return { 'unknown_sku', cmsgpack.pack({ sku }), 0, '' }
end
asking.add_back(channel, owner)
local state = stock.skus[sku]
local sums = atp.of(view, state, only)

local KINDS = { [rules.SAFETY] = 'safety_stock', [rules.BUFFER] = 'buffer', [rules.CUTOFF] = 'cutoff',
  [rules.MAX] = 'max_published' }
local choices = {}

local function explain_rule(kind, place)
  local candidates, said = rules.speakers(sku, kind, place), {}
  for number, scope in ipairs(rules.SCOPES) do
    if candidates[number] ~= nil then
      said[#said + 1] = { scope, candidates[number] }
    end
  end
  choices[#choices + 1] = { KINDS[kind], place, said }
end

local function explain_shelf(position, spot)
  local shelf, safety = atp.shelf_of(sums, position), sums.limits.safety[position]
  local borrowable, quotas, free = 0, {}, shelf.own + shelf.shared
  for _, lender in ipairs(shelf.lenders) do
    free = free + lender.units
    borrowable = borrowable + (view.overflow == 'borrow' and atp.lendable(lender) or 0)
  end
  local on_hand, unavailable, held, committed = stock.buckets(state, spot[1])
  local available, extra = stock.look(state, spot[1])
  for i, quota in ipairs(atp.quotas(extra or 0)) do
    quotas[i] = { quota.channel, quota.quota, quota.consumed, quota.floor }
  end
  return { spot[1], on_hand, unavailable, held, committed, available or 0, safety, free, shelf.own, shelf.shared,
    borrowable, shelf.open, math.max(0, -(available or 0)), stock.in_transit(extra or 0), quotas }
end

local shelves = {}
for position, spot in ipairs(view.locations) do
  if not only or only[spot[1]] then
    shelves[#shelves + 1] = explain_shelf(position, spot)
    explain_rule(rules.SAFETY, spot[1])
  end
end
for _, kind in ipairs({ rules.BUFFER, rules.CUTOFF, rules.MAX }) do
  explain_rule(kind, channel)
end
local steps = { sums.total, sums.owed, sums.pool, sums.buffer, sums.after_buffer, sums.limits.cutoff,
  sums.limits.max or -1, sums.published }
local backordered, conflict = stock.debts(state)
local debts = { backordered, conflict, sums.owed - backordered - conflict }
local answer = { stock.version(state), view.overflow, shelves, debts, steps, choices, atp.spread(sums, only) }
return { 'explained', cmsgpack.pack(answer), 0, '' }
