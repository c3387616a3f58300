#!lua flags=allow-oom
-- expire: end the holds whose time is over. Run every second; a hold counts until this has run.
--
-- The clock is judged here: when it went more than 60 s further than the caller's own (monotonic) time since its
-- last run, nothing expires until the clock is back within 60 s of where it should be, or somebody accepts it.
--
-- KEYS
--   1 seller     hash
--   2 stock      hash
--   3 ledger     stream
--   4 servable   set
--   5 holds      hash
--   6 owners     hash
--   7 deadlines  zset
-- ARGV
--   epoch, config (always empty), now_ms
--   elapsed_ms     since this caller's last run by its monotonic clock; empty on its first run, which expires nothing
--   accept         1: take the clock as it is, end a pause
--   limit          most holds to end, 1 to 100; fewer end when they are large, so that one run stays short
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]    another data set
--   stale_config [version]          never: this verb names no config
--   frozen [sku, evidence]          never: its holds stay
--   checking [sku]                  never: its holds stay
--   paused [jump_ms]
--   expired [[hold_id, ...], more]  more: 1 when it should be run again at once
-- KEEPS
--   Every unit goes back to where it was taken from; a hold ends exactly once, and never before its deadline.

keys = { seller = KEYS[1], stock = KEYS[2], ledger = KEYS[3], servable = KEYS[4], holds = KEYS[5],
  owners = KEYS[6], deadlines = KEYS[7] }

--@include args
--@include gate
--@include stock
--@include takes
--@include holds
--@include write

-- Most skus one run touches, a single larger hold aside.
local LINES_MAX = 1500
-- Most overdue holds of closed skus that are passed over.
local CLOSED_MAX = 1000

local head = gate.read_head()
local elapsed = args.whole_or_none('elapsed_ms', 0, 1e12)
local accept = args.whole('accept', 0, 1) == 1
local limit = args.whole('limit', 1, 100)

local refused = gate.pass(head)
if refused then
  return refused
end

-- Where the clock should be: where verbs have followed it to, or in a pause where it was judged last, plus the time that
-- really passed.
local judged = redis.call('HGET', keys.seller, 'judged')
local paused = redis.call('HGET', keys.seller, 'paused')
local expected = (paused and tonumber(judged) or head.clock) + (elapsed or 0)
local first = not judged or (not elapsed and not paused)
local jump = head.time - expected

if accept or first or jump <= gate.JUMP_MS then
  redis.call('HSET', keys.seller, 'clock', string.format('%.0f', head.now), 'judged', string.format('%.0f', head.now))
  head.clock = head.now
  if paused then
    redis.call('HDEL', keys.seller, 'paused')
  end
else
  redis.call('HSET', keys.seller, 'judged', string.format('%.0f', expected), 'paused', string.format('%.0f', jump))
  return { 'paused', cmsgpack.pack({ jump }), 0, '' }
end
if first and not accept then
  return { 'expired', cmsgpack.pack({ {}, 0 }), 0, '' }
end

-- Holds of skus that are closed stay, and must not keep those behind them from ending.
local looks = gate.mode and limit + CLOSED_MAX or limit
local due = redis.call('ZRANGEBYSCORE', keys.deadlines, '-inf', string.format('%.0f', head.now), 'LIMIT', 0, looks)
local ended, ended_ids, packed, records, lines, closed = {}, {}, {}, {}, 0, 0
for _, hold_id in ipairs(due) do
  local hold = holds.read(hold_id)
  local skus = stock.skus_of(hold.skus)
  if gate.closed(skus)[1] then
    closed = closed + 1
  else
    lines = lines + #skus
    if #ended == limit or (lines > LINES_MAX and #ended > 0) then
      break
    end
    stock.load(skus)
    holds.end_in_memory(hold, 'expired')
    ended[#ended + 1], ended_ids[#ended_ids + 1], packed[#packed + 1] = hold, hold_id, holds.pack(hold)
  end
end
local more = #ended > 0 and (#ended == limit or #ended + closed < #due)
local answer = cmsgpack.pack({ ended_ids, more and 1 or 0 })
if #ended == 0 then
  return { 'expired', answer, 0, '' }
end

local sealed = write.seal()
for i, hold in ipairs(ended) do
  records[i] = holds.write_ended(hold, packed[i])
end
return write.commit(head, 'expire', '', sealed, records, 'expired', answer)
