"""
How often locations reject, over a window of days: read from SQL now and then, and ranked with by each process.

While SQL is away the last known rates stay.
"""

from typing import Final

from allocator.ranking import RejectRates, rejected_percent

from .deps import State
from .store.database import Session
from .store.recounts import LocationUnits, given_since
from .times import now_ms

DAY_MS: Final = 86_400_000


async def refresh_rates(state: State) -> None:
    """Let every seller's orders be ranked with the rates as they are now. Raises what SQL raises."""
    for allocator in list(state.allocators.values()):
        async with state.database.reading() as session:
            found = await read_given(session, allocator.seller, state.settings.reject_days)
        allocator.rank_with(rates_of(found, state.settings.reject_units_min))


async def read_given(session: Session, seller: str, days: int) -> list[LocationUnits]:
    """What each location gave and rejected on the last days, today included."""
    return await given_since(session, seller, now_ms() // DAY_MS - days)


def rates_of(found: list[LocationUnits], units_min: int) -> RejectRates:
    """The rates to rank with: whole percent of the locations that gave enough units to be judged."""
    return {one.location: rejected_percent(one.taken, one.rejected) for one in found if one.taken >= units_min}
