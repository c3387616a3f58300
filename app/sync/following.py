"""
Notes which numbers may have changed: follows the seller's ledger, and the config's listings.

What is noted and how far the ledger was read is one transaction, so nothing is noted twice for nothing and nothing is
left out. A reader that fell behind what the ledger keeps, or begins, notes everything: that costs reading all numbers
once and no push, since only what differs from what was told is told.
"""

from functools import partial
from typing import Final

import structlog

from allocator import ledger
from allocator.ledger import Gap
from app.events.touched import CONFIG_SKUS_MAX, Known, Touched, resolved, touched_by
from app.store.config import find_records, naming, skus_of
from app.store.config_changes import rows_of_changes, standing
from app.store.connections import find_connection
from app.store.database import Session
from app.store.shown import let_go, move_position, note_changes, note_listings, put_listings, skus_listed
from app.times import now_ms

from .memory import Memory, forget, memory_of
from .recording import recording
from .steps import Work

READ_COUNT: Final = 2_000
"""Entries of the ledger that one step reads."""

LISTINGS_AT_ONCE: Final = 2_000
"""Most new listings of one transaction: others have to write meanwhile."""

log = structlog.get_logger(__name__)


async def follow(work: Work) -> bool:
    """Note what the next entries of the ledger have changed."""
    memory = memory_of(work)
    if memory.position is None:
        await _begin(work, memory)
        return True
    known: Known = dict(memory.known)
    position, everything = memory.position, False
    touched = Touched()
    try:
        rows = await ledger.read(work.state.pipe.client, work.facts.seller, position, READ_COUNT)
    except Gap as gap:
        log.warning("sync_compares_all", seller=work.facts.seller, connection=work.facts.code, after=gap.after)
        position, everything, rows, known = gap.last, True, [], {}
    if rows:
        position = rows[-1][0]
        touched = await resolved(touched_by(rows, known), partial(_skus_of, work))
        everything = bool(touched.everything) or work.facts.channel in touched.channels
    if position == memory.position:
        return False
    async with recording(work) as session:
        moved = await _note(work, session, memory.position, position, None if everything else set(touched.skus))
    if not moved:
        # Somebody has moved it: look again where it is.
        forget(work)
        return True
    memory.position, memory.known = position, known
    return len(rows) == READ_COUNT


async def _begin(work: Work, memory: Memory) -> None:
    """Take up where the position is; what may have been missed about listings since is found by comparing all."""
    async with work.state.database.reading() as session:
        facts = await find_connection(session, work.facts.seller, work.facts.code)
    if facts is None:
        return
    position = facts.position or await ledger.last_id(work.state.pipe.client, work.facts.seller)
    async with recording(work) as session:
        if await _note(work, session, facts.position, position, None):
            memory.position = position


async def _note(work: Work, session: Session, before: str, after: str, skus: set[str] | None) -> bool:
    """Note these skus (None: all) and the position together; False when it was another one."""
    seller, code = work.facts.seller, work.facts.code
    moved = await move_position(session, seller, code, before=before, after=after)
    if moved and (skus is None or skus):
        await note_changes(session, seller, code, skus, now_ms=now_ms())
    return moved


async def _skus_of(work: Work, categories: list[str]) -> list[str]:
    async with work.state.database.reading() as session:
        return await skus_of(session, work.facts.seller, categories, limit=CONFIG_SKUS_MAX + 1)


# --- listings ----------------------------------------------------------------------------------------------------


async def know_listings(work: Work) -> bool:
    """Note listings that the config has, has no longer, or has otherwise, once the change is written."""
    memory, facts = memory_of(work), work.facts
    async with work.state.database.reading() as session:
        config = (await standing(session, facts.seller)).active
        if memory.config == config:
            return False
        changed = None if memory.config is None else await _changed(session, work, memory.config, config)
        there = await _listed(session, work, changed)
        known = await skus_listed(session, facts.seller, facts.code)
    among = known if changed is None else {one: known[one] for one in changed if one in known}
    new = {listing: sku for listing, sku in there.items() if known.get(listing) != sku}
    gone = [listing for listing in among if listing not in there]
    same = [] if changed is None else [listing for listing in changed if listing in there and listing not in new]
    listings = sorted(new)
    for start in range(0, len(listings), LISTINGS_AT_ONCE):
        some = {listing: new[listing] for listing in listings[start : start + LISTINGS_AT_ONCE]}
        async with recording(work) as session:
            await put_listings(session, facts.seller, facts.code, some, now_ms=now_ms())
    if gone or same:
        async with recording(work) as session:
            await let_go(session, facts.seller, facts.code, gone)
            await note_listings(session, facts.seller, facts.code, same, now_ms=now_ms())
    memory.config = config
    return False


async def _changed(session: Session, work: Work, after: int, until: int) -> set[str]:
    """The channel's listings that these versions of the config were about."""
    prefix = f"{work.facts.channel}/"
    rows = await rows_of_changes(session, work.facts.seller, "listings", after=after, until=until)
    return {key.removeprefix(prefix) for key in rows if key.startswith(prefix)}


async def _listed(session: Session, work: Work, listings: set[str] | None) -> dict[str, str]:
    """The channel's active listings with their skus; of these (None: of all)."""
    seller, channel = work.facts.seller, work.facts.channel
    if listings is None:
        found = await naming(session, seller, "listings", "channel", [channel])
    else:
        found = await find_records(session, seller, "listings", [f"{channel}/{listing}" for listing in listings])
    records = [stored.record for stored in found.values()]
    return {record["listing"]: record["sku"] for record in records if record["active"]}
