"""
Who loses what is promised and missing.

ALLOT_LOSERS says which orders lose first; unless it says otherwise those of the lowest ranked channel, of these the
newest. SQL names them, so that may be a moment old; the script looks again, and takes from each only what is still
missing.
"""

from collections.abc import Sequence
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

LOSERS: Final = ("channel_rank", "newest")
"""Who loses, unless somebody says otherwise."""

log = structlog.get_logger(__name__)


async def rescue_all(state: State) -> None:
    """Look where something is missing, at every seller's. Raises what the allocator and SQL raise."""
    for allocator in list(state.allocators.values()):
        await rescue(state.database, allocator, state.settings.losers)


async def rescue(database: Database, allocator: Allocator, criteria: Sequence[str] = LOSERS) -> None:
    """Move what is missing to where there is some, or into conflict; `criteria` are words of LOSING."""
    async with database.reading() as session:
        places = await list_missing(session, allocator.seller, PLACES_MAX)
    if places:
        # Nothing else here says when the config has changed, and channels are asked one by one.
        await allocator.reload()
    for missing in places:
        losing = await _losing(database, allocator, missing, criteria)
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


async def _losing(
    database: Database, allocator: Allocator, missing: Missing, criteria: Sequence[str]
) -> list[tuple[str, str]]:
    """(channel, external id) of the orders that lose, the first first, until they have as much as is missing."""
    ranks = {channel.code: channel.rank for channel in allocator.config.channels}
    async with database.reading() as session:
        found = await list_losers(session, allocator.seller, missing, ORDERS_MAX, criteria=criteria, ranks=ranks)
    losing: dict[tuple[str, str], int] = {}
    for channel, external_id, units in found:
        if sum(losing.values()) >= missing.units:
            break
        losing[channel, external_id] = losing.get((channel, external_id), 0) + units
    return list(losing)
