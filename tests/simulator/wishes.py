"""Random commands for a server: sane ones and nonsense, over so few keys that they collide."""

from random import Random
from typing import Any

PROBE = """#!lua name=probe
local function each(packed, run)
  local replies = {}
  for i, words in ipairs(cmsgpack.unpack(packed)) do
    replies[i] = run(unpack(words))
  end
  return replies
end
redis.register_function('probe_call', function(KEYS, ARGV)
  return each(ARGV[1], redis.call)
end)
redis.register_function('probe_pcall', function(KEYS, ARGV)
  return each(ARGV[1], redis.pcall)
end)
redis.register_function('probe_numbers', function(KEYS, ARGV)
  return { redis.call('HSET', KEYS[1], 'n', 12, 'm', -3, 'big', 1700000000000,
    'round', 100000000000000), redis.call('HGET', KEYS[1], 'big'),
    1.9, -1.9, true, false, 'after' }
end)
redis.register_function('probe_pack', function(KEYS, ARGV)
  local packed = {}
  for i, value in ipairs(ARGV) do
    packed[i] = cmsgpack.pack(cmsgpack.unpack(value))
  end
  return packed
end)
redis.register_function('probe_unpack', function(KEYS, ARGV)
  local heard = {}
  for i, value in ipairs(ARGV) do
    local read, found = pcall(cmsgpack.unpack, value)
    heard[i] = read and cmsgpack.pack(found) or found
  end
  return heard
end)
redis.register_function('probe_digest', function(KEYS, ARGV)
  local heard = {}
  for i, value in ipairs(ARGV) do
    heard[i] = redis.sha1hex(value)
  end
  heard[#heard + 1] = redis.sha1hex(12)
  return heard
end)
redis.register_function('probe_json', function(KEYS, ARGV)
  local heard = {}
  for i, value in ipairs(ARGV) do
    local read, found = pcall(cjson.decode, value)
    heard[i] = read and cmsgpack.pack({ type(found), found }) or 'refused'
  end
  return heard
end)
redis.register_function{ function_name = 'probe_read', flags = { 'no-writes' }, callback = function(KEYS, ARGV)
  local reply = redis.call(unpack(ARGV))
  return reply
end }
redis.register_function('probe_error', function(KEYS, ARGV)
  redis.call('SET', KEYS[1], 'written before')
  if ARGV[1] == 'text' then
    error('a reason')
  elseif ARGV[1] == 'plain' then
    error('a reason', 0)
  elseif ARGV[1] == 'table' then
    error({ err = 'ERR a table' })
  elseif ARGV[1] == 'assert' then
    assert(false, 'what must not be')
  elseif ARGV[1] == 'nil' then
    return KEYS[2].field
  elseif ARGV[1] == 'global' then
    return nowhere
  elseif ARGV[1] == 'set' then
    somewhere = 1
  elseif ARGV[1] == 'reply' then
    return { err = 'MY words' }
  elseif ARGV[1] == 'status' then
    return { ok = 'FINE' }
  elseif ARGV[1] == 'words' then
    local reply = redis.call('HSET', KEYS[1], {}, 'x')
  elseif ARGV[1] == 'none' then
    local reply = redis.call()
  elseif ARGV[1] == 'unpack' then
    local value = cmsgpack.unpack('\\193')
    return value
  end
end)
"""
"""A library through which commands and packing are tried from inside a script."""

MANY_FORMS = {"FCALL", "FUNCTION", "HSCAN", "SET", "XINFO", "XREAD", "XTRIM", "ZRANGE", "ZSCAN"}
"""Commands with forms that the shim refuses to know, so none of their words is changed."""

ERRORS = ("text", "plain", "table", "assert", "nil", "global", "set", "reply", "status", "words", "none", "unpack", "")

KEYS = {
    "hash": ("{x}:hash", "{x}:hash-2"),
    "set": ("{x}:set",),
    "zset": ("{x}:zset", "{x}:zset", "{x}:queue"),
    "stream": ("{x}:stream",),
    "string": ("{x}:string",),
}
FIELDS = [b"", b"a", b"b", b"B", b"10", b"9", b"\x00", b"\x00z", b"a\x00b", b"\xff", "ü".encode(), b"a b"]
NUMBERS = ["0", "1", "-1", "5", "007", "1.5", " 1", "1 ", "", "nan", "inf", "x", "1e3", "0x10", "12345678901"]
SCORES = ["0", "0", "1", "-1", "1.5", "2", "1700000000000", "inf", "-inf", "+inf", "0.5", "1e3", "nan", "x", "", " 1"]
BOUNDS = ["-inf", "+inf", "0", "(0", "1", "(1", "1.5", "(", "x", "1700000000000"]
LEX = ["-", "+", "[a", "(a", "[b", "(", "[", "(a\x01", "[\x00", "x", "", "(10"]
IDS = ["-", "+", "0", "1", "(1", "1-1", "(1-1", "2", "2-1", "3-0", "(3", "9", "x", "1-x", "0-0", "", "(-"]
NEW_IDS = ["1-1", "1-2", "1-*", "2", "2-*", "2-1", "3", "0-0", "0-1", "x", "1-", "9-9", "12-*", "*x"]


class Wishes:
    """Commands of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.makers = [name for name in dir(self) if name.startswith("ask_")]

    def one(self) -> list[Any]:
        """Any command; now and then a word is missing, too many, or of another kind."""
        words: list[Any] = getattr(self, self.random.choice(self.makers))()
        chance = 1.0 if words[0] in MANY_FORMS else self.random.random()
        if chance < 0.02 and len(words) > 1:
            words.pop()
        elif chance < 0.03:
            words.append("more")
        elif chance < 0.05 and len(words) > 1:
            # The first of a kind: in the queue all scores must be the same, as these two commands demand.
            kinds = [kind for kind in KEYS if not (words[0] in {"ZRANGEBYLEX", "ZLEXCOUNT"} and kind == "zset")]
            words[1] = KEYS[self.random.choice(kinds)][0]
        elif chance < 0.06:
            words[0] = str(words[0]).lower()
        return words

    def key(self, kind: str) -> str:
        return self.random.choice(KEYS[kind])

    def fields(self, most: int = 3) -> list[bytes]:
        return [self.random.choice(FIELDS) for _ in range(self.random.randint(1, most))]

    def value(self) -> bytes:
        return self.random.choice([*FIELDS, b"7", b"-7", b"9007199254000000", b"x" * 40])

    def limit(self) -> list[str]:
        if self.random.random() < 0.5:
            return []
        return [self.random.choice(["LIMIT", "limit"]), str(self.random.randint(0, 3)), str(self.random.randint(-1, 3))]

    def count(self) -> list[str]:
        return self.random.choice([[], [], ["COUNT", "1"], ["count", "2"], ["COUNT", "0"], ["COUNT", "x"], ["COUNT"]])

    # --- hashes, sets, strings ---------------------------------------------------------------------------------

    def ask_hset(self) -> list[Any]:
        return ["HSET", self.key("hash"), *(word for field in self.fields() for word in (field, self.value()))]

    def ask_hget(self) -> list[Any]:
        return ["HGET", self.key("hash"), *self.fields(1)]

    def ask_hmget(self) -> list[Any]:
        return ["HMGET", self.key("hash"), *self.fields(4)]

    def ask_hdel(self) -> list[Any]:
        return ["HDEL", self.key("hash"), *self.fields(4)]

    def ask_hexists(self) -> list[Any]:
        return ["HEXISTS", self.key("hash"), *self.fields(1)]

    def ask_hlen(self) -> list[Any]:
        return [self.random.choice(["HLEN", "HGETALL", "HKEYS"]), self.key("hash")]

    def ask_hincrby(self) -> list[Any]:
        return ["HINCRBY", self.key("hash"), *self.fields(1), self.random.choice(NUMBERS[:-1])]

    def ask_hscan(self) -> list[Any]:
        match = self.random.choice([[], [], ["MATCH", "a*"], ["MATCH", "*"]])
        return ["HSCAN", self.key("hash"), "0", *match, "COUNT", self.random.choice(["100", "100", "x", "0"])]

    def ask_sadd(self) -> list[Any]:
        return ["SADD", self.key("set"), *self.fields()]

    def ask_srem(self) -> list[Any]:
        return ["SREM", self.key("set"), *self.fields(5)]

    def ask_set(self) -> list[Any]:
        return [self.random.choice(["SMEMBERS", "SCARD"]), self.key("set")]

    def ask_sismember(self) -> list[Any]:
        return ["SISMEMBER", self.key("set"), *self.fields(1)]

    def ask_srandmember(self) -> list[Any]:
        return ["SRANDMEMBER", self.key("set"), self.random.choice(["50", "20", "0", "x", "1.5", "1000"])]

    def ask_string(self) -> list[Any]:
        return self.random.choice([["GET", self.key("string")], ["SET", self.key("string"), self.value()]])

    def ask_range(self) -> list[Any]:
        ends = [self.random.choice(["0", "1", "3", "-1", "-2", "-9", "7", "40", "x", ""]) for _ in range(2)]
        if self.random.random() < 0.5:
            return ["GETRANGE", self.key("string"), *ends]
        return ["SETRANGE", self.key("string"), self.random.choice([ends[0], "600000000"]), self.value()]

    def ask_keys(self) -> list[Any]:
        kind = self.random.choice(list(KEYS))
        word = self.random.choice(["DEL", "UNLINK", "EXISTS", "EXISTS", "TYPE", "KEYS", "PING", "NONSENSE"])
        return {"KEYS": ["KEYS", "{x}:*"], "PING": ["PING"]}.get(word, [word, self.key(kind)])

    # --- sorted sets -------------------------------------------------------------------------------------------

    def ask_zadd(self) -> list[Any]:
        pairs = [(self.random.choice(SCORES), field) for field in self.fields()]
        return ["ZADD", "{x}:zset", *(word for pair in pairs for word in pair)]

    def ask_zadd_same_score(self) -> list[Any]:
        return ["ZADD", "{x}:queue", *(word for field in self.fields(6) for word in ("0", field))]

    def ask_zrem(self) -> list[Any]:
        return ["ZREM", self.key("zset"), *self.fields(2)]

    def ask_zset(self) -> list[Any]:
        return self.random.choice(
            [
                ["ZCARD", self.key("zset")],
                ["ZSCORE", self.key("zset"), *self.fields(1)],
                ["ZMSCORE", self.key("zset"), *self.fields(2)],
                ["ZSCAN", self.key("zset"), "0"],
            ]
        )

    def ask_zrange(self) -> list[Any]:
        scores = self.random.choice([[], ["WITHSCORES"]])
        ends = [self.random.choice(["0", "1", "-1", "-2", "5", "-50", "x"]) for _ in range(2)]
        return ["ZRANGE", self.key("zset"), *ends, *scores]

    def ask_zrangebyscore(self) -> list[Any]:
        return ["ZRANGEBYSCORE", self.key("zset"), *self.random.choices(BOUNDS, k=2), *self.limit()]

    def ask_zrangebylex(self) -> list[Any]:
        return ["ZRANGEBYLEX", "{x}:queue", *self.random.choices(LEX, k=2), *self.limit()]

    def ask_zlexcount(self) -> list[Any]:
        return ["ZLEXCOUNT", "{x}:queue", *self.random.choices(LEX, k=2)]

    # --- streams -----------------------------------------------------------------------------------------------

    def ask_xadd(self) -> list[Any]:
        pairs = [word for field in self.fields() for word in (field, self.value())]
        return ["XADD", self.key("stream"), self.random.choice(NEW_IDS), *pairs]

    def ask_xrange(self) -> list[Any]:
        return [
            self.random.choice(["XRANGE", "XREVRANGE"]),
            self.key("stream"),
            *self.random.choices(IDS, k=2),
            *self.count(),
        ]

    def ask_stream(self) -> list[Any]:
        ask = self.random.choice(["XLEN", "XINFO STREAM"])
        return [*ask.split(), self.key("stream")]

    def ask_xread(self) -> list[Any]:
        return [
            "XREAD",
            "COUNT",
            self.random.choice(["1", "2", "9"]),
            "STREAMS",
            self.key("stream"),
            self.random.choice(["0", "1-1", "2", "$"]),
        ]

    def ask_xtrim(self) -> list[Any]:
        limit = self.random.choice(
            [["MAXLEN", "3"], ["MINID", "2-1"], ["MINID", "=", "1-2"], ["MAXLEN", "x"], ["MAXLEN", "-1"]]
        )
        return ["XTRIM", self.key("stream"), *limit]

    # --- the server --------------------------------------------------------------------------------------------

    def ask_function(self) -> list[Any]:
        return self.random.choice(
            [
                ["FCALL", "nowhere", "0"],
                ["FCALL", "probe_call", self.random.choice(["x", "-1", "7"])],
                ["FCALL", "probe_numbers", "1", self.key("hash")],
                ["FCALL", "probe_digest", "0", *self.fields(3)],
                ["FCALL", "probe_error", "1", self.key("string"), self.random.choice(ERRORS)],
                ["FCALL", "probe_read", "0", *self.random.choice([self.ask_hset(), self.ask_hget(), self.ask_hlen()])],
                ["FUNCTION", "DELETE", "nowhere"],
            ]
        )
