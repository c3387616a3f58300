"""What of channels' news need not be kept for ever."""

from typing import Final

from app.deps import State
from app.store.errands import drop_ways
from app.store.heard import drop_news
from app.times import DAY_MS, now_ms

DAYS: Final = 14
"""No vendor sends a webhook again for longer than some days."""


async def forget_heard(state: State) -> None:
    """Forget webhooks that were heard, and ways of parcels that are told, when they are old."""
    before_ms = now_ms() - DAYS * DAY_MS
    async with state.database.writing() as session:
        await drop_news(session, before_ms=before_ms)
        await drop_ways(session, before_ms=before_ms)
