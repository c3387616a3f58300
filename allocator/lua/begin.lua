#!lua
-- begin: mark an empty seller's keys as belonging to a data set. Every other verb demands that mark.
--
-- KEYS
--   1 seller  hash
--   2 stock   hash
--   3 ledger  stream
-- ARGV
--   epoch        the new data set's name
-- RETURNS, first match wins
--   invalid [what]
--   not_ready [epoch found, why]   there are data already, of this or another data set; '' when they carry no mark
--   begun [epoch]             marked now, or marked so before and still without stock
-- KEEPS
--   Data that exist are never adopted by accident.

keys = { seller = KEYS[1], stock = KEYS[2], ledger = KEYS[3] }

--@include args

local epoch = args.text('epoch', 64)
local bad = args.wrong()
if bad then
  return { 'invalid', cmsgpack.pack({ bad }), 0, '' }
end
local found = redis.call('HGET', keys.seller, 'epoch')
local empty = redis.call('EXISTS', keys.stock, keys.ledger) == 0
if found ~= epoch and (found or not empty) then
  return { 'not_ready', cmsgpack.pack({ found or '', '' }), 0, '' }
end

redis.call('HSET', keys.seller, 'epoch', epoch)
return { 'begun', cmsgpack.pack({ epoch }), 0, '' }
