"""
Who loses what is promised and missing.

The orders of the lowest ranked channel lose first, of a channel the newest. SQL names them, so that may be a moment
old; the script looks again, and takes from each only what is still missing.
"""

from typing import Final

import structlog

from allocator import Allocator
from allocator.errors import Refusal

from .deps import State
from .store.database import Database
from .store.desk import Missing, list_losers, list_missing

PLACES_MAX: Final = 100
"""Places one run looks at."""

ORDERS_MAX: Final = 100
"""Most orders that lose at one place in one step."""

log = structlog.get_logger(__name__)


async def rescue_all(state: State) -> None:
    """Look where something is missing, at every seller's. Raises what the allocator and SQL raise."""
    for allocator in list(state.allocators.values()):
        await rescue(state.database, allocator)


async def rescue(database: Database, allocator: Allocator) -> None:
    """Move what is missing to where there is some, or into conflict."""
    async with database.reading() as session:
        places = await list_missing(session, allocator.seller, PLACES_MAX)
    if places:
        # Nothing else here says when the config has changed, and channels are asked one by one.
        await allocator.reload()
    for missing in places:
        losing = await _losing(database, allocator, missing)
        if losing:
            await _rescue(allocator, missing, losing)


async def _rescue(allocator: Allocator, missing: Missing, losing: list[tuple[str, str]]) -> None:
    try:
        rescued = await allocator.rescue(missing.sku, missing.location, losing)
    except Refusal as refused:
        # A sku that is frozen keeps its debts; others go on.
        log.warning("rescue_refused", sku=missing.sku, location=missing.location, says=type(refused).__name__)
        return
    for line in rescued.lines:
        facts = {"moved": line.moved, "conflict": line.conflict}
        log.info("order_rescued", order=line.order, line=line.line, sku=missing.sku, location=missing.location, **facts)


async def _losing(database: Database, allocator: Allocator, missing: Missing) -> list[tuple[str, str]]:
    """(channel, external id) of the orders that lose, the first first, until they have as much as is missing."""
    channels = sorted(allocator.config.channels, key=lambda channel: (-channel.rank, channel.code))
    losing: dict[tuple[str, str], int] = {}
    async with database.reading() as session:
        for channel in channels:
            room = ORDERS_MAX - len(losing)
            if sum(losing.values()) >= missing.units or room == 0:
                break
            for external_id, units in await list_losers(session, allocator.seller, missing, channel.code, room):
                key = channel.code, external_id
                losing[key] = losing.get(key, 0) + units
    return list(losing)
