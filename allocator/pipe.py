"""
One shared way to the server: calls that are made in the same moment travel together.

A round trip and an fsync cost many times what a script does. All callers of one process share one wire; whatever they
ask in one turn of the event loop is written at once, and with `appendfsync always` the server makes one fsync for all
that waits in its socket.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cached_property
from operator import methodcaller
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from .replicating import replicating_wire
from .scripts import Script, library
from .wire import Call, Watch, Wire

BATCH_MAX = 128
"""Most calls of one batch."""

UNDER_WAY_MAX = 10_000
"""Most arguments of calls under way: large orders must not add up to a timeout of all."""

BATCHES_MAX = 3
"""Most batches under way: the server has the next one while we read the last; with more they would get small."""


async def run_of(client: Redis) -> str:
    """The server's own name for this run of it: another one after every start. Raises what redis-py raises."""
    info: dict[str, Any] = await client.info("server")
    return str(info["run_id"])


def _library_name(entry: Any) -> str:
    """The name in one entry of FUNCTION LIST, which is a map or a flat list, by protocol."""
    facts = entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))
    name: bytes = facts[b"library_name"]
    return name.decode()


Meet = Callable[[str], Awaitable[None]]
"""Hears which run of the server a new wire leads to, before anything is sent over it."""


class Pipe:
    """
    Runs scripts on one server. Each call is sent once; a lost connection means unknown.

    `meet`, if it is set, must return before calls travel over a new wire; what it raises, they hear.
    `replicas`: how many must have what a call of `replicating` did.
    """

    def __init__(self, client: Redis, watch: Watch | None = None, *, replicas: int = 1) -> None:
        self.client = client
        self.replicas = replicas
        self.meet: Meet | None = None
        self._make_wire: type[Wire] = Wire
        self._watch = watch or (lambda _verbs, _seconds: None)
        self._waiting: deque[Call] = deque()
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._due = False

    async def run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """
        The script's reply.

        A caller that is cancelled leaves the batch alone: the script has probably run, and the others get their
        own answers. Raises what the server or the connection raised for this call.
        """
        packed: bytes = hiredis.pack_command(("FCALL", script.function, len(keys), *keys, *arguments))
        try:
            return await self._call(script.name, packed, len(arguments))
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
        # The server does not have our library (new, flushed, another version), so this surely did not run.
        await self.install()
        return await self._call(script.name, packed, len(arguments))

    @cached_property
    def replicating(self) -> "Pipe":
        """
        A second way, with a wire of its own, so that plain calls never wait for replicas.

        Its calls raise NotReplicated when too few replicas had it in time: it is done here, and nobody knows for how
        long. Set `meet` before it is first used.
        """
        second = Pipe(self.client, self._watch, replicas=self.replicas)
        second.meet = self.meet
        second._make_wire = replicating_wire(self.replicas)
        return second

    def _call(self, verb: str, packed: bytes, size: int) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(Call(verb, packed, size, answer))
        if not self._due:
            self._due = True
            loop.call_soon(self._send_waiting)
        return answer

    def _send_waiting(self) -> None:
        self._due = False
        if not self._waiting or self._opening:
            return
        if self._wire is None or not self._wire.is_fit():
            self._opening = asyncio.create_task(self._open())
            return
        while self._waiting and self._has_room(self._wire):
            self._wire.send(self._next_batch(self._wire))

    def _has_room(self, wire: Wire) -> bool:
        fits = wire.under_way + self._waiting[0].size <= UNDER_WAY_MAX
        return wire.batches == 0 or (wire.batches < BATCHES_MAX and fits)

    def _next_batch(self, wire: Wire) -> list[Call]:
        batch = [self._waiting.popleft()]
        size = wire.under_way + batch[0].size
        while self._waiting and len(batch) < BATCH_MAX and size + self._waiting[0].size <= UNDER_WAY_MAX:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        return batch

    async def _open(self) -> None:
        """Replace the wire; when that fails, everyone who waits hears why."""
        try:
            if self._wire:
                await self._wire.close()
            self._wire = None
            self._wire = await self._new_wire()
        except asyncio.CancelledError:
            self._turn_away(methodcaller("cancel"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is every caller's answer
            self._turn_away(methodcaller("set_exception", error))
        finally:
            self._opening = None
        self._send_waiting()

    def _turn_away(self, say: Callable[[asyncio.Future[Any]], object]) -> None:
        """Nobody who waits is sent."""
        while self._waiting:
            call = self._waiting.popleft()
            if not call.answer.done():
                say(call.answer)

    async def _new_wire(self) -> Wire:
        wire = await self._make_wire.open(self.client, self._send_waiting, self._watch)
        if self.meet:
            try:
                # Asked after the wire is there: should the server be started anew in between, the wire is dead.
                await self.meet(await run_of(self.client))
            except BaseException:
                await wire.close()
                raise
        return wire

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
        """As `hang_up`, and close every other connection."""
        if "replicating" in vars(self):
            await self.replicating.hang_up()
        await self.hang_up()
        await self.client.aclose()

    async def hang_up(self) -> None:
        """Let what is under way end, then close the wire."""
        while answers := self._awaited():
            await asyncio.wait(answers)
        if self._opening:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._wire:
            await self._wire.close()

    def _awaited(self) -> list[asyncio.Future[Any]]:
        """The answers that somebody still waits for."""
        answers = [call.answer for call in self._waiting] + (self._wire.unanswered() if self._wire else [])
        return [answer for answer in answers if not answer.done()]
