"""The shim answers as a real server does, command by command and verb by verb, and keeps the same data."""

from random import Random
from typing import Any

import msgpack
import pytest

from tests.allocator.raw import RANKINGS
from tests.simulator.pipe import Client, Network
from tests.simulator.sameness import comparable
from tests.simulator.store import Store
from tests.simulator.wishes import ERRORS, PROBE, Wishes

BATCH = 100
COMMANDS = 100_000
VALUES = 100_000


@pytest.fixture
async def pair(redis):
    """An empty server and an empty shim, both with the probe."""
    shim = Client(Network(Store()))
    for client in (redis, shim):
        await client.function_load(PROBE, replace=True)
    yield redis, shim
    await redis.function_flush()


async def ask(client: Any, commands: list[list[Any]]) -> list[Any]:
    """Their replies as redis-py has read them from the wire, errors among them."""
    pipe = client.pipeline(transaction=False)
    # Unknown to redis-py's readers by this spelling, so nothing is made of the reply.
    pipe.response_callbacks = {}
    for words in commands:
        pipe.execute_command(*words)
    if isinstance(client, Client):
        replies = await client.network.ask("PIPELINE", commands)
        pipe.command_stack = []
        return replies
    return await pipe.execute(raise_on_error=False)


def through_script(random: Random, commands: list[list[Any]]) -> list[list[Any]]:
    """The same commands asked from inside scripts, a few in each."""
    asked = []
    while commands:
        count = random.randint(1, 5)
        few, commands = commands[:count], commands[count:]
        packed = msgpack.packb(
            [[str(word) if isinstance(word, int) else word for word in one] for one in few], use_bin_type=False
        )
        asked.append(["FCALL", random.choice(["probe_call", "probe_pcall"]), "0", packed])
    return asked


async def same(pair: Any, commands: list[list[Any]]) -> list[Any]:
    """Ask both; each reply must be the same. Returns the server's."""
    ours, theirs = await ask(pair[1], commands), await ask(pair[0], commands)
    for words, our, their in zip(commands, ours, theirs, strict=True):
        assert comparable(words, our) == comparable(words, their), words
    return theirs


async def same_data(pair: Any) -> None:
    names = ["{x}:hash", "{x}:hash-2", "{x}:set", "{x}:zset", "{x}:queue", "{x}:stream", "{x}:string"]
    kinds = await same(pair, [["TYPE", name] for name in names])
    readers = {b"hash": "HGETALL", b"set": "SMEMBERS", b"string": "GET"}
    asked: list[list[Any]] = [[readers[kind], name] for name, kind in zip(names, kinds, strict=True) if kind in readers]
    asked += [
        ["ZRANGE", name, "0", "-1", "WITHSCORES"] for name, kind in zip(names, kinds, strict=True) if kind == b"zset"
    ]
    asked += [["XRANGE", name, "-", "+"] for name, kind in zip(names, kinds, strict=True) if kind == b"stream"]
    await same(pair, asked)


@pytest.mark.parametrize("inside", [False, True], ids=["commands", "commands inside scripts"])
async def test_any_sequence_of_commands_has_the_same_replies_and_leaves_the_same_data(pair, inside):
    wishes = Wishes(7 + inside)

    for _ in range(COMMANDS // BATCH // 2):
        commands = [wishes.one() for _ in range(BATCH)]
        await same(pair, through_script(wishes.random, commands) if inside else commands)
        await same_data(pair)


@pytest.mark.parametrize("problem", ERRORS)
async def test_an_error_in_a_script_reads_the_same_and_leaves_what_was_written_before(pair, problem):
    await same(pair, [["FCALL", "probe_error", "1", "{x}:string", problem]])

    assert await same(pair, [["GET", "{x}:string"]]) == [b"written before"]


async def test_numbers_a_script_passes_and_returns_are_cut_to_the_same_text(pair):
    [reply] = await same(pair, [["FCALL", "probe_numbers", "1", "{x}:hash"]])

    assert reply == [4, b"1700000000000", 1, -1, 1, None, b"after"]
    await same_data(pair)


async def test_any_value_is_packed_byte_for_byte_as_the_server_does(pair):
    random = Random(11)
    values = [msgpack.packb(packed_value(random, 4), use_bin_type=False) for _ in range(VALUES)]

    for start in range(0, VALUES, 500):
        await same(pair, [["FCALL", "probe_pack", "0", *values[start : start + 500]]])


async def test_any_bytes_are_unpacked_or_refused_as_the_server_does(pair):
    random = Random(12)
    values = [spoiled(random, msgpack.packb(packed_value(random, 3), use_bin_type=False)) for _ in range(20_000)]

    await same_values(pair, "probe_unpack", values)


async def test_any_text_is_read_as_json_or_refused_as_the_server_does(pair):
    random = Random(13)
    whole = [*RANKINGS, *JSON]
    texts = [*whole, *(spoiled(random, random.choice(whole).encode()[:200]) for _ in range(10_000))]

    await same_values(pair, "probe_json", [text.encode() if isinstance(text, str) else text for text in texts])


async def same_values(pair: Any, function: str, values: list[bytes]) -> None:
    """What the function of the probe makes of each is the same value, or the same refusal."""
    for start in range(0, len(values), 500):
        asked = [["FCALL", function, "0", *values[start : start + 500]]]
        [ours], [theirs] = await ask(pair[1], asked), await ask(pair[0], asked)
        for value, our, their in zip(values[start:], ours, theirs, strict=False):
            assert understood(our) == understood(their), value


def understood(packed: bytes) -> str:
    """What a value is, or why there is none. Bits of a number that is none differ: nothing can be made of them."""
    try:
        return repr(msgpack.unpackb(packed, raw=True, strict_map_key=False, object_pairs_hook=list))
    except (ValueError, msgpack.ExtraData):
        return repr(packed)


def packed_value(random: Random, depth: int) -> Any:
    """Anything that msgpack has, most of it small; maps of one key, since only they are in one order everywhere."""
    kind = random.randrange(10 if depth else 8)
    if kind == 9:
        return {packed_key(random): packed_value(random, depth - 1)} if random.random() < 0.9 else {}
    makers = [
        lambda: random.randint(-140, 300),
        lambda: random.choice([1, -1]) * random.randint(0, 2 ** random.randint(1, 63) - 1),
        lambda: random.choice([1, -1]) * 2 ** random.randint(0, 62) + random.randint(-1, 1),
        lambda: random.choice(
            [
                0.0,
                -0.0,
                0.5,
                1e14,
                1e300,
                5e-324,
                1e-45,
                3.4e38,
                3.4028234663852886e38,
                2.0**128,
                1.1754943508222875e-38,
                1.5e-40,
                float("inf"),
                float("-inf"),
            ]
        ),
        lambda: random.uniform(-1, 1) * 10 ** random.randint(-320, 300),
        lambda: round(random.uniform(-1e6, 1e6) * 8) / 8,
        lambda: random.randbytes(random.choice([0, 1, 5, 31, 32, 33, 255, 256, 257])),
        lambda: random.choice(
            [True, False, b"x" * random.choice([65_535, 65_536] if random.random() < 0.01 else [200]), "oslo"]
        ),
        lambda: [packed_value(random, depth - 1) for _ in range(random.choice([0, 1, 2, 3, 15, 16, 17]))],
    ]
    return makers[kind]()


def packed_key(random: Random) -> Any:
    return random.choice([1, 2, 0, -1, 1.5, b"", b"key", random.randbytes(40)])


def spoiled(random: Random, value: bytes) -> bytes:
    """The same with a byte changed, cut off or put in."""
    at = random.randrange(len(value) + 1)
    return random.choice(
        [
            value[:at],
            value[:at] + random.randbytes(1) + value[at + 1 :],
            value[:at] + bytes([random.choice(b'0123456789[]{}",:.-+eEnux ')]) + value[at:],
        ]
    )


JSON = (
    *('["oslo",0,"rome",1]', '{"a":{"b":[null,true,false]}}', "[1,-2,3.5,1e3,1E-2,0x1f,-0x1F]", "[01,1.,.5,+1,-]"),
    *(
        "[NaN,-NaN,nan,Infinity,-Infinity,inf,INF,infinit]",
        "[inf]",
        "[nan]",
        "[-inf]",
        "[1e400]",
        "[0x]",
        "[1e]",
        "[--1]",
    ),
    *(
        '["\\u00e9\\ud83d\\ude00\\u0000"]',
        '["\\ud800"]',
        '["\\udc00"]',
        '["\\n\\t\\/\\q"]',
        '["\n"]',
        "[1]\x00x",
        "\x00",
        "[1\x00]",
    ),
    *(
        "[" * 999 + "]" * 999,
        "[" * 1001 + "]" * 1001,
        "{}",
        '{"1":1}',
        "{1:1}",
        '{"a":1,}',
        "[1,]",
        "[,1]",
        "nul",
        "truer",
        "1 2",
    ),
)
"""Texts that JSON has, and that only look like it."""
