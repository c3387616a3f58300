"""
A wire whose every batch ends with one WAIT: its answers leave when enough replicas have what the batch did.

One WAIT serves all calls of a batch, and replicas get everything in order, so it speaks for whatever was done before,
too. A script that is repeated writes a touch, or WAIT would have nothing to wait for and confirm what no replica has.
"""

from typing import Any, Final

import hiredis
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .wire import Wire

WAIT_SHARE: Final = 0.3
"""The part of the connection's time limit that one WAIT may take: three batches under way must not make it late."""

TIMEOUT_S: Final = 2.0
"""The limit of a connection that has none."""


class NotReplicated(RedisTimeoutError):
    """Too few replicas had it in time. It is done here; whether it stays done, nobody knows yet."""


class ReplicatingWire(Wire):
    """Keeps the answers of a batch back until WAIT has answered; `wanted` is how many replicas must have it."""

    wanted: int

    def __init__(self, *connected: Any) -> None:
        super().__init__(*connected)
        wait_ms = int(WAIT_SHARE * (self._connection.socket_timeout or TIMEOUT_S) * 1000)
        words: Any = ("WAIT", self.wanted, wait_ms)
        self._tail: bytes = hiredis.pack_command(words)
        self._kept: list[Any] = []

    def _hand_out(self, reply: Any) -> None:
        if self._batches and len(self._kept) < len(self._batches[0].calls):
            self._kept.append(reply)
            return
        kept, self._kept = self._kept, []
        missing = self._missing(reply)
        for one in kept or [reply]:
            # What the server refused to run has not happened anywhere.
            super()._hand_out(one if isinstance(one, Exception) or missing is None else missing)

    def _missing(self, reply: Any) -> NotReplicated | None:
        if isinstance(reply, ResponseError):
            return NotReplicated(f"the server cannot say what its replicas have: {reply}")
        if isinstance(reply, int) and reply < self.wanted:
            return NotReplicated(f"{reply} of {self.wanted} replicas have it")
        return None


def replicating_wire(replicas: int) -> type[ReplicatingWire]:
    """The kind of wire that waits for so many replicas."""
    return type("ReplicatingWire", (ReplicatingWire,), {"wanted": replicas})
