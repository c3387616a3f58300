"""The wall clock, for what SQL remembers and people read."""

import time
from typing import Final

DAY_MS: Final = 86_400_000


def now_ms() -> int:
    """Milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000
