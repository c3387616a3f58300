"""
What the scheduler at work lets the API processes know: they answer /readyz and /metrics, and it does not.

It writes it beside its lease; they read it every two seconds. In `allot serve` both are one process.
"""

import time
from dataclasses import dataclass, field
from typing import Final

import msgspec

from .metrics import Metrics, Row
from .store.leases import NOBODY, LeaseFacts

SILENCE_SECONDS: Final = 15.0
"""After that long without a sign of a scheduler it is said that there is none."""


class Said(msgspec.Struct):
    """
    What the scheduler knows alone.

    clock_jumps_ms: sellers whose clock is paused. failing: what each failing job said last. rows: what it counted.
    """

    clock_jumps_ms: dict[str, int] = {}
    failing: dict[str, str] = {}
    rows: list[Row] = []


@dataclass
class Heard:
    """
    The last sign of the scheduler at work, by our own monotonic clock, and what it said.

    `own` is the name under which the scheduler in this process works, if there is one: it knows what it says.
    """

    own: str = ""
    at: float = field(default_factory=time.monotonic)
    said: Said = field(default_factory=Said)
    _last: LeaseFacts | None = None

    def hear(self, found: LeaseFacts | None, metrics: Metrics) -> None:
        """Take in the lease as it stands."""
        if found is None or found.owner == NOBODY or found == self._last:
            return
        self._last, self.at = found, time.monotonic()
        if found.owner == self.own:
            self.said = Said()
        elif found.said:
            self.said = msgspec.json.decode(found.said, type=Said)
            metrics.hear(self.said.rows)

    def is_silent(self) -> bool:
        """Whether no scheduler seems to work."""
        return time.monotonic() - self.at > SILENCE_SECONDS
