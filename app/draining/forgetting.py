"""
Lets answers, ended holds and closed orders leave Valkey when they are some days old and SQL has them.

A walk goes over all that Valkey keeps, a page at a time, and rests when it has been everywhere. What is old is looked
up in SQL; only what is there byte for byte is removed, and the script removes it only if it is still the same. Refusals
have no effect, so the drain does not know them: they are written into SQL here. From then on whoever asks about what
has left is answered from SQL.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis

from allocator import Pipe, SellerKeys
from allocator.leaving import Leaving
from allocator.ledger import START
from allocator.records import UNREADABLE, Kept, decode_answer, is_over, older_than
from allocator.refusals import ERRORS
from app.store import remembered
from app.store.cursors import give_back
from app.store.database import Database
from app.store.datasets import read_dataset
from app.store.leasing import keep_lease
from app.store.sellers import list_sellers
from app.times import DAY_MS, now_ms

READER: Final = "forget"
"""The name of our lease."""

LEASE_MS: Final = 30_000

PAGES: Final = {"answer": ("ops", 500), "order": ("orders", 100), "hold": ("holds", 500)}
"""Of each kind of record: its key, and how many of them a page has, more or less."""

KINDS: Final = tuple(PAGES)

CALL: Final = 50
"""Most records that one call of the script removes, so that nobody waits for it."""

CALL_BYTES: Final = 65_536

REST_SECONDS: Final = 600.0
"""From the end of a walk to the next one: what may leave may as well leave a little later."""

log = structlog.get_logger(__name__)


class Forgot(NamedTuple):
    """What one run did: records looked at and removed, and whether the walk goes on."""

    seen: int
    removed: int
    more: bool


class Walk:
    """Where a seller's walk is, how much it has removed, and when the next one begins (monotonic seconds)."""

    def __init__(self) -> None:
        self.kind, self.cursor, self.removed, self.next_at = KINDS[0], 0, 0, 0.0

    @property
    def rests(self) -> bool:
        return time.monotonic() < self.next_at

    def move(self, cursor: int, seller: str) -> None:
        """Go on: in this key, in the next one, or not before a rest."""
        self.cursor = cursor
        if cursor:
            return
        if self.kind != KINDS[-1]:
            self.kind = KINDS[KINDS.index(self.kind) + 1]
            return
        if self.removed:
            log.info("forgotten", seller=seller, records=self.removed)
        self.kind, self.removed, self.next_at = KINDS[0], 0, time.monotonic() + REST_SECONDS


class Forgetting:
    """Walks over every seller; any number of processes may have one, one of them walks. `clock` is in ms."""

    def __init__(self, database: Database, client: Redis, *, days: int, clock: Callable[[], int] = now_ms) -> None:
        self._database = database
        self._client = client
        self._pipe = Pipe(client)
        self._age_ms = days * DAY_MS
        self._clock = clock
        self._owner = secrets.token_hex(8)
        self._walks: dict[str, Walk] = {}

    async def run(self) -> Forgot:
        """
        One page of each seller; one that fails does not keep the others from it.

        Raises, for the last that failed: NotReady, Unanswered, and what SQL and redis-py raise.
        """
        done, failed = Forgot(0, 0, more=False), None
        for seller in await self._sellers():
            try:
                one = await self._run_seller(seller)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below
                failed = error
                continue
            done = Forgot(done.seen + one.seen, done.removed + one.removed, done.more or one.more)
        if failed is not None:
            raise failed
        return done

    async def _sellers(self) -> list[str]:
        async with self._database.reading() as session:
            return [seller.code for seller in await list_sellers(session) if seller.begun]

    async def _run_seller(self, seller: str) -> Forgot:
        walk = self._walks.setdefault(seller, Walk())
        if walk.rests or not await self._leads(seller):
            return Forgot(0, 0, more=False)
        async with self._database.reading() as session:
            epoch = (await read_dataset(session)).epoch
        return await self.step(seller, epoch, walk, until_ms=self._clock() - self._age_ms)

    async def stop(self) -> None:
        """Let another process walk at once, and end the connection."""
        try:
            async with self._database.writing() as session:
                for seller in self._walks:
                    await give_back(session, seller, READER, owner=self._owner)
        finally:
            await self._pipe.close()

    async def _leads(self, seller: str) -> bool:
        lease = await keep_lease(
            self._database, seller, READER, owner=self._owner, now_ms=self._clock(), lease_ms=LEASE_MS, first=_anywhere
        )
        return lease is not None

    async def step(self, seller: str, epoch: str, walk: Walk, *, until_ms: int) -> Forgot:
        """One page of one key: what has not changed since `until_ms` leaves, if SQL has it."""
        key, count = PAGES[walk.kind]
        [name] = SellerKeys(seller).named(key)
        found: Any = await self._client.hscan(name, walk.cursor, count=count)
        rows = [Kept(walk.kind, id.decode(), packed) for id, packed in found[1].items()]
        old = [row for row in rows if _may_leave(row, until_ms)]
        safe = [row for part in _parts(old) for row in await self._in_sql(seller, part, until_ms)]
        leaving, removed = Leaving(self._pipe, seller, epoch), 0
        for call in _calls(safe):
            removed += await leaving.forget(call)
        walk.removed += removed
        walk.move(int(found[0]), seller)
        return Forgot(len(rows), removed, more=not walk.rests)

    async def _in_sql(self, seller: str, rows: Sequence[Kept], until_ms: int) -> list[Kept]:
        """Those of these rows, all of one kind, that SQL has exactly so."""
        kind, ids = rows[0].kind, [row.id for row in rows]
        if kind == "answer":
            await self._keep_refusals(seller, rows)
        async with self._database.reading() as session:
            if kind == "answer":
                answers = await remembered.answers_of(session, seller, ids)
                return [row for row in rows if answers.get(row.id) == row.packed]
            known = await remembered.records_of(session, seller, kind, ids)
        left = {id for id, record in known.items() if record.at_ms < until_ms}
        return [row for row in rows if row.id in left and known[row.id].packed == row.packed]

    async def _keep_refusals(self, seller: str, rows: Iterable[Kept]) -> None:
        """Write into SQL what the drain has not: a "no" must stay one."""
        said = [(row, decode_answer(row.packed)) for row in rows]
        refused = [(row.id, answer.at_ms, row.packed) for row, answer in said if answer.word in ERRORS]
        if refused:
            async with self._database.writing() as session:
                await remembered.add_answers(session, seller, refused)


def _may_leave(row: Kept, until_ms: int) -> bool:
    """By what the record says itself. One that cannot be read stays: the check tells of it."""
    try:
        return older_than(row.kind, row.packed, until_ms) and is_over(row.kind, row.packed)
    except UNREADABLE:
        return False


def _parts(rows: Sequence[Kept]) -> Iterable[Sequence[Kept]]:
    size = remembered.ASK_MAX
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _calls(rows: Iterable[Kept]) -> Iterable[list[Kept]]:
    """Groups that one call removes without keeping others waiting."""
    group: list[Kept] = []
    for row in rows:
        if group and (len(group) == CALL or sum(len(one.packed) for one in group) + len(row.packed) > CALL_BYTES):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


async def _anywhere() -> str:
    return START
