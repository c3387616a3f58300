"""
Many numbers at once, by a push that the channel works through some time later.

Its listings carry its ticket until it is finished, and nothing else is told of them meanwhile: two ways to the same
number may overtake each other. What is sold out never goes this way.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from app.lines.lag import keep
from app.store.shown import ShownFacts, ask_of_tickets, of_ticket, tickets
from app.times import now_ms
from channels.base import Pushed
from channels.errors import Refused

from . import lag, outcomes
from .numbers import Number, level_of, newest
from .outcomes import ALONE, Fields
from .recording import recording, write_down
from .steps import Work

ASK_MS: Final = 60_000
"""How often it is asked about, unless the channel says that it is finished."""

LOST_MS: Final = 24 * 3_600_000
"""After so long nothing more is heard of a bulk push."""

log = structlog.get_logger(__name__)


async def push_bulk(work: Work, rows: Sequence[ShownFacts]) -> bool:
    """Send these as one bulk push; False when the channel takes none of them this way. Raises ChannelError."""
    numbers = await newest(work, rows)
    going = [row for row in rows if not numbers[row.listing].why]
    levels = [level_of(work, row, numbers[row.listing]) for row in going]
    await write_down(work, {row.listing: outcomes.on_its_way(now_ms()) for row in going}, going)
    try:
        ticket = await work.line.engine.run(work.line.connector.push_bulk(levels))
    except Refused as error:
        log.info("bulk_push_refused", seller=work.facts.seller, connection=work.facts.code, says=str(error))
        return False
    at_ms = now_ms()
    await write_down(work, {row.listing: _sent(row, numbers[row.listing], ticket, at_ms) for row in going}, going)
    log.info("bulk_push_sent", seller=work.facts.seller, connection=work.facts.code, ticket=ticket, count=len(going))
    return True


def _sent(row: ShownFacts, number: Number, ticket: str, at_ms: int) -> Fields:
    """It counts as settled as long as it carries the ticket; what is not accepted then is due again."""
    told: Fields = {"told": number.units, "told_places": dict(number.places), "told_ms": at_ms}
    told |= {"due_ms": at_ms + ASK_MS}
    return told | {"ticket": ticket, "settled": row.changes, "version": number.version, "code": "", "says": ""}


# --- what became of it -------------------------------------------------------------------------------------------


async def follow_tickets(work: Work) -> bool:
    """Ask what became of the bulk pushes that are under way."""
    async with work.state.database.reading() as session:
        found = await tickets(session, work.facts.seller, work.facts.code, now_ms=now_ms())
    for ticket, sent_ms in found.items():
        await follow_ticket(work, ticket, sent_ms)
    return False


async def follow_ticket(work: Work, ticket: str, sent_ms: int) -> None:
    """Ask what became of one. Raises ChannelError."""
    try:
        said = await work.line.engine.run(work.line.connector.follow(ticket))
    except Refused as error:
        log.warning("bulk_push_failed", connection=work.facts.code, ticket=ticket, code=error.code, says=str(error))
        await _give_back(work, ticket, {}, error.code or "refused", str(error))
        return
    if said is not None:
        await _give_back(work, ticket, {one.listing: one for one in said}, ALONE, "the bulk push left it out")
    elif sent_ms < now_ms() - LOST_MS:
        await _give_back(work, ticket, {}, "lost", f"nothing was heard of the bulk push {ticket}")
    else:
        async with recording(work) as session:
            at_ms = now_ms() + ASK_MS
            await ask_of_tickets(session, work.facts.seller, work.facts.code, [ticket], at_ms=at_ms)


async def _give_back(work: Work, ticket: str, said: Mapping[str, Pushed], code: str, says: str) -> None:
    """Let each of its listings be what was said of it; of what nothing was said is due again, by `code`."""
    async with work.state.database.reading() as session:
        rows = await of_ticket(session, work.facts.seller, work.facts.code, ticket)
    changes = {row.listing: _became(work, row, said.get(row.listing), code, says) for row in rows}
    await write_down(work, changes, rows)
    arrivals = [one for row in rows for one in lag.of_bulk(row, changes[row.listing], now_ms())]
    await keep(work.state.pipe.client, work.facts.seller, work.facts.code, arrivals)


def _became(work: Work, row: ShownFacts, said: Pushed | None, code: str, says: str) -> Fields:
    facts, at_ms = work.line.connector.facts, now_ms()
    again: Fields = {"ticket": "", "changes": 1, "changed_ms": at_ms, "due_ms": at_ms, "told": None}
    if said is None and code == ALONE:
        return again | {"code": code, "says": says}
    if said is None:
        return again | outcomes.failed(row, code, says, at_ms)
    number = Number(row.told or 0, row.told_places, row.version)
    fields = outcomes.pushed(row, number, said, facts, at_ms)
    if said.outcome != "accepted":
        return again | fields
    # What changed since it was sent is not settled by it, and what was sent was sent then.
    return fields | {"ticket": "", "settled": row.settled, "told_ms": row.told_ms}
