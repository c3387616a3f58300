"""
Accepted is not shown: compares what a channel shows with what it was told.

    prove      asks for what was accepted, once the channel has had its time to show it
    reconcile  walks through all that the channel sells, a page a step, and leaves what differs to `prove`
"""

from collections.abc import Sequence
from typing import Any, Final

import structlog

from app.lines.lag import keep
from app.store.connections import change_connection
from app.store.shown import UNLISTED, ShownFacts, add_unmapped, drop_unmapped, find_shown, unproved
from app.times import now_ms
from channels.base import Listing, Shown

from . import lag, outcomes
from .memory import memory_of
from .outcomes import Fields
from .recording import recording, write_down
from .steps import Work

EVERY_MS: Final = 6 * 3_600_000
"""How often everything is compared."""

NAMED_MAX: Final = 128

log = structlog.get_logger(__name__)


async def prove(work: Work) -> bool:
    """Read a batch of what was accepted and not seen yet; whether there may be more. Raises ChannelError."""
    facts = work.line.connector.facts
    if not work.line.connector.reads_back:
        return False
    before_ms = now_ms() - 1_000 * facts.shown_after_s
    async with work.state.database.reading() as session:
        rows = await unproved(session, work.facts.seller, work.facts.code, told_before_ms=before_ms, limit=facts.batch)
    if not rows:
        return False
    listings = [Listing(row.listing, row.refs) for row in rows]
    said = {one.listing: one for one in await work.line.engine.run(work.line.connector.read(listings))}
    at_ms = now_ms()
    known = [row for row in rows if row.listing in said]
    changes = {row.listing: outcomes.seen(row, said[row.listing], facts, at_ms) for row in known}
    await write_down(work, changes, known, untold=True)
    arrivals = [one for row in known for one in lag.of_look(row, changes[row.listing], at_ms)]
    await keep(work.state.pipe.client, work.facts.seller, work.facts.code, arrivals)
    for row in known:
        if changes[row.listing].get("code") == outcomes.DRIFT:
            names = {"seller": work.facts.seller, "connection": work.facts.code, "listing": row.listing}
            log.warning("channel_drifted", **names, told=row.told, shown=said[row.listing].units)
    return len(rows) == facts.batch


async def reconcile(work: Work) -> bool:
    """The next page of the full comparison, if it is time for one; whether there are more. Raises ChannelError."""
    memory = memory_of(work)
    if memory.page is None:
        if now_ms() - work.facts.reconciled_ms < EVERY_MS:
            return False
        memory.page, memory.walk_ms = "", now_ms()
    asked_ms = now_ms()
    page, cursor = await work.line.engine.run(work.line.connector.list_listings(memory.page))
    await _compare(work, page, asked_ms)
    memory.page = cursor or None
    if memory.page is None:
        await _end(work, memory.walk_ms)
    return memory.page is not None


async def _end(work: Work, began_ms: int) -> None:
    async with recording(work) as session:
        await drop_unmapped(session, work.facts.seller, work.facts.code, before_ms=began_ms)
        await change_connection(session, work.facts.seller, work.facts.code, reconciled_ms=now_ms())
    log.info("channel_reconciled", seller=work.facts.seller, connection=work.facts.code, took_ms=now_ms() - began_ms)


async def _compare(work: Work, page: Sequence[Shown], asked_ms: int) -> None:
    seller, code = work.facts.seller, work.facts.code
    async with work.state.database.reading() as session:
        known = await find_shown(session, seller, code, [one.listing for one in page])
    changes: dict[str, Fields] = {}
    for one in page:
        row = known.get(one.listing)
        if row is not None and _is_settled(work, row, asked_ms):
            changes[one.listing] = outcomes.listed(row, one, asked_ms)
    unmapped = [_unmapped(one, asked_ms) for one in page if one.listing not in known]
    await write_down(work, changes, known.values(), untold=True)
    arrivals = [one for listing, became in changes.items() for one in lag.of_look(known[listing], became, asked_ms)]
    await keep(work.state.pipe.client, work.facts.seller, work.facts.code, arrivals)
    if unmapped:
        async with recording(work) as session:
            await add_unmapped(session, seller, code, unmapped)


def _is_settled(work: Work, row: ShownFacts, asked_ms: int) -> bool:
    """Whether what the channel lists can be what it was told last, and nothing is on its way."""
    shown_after_ms = 1_000 * work.line.connector.facts.shown_after_s
    return row.sku == UNLISTED or (not row.ticket and row.told_ms + shown_after_ms <= asked_ms)


def _unmapped(one: Shown, at_ms: int) -> dict[str, Any]:
    shown = {"shown": one.units, "shown_places": dict(one.places), "shown_ms": at_ms}
    return {"listing": one.listing, "named": one.sku[:NAMED_MAX], "refs": dict(one.refs), **shown}
