-- gate: what every verb asks first. The right data set? The config the caller ranked with? Done before?
--
-- Needs: args, keys.seller, and for mutating verbs keys.ops.

gate.JUMP_MS = 60000
-- The largest time that fits the 13 digits of a remembered answer: the year 2286.
local TIME_MAX = 9999999999999

-- epoch   the data set the caller means
-- config  the config version the caller ranked with, 0 before the first; '' for verbs that config does not touch
-- now_ms  '' for the server's clock; tests pass it in
function gate.read_head()
  local epoch, config = args.text('epoch', 64), args.optional('config', 16)
  return { epoch = epoch, config = config, given = args.whole_or_none('now_ms', 0, TIME_MAX), op = nil, fingerprint = nil,
    actor = nil, clock = 0, time = 0, now = 0, preview = false }
end

-- op           the call's own name
-- fingerprint  16 characters of the request's digest
-- actor        who asked
function gate.read_op(head)
  head.op = args.text('op', args.ID_MAX + args.CODE_MAX + 32)
  head.fingerprint = args.text('fingerprint', 16)
  head.actor = args.optional('actor', 128)
  if #head.fingerprint ~= 16 then
    args.complain('fingerprint', 'must be 16 bytes')
  end
  return head
end

local function server_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Sets head.now, never before the seller's clock. Returns a refusal, or nil.
function gate.enter(head)
  local seller = redis.call('HMGET', keys.seller, 'epoch', 'config', 'clock')
  if seller[1] ~= head.epoch then
    return { 'not_ready', cmsgpack.pack({ seller[1] or '' }), 0, head.op or '' }
  end
  if head.config ~= '' and (seller[2] or '0') ~= head.config then
    return { 'stale_config', cmsgpack.pack({ seller[2] or '0' }), 0, head.op or '' }
  end
  head.clock = tonumber(seller[3] or 0)
  head.time = head.given or server_ms()
  head.now = math.max(head.clock, head.time)
end

-- What this op answered before, or nil. A replay writes, so that waiting for durability after it means something.
function gate.replay(head)
  local before = redis.call('HGET', keys.ops, head.op)
  if not before then
    return nil
  end
  redis.call('HINCRBY', keys.seller, 'replays', 1)
  local word_end = before:find('\n', 30, true)
  if before:sub(14, 29) ~= head.fingerprint then
    return { 'op_conflict', cmsgpack.pack({ head.op }), 1, head.op }
  end
  return { before:sub(30, word_end - 1), before:sub(word_end + 1), 1, head.op }
end

-- The first step of every mutating verb: a refusal or an earlier answer, or nil to go on.
function gate.pass(head)
  local bad = args.wrong()
  if bad then
    return { 'invalid', cmsgpack.pack({ bad }), 0, head.op or '' }
  end
  return gate.enter(head) or (head.op and gate.replay(head)) or nil
end

-- Keeps the answer under the op: 13 digits of time, 16 bytes of fingerprint, the word, a newline, the packed answer.
function gate.remember(head, word, packed)
  redis.call('HSET', keys.ops, head.op, string.format('%013d', head.now) .. head.fingerprint .. word .. '\n' .. packed)
end

-- A decided "no" is an answer too and is remembered: a delayed retry never turns it into a forgotten "yes".
function gate.refuse(head, word, facts)
  local packed = cmsgpack.pack(facts)
  if head.op and not head.preview then
    gate.remember(head, word, packed)
  end
  return { word, packed, 0, head.op or '' }
end
