"""Scripts called as nobody should call them: every argument of every verb by name, with what must be refused."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
from redis.asyncio import Redis

from allocator import Pipe, SellerKeys
from allocator.answers import unpack
from allocator.records import decode_states
from allocator.scripts import scripts

from .fixtures import CUP, EPOCH, NOW

NUMBERS = [
    *(
        "nan",
        "inf",
        "-inf",
        "-nan",
        "-1",
        "0",
        "-0.0",
        "0.5",
        "1.0",
        "1e2",
        "1E2",
        "0x10",
        " 7 ",
        "7 ",
        "+7",
        "--7",
        "7,0",
    ),
    *("", "seven", "1_000", "٣", "\x007", "7\n", str(2**53), str(2**63), "9" * 400, "100000000000000", "0" * 16 + "7"),
]
"""What callers may send for a number. Only plain whole numbers within the limits are taken."""

TEXTS = ["a\nb", "\x00", "tab\there", "\x1b[2J", "\x7f"]
"""Control characters part the fields of index members, so no text may have them."""


COUNTS = {"locations": 1, "channels": 1, "skus": 1, "overlay": 2, "fields": 2, "lines": 0, "moves": 4, "records": 4}
COUNTS |= {"strays": 2, "orders": 1, "returned": 4}
"""Arguments that say how many rows follow, and how wide a row is; 0 for all that is left."""

WIDE = {("repair", "skus"): 8}
"""Rows that are wider in one verb: with a row of others inside."""


class Arg(NamedTuple):
    """An argument with a value that is right, values that are wrong, and values that only just are not."""

    name: str
    right: str | bytes
    wrong: tuple[str | bytes, ...]
    edges: tuple[str | bytes, ...] = ()
    least: int = 0
    most: int = 0


def text(name: str, right: str, longest: int) -> Arg:
    return Arg(name, right, ("", "x" * (longest + 1), *TEXTS), ("x", "x" * longest))


def optional(name: str, right: str, longest: int) -> Arg:
    return Arg(name, right, ("x" * (longest + 1), *TEXTS), ("", "x" * longest))


def whole(name: str, right: str, least: int, most: int, *, empty: bool = False) -> Arg:
    wrong = [value for value in NUMBERS if not _fits(value, least, most) and not (empty and value == "")]
    edges = () if name in COUNTS else (str(least), str(most), f"{least:016d}", *([""] if empty else []))
    return Arg(name, right, (*wrong, str(least - 1), str(most + 1)), edges, least, most)


def _fits(value: str, least: int, most: int) -> bool:
    return bool(re.fullmatch(r"-?[0-9]+", value)) and len(value) <= 16 and least <= int(value) <= most


def choice(name: str, right: str) -> Arg:
    return Arg(name, right, ("", "nonsense", right.upper(), f"{right} "))


RANKINGS = (
    *("", "oslo", "[", "[] []", "1", "null", '"oslo"', '["oslo"]', '["oslo",0,"rome"]', "[0,0]", "[null,0]", '["",0]'),
    *(
        f'["{"x" * 65}",0]',
        '["a\\u0000b",0]',
        '["oslo",0,"oslo",1]',
        "[" * 2_000,
        f'["{"x" * 8_000}",0]',
        f'[{" " * 7_991}"oslo",0]',
    ),
    *(f'["oslo",{tie}]' for tie in ("-1", "10001", "0.5", "NaN", "1e400", "null", '"0"', "[]")),
    json.dumps([value for number in range(16) for value in (f"city-{number}", number)]),
)
"""What is no ranking of locations."""

RANKINGS_JUST_RIGHT = (
    *(f'["{"x" * 64}",0]', '["oslo",0]', '["oslo",10000]', f'[{" " * 7_990}"oslo",0]', "[]"),
    json.dumps([value for number in range(15) for value in (f"city-{number}", number)]),
)
"""The longest code and the largest tie, the longest text, none and the most locations."""

DAY = ["2026-11-23", 1, 0]
TERMS = [0, "NO", "east", "", [["", 2]], {"oslo": [1, *DAY], "rome": [-1, *DAY, "2026-11-24", 2, 3]}]


def terms(**parts: Any) -> str:
    """What an order asks for besides units, with other values for some of it, by their places: p0 to p5."""
    return json.dumps([parts.get(f"p{place}", value) for place, value in enumerate(TERMS)])


NO_TERMS = (
    *("{", "1", "null", '"NO"', "[]", json.dumps(TERMS[:5]), "x" * 16_001, f"{' ' * 16_000}{terms()}"),
    *(terms(p0=value) for value in (2, -1, 0.5, "0", None)),
    *(terms(**{place: value}) for place in ("p1", "p2", "p3") for value in (1, None, "x" * 65, "a\nb")),
    *(terms(p4=value) for value in (None, "1", [1], [[]], [["", 0]], [["", 16]], [[1, 1]], [["x" * 65, 1]])),
    terms(p4=[["", 1]] * 51),
    *(terms(p5=value) for value in (None, 1, {"": [1, *DAY]}, {"x" * 65: [1, *DAY]}, {"oslo": 1}, {"oslo": []})),
    *(terms(p5={"oslo": [places, *DAY]}) for places in (-2, 0.5, "1", 1_000_000_000 + 1, None)),
    *(terms(p5={"oslo": row}) for row in ([1], [1, "2026-11-23", 1], [1, *DAY, "2026-11-24"], [1, *DAY * 6])),
    *(terms(p5={"oslo": [1, day, 1, 0]}) for day in ("", "2026-11-3", "2026-11-233", "today", 20261123, None)),
    *(terms(p5={"oslo": [1, DAY[0], *times]}) for times in ((0, 0), (1, -1), (10**13, 0), (1, 10**13), (0.5, 0))),
    terms(p5={f"city-{number}": [1, *DAY] for number in range(16)}),
)
"""What is no terms of an order."""

TERMS_JUST_RIGHT = (
    *("", terms(), terms(p0=1, p1="x" * 64, p2="", p3="x" * 64, p4=[["x" * 64, 1], ["", 15]] * 25)),
    terms(p5={f"city-{number}": [-1, *DAY] for number in range(15)}),
    terms(p5={"x" * 64: [1_000_000_000, *DAY * 5]}),
    terms(p5={"oslo": [0, DAY[0], 10**13 - 1, 10**13 - 1]}, p4=[]),
)

UNITS = 1_000_000_000
HEAD = [text("epoch", EPOCH, 64), optional("config", "", 16), whole("now_ms", str(NOW), 0, 10**13 - 1, empty=True)]
NO_PRINTS = ("f" * 15, "", "short", "f" * 17, f"{'f' * 16}ha", f"{'f' * 16}aa", "\n" * 16)
OP = [
    text("op", "raw", 608),
    Arg(
        "fingerprint",
        "f" * 16,
        ("f" * 15, "", "short", "f" * 17, f"{'f' * 16}ha", f"{'f' * 16}aa", "\n" * 16),
        (f"{'f' * 16}aho",),
    ),
    optional("actor", "", 128),
]
MOVE = [whole("lines", "1", 1, 500), text("sku", CUP, 256), text("location", "oslo", 64)]
DIFFERENCE = whole("units", "1", -UNITS, UNITS)._replace(wrong=(*whole("units", "1", -UNITS, UNITS).wrong, "0"))
DEMAND = [
    Arg("candidates", '["oslo",0,"rome",1]', RANKINGS, RANKINGS_JUST_RIGHT),
    whole("lines", "2", 1, 1_500),
    *(text("line", "1", 512), text("sku", CUP, 256), whole("units", "1", 1, UNITS)),
    *(text("line", "2", 512), text("sku", CUP, 256), whole("units", "1", 1, UNITS)),
]
STATE = msgspec.msgpack.encode([1, 0])
ORDER_ID = text("order_id", "shop:1", 576)
WHY = optional("why", "", 256)

ENDED_HOLD = msgspec.msgpack.encode(["shop", "ann", "expired", NOW, []])
NO_ENDED_HOLD = (
    *("", "none", b"\xc1", b"\x00", b"\x95", ENDED_HOLD[:-1], msgspec.msgpack.encode(["shop", "ann", "open", NOW, []])),
    *(msgspec.msgpack.encode(value) for value in ([], {}, 7, "expired", ["shop", "ann", "expired", NOW])),
    msgspec.msgpack.encode(["shop", "ann", "expired", NOW, [["CUP", []]]]),
)
"""What is no record of a hold that has ended."""

VERBS: dict[str, list[Arg]] = {
    "adjust": [*HEAD, *OP, text("why", "count", 256), *MOVE, DIFFERENCE],
    "announce_return": [
        *(*HEAD, *OP, ORDER_ID, WHY, text("return_id", "R1", 512), whole("revision", "2", 1, 10**13 - 1)),
        *(optional("location", "oslo", 64), whole("due_ms", "5", 1, 10**13 - 1, empty=True)),
        *(whole("lines", "1", 0, 500), text("line", "1", 512), whole("units", "1", 0, UNITS)),
    ],
    "availability": [
        *HEAD,
        optional("owner", "ann", 512),
        *(whole("locations", "1", 0, 100), text("location", "oslo", 64)),
        *(whole("channels", "1", 1, 100), text("channel", "shop", 64)),
        *(whole("skus", "1", 1, 100), text("sku", CUP, 256)),
        *(whole("overlay", "1", 0, 1_000), text("field", "ranks", 272), Arg("value", "", ())),
    ],
    "begin": [text("epoch", EPOCH, 64)],
    "cancel": [
        *(*HEAD, *OP, ORDER_ID, WHY, whole("picked", "0", 0, 1), optional("pending", "shop:pending:shop:1", 577)),
        whole("lines", "1", 0, 1_500),
        *(text("line", "1", 512), whole("units", "1", 1, UNITS, empty=True)),
    ],
    "configure": [
        *(*HEAD, *OP, text("base", "1", 16), whole("version", "2", 1, 10**12)),
        *(whole("fields", "1", 0, 1_000), text("field", "ranks", 272), Arg("value", "", ())),
        *(whole("skus", "1", 0, 1_000), text("sku", CUP, 256)),
    ],
    "edit": [
        *(*HEAD, *OP, ORDER_ID, WHY),
        *(
            Arg(name, '["oslo",0,"rome",1]', RANKINGS[1:], ("", *RANKINGS_JUST_RIGHT))
            for name in ("candidates", "relaxed")
        ),
        *(whole("replan", "0", 0, 1), whole("partial", "0", 0, 1), whole("lines", "1", 0, 1_500)),
        *(text("line", "1", 512), text("sku", CUP, 256), whole("units", "4", 0, UNITS)),
    ],
    "exchange": [
        *(*HEAD, *OP, ORDER_ID, WHY, whole("returned", "1", 1, 500)),
        *(text("line", "1", 512), text("location", "oslo", 64), whole("units", "1", 1, UNITS)),
        *(choice("disposition", "restock"), text("channel", "shop", 64), text("external_id", "9", 512)),
        *(choice("kind", "promise"), *DEMAND),
    ],
    "count": [*HEAD, *OP, text("why", "erp", 256), *MOVE, DIFFERENCE],
    "expire": [
        *HEAD,
        whole("elapsed_ms", "0", 0, 10**12, empty=True),
        *(whole("accept", "0", 0, 1), whole("limit", "1", 1, 100)),
    ],
    "explain": [
        *HEAD,
        optional("owner", "ann", 512),
        *(whole("locations", "1", 0, 100), text("location", "oslo", 64)),
        *(text("channel", "shop", 64), text("sku", CUP, 256)),
    ],
    "extend": [*HEAD, *OP, text("hold_id", "h1", 512), whole("ttl_ms", "1", 1, 10**10)],
    "find": [*HEAD, choice("kind", "hold"), text("id", "h1", 608)],
    "forget": [
        *(*HEAD, whole("records", "1", 1, 100)),
        *(choice("kind", "answer"), text("id", "receive:none", 608), Arg("record", "none", ())),
    ],
    "freeze": [
        *(*HEAD, text("sku", CUP, 256), Arg("seen", "", ()), optional("run", "", 64)),
        optional("evidence", "9 are held, 8 by holds", 4_096),
    ],
    "hold": [
        *(*HEAD, *OP, text("hold_id", "h9", 512), text("channel", "shop", 64), optional("owner", "ann", 512)),
        *(optional("replaces", "", 512), whole("ttl_ms", "1", 1, 10**10), whole("partial", "0", 0, 1)),
        *(choice("claims", "promise"), optional("external_id", "7", 512), text("reason", "payment", 64)),
        *(choice("order_kind", "promise"), Arg("order_fingerprint", "f" * 16, ("f" * 15, "f" * 17, *TEXTS))),
        *(Arg("terms", "", NO_TERMS, TERMS_JUST_RIGHT), *DEMAND),
    ],
    "meet": [*HEAD, text("run", "run-1", 64)],
    "move_quota": [
        *(*HEAD, *OP, WHY, text("sku", CUP, 256), text("location", "oslo", 64)),
        *(text("from", "shop", 64), text("to", "amazon", 64), whole("units", "1", 1, UNITS)),
    ],
    "open": [
        *(*HEAD, text("run", "run-1", 64), optional("upto", "", 256), whole("last", "0", 0, 1)),
        *(whole("skus", "1", 0, 1_000), text("sku", CUP, 256)),
    ],
    "order": [
        *(*HEAD, *OP, choice("mode", "take"), text("channel", "shop", 64), text("external_id", "9", 512)),
        *(choice("kind", "promise"), optional("hold_id", "", 512), optional("pending", "", 512)),
        *(whole("partial", "0", 0, 1), DEMAND[0], Arg("terms", "", NO_TERMS, TERMS_JUST_RIGHT), *DEMAND[1:]),
    ],
    "move": [
        *(*HEAD, *OP, ORDER_ID, WHY, optional("from", "", 64), text("to", "oslo", 64), whole("lines", "1", 0, 500)),
        *(text("line", "1", 512), whole("units", "1", 1, UNITS)),
    ],
    "pick": [*HEAD, *OP, ORDER_ID, optional("location", "", 64)],
    "recall": [*HEAD, choice("kind", "hold"), text("id", "h8", 608), Arg("record", ENDED_HOLD, NO_ENDED_HOLD)],
    "receive": [*HEAD, *OP, WHY, *MOVE, whole("units", "1", 1, UNITS)],
    "reject": [
        *(*HEAD, *OP, ORDER_ID, text("location", "oslo", 64), text("reason", "not_found", 64)),
        *(choice("effect", "none"), whole("recount", "0", 0, 1), whole("rejects_max", "3", 1, 100), DEMAND[0]),
        whole("lines", "1", 0, 500),
        *(text("line", "1", 512), whole("units", "1", 1, UNITS)),
    ],
    "release": [*HEAD, *OP, text("hold_id", "h1", 512)],
    "repair": [
        *(*HEAD, *OP, text("why", "seen", 2_000)),
        *(whole("skus", "1", 0, 100), text("sku", CUP, 256), Arg("inspected", "", ())),
        *(Arg("state", STATE, ("", "?")), whole("moves", "1", 0, 500), text("location", "oslo", 64)),
        *(
            choice("bucket", "unavailable"),
            text("of", "lost", 64),
            Arg("move", "1", whole("", "1", -UNITS, UNITS).wrong),
        ),
        *(whole("records", "1", 0, 100), choice("kind", "field"), text("id", "ranks", 608)),
        *(Arg("inspected", "", ()), Arg("record", "", ())),
        *(whole("strays", "1", 0, 500), choice("index", "deadlines"), Arg("member", "h1", ())),
    ],
    "rescue": [
        *(*HEAD, text("sku", CUP, 256), text("location", "oslo", 64)),
        *(whole("orders", "1", 1, 100), text("order_id", "shop:1", 576)),
    ],
    "return_units": [
        *(*HEAD, *OP, optional("order_id", "shop:1", 576), WHY, optional("return_id", "", 512)),
        whole("lines", "1", 1, 500),
        *(text("line or sku", "1", 512), text("location", "oslo", 64), whole("units", "1", 1, UNITS)),
        choice("disposition", "restock"),
    ],
    "serve": [*HEAD, whole("sweep", "0", 0, 1), whole("skus", "1", 1, 100), whole("lines", "1", 1, 100)],
    "set_quota": [
        *(*HEAD, *OP, WHY, text("sku", CUP, 256), text("location", "oslo", 64), text("channel", "shop", 64)),
        *(whole("quota", "1", 0, UNITS), whole("floor", "0", 0, UNITS)),
    ],
    "ship": [
        *(*HEAD, *OP, ORDER_ID, whole("lines", "1", 0, 500)),
        *(text("line", "1", 512), text("location", "oslo", 64), whole("units", "1", 1, UNITS)),
    ],
    "shut": [*HEAD, text("run", "run-1", 64), optional("why", "a drill", 4_096)],
    "stock": [*HEAD, whole("skus", "1", 1, 100), text("sku", CUP, 256)],
    "transfer_in": [
        *(*HEAD, *OP, WHY, text("transfer", "t1", 64), text("location", "rome", 64), text("at", "rome", 64)),
        *(whole("lines", "1", 1, 500), text("sku", CUP, 256)),
        *(whole("arrived", "1", 0, UNITS), whole("lost", "1", 0, UNITS)),
    ],
    "transfer_out": [
        *(*HEAD, *OP, WHY, text("transfer", "t1", 64), text("from", "oslo", 64), text("to", "rome", 64)),
        *(whole("lines", "1", 1, 500), text("sku", CUP, 256), whole("units", "1", 1, UNITS)),
    ],
    "unavailable": [
        *HEAD,
        *OP,
        text("reason", "damaged", 64),
        choice("direction", "in"),
        *MOVE,
        whole("units", "1", 1, UNITS),
    ],
}
"""Every argument of every verb, in order."""


def right(verb: str) -> list[str]:
    """A call that the verb understands."""
    return [argument.right for argument in VERBS[verb]]


def changed(verb: str, **values: str) -> list[str]:
    """A call with other values for some arguments."""
    return [values.get(argument.name, argument.right) for argument in VERBS[verb]]


def wrong_calls(verb: str) -> Iterator[tuple[str, list[str]]]:
    """Calls with one wrong value, one argument missing or one too many, each with what is wrong about it."""
    arguments = right(verb)
    for position, argument in enumerate(VERBS[verb]):
        before, after = arguments[:position], arguments[position + 1 :]
        for value in argument.wrong:
            yield f"{argument.name}={value[:20]!r}", [*before, value, *after]
    for length in range(len(arguments)):
        yield f"only {length} arguments", arguments[:length]
    yield "one too many", [*arguments, ""]
    yield "one too many", [*arguments, "1"]


def edge_calls(verb: str) -> Iterator[tuple[str, list[str]]]:
    """Calls with one value that only just keeps its limits."""
    arguments = right(verb)
    for position, argument in enumerate(VERBS[verb]):
        for value in argument.edges:
            yield f"{argument.name}={value[:20]!r}", [*arguments[:position], value, *arguments[position + 1 :]]


_pipes: WeakKeyDictionary[Redis, Pipe] = WeakKeyDictionary()


def row_calls(verb: str) -> Iterator[tuple[str, list[str], bool]]:
    """Calls with fewest and most rows of every kind, and with one too few and too many; and whether that is allowed."""
    arguments = VERBS[verb]
    for at, count in enumerate(arguments):
        if count.name in COUNTS and verb != "serve":
            width = WIDE.get((verb, count.name), COUNTS[count.name])
            rows = (width or len(arguments) - at - 1) // int(count.right) * int(count.right)
            row, behind = arguments[at + 1 : at + 1 + rows // int(count.right)], arguments[at + 1 + rows :]
            for number, allowed in _numbers(count):
                before = [argument.right for argument in arguments[:at]]
                values = [*before, str(number), *_rows(row, number), *(argument.right for argument in behind)]
                yield f"{number} {count.name}", values, allowed


def _numbers(count: Arg) -> list[tuple[int, bool]]:
    numbers = [(count.least - 1, False), (count.least, True), (count.most, True), (count.most + 1, False)]
    return [(number, allowed) for number, allowed in numbers if number >= 0]


def _rows(row: list[Arg], number: int) -> list[str]:
    """So many rows; lines and orders have names of their own."""
    named = {"line", "order_id"}
    return [str(n) if field.name in named else field.right for n in range(1, number + 1) for field in row]


async def reply(redis: Redis, verb: str, arguments: list[str]) -> list[Any]:
    """All four parts of a reply: the outcome word, its packed facts, whether it is a replay, and the op."""
    script = scripts()[verb]
    pipe = _pipes.setdefault(redis, Pipe(redis))
    return list(await pipe.run(script, SellerKeys("main").named(*script.keys), arguments))


async def call(redis: Redis, verb: str, arguments: list[str]) -> tuple[str, object]:
    """The outcome word and its facts."""
    word, packed, _, _ = await reply(redis, verb, arguments)
    return word.decode(), decode_states(packed) if word == b"found" and verb == "stock" else unpack(packed)
