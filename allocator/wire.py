"""
One connection to the server, with several batches of calls on their way at a time.

Calls are written as they come and answered in their order, so neither side ever waits for the other to finish: while
the server works on one batch the next lies in its socket, and it makes one fsync for all it found there.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

Watch = Callable[[list[str], float], None]
"""Hears of each batch: the verbs of its calls, and the seconds until all of them were answered."""


@dataclass
class Call:
    """One script to run: its name, the command as it is written, how many arguments it has, and who waits."""

    verb: str
    packed: bytes
    size: int
    answer: asyncio.Future[Any]


@dataclass
class Batch:
    """Calls that were written together."""

    calls: list[Call]
    timer: asyncio.TimerHandle
    started: float = field(default_factory=perf_counter)
    heard: int = 0


class Wire:
    """
    Sends batches and hands out their answers; `room` is called when one has been answered.

    Whatever breaks the connection, or an answer that is late, ends the wire: every call under way hears it and is of
    unknown outcome, since the answers still to come can no longer be told apart.
    """

    _tail = b""
    """A command that ends every batch."""

    def __init__(self, client: Redis, connection: AbstractConnection, room: Callable[[], None], watch: Watch) -> None:
        self._client = client
        self._connection = connection
        self._room = room
        self._watch = watch
        self._batches: deque[Batch] = deque()
        self._loop = asyncio.get_running_loop()
        self._broken: Exception | None = None
        self._last = self._loop.time()
        self.under_way = 0
        self._hearing = self._loop.create_task(self._hear())

    @classmethod
    async def open(cls, client: Redis, room: Callable[[], None], watch: Watch) -> Self:
        """Take a connection for good. Raises what redis-py raises when there is none."""
        connection = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call] # typed in part
        return cls(client, connection, room, watch)

    def is_fit(self) -> bool:
        """Whether it may carry another batch: one that was idle for long may be dead without knowing."""
        is_old = not self._batches and self._loop.time() - self._last > self._connection.health_check_interval
        return self._broken is None and not is_old

    @property
    def batches(self) -> int:
        """How many are under way."""
        return len(self._batches)

    def unanswered(self) -> list[asyncio.Future[Any]]:
        """The answers still to come."""
        return [call.answer for batch in self._batches for call in batch.calls[batch.heard :]]

    def send(self, calls: list[Call]) -> None:
        """Write these calls. Raises nothing: what goes wrong, the callers hear."""
        timer = self._loop.call_later(self._connection.socket_timeout or 3600, self._late)
        self._batches.append(Batch(calls, timer))
        self.under_way += sum(call.size for call in calls)
        # redis-py's own sending waits until it is written, and pings a connection that somebody else may be reading.
        writer = self._connection._writer  # noqa: SLF001 - see above
        assert writer is not None
        parts = [call.packed for call in calls]
        if self._tail:
            parts.append(self._tail)
        writer.write(b"".join(parts))

    async def close(self) -> None:
        """End it; calls under way are of unknown outcome."""
        self._break(RedisConnectionError("closed"))
        await asyncio.wait([self._hearing])

    def _late(self) -> None:
        self._break(RedisTimeoutError("the server did not answer in time"))

    def _break(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._hearing.cancel()

    async def _hear(self) -> None:
        # `read_response` of the connection gives each answer a time limit of its own and keeps account of health
        # checks, which costs more than reading it. Here a batch as a whole has the limit.
        read = self._connection._parser.read_response  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        try:
            while True:
                self._hand_out(await read(disable_decoding=True))
        except asyncio.CancelledError:
            self._end(self._broken or RedisConnectionError("cancelled"))
            if self._broken is None:
                raise
        except Exception as error:  # noqa: BLE001 - whatever broke it is every caller's answer
            self._end(error)
        finally:
            await self._connection.disconnect(nowait=True)
            await self._client.connection_pool.release(self._connection)

    def _hand_out(self, reply: Any) -> None:
        if not self._batches:
            raise RedisConnectionError("an answer nobody waits for")
        batch = self._batches[0]
        call = batch.calls[batch.heard]
        batch.heard += 1
        if not call.answer.done():  # its caller may have left
            if isinstance(reply, Exception):
                call.answer.set_exception(reply)
            else:
                call.answer.set_result(reply)
        if batch.heard == len(batch.calls):
            self._finish(batch)

    def _finish(self, batch: Batch) -> None:
        self._batches.popleft()
        batch.timer.cancel()
        self._last = self._loop.time()
        self.under_way -= sum(call.size for call in batch.calls)
        self._watch([call.verb for call in batch.calls], perf_counter() - batch.started)
        self._room()

    def _end(self, error: Exception) -> None:
        self._broken = self._broken or error
        for batch in self._batches:
            batch.timer.cancel()
            for call in batch.calls[batch.heard :]:
                if not call.answer.done():  # its caller may have left
                    call.answer.set_exception(error)
        self._batches.clear()
        self._room()
