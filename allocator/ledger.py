"""
Reads a seller's ledger in order, from any entry on: for streams, webhooks and whatever else follows what happens.

Readers keep the id of the last entry they have dealt with. While that entry is still there, nothing after it can have
been removed, since only the oldest entries ever are; so whoever trims leaves the last entry that may go in place. A
reader that asks for what lies behind the first entry kept is told so (`Gap`) and has to read the state itself.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from .keys import SellerKeys
from .model import Hold, Order
from .records import UNREADABLE, ConfigRecord, Entry, decode_config, decode_entry, decode_hold, decode_order

START: Final = "0-0"
"""Before the first entry."""

ID_MAX: Final = 41
"""Characters of the longest id: two numbers of 64 bits."""

BLOCK_MS: Final = 5_000
"""How long one blocking read lasts; after that the connection has shown that it still works."""

Row = tuple[str, Entry]


class Gap(Exception):
    """Entries after this position are gone, or it is not of this ledger; `last` is the newest entry's id."""

    def __init__(self, after: str, last: str) -> None:
        super().__init__(f"the ledger no longer has what came after {after}")
        self.after = after
        self.last = last


class Damaged(Exception):
    """An entry cannot be read. It stays a stop until somebody has looked at it: skipping it would lose an effect."""


def place(id: str) -> tuple[int, int]:
    """An entry's id as numbers, which compare as the ledger is ordered. Raises ValueError."""
    ms, _, number = id.partition("-")
    if not (id.isascii() and ms.isdigit() and number.isdigit() and len(id) <= ID_MAX):
        raise ValueError(f"{id!r} is not the id of a ledger entry")
    found = int(ms), int(number)
    if max(found) >= 2**64:
        raise ValueError(f"{id!r} is not the id of a ledger entry")
    return found


async def first_id(client: Redis, seller: str) -> str:
    """The id of the oldest entry kept, or START."""
    found: Any = await client.xrange(_ledger(seller), count=1)
    return _id(found[0]) if found else START


async def last_id(client: Redis, seller: str) -> str:
    """The id of the newest entry there ever was, or START."""
    return (await _edges(client, seller))[1]


async def newest(client: Redis, seller: str) -> Row | None:
    """The newest entry, or None. Raises Damaged, and what redis-py raises."""
    found: Any = await client.xrevrange(_ledger(seller), count=1)
    return _row(found[0]) if found else None


async def next_id(client: Redis, seller: str, after: str) -> str | None:
    """The id of the first entry kept after this one, or None."""
    found: Any = await client.xrange(_ledger(seller), f"({after}", count=1)
    return _id(found[0]) if found else None


async def read(client: Redis, seller: str, after: str, count: int = 500) -> list[Row]:
    """The entries after this one, at most `count`, oldest first. Raises Gap, Damaged, and what redis-py raises."""
    name = _ledger(seller)
    found: Any = await client.xrange(name, after, "+", count + 1)
    if found and _id(found[0]) == after:
        return [_row(entry) for entry in found[1:]]
    # The entry itself is not there: this is the start, or it was trimmed, or it is from somewhere else.
    async with client.pipeline(transaction=True) as both:
        both.xrange(name, f"({after}", "+", count)
        both.xinfo_stream(name)
        found, info = await both.execute(raise_on_error=False)
    if isinstance(found, Exception):
        raise found
    trimmed, last = _facts(info)
    reachable = after == last or (after == START and not trimmed)
    if not reachable:
        raise Gap(after, last)
    return [_row(entry) for entry in found]


async def wait(client: Redis, seller: str, after: str, block_ms: int = BLOCK_MS) -> bool:
    """
    Whether there is an entry after this one; waits for it, at most `block_ms`.

    The client must be one for blocking reads: `make_client(url, timeout_s=None)`.
    """
    found: Any = await client.xread({_ledger(seller): after}, count=1, block=block_ms)
    return bool(found)


async def follow(
    client: Redis, seller: str, after: str, *, count: int = 500, block_ms: int = BLOCK_MS
) -> AsyncIterator[list[Row]]:
    """
    Every entry after this one, in groups as they come, without an end. `client` as for `wait`.

    Raises Gap when the reader fell behind what is kept, Damaged, and what redis-py raises.
    """
    while True:
        while rows := await read(client, seller, after, count):
            yield rows
            after = rows[-1][0]
        await wait(client, seller, after, block_ms)


# --- what an entry tells -----------------------------------------------------------------------------------------


def orders_of(entry: Entry) -> list[Order]:
    """The orders an effect changed, as they were after it."""
    return [decode_order(packed).order for name, packed in entry.records.items() if name.startswith("order:")]


def holds_of(entry: Entry) -> list[Hold]:
    """The holds an effect changed, as they were after it."""
    return [
        decode_hold(name.removeprefix("hold:"), packed)
        for name, packed in entry.records.items()
        if name.startswith("hold:")
    ]


def config_of(entry: Entry) -> ConfigRecord | None:
    """What an effect changed of the config, or None."""
    packed = entry.records.get("config")
    return None if packed is None else decode_config(packed)


# --- private -----------------------------------------------------------------------------------------------------


def _ledger(seller: str) -> str:
    return SellerKeys(seller).named("ledger")[0]


def _id(entry: Any) -> str:
    return str(entry[0].decode())


def _row(entry: Any) -> Row:
    id = _id(entry)
    try:
        return id, decode_entry(entry[1])
    except UNREADABLE as error:
        raise Damaged(f"ledger entry {id} cannot be read") from error


async def _edges(client: Redis, seller: str) -> tuple[bool, str]:
    try:
        return _facts(await client.xinfo_stream(_ledger(seller)))
    except ResponseError as error:
        return _facts(error)


def _facts(info: Any) -> tuple[bool, str]:
    """Whether anything was ever trimmed, and the id of the newest entry; without a ledger neither."""
    if isinstance(info, ResponseError) and "no such key" in str(info):
        return False, START
    if isinstance(info, Exception):
        raise info
    last = info["last-generated-id"]
    return info["entries-added"] > info["length"], last.decode() if isinstance(last, bytes) else str(last)
