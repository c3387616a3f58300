"""
Books what was planned for an event, with the house's own verbs; every op is named by the event, so it is booked once.

What the allocator refuses for good is the event's answer. What nobody knows, or may go well later, is raised: the event
stays planned, and whoever sends it again has it booked again, with one effect.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from allocator import (
    AdjustLine,
    Allocator,
    ArrivedLine,
    Line,
    Moved,
    OrderRequest,
    ReturnLine,
    SentLine,
)
from allocator.errors import Invalid, NotEnough, NotShipped, OpConflict, Refusal, UnknownLine, UnknownOrder
from app.audit import By
from app.counts import taking
from app.counts.desk import Desk
from app.counts.forms import CountAsked, PlaceCounted
from app.counts.service import REQUEST_CHUNKS
from app.metrics import Metrics
from app.problems import PROBLEMS
from app.store.counting import CORRECTION
from app.store.counts import WantedLines, list_lines
from app.store.database import Database
from app.store.tills import APPLIED, REJECTED
from app.times import moment_of, now_ms

from .planning import OTHER_REQUEST, Plan

WITHOUT_SALE: Final = (UnknownOrder, UnknownLine, NotShipped)
"""Why goods are not taken back for the sale that a return names; they are there all the same."""

CODES: Final = {
    "older": "a later count of the place stands",
    "in_review": "something moved at the very moment of the count: a person decides, see GET /v1/counts",
    "pending": "the count is kept and finished by itself within seconds",
    "contained": "a later count had it already, so the shelf stays as it was counted",
    "without_sale": "the goods are booked as not belonging to the sale that was named",
}
"""What was done otherwise than one would think, and why."""

CONTAINED: Final = "counted since"
"""What the ledger has for a correction of what a later count contained, or reckoned with."""


class Booked(NamedTuple):
    """What became of an event: applied or rejected, a word for why, what it says, and its time in the ledger."""

    state: str
    code: str = ""
    says: str = ""
    booked_ms: int = 0


class Due(NamedTuple):
    """An event to be booked: the op that names it, its plan, and when it came first."""

    op: str
    plan: Plan
    heard_ms: int


@dataclass(frozen=True)
class Booker:
    """Books events of one connection. `desk` is the one for its seller's counts."""

    allocator: Allocator
    database: Database
    desk: Desk
    metrics: Metrics
    by: By
    connection: str

    async def book(self, event_id: str, plan: Plan, heard_ms: int) -> Booked:
        """Book an event, again if it was. Raises Frozen, Checking, Unanswered, NotReady, HistoryAway, DatabaseAway."""
        due = self._due(event_id, plan, heard_ms)
        try:
            booked = await self._by_type(due)
            return await self._take_back(due, booked) if plan.contained else booked
        except OpConflict:
            return Booked(REJECTED, *OTHER_REQUEST)
        except (Refusal, Invalid) as error:
            kind = PROBLEMS[type(error)]
            return Booked(REJECTED, kind.slug.replace("-", "_"), f"{kind.title}: {kind.do}")

    async def make_good(self, event_id: str, plan: Plan, heard_ms: int, moves: Sequence[tuple[str, int]]) -> int:
        """
        Move the (sku, units) of a refused event that a count has reckoned with; their time in the ledger.

        The count has put the shelf right for what was to come, and cannot be changed any more. Raises as `book` does.
        """
        due = self._due(event_id, plan, heard_ms)
        lines = [AdjustLine(sku, plan.location, units) for sku, units in moves]
        return _booked(due, replayed=(await self._correct(due, lines)).replayed).booked_ms

    def _due(self, event_id: str, plan: Plan, heard_ms: int) -> Due:
        return Due(f"pos:{self.connection}:{event_id}", plan, heard_ms)

    async def _by_type(self, due: Due) -> Booked:
        match due.plan.type:
            case "sale":
                return await self._sale(due)
            case "return":
                return await self._return(due)
            case "adjustment":
                return await self._adjustment(due)
            case "transfer":
                return await self._transfer(due)
        return await self._count(due)

    async def _sale(self, due: Due) -> Booked:
        assert due.plan.order is not None
        channel, external_id = due.plan.order
        lines = [Line(sku, sku, units) for sku, units in due.plan.lines]
        asked = OrderRequest(channel=channel, external_id=external_id, lines=lines, kind="gone", at=due.plan.location)
        placed = await self.allocator.order(asked, self.by.actor)
        self.metrics.placed(self.by.seller, placed)
        return Booked(APPLIED, booked_ms=placed.placed_ms)

    async def _return(self, due: Due) -> Booked:
        if due.plan.order:
            with suppress(*WITHOUT_SALE):
                return await self._come_back(due, due.op, due.plan.order)
        booked = await self._come_back(due, f"{due.op}:loose", None)
        code = "without_sale" if due.plan.reference else ""
        return booked._replace(code=code, says=CODES.get(code, ""))

    async def _come_back(self, due: Due, op: str, order: tuple[str, str] | None) -> Booked:
        plan = due.plan
        lines = [
            # By the order's line, which is called like its sku, or by the sku alone.
            ReturnLine(
                line=sku if order else "", sku=sku, location=plan.location, units=units, disposition=plan.disposition
            )
            for sku, units in plan.lines
        ]
        said = await self.allocator.return_units(lines, op=op, order=order, why=plan.reference, actor=self.by.actor)
        if not said.replayed:
            self.metrics.returned(self.by.seller, lines)
        return _booked(due, replayed=said.replayed)

    async def _adjustment(self, due: Due) -> Booked:
        plan = due.plan
        lines = [AdjustLine(sku, plan.location, units) for sku, units in plan.lines if sku not in plan.contained]
        if not lines:
            return Booked(APPLIED, "contained", CODES["contained"], due.heard_ms)
        said = await self.allocator.adjust(lines, op=due.op, why=plan.reference or "till", actor=self.by.actor)
        return _booked(due, replayed=said.replayed)

    async def _transfer(self, due: Due) -> Booked:
        plan, told = due.plan, {"why": "till", "actor": self.by.actor}
        if plan.to_location:
            sent = [SentLine(sku, units) for sku, units in plan.lines]
            leaving = self.allocator.transfer_out(plan.transfer, plan.location, plan.to_location, sent, **told)
            return _booked(due, replayed=(await leaving).replayed)
        come = [ArrivedLine(sku, units) for sku, units in plan.lines]
        arriving = self.allocator.transfer_in(plan.transfer, plan.location, come, op=due.op, **told)
        return _booked(due, replayed=(await arriving).replayed)

    async def _count(self, due: Due) -> Booked:
        """What the desk for counts makes of it; it goes on by itself where it cannot be finished now."""
        plan, moment = due.plan, moment_of(due.plan.at_ms)
        lines = [
            PlaceCounted(sku=sku, location=plan.location, counted=units, as_of=moment) for sku, units in plan.lines
        ]
        asked = CountAsked(source=self.connection, lines=lines, uncertainty_seconds=0, why=plan.reference)
        async with self.database.writing() as session:
            await taking.take(session, self.by, due.op, asked)
        await self.desk.finish(due.op, REQUEST_CHUNKS)
        async with self.database.reading() as session:
            found = await list_lines(session, self.by.seller, due.op, WantedLines(), len(lines))
        return _counted({line.state: line.why for line in found})._replace(booked_ms=due.heard_ms)

    async def _take_back(self, due: Due, booked: Booked) -> Booked:
        """What a count had in it already moves nothing: taken back where it was booked. An adjustment never was."""
        plan = due.plan
        if booked.state == REJECTED or plan.type == "adjustment":
            return booked
        lines = [AdjustLine(sku, plan.location, -units) for sku, units in plan.moves() if sku in plan.contained]
        try:
            await self.allocator.adjust(lines, op=due.op + CORRECTION, why=CONTAINED, actor=self.by.actor)
        except NotEnough:
            # More was sold there since than lies there by the books: an adjustment ends at 0, a count does not.
            await self._correct(due, lines)
        return booked._replace(code=booked.code or "contained", says=booked.says or CODES["contained"])

    async def _correct(self, due: Due, lines: Sequence[AdjustLine]) -> Moved:
        told = {"source": self.connection, "why": CONTAINED, "actor": self.by.actor}
        return await self.allocator.count(lines, op=due.op + CORRECTION, **told)


def _booked(due: Due, *, replayed: bool) -> Booked:
    """What was booked before was booked soon after it had been heard first."""
    return Booked(APPLIED, booked_ms=due.heard_ms if replayed else now_ms())


def _counted(states: dict[str, str]) -> Booked:
    """One answer for all lines of a count: the one that most needs to be known."""
    if "refused" in states:
        return Booked(REJECTED, states["refused"], "the count of a place was refused: GET /v1/counts has its lines")
    if "review" in states:
        return Booked(APPLIED, "in_review", CODES["in_review"])
    if states.keys() & {"waiting", "applying"}:
        return Booked(APPLIED, "pending", CODES["pending"])
    return Booked(APPLIED, "older", CODES["older"]) if "older" in states else Booked(APPLIED)
