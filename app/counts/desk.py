"""
Works on counts, chunk by chunk: decides in SQL, books with the allocator, and notes what is done.

Several processes may work on the same count. Of two that decide at once the second waits for the first one's
transaction, and finds those lines decided; a difference that is written down is booked under its op, which has one
effect however many ask. A place is free for its next count when SQL has the entry of the one before, so that what was
booked there is never missed. A process that dies leaves nothing half done: the next run goes on.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Final

import msgspec
import structlog

from allocator import AdjustLine, Allocator
from allocator.errors import Checking, Frozen, OverLimit, Refusal, UnknownLocation, UnknownSku
from app.store.count_bookings import (
    APPLYING,
    Booking,
    bookings,
    finish_booking,
    is_booked,
    refuse_booking,
    write_decided,
)
from app.store.counting import PlaceFacts, known_places, places_after, waiting_places
from app.store.counts import CountFacts, change_count, find_count, tally, unfinished
from app.store.database import Database
from app.store.sellers import require_seller
from app.times import now_ms

from .deciding import decide
from .plausibility import Brakes, Figures

CHUNK: Final = 500
"""Lines that are decided, and booked, together."""

COUNTS: Final = 10
"""Counts that are worked on in turn."""

log = structlog.get_logger(__name__)


class Desk:
    """
    One seller's counts.

    `arrive` waits until SQL has what the ledger has by now, and says whether it has; while it has not, nothing new is
    decided.
    """

    def __init__(
        self, database: Database, allocator: Allocator, arrive: Callable[[], Awaitable[bool]], brakes: Brakes
    ) -> None:
        self._database = database
        self._allocator = allocator
        self._arrive = arrive
        self._brakes = brakes
        self.seller = allocator.seller

    async def work(self, seconds: float) -> None:
        """Take the seller's unfinished counts further, oldest first; no chunk is begun after so many seconds."""
        until = time.monotonic() + seconds
        async with self._database.reading() as session:
            counts = await unfinished(session, self.seller, COUNTS)
        for count in counts:
            while time.monotonic() < until and await self.step(count.id):
                pass

    async def finish(self, id: str, chunks: int) -> None:
        """Take one count further, by at most so many chunks."""
        for _ in range(chunks):
            if not await self.step(id):
                return

    async def step(self, id: str) -> bool:
        """Take a count one chunk further; False when there is nothing that can be done now. Raises AllocatorError."""
        count = await self._find(id)
        if count is not None and count.state == "deciding":
            return await self._arrive() and await self._judge(count)
        if count is None or count.state != APPLYING:
            return False
        booked, refused = await self._book(count)
        if not await self._arrive():
            return False
        finished = [op for op in booked if await self._finish(count, op)]
        if await self._decide(count) or finished or refused:
            return True
        await self._close(count)
        return False

    async def _find(self, id: str) -> CountFacts | None:
        async with self._database.reading() as session:
            return await find_count(session, self.seller, id)

    # --- the brakes ----------------------------------------------------------------------------------------------

    async def _judge(self, count: CountFacts) -> bool:
        """Hold the next lines of a snapshot against the brakes; behind the last one it is parked or goes on."""
        async with self._database.reading() as session:
            places = await places_after(session, count, count.judged, CHUNK)
            known = 0 if places else await known_places(session, count)
        figures = msgspec.convert(count.figures, Figures).plus(places)
        changes: dict[str, Any] = {"judged": places[-1].number} if places else {}
        if not places:
            figures = figures.judged(known, self._brakes)
            changes = {"state": "parked" if figures.parked else APPLYING}
        async with self._database.writing() as session:
            now = await find_count(session, self.seller, count.id, lock=True)
            if now is not None and (now.state, now.judged) == (count.state, count.judged):
                await change_count(session, self.seller, count.id, **changes, figures=msgspec.to_builtins(figures))
        if figures.parked:
            log.warning("count_parked", seller=self.seller, count=count.id, parked=figures.parked)
        return True

    # --- deciding ------------------------------------------------------------------------------------------------

    async def _decide(self, count: CountFacts) -> bool:
        """Decide some lines that wait; whether there were any. Their differences are booked by the next step."""
        await self._allocator.reload()
        now, locations = now_ms(), {location.code for location in self._allocator.config.locations}
        async with self._database.writing() as session:
            await require_seller(session, self.seller, lock=True)
            places = _first_of_each(await waiting_places(session, count, now_ms=now, limit=CHUNK))
            decided = [decide(place, locations, now) for place in places]
            if decided:
                await write_decided(session, count, decided, f"{count.id}:{decided[0].number}.0", now_ms=now)
        return bool(decided)

    async def _close(self, count: CountFacts) -> None:
        """A count without lines that wait or are being booked is done."""
        async with self._database.writing() as session:
            # Whoever settles lines meanwhile waits, and opens the count again.
            await find_count(session, self.seller, count.id, lock=True)
            left = await tally(session, self.seller, count.id)
            if not left.keys() & {"waiting", APPLYING}:
                await change_count(session, self.seller, count.id, state="applied", ended_ms=now_ms(), tally=left)

    # --- booking -------------------------------------------------------------------------------------------------

    async def _book(self, count: CountFacts) -> tuple[list[str], list[str]]:
        """Book what was decided: the ops that were booked, and those that were refused. Raises AllocatorError."""
        async with self._database.reading() as session:
            waiting = await bookings(session, count)
        booked: list[str] = []
        refused: list[str] = []
        for op, lines in groupby(sorted(waiting, key=_by_op), key=lambda line: line.op):
            # A sku that is frozen or being checked keeps its chunk waiting, and no other one.
            with suppress(Frozen, Checking):
                (booked if await self._book_op(count, op, list(lines)) else refused).append(op)
        return booked, refused

    async def _book_op(self, count: CountFacts, op: str, lines: Sequence[Booking]) -> bool:
        wanted = [AdjustLine(line.sku, line.location, line.difference) for line in lines]
        try:
            await self._allocator.count(wanted, op=op, source=count.source, why=count.why, actor=count.actor)
        except (UnknownSku, UnknownLocation, OverLimit) as error:
            await self._refuse(count, op, _named(error, lines), error)
            return False
        return True

    async def _finish(self, count: CountFacts, op: str) -> bool:
        """Note that an op is done, once its entry is in SQL."""
        async with self._database.writing() as session:
            found = await is_booked(session, count, op)
            if found:
                await finish_booking(session, count, op)
        return found

    async def _refuse(self, count: CountFacts, op: str, numbers: Collection[int], error: Refusal) -> None:
        """Take out what the allocator refuses; an op that was refused stays refused, so the others get another."""
        head, _, turn = op.rpartition(".")
        why = {UnknownSku: "unknown_sku", UnknownLocation: "unknown_location"}.get(type(error), "over_limit")
        async with self._database.writing() as session:
            await refuse_booking(session, count, op, numbers, why=why, again=f"{head}.{int(turn) + 1}")


def _by_op(line: Booking) -> tuple[str, int]:
    return line.op, line.number


def _first_of_each(places: Sequence[PlaceFacts]) -> list[PlaceFacts]:
    """The first line of each place; another one of the same count is decided when that is booked."""
    return list({(place.sku, place.location): place for place in reversed(places)}.values())[::-1]


def _named(error: Refusal, lines: Sequence[Booking]) -> list[int]:
    """The lines that a refusal is about. All of them when it names none: there is no way on with them."""
    facts = error.facts
    skus, locations = set(facts.get("skus", ())), set(facts.get("locations", ()))
    place = facts.get("sku"), facts.get("location")
    named = [
        line.number
        for line in lines
        if line.sku in skus or line.location in locations or (line.sku, line.location) == place
    ]
    return named or [line.number for line in lines]
