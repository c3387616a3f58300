"""What channels tell by themselves of numbers they show: each in the caller's transaction."""

from collections.abc import Collection, Sequence

from app.lines.lag import Arrival
from app.store.connections import ConnectionFacts
from app.store.database import Session
from app.store.shown import ask_of_tickets, change_shown, find_shown, look_again_at, note_listings
from app.times import now_ms
from channels.base import Shown

from . import lag, outcomes


async def note_shown(session: Session, facts: ConnectionFacts, shown: Sequence[Shown]) -> list[Arrival]:
    """
    Numbers a channel says it shows; those that have arrived by that.

    A webhook may be old: one that differs from what was told is only looked into.
    What is no listing of ours is left to the full comparison.
    """
    known = await find_shown(session, facts.seller, facts.code, [one.listing for one in shown])
    at_ms = now_ms()
    told = [(known[one.listing], one) for one in shown if one.listing in known]
    changes = {row.listing: outcomes.listed(row, one, at_ms) for row, one in told if not row.ticket}
    await change_shown(session, facts.seller, facts.code, changes, rows=known)
    return [one for listing, became in changes.items() for one in lag.of_look(known[listing], became, at_ms)]


async def note_sold(session: Session, facts: ConnectionFacts, listings: Collection[str]) -> None:
    """
    The channel has sold some of these, or has some back, and has counted that by itself.

    What it was told is not what it shows, and its number must go out again even where ours is the same as before: one
    that is capped does not fall.
    """
    known = await find_shown(session, facts.seller, facts.code, listings)
    sold = [row.listing for row in known.values() if not row.ticket]
    await note_listings(session, facts.seller, facts.code, sold, now_ms=now_ms())
    await change_shown(session, facts.seller, facts.code, {one: {"told": None, "shown_ms": 0} for one in sold})


async def look_again(session: Session, facts: ConnectionFacts, listings: Collection[str]) -> None:
    """Listings whose numbers the channel says have changed: they are read at the next occasion."""
    await look_again_at(session, facts.seller, facts.code, listings)


async def ticket_finished(session: Session, facts: ConnectionFacts, tickets: Collection[str]) -> None:
    """Bulk pushes the channel is through with: what became of them is asked at the next occasion."""
    await ask_of_tickets(session, facts.seller, facts.code, tickets, at_ms=now_ms())
