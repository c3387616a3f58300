"""How much of each ledger is not in SQL yet, and whether the drain can go on: for metrics, alarms and `fullness`."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from redis.exceptions import RedisError, ResponseError

from allocator import SellerKeys, errors, ledger

from . import metrics as m
from .deps import State
from .draining.drain import READER
from .store.cursors import Cursor, read_cursor
from .times import now_ms

OF_MEMORY: Final = 4
"""A ledger may take a quarter of the store's memory: at twice the limit, where all is refused, that is half of it."""


class Kept(NamedTuple):
    """A ledger in Valkey: entries there, entries ever, bytes of memory; epoch is the store's."""

    epoch: str
    entries: int
    ever: int
    bytes: int

    def undrained(self, drained: int) -> int:
        """Entries that are not in SQL, when so many are: none of them was ever trimmed."""
        return min(self.entries, max(0, self.ever - drained))


class LedgerWatch:
    """What the look remembers: how far the drains were when SQL answered last."""

    def __init__(self) -> None:
        self._cursors: dict[str, Cursor] = {}

    async def run(self, state: State) -> None:
        """Look once. Without SQL the last that is known of the drains counts. Raises Unanswered."""
        sql = await self._read_cursors(state)
        try:
            limit = await _limit(state)
            state.metrics.set(m.UNDRAINED_MAX, limit)
            sizes = {seller: await self._look(state, seller, sql=sql) for seller in list(state.allocators)}
        except (RedisError, OSError) as error:
            raise errors.Unanswered from error
        state.full = full_of(sizes, limit)

    async def _read_cursors(self, state: State) -> bool:
        """Whether SQL answered."""
        try:
            async with state.database.reading() as session:
                for seller in list(state.allocators):
                    cursor = await read_cursor(session, seller, READER)
                    if cursor is not None:
                        self._cursors[seller] = cursor
        except Exception:  # noqa: BLE001 - drivers raise what they like when their server is away
            return False
        return True

    async def _look(self, state: State, seller: str, *, sql: bool) -> int:
        """Publish what one seller's ledger is; the bytes of it that are not in SQL."""
        kept, cursor = await _kept(state, seller), self._cursors.get(seller)
        if kept.epoch != state.allocators[seller].epoch:
            return 0
        entries = kept.undrained(cursor.entries if cursor else 0)
        size = kept.bytes * entries // max(1, kept.entries)
        state.metrics.set(m.UNDRAINED, entries, seller)
        state.metrics.set(m.UNDRAINED_BYTES, size, seller)
        if sql:
            state.metrics.set(m.DRAIN_FAILING, bool(cursor and cursor.failing), seller)
            await _tell_age(state, seller, cursor.position if cursor else ledger.START)
        else:
            # That SQL is away has an alert of its own.
            state.metrics.forget(m.DRAIN_AGE, seller)
        return size


def full_of(sizes: Mapping[str, int], limit: int) -> dict[str, float]:
    """
    The share of the limit by seller, of those that have reached it.

    The limit is for all ledgers together, since they share one memory; whoever has less than an equal part of it does
    not pay for the others.
    """
    whole = sum(sizes.values()) / limit
    shares = {seller: min(whole, size * len(sizes) / limit) for seller, size in sizes.items()}
    return {seller: share for seller, share in shares.items() if share >= 1.0}


async def _limit(state: State) -> int:
    """The limit that is set, or less where the store has little memory."""
    memory: Any = await state.pipe.client.info("memory")
    whole = memory.get("maxmemory") or memory.get("total_system_memory") or 0
    wanted = state.settings.ledger_bytes_max
    return min(wanted, whole // OF_MEMORY) if whole else wanted


async def _kept(state: State, seller: str) -> Kept:
    owner, stream = SellerKeys(seller).named("seller", "ledger")
    pipe: Any
    async with state.pipe.client.pipeline(transaction=False) as pipe:
        pipe.hget(owner, "epoch")
        pipe.xinfo_stream(stream)
        pipe.memory_usage(stream)
        epoch, info, size = await pipe.execute(raise_on_error=False)
    if isinstance(info, ResponseError):
        # There is no ledger before the first effect.
        return Kept((epoch or b"").decode(), 0, 0, 0)
    for said in (epoch, info, size):
        if isinstance(said, Exception):
            raise said
    return Kept((epoch or b"").decode(), info["length"], info["entries-added"], int(size or 0))


async def _tell_age(state: State, seller: str, position: str) -> None:
    oldest = await ledger.next_id(state.pipe.client, seller, position)
    age_ms = 0 if oldest is None else max(0, now_ms() - ledger.place(oldest)[0])
    state.metrics.set(m.DRAIN_AGE, age_ms / 1000, seller)
