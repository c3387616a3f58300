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
--   locations    how many, 0 (all the channel may sell from) to 100, then the only locations to count
--   channel, sku
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found]         another data set
--   stale_config [version]
--   unknown_channel [channel]
--   unknown_sku [sku]
--   explained [version, overflow, shelves, debts, steps, rules, spread]
--     shelves  [[location, on_hand, unavailable, held, committed, available, safety_stock, free, own, shared, borrowable,
--                open, deficit, quotas], ...] in rank order; quotas [[channel, quota, consumed, floor], ...]
--     debts    [backordered, conflict, deficits]
--     steps    [open, owed, pool, buffer, after_buffer, cutoff, max_published or -1, published]
--     rules    [[kind, place, [[scope, value], ...]], ...]: for each kind and place all rules that could speak, the winner
--              first; value is units, or [units, percent_bp] for a buffer; scope as in shared/rules.lua
--     spread   [location, units, ...]: the published number by location
-- KEEPS
--   Nothing is written; the numbers are those that availability, hold and order use.

local keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], holds = KEYS[4], owners = KEYS[5] }

--@include args
--@include gate
--@include state
--@include rules
--@include atp
--@include takes
--@include holds
--@include asking

local head = read_head()
local owner = optional('owner', ID_MAX)
local only = read_only_locations()
local channel, sku = text('channel', CODE_MAX), text('sku', SKU_MAX)

local refused = gate(head)
if refused then
  return refused
end
local view = channel_view(channel)
if not view then
  return { 'unknown_channel', cmsgpack.pack({ channel }), 0, '' }
end
if #load({ sku }) > 0 then
  return { 'unknown_sku', cmsgpack.pack({ sku }), 0, '' }
end
add_back(channel, owner)
local state = stock[sku]
local atp = promise_of(view, state, only)

local KINDS = { [SAFETY] = 'safety_stock', [BUFFER] = 'buffer', [CUTOFF] = 'cutoff', [MAX] = 'max_published' }
local rules = {}

local function explain_rule(kind, place)
  local candidates, said = candidates_of(sheets_of(sku), kind, place), {}
  for number, scope in ipairs(SCOPES) do
    if candidates[number] ~= nil then
      said[#said + 1] = { scope, candidates[number] }
    end
  end
  rules[#rules + 1] = { KINDS[kind], place, said }
end

local function explain_shelf(shelf)
  local place = state.places[shelf.code] or new_place(state, shelf.code)
  local borrowable, quotas = 0, {}
  for _, lender in ipairs(shelf.lenders) do
    borrowable = borrowable + (view.overflow == 'borrow' and lendable(lender) or 0)
  end
  for i, quota in ipairs(place.quotas) do
    quotas[i] = { quota.channel, quota.quota, quota.consumed, quota.floor }
  end
  return { shelf.code, place.on_hand, place.unavailable, place.held, place.committed, available(place), shelf.safety,
    shelf.free, shelf.own, shelf.shared, borrowable, shelf.open, place.deficit, quotas }
end

local shelves = {}
for i, shelf in ipairs(atp.shelves) do
  shelves[i] = explain_shelf(shelf)
  explain_rule(SAFETY, shelf.code)
end
for _, kind in ipairs({ BUFFER, CUTOFF, MAX }) do
  explain_rule(kind, channel)
end
local steps = { atp.open, atp.owed, atp.pool, atp.buffer, atp.after_buffer, atp.cutoff, atp.max or -1, atp.published }
local debts = { state.backordered, state.conflict, atp.owed - state.backordered - state.conflict }
local answer = { state.version, view.overflow, shelves, debts, steps, rules, spread(atp) }
return { 'explained', cmsgpack.pack(answer), 0, '' }
