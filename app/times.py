"""The wall clock, for what SQL remembers and people read."""

import time


def now_ms() -> int:
    """Milliseconds since 1970 in UTC."""
    return time.time_ns() // 1_000_000
