-- gate: what every verb asks first. The right data set? Open? The config the caller ranked with? Done before?
--
-- In the seller's hash
--   gate        none: open; frozen: open but for some skus; checking: skus are opened one by one; shut: nothing runs
--   why         of a gate that is shut
--   opened      while checking: every sku up to this one, by bytes, is open
--   sku:<sku>   empty: opened before its turn; else why it is frozen
--
-- Needs: args, forgotten, keys.seller, and for verbs with an op keys.ops.

gate.JUMP_MS = 60000
-- The largest time that fits the 13 digits of a remembered answer: the year 2286.
local TIME_MAX = 9999999999999

-- epoch   the data set the caller means
-- config  the config version the caller ranked with, 0 before the first; '' for verbs that config does not touch
-- now_ms  '' for the server's clock; tests pass it in
function gate.read_head()
  local epoch, config = args.text('epoch', 64), args.optional('config', 16)
  gate.mode, gate.op = nil, nil
  return { epoch = epoch, config = config, given = args.whole_or_none('now_ms', 0, TIME_MAX), op = nil, fingerprint = nil,
    actor = nil, asked = '', forgotten = 0, clock = 0, time = 0, now = 0, preview = false }
end

-- op           the call's own name
-- fingerprint  16 characters of the request's digest; behind them what SQL was asked about and does not know: a for
--              the op's answer, h for a hold, o for an order
-- actor        who asked
function gate.read_op(head)
  head.op = args.text('op', args.ID_MAX + args.CODE_MAX + 32)
  local given = args.text('fingerprint', 19)
  head.fingerprint, head.asked = given:sub(1, 16), given:sub(17)
  head.actor = args.optional('actor', 128)
  gate.op = head.op
  if #given < 16 or head.asked ~= '' and not head.asked:find('^a?h?o?$') then
    args.complain('fingerprint', 'must be 16 bytes, and letters for what SQL does not know')
  end
  return head
end

local function server_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function not_ready(epoch, why)
  return { 'not_ready', cmsgpack.pack({ epoch or '', why }), 0, gate.op or '' }
end

local function set_time(head, clock)
  head.clock = tonumber(clock or 0)
  head.time = head.given or server_ms()
  head.now = math.max(head.clock, head.time)
end

-- Sets head.now, never before the seller's clock. Returns a refusal, or nil.
function gate.enter(head)
  local seller = redis.call('HMGET', keys.seller, 'epoch', 'config', 'clock', 'gate', 'forgotten')
  if seller[1] ~= head.epoch then
    return not_ready(seller[1], '')
  end
  if seller[4] == 'shut' then
    return not_ready(seller[1], redis.call('HGET', keys.seller, 'why') or '')
  end
  if head.config ~= '' and (seller[2] or '0') ~= head.config then
    return { 'stale_config', cmsgpack.pack({ seller[2] or '0' }), 0, head.op or '' }
  end
  gate.mode, head.forgotten = seller[4], tonumber(seller[5] or 0)
  set_time(head, seller[3])
end

-- For the verbs that work the gate itself: a refusal, or nil when it is the right data set, be it open or not.
function gate.pass_shut(head)
  local bad = args.wrong()
  if bad then
    return { 'invalid', cmsgpack.pack({ bad }), 0, head.op or '' }
  end
  local seller = redis.call('HMGET', keys.seller, 'epoch', 'clock', 'forgotten')
  head.forgotten = tonumber(seller[3] or 0)
  set_time(head, seller[2])
  return seller[1] ~= head.epoch and not_ready(seller[1], '') or nil
end

-- Lua compares text as the server's language sorts it; those who open skus in order go by bytes.
local function is_after(sku, other)
  for i = 1, math.min(#sku, #other) do
    local a, b = sku:byte(i), other:byte(i)
    if a ~= b then
      return a > b
    end
  end
  return #sku > #other
end

-- Those of these skus that no verb may touch now: { { 'frozen', { sku, evidence } } or { 'checking', { sku } }, ... }
function gate.closed(skus)
  local closed = {}
  if not gate.mode or #skus == 0 then
    return closed
  end
  local fields = {}
  for i, sku in ipairs(skus) do
    fields[i] = 'sku:' .. sku
  end
  local found = redis.call('HMGET', keys.seller, unpack(fields))
  local opened = gate.mode == 'checking' and (redis.call('HGET', keys.seller, 'opened') or '')
  for i, sku in ipairs(skus) do
    if found[i] and found[i] ~= '' then
      closed[#closed + 1] = { 'frozen', { sku, found[i] } }
    elseif opened and not found[i] and is_after(sku, opened) then
      closed[#closed + 1] = { 'checking', { sku } }
    end
  end
  return closed
end

-- Whether this run of the server is being checked and the sku is not open yet.
function gate.is_unchecked(run, sku)
  local found = redis.call('HMGET', keys.seller, 'gate', 'run', 'opened', 'sku:' .. sku)
  local waits = not found[4] and is_after(sku, found[3] or '')
  return found[1] == 'checking' and found[2] == run and (waits or (found[4] or '') ~= '')
end

-- The fields of skus in the seller's hash, those that are frozen apart from those that were opened.
local function fields_of_skus()
  local frozen, opened, all = {}, {}, redis.call('HGETALL', keys.seller)
  for i = 1, #all, 2 do
    if all[i]:sub(1, 4) == 'sku:' then
      local list = all[i + 1] == '' and opened or frozen
      list[#list + 1] = all[i]
    end
  end
  return frozen, opened
end

local function forget_opened(opened)
  redis.call('HDEL', keys.seller, 'opened')
  for _, field in ipairs(opened) do
    redis.call('HDEL', keys.seller, field)
  end
end

-- This run of the server has yet to be checked: every sku is closed until `open` names it. What is shut stays shut.
function gate.check_all(run)
  local _, opened = fields_of_skus()
  forget_opened(opened)
  redis.call('HSET', keys.seller, 'run', run)
  if redis.call('HGET', keys.seller, 'gate') ~= 'shut' then
    redis.call('HSET', keys.seller, 'gate', 'checking')
  end
end

-- All is open that is not frozen.
function gate.open_all()
  local frozen, opened = fields_of_skus()
  forget_opened(opened)
  if #frozen > 0 then
    redis.call('HSET', keys.seller, 'gate', 'frozen')
  else
    redis.call('HDEL', keys.seller, 'gate')
  end
end

-- Why a sku is frozen; '' when it is not.
function gate.evidence(sku)
  return redis.call('HGET', keys.seller, 'sku:' .. sku) or ''
end

-- Freezes a sku, or with no evidence thaws it.
function gate.freeze(sku, evidence)
  local mode = redis.call('HGET', keys.seller, 'gate')
  if evidence == '' and mode ~= 'checking' then
    redis.call('HDEL', keys.seller, 'sku:' .. sku)
  else
    -- While skus are checked one that is thawed has been looked at: it is open.
    redis.call('HSET', keys.seller, 'sku:' .. sku, evidence)
  end
  if not mode then
    redis.call('HSET', keys.seller, 'gate', 'frozen')
  elseif mode == 'frozen' and evidence == '' then
    gate.open_all()
  end
end

-- Ends the verb here and now with this reply; only before anything is written.
function gate.stop(word, facts)
  error({ stopped = { word, cmsgpack.pack(facts), 0, gate.op or '' } }, 0)
end

-- While skus are checked nobody can know yet that something never was: the store may have lost it.
function gate.need_checked()
  if gate.mode == 'checking' then
    gate.stop('checking', { '' })
  end
end

-- Runs a verb, which `stop` may end.
function gate.run(verb, KEYS, ARGV)
  local done, reply = pcall(verb, KEYS, ARGV)
  if done then
    return reply
  end
  if type(reply) == 'table' and reply.stopped then
    return reply.stopped
  end
  error(reply, 0)
end

-- What tells of an earlier effect writes, so that waiting for durability after it means something.
function gate.touch()
  redis.call('HINCRBY', keys.seller, 'replays', 1)
end

-- What this op answered before, or nil.
function gate.remembered(head)
  local before = redis.call('HGET', keys.ops, head.op)
  if not before then
    return nil
  end
  gate.touch()
  local word_end = before:find('\n', 30, true)
  if before:sub(14, 29) ~= head.fingerprint then
    return { 'op_conflict', cmsgpack.pack({ head.op }), 1, head.op }
  end
  return { before:sub(30, word_end - 1), before:sub(word_end + 1), 1, head.op }
end

-- What this op answered before, or the question for SQL when the answer may have left the store, or nil.
function gate.replay(head)
  return gate.remembered(head) or forgotten.ask(head, 'op', head.op)
end

-- The first step of every mutating verb: a refusal or an earlier answer, or nil to go on.
function gate.pass(head)
  local bad = args.wrong()
  if bad then
    return { 'invalid', cmsgpack.pack({ bad }), 0, head.op or '' }
  end
  return gate.enter(head) or (head.op and gate.replay(head)) or nil
end

-- The verb's time, in 13 digits.
function gate.stamp(head)
  return string.format('%013d', head.now)
end

-- Keeps the answer under the op: 13 digits of time, 16 bytes of fingerprint, the word, a newline, the packed answer.
function gate.remember(head, word, packed)
  redis.call('HSET', keys.ops, head.op, gate.stamp(head) .. head.fingerprint .. word .. '\n' .. packed)
end

-- A decided "no" is an answer too and is remembered: a delayed retry never turns it into a forgotten "yes".
function gate.refuse(head, word, facts)
  local packed = cmsgpack.pack(facts)
  if head.op and not head.preview then
    gate.remember(head, word, packed)
  end
  return { word, packed, 0, head.op or '' }
end
