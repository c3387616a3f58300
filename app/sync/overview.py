"""How far a channel is behind the stock, and what can be done about it: what the API and the command line share."""

from dataclasses import replace
from typing import Final

from app.audit import By, note
from app.store.audit import add_entries
from app.store.connections import ConnectionFacts, change_connection
from app.store.database import Session
from app.store.shown import ShownFacts, push_anew
from app.store.unpushed import count_shown
from app.times import now_ms
from channels import CHANNELS

from .sync_words import Marked, Numbers, ShownListing, SyncStatus

NEVER_MS: Final = 0


async def status_of(session: Session, facts: ConnectionFacts, *, newest: str | None = None) -> SyncStatus:
    """How a connection stands; `newest` is the ledger's last entry, where the store can be asked."""
    at_ms = now_ms()
    count = await count_shown(session, facts.seller, facts.code, now_ms=at_ms)
    return SyncStatus(
        connection=facts.code,
        connector=facts.connector,
        channel=facts.channel,
        paused=facts.paused,
        failing=facts.failing,
        failing_since_ms=facts.failing_since_ms,
        numbers=Numbers(
            listed=count.listed,
            due=count.due,
            waiting=count.waiting,
            held_back=count.held_back,
            on_their_way=count.on_their_way,
            dead=count.dead,
            retried=count.retried,
            drift=count.drift,
            unmapped=count.unmapped,
        ),
        oldest_unpushed_ms=0 if count.oldest_ms is None else max(0, at_ms - count.oldest_ms),
        revisions_per_day=CHANNELS[facts.connector].facts.revisions_per_day,
        position=facts.position,
        behind_ms=None if newest is None else behind_ms(facts.position, newest),
        reconciled_ms=facts.reconciled_ms,
    )


def behind_ms(position: str, newest: str) -> int:
    """How much older the last entry is that was looked at than the ledger's newest, in milliseconds."""
    if not position:
        return 0
    return max(0, int(newest.partition("-")[0]) - int(position.partition("-")[0]))


def show_listing(row: ShownFacts) -> ShownListing:
    """A listing as callers see it."""
    own = {name: getattr(row, name) for name in ShownListing.__struct_fields__ if name != "pushed"}
    return ShownListing(**own, pushed=row.changes == row.settled and not row.ticket)


async def push_again(session: Session, by: By, facts: ConnectionFacts, skus: list[str] | None) -> Marked:
    """Tell the numbers of these skus again (None: of all), even where the channel seems to show them."""
    count = await push_anew(session, facts.seller, facts.code, skus, now_ms=now_ms(), dead=False)
    return await _noted(session, by, "sync.push", facts, skus=skus, count=count)


async def replay(session: Session, by: By, facts: ConnectionFacts, skus: list[str] | None) -> Marked:
    """Try what was given up once more, of these skus (None: of all)."""
    count = await push_anew(session, facts.seller, facts.code, skus, now_ms=now_ms(), dead=True)
    return await _noted(session, by, "sync.replay", facts, skus=skus, count=count)


async def reconcile_now(session: Session, by: By, facts: ConnectionFacts) -> SyncStatus:
    """Begin a full comparison with the channel within seconds."""
    await change_connection(session, facts.seller, facts.code, reconciled_ms=NEVER_MS)
    await add_entries(session, [note(by, "sync.reconcile", facts.code, {})])
    return await status_of(session, replace(facts, reconciled_ms=NEVER_MS))


async def _noted(
    session: Session, by: By, action: str, facts: ConnectionFacts, *, skus: list[str] | None, count: int
) -> Marked:
    await add_entries(session, [note(by, action, facts.code, {"skus": skus, "listings": count})])
    return Marked(count)
