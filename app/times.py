"""The wall clock, for what SQL remembers and people read."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

DAY_MS: Final = 86_400_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def now_ms() -> int:
    """Milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000


def ms_of(moment: datetime) -> int:
    """A moment with a zone in milliseconds since 1970 in UTC, exactly; what is smaller is cut off."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(at_ms: int) -> datetime:
    """The moment of these milliseconds since 1970, in UTC."""
    return _EPOCH + timedelta(milliseconds=at_ms)
