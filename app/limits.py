"""
How many requests a minute: one number to remember per key, no lock, no clock to run.

A bucket is the moment from which it is full again (GCRA). It is this process's own: several API processes allow as
many times as much. A request that is refused costs nothing from the bucket.
"""

import math
import time
from typing import Final

from .errors import RateLimited

WINDOW_S: Final = 60
BURST_PART: Final = 6
"""A sixth of a minute's requests may come at once."""

WRONG_KEYS_PER_MINUTE: Final = 60
ADDRESSES_MAX: Final = 10_000
"""Most client addresses whose wrong keys are remembered."""


class Bucket:
    """A limit of `per_minute` requests, with a burst of a sixth of them, at least one."""

    __slots__ = ("_depth", "_full_at", "_interval", "per_minute")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._interval = WINDOW_S / per_minute
        self._depth = max(1, per_minute // BURST_PART) * self._interval
        self._full_at = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds from `now` until a request may go on; 0.0 when it may at once."""
        wait = max(self._full_at - now, 0.0) + self._interval - self._depth
        # Sums of fractions are a little off; a nanosecond is nobody's burst.
        return wait if wait > 1e-9 else 0.0

    def take(self, now: float) -> float:
        """Count a request that may go on. Returns what `wait_s` does; above 0.0 nothing was counted."""
        wait = self.wait_s(now)
        if not wait:
            self._full_at = max(self._full_at, now) + self._interval
        return wait

    def left(self, now: float) -> int:
        """Requests that may go on at once."""
        return int((self._depth - max(self._full_at - now, 0.0)) / self._interval + 1e-9)

    def headers(self, now: float) -> dict[str, str]:
        """What callers may know of it: the RateLimit fields of the IETF draft, `t` in seconds until it is full."""
        reset = math.ceil(max(self._full_at - now, 0.0))
        return {
            "RateLimit-Policy": f'"key";q={self.per_minute};w={WINDOW_S}',
            "RateLimit": f'"key";r={self.left(now)};t={reset}',
        }


def spend(bucket: Bucket) -> dict[str, str]:
    """Count one request of a key. Returns the headers of its answer. Raises RateLimited."""
    now = time.monotonic()
    wait = bucket.take(now)
    headers = bucket.headers(now)
    if wait:
        raise RateLimited(
            f"this key may ask {bucket.per_minute} times a minute", headers={**headers, **_retry_after(wait)}
        )
    return headers


class WrongKeys:
    """Counts wrong keys by the address they come from, so that guessing is slow."""

    def __init__(self, per_minute: int = WRONG_KEYS_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, Bucket] = {}

    def refuse_guessing(self, address: str) -> None:
        """Raises RateLimited when too many wrong keys came from there."""
        bucket = self._buckets.get(address)
        wait = bucket.wait_s(time.monotonic()) if bucket else 0.0
        if wait:
            raise RateLimited("too many wrong keys came from this address", headers=_retry_after(wait))

    def count(self, address: str) -> None:
        """One more wrong key came from there."""
        if address not in self._buckets and len(self._buckets) >= ADDRESSES_MAX:
            # The oldest goes: whoever has this many addresses is not held up by them.
            del self._buckets[next(iter(self._buckets))]
        self._buckets.setdefault(address, Bucket(self._per_minute)).take(time.monotonic())


def _retry_after(wait: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(wait))}
