"""
One shared way to the server: calls that are made while others are under way travel together.

A round trip and an fsync cost many times what a script does. All callers of one process share a few batches in
flight; whoever comes meanwhile joins the next, and with `appendfsync always` a batch also shares its fsync. More than
one batch, so that the server works on one while this process reads the answers of another.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from .scripts import Script, library

BATCH_MAX = 128
"""Most calls of one batch: a later caller waits for at most this many scripts of others."""

BATCH_ARGUMENTS_MAX = 5_000
"""A batch is full when its calls have this many arguments: large orders must not add up to a timeout of all."""

BATCHES_MAX = 2
"""Most batches under way: with one the server and this process take turns, with many the batches get small."""

Call = tuple[Script, list[str], list[Any]]
Waiting = tuple[Call, asyncio.Future[Any]]
Watch = Callable[[list[str], float], None]
"""Hears of each batch: the verbs of its calls, and the seconds until all of them were answered."""


def _is_unknown_function(reply: Any) -> bool:
    return isinstance(reply, ResponseError) and "Function not found" in str(reply)


def _packed(call: Call) -> bytes:
    script, keys, arguments = call
    packed: bytes = hiredis.pack_command(("FCALL", script.function, len(keys), *keys, *arguments))
    return packed


async def _replies(connection: AbstractConnection, number: int) -> list[Any]:
    """
    The answers to a batch; an error of the server is an answer too.

    Read from the connection's parser: `read_response` gives each answer a time limit of its own and keeps account of
    health checks, which costs more than reading it. Here the batch as a whole has the limit.
    """
    read = connection._parser.read_response  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return [await read(disable_decoding=True) for _ in range(number)]


def _library_name(entry: Any) -> str:
    """The name in one entry of FUNCTION LIST, which is a map or a flat list, by protocol."""
    facts = entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))
    name: bytes = facts[b"library_name"]
    return name.decode()


class Pipe:
    """Runs scripts on one server, batch by batch. Each call is sent once; a lost connection means unknown."""

    def __init__(self, client: Redis, watch: Watch | None = None) -> None:
        self.client = client
        self._watch = watch
        self._waiting: deque[Waiting] = deque()
        self._pumps: set[asyncio.Task[None]] = set()

    async def run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """
        The script's reply.

        A caller that is cancelled leaves the batch alone: the script has probably run, and the others get their
        own answers. Raises what the server or the connection raised for this call.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(((script, keys, arguments), answer))
        if len(self._pumps) < BATCHES_MAX:
            self._pumps.add(loop.create_task(self._send_waiting()))
        return await answer

    async def _send_waiting(self) -> None:
        pump = asyncio.current_task()
        try:
            while self._waiting:
                await self._send(self._next_batch())
        finally:
            # Here and not in a callback: a caller that has its answer may ask again before a callback runs, and would
            # wait for a pump that has looked for the last time.
            self._pumps.discard(pump)

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        while self._waiting and len(batch) < BATCH_MAX and size < BATCH_ARGUMENTS_MAX:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0][2])
        return batch

    async def _send(self, batch: list[Waiting]) -> None:
        started = perf_counter()
        try:
            replies = await self._execute([call for call, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever broke the batch is every caller's answer
            replies = [error] * len(batch)
        if self._watch:
            self._watch([script.name for (script, _, _), _ in batch], perf_counter() - started)
        for (_, answer), reply in zip(batch, replies, strict=True):
            if answer.done():
                continue
            if isinstance(reply, Exception):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    async def _execute(self, calls: list[Call]) -> list[Any]:
        replies = await self._pipeline(calls)
        lost = [index for index, reply in enumerate(replies) if _is_unknown_function(reply)]
        if lost:
            # The server does not have our library (new, flushed, another version), so these surely did not run.
            await self.install()
            for index, reply in zip(lost, await self._pipeline([calls[index] for index in lost]), strict=True):
                replies[index] = reply
        return replies

    async def _pipeline(self, calls: list[Call]) -> list[Any]:
        pool = self.client.connection_pool
        connection = await pool.get_connection()  # type: ignore[no-untyped-call] # redis-py types it in part
        try:
            async with asyncio.timeout(connection.socket_timeout):
                await connection.send_packed_command(b"".join(map(_packed, calls)))
                return await _replies(connection, len(calls))
        except BaseException:
            # Answers may still be on their way; nobody else may hear them.
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)

    async def install(self) -> None:
        """Give the server our library of verbs; others, of other versions, stay."""
        await self.client.function_load(library().source, replace=True)

    async def tidy(self) -> None:
        """
        Install our library and drop those of other versions, which would slow every call down.

        A process of another version that is still running gives its own back when it next calls.
        """
        await self.install()
        for entry in await self.client.function_list(library="allot_*"):
            name = _library_name(entry)
            if name != library().name:
                await self.client.function_delete(name)

    async def close(self) -> None:
        """Let the batches under way end, then close the connections."""
        await asyncio.gather(*self._pumps)
        await self.client.aclose()
