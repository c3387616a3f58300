"""
Token buckets: how often a channel may be asked, per account and operation.

A bucket is its level at a moment; time fills it. The arithmetic is here, pure, and where levels are kept is somebody
else's business: `Paces` in one process, a store that several share.
"""

from typing import Final, NamedTuple, Protocol

QUEUE_S_MAX: Final = 10.0
"""Whoever would wait longer has no place: one that dies waiting leaves it behind, and others would wait for nobody."""


class Rate(NamedTuple):
    """So many a second in the long run, and so many at once after a rest."""

    per_second: float
    burst: float = 1.0


class Learned(NamedTuple):
    """What a channel says of a bucket: its rate, and how much is left in it; None for what it does not say."""

    rate: Rate | None = None
    left: float | None = None


class Level(NamedTuple):
    """How much a bucket held at a moment (ms); negative: somebody waits for it already."""

    tokens: float
    at_ms: float


def taken(
    level: Level | None, rate: Rate, cost: float, now_ms: float, queue_s: float = QUEUE_S_MAX
) -> tuple[Level, float]:
    """
    The bucket after `cost` was taken from it, and how many seconds to wait before it may be used.

    Who waits has his place already: the next one waits behind him. Who would wait longer than `queue_s` has none;
    nothing was taken, and he asks again by then. A level of later than now is of a bucket that nobody may use before
    then.
    """
    start_ms = max(now_ms, level.at_ms) if level else now_ms
    # Nobody gains by waiting for more than a full bucket.
    there, cost = filled(level, rate, start_ms), min(cost, rate.burst)
    wait_s = (start_ms - now_ms) / 1000 + max(0.0, cost - there) / rate.per_second
    return Level(there if wait_s > queue_s else there - cost, start_ms), wait_s


def filled(level: Level | None, rate: Rate, now_ms: float) -> float:
    """How much is in it now; a bucket nobody has used is full."""
    if level is None:
        return rate.burst
    since_s = max(0.0, now_ms - level.at_ms) / 1000
    return min(rate.burst, level.tokens + since_s * rate.per_second)


def slowed(level: Level | None, wait_s: float, now_ms: float) -> Level:
    """The bucket that nobody uses for so long."""
    tokens = level.tokens if level else 0.0
    return Level(min(tokens, 0.0), now_ms + wait_s * 1000)


def learned(level: Level | None, said: Learned) -> Level | None:
    """The bucket with no more in it than the channel says is left."""
    if said.left is None or level is None:
        return level
    return level._replace(tokens=min(level.tokens, said.left))


class Paces(Protocol):
    """Keeps the buckets of one account."""

    async def take(self, bucket: str, rate: Rate, cost: float, queue_s: float = QUEUE_S_MAX) -> float:
        """Take a place; the seconds to wait before it may be used, or to ask again: see `taken`."""
        ...

    async def slow(self, bucket: str, wait_s: float) -> None:
        """Nobody uses this bucket for so long: the channel said so."""
        ...

    async def learn(self, bucket: str, said: Learned) -> None:
        """The channel says what its limit really is, or how much of it is left."""
        ...


class OwnPaces:
    """The buckets of one process."""

    def __init__(self, now_ms: "Clock") -> None:
        self._now_ms = now_ms
        self._levels: dict[str, Level] = {}
        self._rates: dict[str, Rate] = {}

    async def take(self, bucket: str, rate: Rate, cost: float, queue_s: float = QUEUE_S_MAX) -> float:
        """Take a place; the seconds to wait before it may be used."""
        rate = self._rates.get(bucket, rate)
        self._levels[bucket], wait_s = taken(self._levels.get(bucket), rate, cost, self._now_ms(), queue_s)
        return wait_s

    async def slow(self, bucket: str, wait_s: float) -> None:
        """Nobody uses this bucket for so long."""
        self._levels[bucket] = slowed(self._levels.get(bucket), wait_s, self._now_ms())

    async def learn(self, bucket: str, said: Learned) -> None:
        """Use this rate from now on, and never more than is left."""
        if said.rate is not None:
            self._rates[bucket] = said.rate
        level = learned(self._levels.get(bucket), said)
        if level is not None:
            self._levels[bucket] = level


class Clock(Protocol):
    """Milliseconds that never go back."""

    def __call__(self) -> float: ...
