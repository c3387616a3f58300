"""Takes what tills have sent: planned in one transaction, booked in the order in which it happened, then settled."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import msgspec
import structlog

from allocator.errors import Checking, Frozen, UnknownChannel
from app.events.asking import ask
from app.store.config import find_records
from app.store.connections import ConnectionFacts
from app.store.database import Database, Session
from app.store.sellers import require_seller
from app.store.sold import listings_of
from app.store.tills import (
    PLANNED,
    REJECTED,
    Settled,
    TillEventFacts,
    add_till_events,
    counted_ms,
    drop_moves,
    find_till_events,
    late_moves,
    settle_till_events,
)
from app.sync.told import note_sold
from app.times import ms_of, now_ms
from channels.pos import TillEvent

from .booking import CODES, Booked, Booker
from .forms import EventResult
from .planning import Heard, Plan, Planned, Setting, plan_events
from .quantities import shown

BEFORE: Final = "it was rejected when it came first, and that is final: send what is right under a new event_id"


AT_ONCE: Final = 50
"""Most events that are booked at the same time."""

REJECTED_SHOWN: Final = 20
"""As many events of a batch are named in the log."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Tills:
    """The tills of one connection."""

    database: Database
    facts: ConnectionFacts
    booker: Booker

    async def take(self, events: list[TillEvent]) -> list[EventResult]:
        """
        A result for each event, in their order. What is repeated has no second effect.

        Raises Frozen or Checking for a sku that must wait, once all the others are booked; Unanswered, NotReady,
        HistoryAway, DatabaseAway: repeat, and what was done already is answered as done.
        """
        scales = await self._scales(events)
        before, planned = await self._plan(events, scales)
        done = await self._book([*before.values(), *planned.events])
        known = {id for id, facts in before.items() if facts.state != PLANNED}
        after = await self._after(scales)
        results = []
        for number, event in enumerate(events):
            why = planned.unfitting.get(number)
            if why is not None:
                results.append(_rejected(event.event_id, why.code, why.says))
            else:
                results.append(_result(event, done[event.event_id], after, is_new=event.event_id not in known))
                known.add(event.event_id)
        self._note(results)
        return results

    def _note(self, results: Sequence[EventResult]) -> None:
        """Rejected is what has happened all the same: somebody should know."""
        rejected = [result for result in results if result.status == "rejected"]
        if rejected:
            named = {result.event_id: result.code for result in rejected[:REJECTED_SHOWN]}
            told = {"connection": self.facts.code, "rejected": len(rejected), "events": named}
            log.warning("till_events_rejected", seller=self.facts.seller, **told)

    # --- deciding -----------------------------------------------------------------------------------------------

    async def _scales(self, events: Sequence[TillEvent]) -> dict[str, int]:
        """The skus there are of those that are named, each with its scale."""
        skus = {line.sku for event in events for line in event.lines}
        async with self.database.reading() as session:
            found = await find_records(session, self.facts.seller, "skus", skus)
        return {sku: stored.record["scale"] for sku, stored in found.items()}

    async def _plan(
        self, events: list[TillEvent], scales: Mapping[str, int]
    ) -> tuple[dict[str, TillEventFacts], Planned]:
        """Events that came before, as they stood, and what is planned for the others."""
        allocator, facts = self.booker.allocator, self.facts
        known = {location.code for location in allocator.config.locations}
        named = {facts.locations.get(said, said) for event in events for said in (event.location, event.to_location)}
        if named - known - {""}:
            await allocator.reload()
            known = {location.code for location in allocator.config.locations}

        async def plan(session: Session) -> tuple[dict[str, TillEventFacts], Planned]:
            # Whoever plans for this seller waits: of a sale and a count each would miss the other.
            await require_seller(session, facts.seller, lock=True)
            setting = Setting(
                connection=facts.code,
                channel=facts.channel,
                scales=scales,
                known=known,
                locations=facts.locations,
                now_ms=now_ms(),
            )
            heard = await self._heard(session, events, setting)
            sent = {event.event_id for event in events}
            before = {id: one for id, one in heard.events.items() if id in sent}
            planned = plan_events(events, heard, setting)
            await add_till_events(session, facts.seller, facts.code, planned.events, planned.moves)
            return before, planned

        return await self.database.together((facts.seller, facts.code), plan)

    async def _heard(self, session: Session, events: Sequence[TillEvent], setting: Setting) -> Heard:
        seller = self.facts.seller
        ids = {event.event_id for event in events} | {event.reference for event in events if event.type == "return"}
        places = {
            (line.sku, setting.location(event.location), event.type == "count")
            for event in events
            for line in event.lines
        }
        heard = Heard(
            await find_till_events(session, seller, self.facts.code, ids),
            await counted_ms(session, seller, [place[:2] for place in places]),
        )
        counts = [ms_of(event.occurred_at) for event in events if event.type == "count"]
        if counts:
            counted = [place[:2] for place in places if place[2]]
            since_ms = min([*counts, setting.now_ms - len(events)])
            for move in await late_moves(session, seller, counted, since_ms=since_ms):
                heard.moves[move.place].append(move)
        return heard

    # --- doing --------------------------------------------------------------------------------------------------

    async def _book(self, events: Collection[TillEventFacts]) -> dict[str, Booked]:
        """
        What became of each event, by its id.

        Raises Frozen, Checking for one of them when all others are done, for their skus must wait and nothing else; and
        at once what says that nothing can be done now. What was done is settled before.
        """
        done = {event.event_id: Booked(event.state, event.code) for event in events if event.state != PLANNED}
        due = sorted((event for event in events if event.state == PLANNED), key=lambda one: one.occurred_ms)
        waits: BaseException | None = None
        booked: list[TillEventFacts] = []
        for some in _together(due):
            said = await asyncio.gather(*map(self._book_one, some), return_exceptions=True)
            for event, one in zip(some, said, strict=True):
                if isinstance(one, Booked):
                    done[event.event_id] = one
                    booked.append(event)
                elif waits is None or isinstance(waits, Frozen | Checking):
                    waits = one
            if waits is not None and not isinstance(waits, Frozen | Checking):
                break
        await self._settle(booked, done)
        if waits is not None:
            raise waits
        return done

    async def _book_one(self, event: TillEventFacts) -> Booked:
        due = event.event_id, _plan_of(event), event.heard_ms
        booked = await self.booker.book(*due)
        if booked.state == REJECTED and (moves := await self._reckoned_with(event)):
            return booked._replace(booked_ms=await self.booker.make_good(*due, moves))
        return booked

    async def _reckoned_with(self, event: TillEventFacts) -> list[tuple[str, int]]:
        """(sku, units) of a refused event that some count took for what would come; of all others nothing is known."""
        async with self.database.writing() as session:
            # Whoever plans a count now waits, and does not see it any more.
            await require_seller(session, self.facts.seller, lock=True)
            return await drop_moves(session, self.facts.seller, self.facts.code, event.event_id)

    async def _settle(self, booked: Sequence[TillEventFacts], done: Mapping[str, Booked]) -> None:
        said = [(event.event_id, done[event.event_id]) for event in booked]
        settled = [Settled(id, one.state, one.code, one.booked_ms) for id, one in said]
        mine = self.facts.seller, self.facts.code
        moved = {sku for event in booked for sku, _ in _plan_of(event).lines}

        async def settle(session: Session) -> None:
            await settle_till_events(session, *mine, settled)
            # A hub takes what its tills sell off the number it was told.
            await note_sold(session, self.facts, await listings_of(session, *mine, moved))

        await self.database.together(mine, settle)

    async def _after(self, scales: Mapping[str, int]) -> dict[str, str]:
        """What the channel may promise now of these skus, in their units; nothing where there is no such channel."""
        after: dict[str, str] = {}
        with suppress(UnknownChannel):
            async for _, levels in ask(self.booker.allocator, scales, [self.facts.channel]):
                after |= {level.sku: shown(max(0, level.atp_now), scales[level.sku]) for level in levels}
        return after


def _plan_of(event: TillEventFacts) -> Plan:
    return msgspec.json.decode(event.plan, type=Plan)


def _together(events: Sequence[TillEventFacts]) -> Iterator[Sequence[TillEventFacts]]:
    """
    Events in their order, those together that may be booked at once: neighbours of one kind that is never refused.

    A return waits for the sales before it, and an adjustment or a transfer for what comes to the shelf before it.
    """
    for type, some in groupby(events, key=lambda event: event.type):
        neighbours, count = list(some), AT_ONCE if type in ("sale", "return") else 1
        for start in range(0, len(neighbours), count):
            yield neighbours[start : start + count]


def _result(event: TillEvent, booked: Booked, after: Mapping[str, str], *, is_new: bool) -> EventResult:
    if booked.state == REJECTED:
        return _rejected(event.event_id, booked.code, booked.says or BEFORE)
    return EventResult(
        event_id=event.event_id,
        status="applied" if is_new else "duplicate",
        code=booked.code,
        says=booked.says or CODES.get(booked.code, ""),
        available_after={line.sku: after[line.sku] for line in event.lines if line.sku in after},
    )


def _rejected(event_id: str, code: str, says: str) -> EventResult:
    return EventResult(event_id=event_id, status="rejected", code=code, says=says, available_after={})
