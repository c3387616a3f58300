"""What channels tell about the numbers they show: by webhooks, beside what a push hears itself."""

from collections.abc import Sequence
from typing import Any

from app.store.connections import ConnectionFacts
from app.store.database import Session
from app.store.shown_told import change_shown
from app.times import now_ms
from channels.base import Shown


async def note_shown(session: Session, facts: ConnectionFacts, shown: Sequence[Shown]) -> None:
    """Numbers that a channel says it shows now."""
    at_ms = now_ms()
    for one in shown:
        seen: dict[str, Any] = {"shown": one.units, "shown_places": dict(one.places), "shown_ms": at_ms}
        await change_shown(session, facts.seller, facts.code, listing=one.listing, **seen)


async def look_again(session: Session, facts: ConnectionFacts, listings: Sequence[str]) -> None:
    """Listings whose numbers have to be read again."""
    for listing in listings:
        await change_shown(session, facts.seller, facts.code, listing=listing, shown_ms=0)


async def ticket_finished(session: Session, facts: ConnectionFacts, tickets: Sequence[str]) -> None:
    """Bulk pushes that are done: what became of them is to be asked for now."""
    for ticket in tickets:
        await change_shown(session, facts.seller, facts.code, ticket=ticket, due_ms=now_ms())
