"""
Knows when what was decided is in SQL: the level `ledger`.

Whoever asks waits for the newest entry there is once his script has answered; the drain writes in order, so with that
entry everything before it is in SQL, his own effect too. However many wait, one task looks for all of them, and only
while somebody waits. An entry counts when SQL has that very one: ids alone could be those of another history.

The drain sees effects only. A refusal that was remembered is written into SQL here, before it is answered.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis.asyncio import Redis

from allocator import Remembered, ledger
from allocator.records import encode_answer

from .draining.drain import READER
from .draining.rows import body_of, hash_of
from .ending import end
from .errors import NotInLedger
from .signals import WAKE_DRAIN, announce
from .store import ledger as store
from .store.cursors import read_cursor
from .store.database import Database
from .times import now_ms

SECONDS_MAX: Final = 5.0
"""How long an answer waits to be in SQL."""

LOOK_SECONDS: Final = 0.003
TRY_AGAIN_SECONDS: Final = 0.1
WHY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)

Waiting = asyncio.Future[None]


@dataclass
class Mark:
    """An entry that somebody waits for."""

    seller: str
    epoch: str
    id: str
    hash: str
    waiting: list[Waiting]


@dataclass
class Pending:
    """
    What a task of `Arrivals` works on.

    new: by seller those whose newest entry is not known yet. refusals: what is to be written, and who waits for it.
    """

    new: dict[str, list[Waiting]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    refusals: list[tuple[store.Row, Waiting]] = field(default_factory=list)

    def waiting(self) -> Iterator[Waiting]:
        """Everybody who still waits."""
        yield from (one for waiting in self.new.values() for one in waiting)
        yield from (one for mark in self.marks for one in mark.waiting)
        yield from (one for _, one in self.refusals)


class Arrivals:
    """One for a process. Close it when it ends."""

    def __init__(self, database: Database, client: Redis) -> None:
        self._database = database
        self._client = client
        self._pending = Pending()
        self._looking: asyncio.Task[None] | None = None
        self._failed = ""

    async def arrived(self, seller: str) -> None:
        """Wait until everything that this seller's ledger has by now is in SQL. Raises NotInLedger."""
        waiting = self._begin()
        self._pending.new.setdefault(seller, []).append(waiting)
        await self._wait(seller, waiting)

    async def keep_refusal(self, seller: str, op: str, said: Remembered) -> None:
        """Write a remembered refusal into SQL. Raises NotInLedger."""
        waiting = self._begin()
        row = {"seller": seller, "op": op, "at_ms": said.at_ms, "answer": encode_answer(said)}
        self._pending.refusals.append((row, waiting))
        await self._wait(seller, waiting)

    async def close(self) -> None:
        """Stop looking."""
        if self._looking:
            await end(self._looking)

    def _begin(self) -> Waiting:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_for_all())
        return asyncio.get_running_loop().create_future()

    async def _wait(self, seller: str, waiting: Waiting) -> None:
        try:
            await asyncio.wait_for(waiting, SECONDS_MAX)
        except TimeoutError:
            raise NotInLedger(await self._why(seller)) from None

    async def _why(self, seller: str) -> str:
        """Why it takes so long, for people."""
        try:
            async with asyncio.timeout(WHY_SECONDS), self._database.reading() as session:
                cursor = await read_cursor(session, seller, READER)
        except Exception as error:  # noqa: BLE001 - drivers raise what they like when their server is away
            return f"the database does not answer ({type(error).__name__})"
        if self._failed:
            return self._failed
        if cursor is None or cursor.lease_until_ms < now_ms():
            return "nobody copies the ledger into SQL: no worker is running"
        return f"the copy of the ledger in SQL is more than {SECONDS_MAX:g} s behind"

    # --- the task ------------------------------------------------------------------------------------------------

    async def _look_for_all(self) -> None:
        while any(not one.done() for one in self._pending.waiting()):
            try:
                await self._look()
                self._failed = ""
            except Exception as error:  # noqa: BLE001 - whatever is away may come back while somebody waits
                self._say(error)
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            self._forget_gone()
            await asyncio.sleep(LOOK_SECONDS)

    def _say(self, error: Exception) -> None:
        says = f"{type(error).__name__}: {error}"
        if says != self._failed:
            log.error("ledger_level_failed", says=says)
        self._failed = says

    async def _look(self) -> None:
        await self._mark_new()
        await self._write_refusals()
        await self._release()

    async def _mark_new(self) -> None:
        """Find out what the newcomers wait for, and let the drain know that somebody waits."""
        for seller in list(self._pending.new):
            if not self._pending.new[seller]:
                continue
            # Whoever comes while we read has an effect that may be newer than what we read.
            coming, self._pending.new[seller] = self._pending.new[seller], []
            try:
                row = await ledger.newest(self._client, seller)
            except Exception:
                self._pending.new[seller] += coming
                raise
            if row is None:
                _release(coming)
                continue
            id, entry = row
            self._pending.marks.append(Mark(seller, entry.epoch, id, hash_of(body_of(entry)), coming))
            await announce(self._client, seller, channel=WAKE_DRAIN)

    async def _write_refusals(self) -> None:
        coming, self._pending.refusals = self._pending.refusals, []
        if not coming:
            return
        try:
            async with self._database.writing() as session:
                await store.put_answers(session, list({(row["seller"], row["op"]): row for row, _ in coming}.values()))
        except Exception:
            self._pending.refusals += coming
            raise
        _release([waiting for _, waiting in coming])

    async def _release(self) -> None:
        if not self._pending.marks:
            return
        there: dict[tuple[str, str, str], str] = {}
        async with self._database.reading() as session:
            for seller, epoch in {(mark.seller, mark.epoch) for mark in self._pending.marks}:
                ids = [mark.id for mark in self._pending.marks if (mark.seller, mark.epoch) == (seller, epoch)]
                known = await store.known_hashes(session, seller, epoch, ids)
                there |= {(seller, epoch, id): hash for id, hash in known.items()}
        for mark in self._pending.marks:
            if there.get((mark.seller, mark.epoch, mark.id)) == mark.hash:
                _release(mark.waiting)

    def _forget_gone(self) -> None:
        """Those who have heard, and those who have given up."""
        pending = self._pending
        pending.new = {seller: left for seller, waiting in pending.new.items() if (left := _still(waiting))}
        pending.refusals = [(row, waiting) for row, waiting in pending.refusals if not waiting.done()]
        for mark in pending.marks:
            mark.waiting = _still(mark.waiting)
        pending.marks = [mark for mark in pending.marks if mark.waiting]


def _still(waiting: list[Waiting]) -> list[Waiting]:
    return [one for one in waiting if not one.done()]


def _release(waiting: list[Waiting]) -> None:
    for one in waiting:
        if not one.done():
            one.set_result(None)
