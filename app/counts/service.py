"""The desk of a running service: what it needs from the service's state."""

from typing import Final

from allocator import Allocator
from app.deps import State
from app.draining.drain import READER
from app.errors import NotInLedger
from app.store.cursors import read_cursor
from app.times import now_ms

from .desk import Desk
from .plausibility import Brakes

REQUEST_CHUNKS: Final = 12
"""As far as a request takes its own count; a thousand lines need eight."""

RUN_SECONDS: Final = 0.7
"""How long one run of the schedule works on a seller's counts; the next one is a second after it began."""


def desk_of(state: State, allocator: Allocator) -> Desk:
    """The desk for one seller's counts."""
    settings = state.settings
    brakes = Brakes(settings.count_zeroed_percent, settings.count_changed_percent, settings.count_tenfold_percent)

    async def arrive() -> bool:
        if not await is_drained(state, allocator.seller):
            return False
        try:
            await state.levels.arrivals.arrived(allocator.seller)
        except NotInLedger:
            return False
        return True

    return Desk(state.database, allocator, arrive, brakes)


async def is_drained(state: State, seller: str) -> bool:
    """Whether anybody copies the ledger into SQL; there is nothing to wait for where nobody does."""
    async with state.database.reading() as session:
        cursor = await read_cursor(session, seller, READER)
    return cursor is not None and cursor.lease_until_ms > now_ms()
