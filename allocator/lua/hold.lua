#!lua
-- hold: claim units for a limited time; all lines or none, or what there is when partial.
--
-- An owner has one open hold per channel: his units count for the new one, which replaces the old one when it is
-- made; when it is refused, the old one stays. An order whose payment or check is pending is a hold too, see
-- shared/pending.lua.
--
-- KEYS
--   1 seller     hash
--   2 config     hash
--   3 stock      hash
--   4 ops        hash
--   5 ledger     stream
--   6 servable   set
--   7 holds      hash
--   8 owners     hash
--   9 deadlines  zset
--  10 forgotten  string
--  11 orders     hash
-- ARGV
--   epoch, config, now_ms, op, fingerprint, actor
--   hold_id, channel
--   owner          may be empty
--   replaces       a hold of the channel that is replaced when its owner has none; may be empty
--   ttl_ms         1 to 10^10
--   partial        0 or 1 (promise only)
--   claims         promise: what may be promised; firm: what a firm order would get, never refused; none: nothing yet
--   external_id    of the order it is for; empty: of none
--   reason, order_kind, order_fingerprint   of that order: what is pending, promise or firm, what it will be placed with
--   terms          JSON of what that order asks for besides units, see shared/terms.lua; empty: nothing. Kept with it; of
--     all this only the split limit binds the hold
--   candidates     JSON, best first: [location, tie, location, tie, ...], up to 15 locations
--   lines          how many, 1 to 1500, then for each: line, sku, units (1 to 10^9)
-- RETURNS, first match wins
--   invalid [what]                  nonsense; not remembered
--   not_ready [epoch found, why]    another data set; not remembered
--   stale_config [version]          not remembered
--   op_conflict [op]                this id was another request
--   ask_history [op, hold or order; its id]   it may have left for SQL; not remembered
--   accepted [order_id]             the order it is for has been accepted
--   frozen [sku, evidence]          its records contradict each other; not remembered
--   checking [sku]                  not opened yet after a restart; not remembered
--   unknown_channel [channel]
--   unknown_sku [sku, ...]
--   short [[line, sku, units, atp_now], ...]
--   unroutable [split_limit, [[line, sku, units, atp_now], ...], trace]
--   held [deadline_ms, [[line, sku, units, held], ...], [[sku, takes], ...], plan, trace, replaced id, versions]
-- KEEPS
--   Nobody holds beyond ATP; the held units of a sku at a location are the sum of its open holds' takes there.

keys = { seller = KEYS[1], config = KEYS[2], stock = KEYS[3], ops = KEYS[4], ledger = KEYS[5], servable = KEYS[6],
  holds = KEYS[7], owners = KEYS[8], deadlines = KEYS[9], forgotten = KEYS[10], orders = KEYS[11] }

--@include args
--@include gate
--@include forgotten
--@include stock
--@include rules
--@include atp
--@include takes
--@include drawing
--@include route
--@include demand
--@include planning
--@include tracing
--@include promise
--@include firm
--@include terms
--@include packing
--@include holds
--@include pending
--@include write

local head = gate.read_op(gate.read_head())
local hold = { id = args.id('hold_id'), channel = args.code('channel'), owner = args.optional('owner', args.ID_MAX),
  state = 'open', skus = {}, deadline_ms = 0 }
local replaces = args.optional('replaces', args.ID_MAX)
local ttl_ms = args.whole('ttl_ms', 1, 1e10)
local partial = args.whole('partial', 0, 1) == 1
local claims = args.choice('claims', { promise = true, firm = true, none = true })
local order = pending.read()
local asked = terms.read()
local candidates = demand.read_candidates()
local lines = demand.read_lines()

local refused = gate.pass(head)
if refused then
  return refused
end
if redis.call('HEXISTS', keys.holds, hold.id) == 1 then
  -- Made under another op; making it again would leave the first one's units held for ever.
  return { 'op_conflict', cmsgpack.pack({ head.op }), 0, head.op }
end
refused = forgotten.ask(head, 'hold', hold.id)
if order and not refused then
  refused = pending.refuse_accepted(head, hold.channel .. ':' .. order[1])
end
if refused then
  return refused
end
local skus = stock.skus_of(lines)
rules.fetch(hold.channel, skus)
local view = rules.channel_view(hold.channel)
if not view then
  return gate.refuse(head, 'unknown_channel', { hold.channel })
end
local unknown = stock.load(skus)
if #unknown > 0 then
  return gate.refuse(head, 'unknown_sku', unknown)
end

-- The open hold that makes room: the owner's own, else the one that is named.
local function making_room()
  local id = hold.owner ~= '' and redis.call('HGET', keys.owners, holds.owner_field(hold)) or replaces
  local found = id ~= '' and holds.read(id) or nil
  return found and found.state == 'open' and found.channel == hold.channel and found or nil
end

-- Takes what is claimed, in memory. Returns a refusal's word and facts, or nil, nil and the plan's name.
local function claim(needs)
  local bounds = asked and { limit = terms.limit_of(asked, skus) }
  if claims == 'promise' then
    return promise.take(lines, needs, candidates, view, 'held', partial, bounds)
  end
  return nil, nil, claims == 'firm' and firm.take(lines, needs, candidates, view, 'held', false, bounds) or 'none'
end

local old = making_room()
if old then
  stock.load(stock.skus_of(old.skus))
  holds.end_in_memory(old, 'replaced')
end

local needs = demand.needs_of(lines, view)
local word, facts, plan = claim(needs)
if word then
  return gate.refuse(head, word, facts)
end

local held_rows, takes_by_sku = {}, {}
for i, line in ipairs(lines) do
  held_rows[i] = { line.line, line.sku, line.asked, line.asked - line.left }
  local entry = takes_by_sku[line.sku]
  if not entry then
    entry = { sku = line.sku, takes = {} }
    takes_by_sku[line.sku] = entry
    hold.skus[#hold.skus + 1] = entry
  end
  for _, take in ipairs(line.takes) do
    local merged = takes.at(entry.takes, take.location)
    for _, part in ipairs(take.parts) do
      takes.add_part(merged, part[1], part[2], part[3])
    end
  end
end
hold.deadline_ms = head.now + ttl_ms
hold.order = order and pending.of(order, partial, candidates, held_rows, asked)

local trace = tracing.of(candidates, lines, needs, view, claims ~= 'firm')
local sealed = write.seal()
local sku_rows = {}
for i, entry in ipairs(hold.skus) do
  sku_rows[i] = { entry.sku, takes.pack(entry.takes) }
end
local packed = holds.pack(hold)
local replaced = old and old.id or ''
local answer = cmsgpack.pack({ hold.deadline_ms, held_rows, sku_rows, plan, trace, replaced, sealed.versions })
local records = { { 'hold:' .. hold.id, packed } }
local old_packed = old and holds.pack(old)

if old then
  table.insert(records, 1, holds.write_ended(old, old_packed))
end
redis.call('HSET', keys.holds, hold.id, packed)
holds.index(hold)
return write.commit(head, 'hold', '', sealed, records, 'held', answer)
