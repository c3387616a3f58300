"""
Lets a channel be that does not answer: after some failures in a row nobody asks it for a while, then one does.

Every time it fails again it is left alone for twice as long, up to a limit.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from .errors import Down

FAILURES_MAX: Final = 5
REST_S: Final = 5.0
REST_MAX_S: Final = 60.0


class Standing(NamedTuple):
    """How a channel has behaved: failures in a row, and until when it is left alone (ms)."""

    failures: int = 0
    until_ms: int = 0


FINE: Final = Standing()


def after(standing: Standing, now_ms: int, *, well: bool) -> Standing:
    """The standing after one more answer, or none."""
    if well:
        return FINE
    failures = standing.failures + 1
    if failures < FAILURES_MAX:
        return Standing(failures)
    rest_s = min(REST_MAX_S, REST_S * 2 ** min(failures - FAILURES_MAX, 10))
    return Standing(failures, now_ms + round(rest_s * 1000))


class Breaker(Protocol):
    """Keeps the standing of one account."""

    async def check(self) -> None:
        """Raise Down while the channel is left alone."""
        ...

    async def heard(self, *, well: bool) -> None:
        """It answered, or did not."""
        ...


class OwnBreaker:
    """The breaker of one process. Once the rest is over one may try; the others wait for what comes of it."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.standing = FINE

    async def check(self) -> None:
        """Raise Down while the channel is left alone."""
        now_ms = self._now_ms()
        if now_ms < self.standing.until_ms:
            rest_s = (self.standing.until_ms - now_ms) / 1000
            raise Down(f"it failed {self.standing.failures} times in a row; left alone for {rest_s:.0f} s more")
        if self.standing.until_ms:
            self.standing = after(self.standing, now_ms, well=False)

    async def heard(self, *, well: bool) -> None:
        """It answered, or did not."""
        self.standing = after(self.standing, self._now_ms(), well=well)
