"""What ends a worker's pause early."""

import asyncio
from contextlib import suppress


class Bell:
    """Rings when somebody waits for the work, or when it is to stop."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._rung = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Whether to stop."""
        return self._stop.is_set()

    def ring(self, _seller: str) -> None:
        """Somebody waits."""
        self._rung.set()

    async def nothing_missed(self) -> None:
        """Nobody listened for a moment; the next look comes by itself."""

    def hush(self) -> None:
        """Whoever rang until now is served by the look that comes."""
        self._rung.clear()

    async def stop(self) -> None:
        """Until the order to stop."""
        await self._stop.wait()

    async def sleep(self, seconds: float) -> None:
        """Until the time is over, or the order to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def doze(self, seconds: float) -> None:
        """As `sleep`, or until somebody rings."""
        either = [asyncio.ensure_future(event.wait()) for event in (self._stop, self._rung)]
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for one in either:
            one.cancel()
