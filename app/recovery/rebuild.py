"""Fills Valkey again from SQL: everything that was drained, under a new epoch."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from allocator.forgotten import Forgotten, name_of
from allocator.ledger import START
from allocator.rebuilding import Rebuilding
from allocator.records import Entry, is_over
from app.draining.drain import READER
from app.draining.rows import VERSION
from app.store import ledger as store
from app.store.cursors import begin_at
from app.store.database import Database
from app.store.ledger import Dated
from app.times import DAY_MS, now_ms

PAGE: Final = 5_000
"""Records read at a time."""

KINDS: Final = ("config", "stock", "holds", "orders", "ops")
"""What a seller has, in the order it is written."""

LEAVES: Final = {"holds": "hold", "orders": "order", "ops": "answer"}
"""What leaves the store when it is old, and the kind of record that is; the rest is kept for ever."""

Progress = Callable[[str, int], None]
"""Hears how many records of a kind have been written so far."""


_decode = msgspec.msgpack.Decoder(Entry).decode


class Rebuilt(NamedTuple):
    """
    What a rebuild wrote, by kind; and what it cannot know.

    complete_until_ms: everything that happened until then is there (0 when nothing ever was). What was acknowledged
    after it and not in SQL is gone: it is in the callers' own records alone.
    """

    seller: str
    records: Mapping[str, int]
    complete_until_ms: int


async def rebuild(
    database: Database,
    client: Redis,
    seller: str,
    epoch: str,
    *,
    discard: bool = False,
    release: bool = False,
    days: int = 7,
    progress: Progress = lambda _kind, _count: None,
) -> Rebuilt:
    """
    Fill the seller's empty keys under this epoch, which must be a new one. Raises NotEmpty.

    Answers, closed orders and ended holds older than `days` stay in SQL alone, and the filter knows of them.

    With `discard` keys that are not empty are thrown away first. What may be lost is the reason why its gate stays
    shut, unless it is to be released at once. Nobody may drain meanwhile: the epoch they know is not
    this one, so they have nothing to drain.
    """
    rebuilding = Rebuilding(client, seller)
    await rebuilding.begin(discard=discard)
    counts = dict.fromkeys(KINDS, 0)
    version, until_ms, forgotten = 0, now_ms() - days * DAY_MS, Forgotten()
    for kind in KINDS:
        write = getattr(rebuilding, kind)
        async for rows in _pages(database, seller, kind):
            records = _staying(kind, rows, until_ms, forgotten)
            if kind == "config":
                version = int(records.pop(VERSION, version))
            await write(records)
            counts[kind] += len(records)
            progress(kind, counts[kind])
    await rebuilding.forgotten(forgotten)
    last = await _begin_ledger(database, seller)
    rebuilt = Rebuilt(seller, counts, last)
    await rebuilding.open(epoch, config_version=version, clock_ms=last, shut="" if release else why_shut(rebuilt))
    return rebuilt


def why_shut(rebuilt: Rebuilt) -> str:
    """What nobody can know after a rebuild, for those who have to release it."""
    if not rebuilt.complete_until_ms:
        return "filled again from SQL, where nothing had ever happened: release it with `allot release`"
    until = datetime.fromtimestamp(rebuilt.complete_until_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return (
        f"filled again from SQL, complete until {until}; what was accepted after that and was not in SQL yet is lost. "
        "Send what your channels have since then again, the same id has one effect; then `allot release`"
    )


async def _pages(database: Database, seller: str, kind: str) -> AsyncIterator[list[Dated]]:
    after: tuple[str, ...] | None = None
    while True:
        async with database.reading() as session:
            rows = await store.dated_page(session, kind, seller, after, PAGE)
        if not rows:
            return
        yield rows
        after = rows[-1].key


def _staying(kind: str, rows: Sequence[Dated], until_ms: int, forgotten: Forgotten) -> dict[str, bytes]:
    """The records that the store must have; the others are `forgotten`."""
    word, staying = LEAVES.get(kind), {}
    for row in rows:
        id = ":".join(row.key)
        if word and row.at_ms < until_ms and is_over(word, row.packed):
            forgotten.add(name_of(id) if word == "answer" else f"{word}:{id}")
        else:
            staying[id] = row.packed
    return staying


async def _begin_ledger(database: Database, seller: str) -> int:
    """The drain starts with the new, empty ledger. Returns until when all that happened is known: nothing is older."""
    async with database.writing() as session:
        await begin_at(session, seller, READER, START)
        last = await store.newest_body(session, seller)
    return _decode(last).until_ms if last else 0
