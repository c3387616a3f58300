"""A wire that fails in every way a wire can, while everybody at its ends goes on."""

import asyncio
from collections import Counter
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from random import Random
from typing import Final

from tests.proxy import Proxy

CHUNK: Final = 65_536
CUT_SHARE: Final = 0.15
"""Of the reads that arrive while connections are cut."""

SLOW_S: Final = 0.3
DRIP_BYTES: Final = 100
DRIP_S: Final = 0.1
"""A kilobyte a second."""

CALM: Final = ""

_connection: ContextVar[int] = ContextVar("connection")
"""The number of the connection that a task serves."""


class Weather(Proxy):
    """
    A proxy with moods.

    cut_before: the server gets part of what was asked, or nothing. cut_after: the caller gets part of the answer, or
    nothing. twice: the server gets everything a second time, on a connection of its own. slow: answers are late.
    half_open: connections are accepted and nobody is there. drip: answers come a kilobyte a second.
    """

    def __init__(self, server_url: str, chance: Random) -> None:
        super().__init__(server_url)
        self._chance = chance
        self._mood = CALM
        self.hurt: Counter[str] = Counter()
        """How often each mood did something."""
        self._numbers = count(1)
        self._forgotten_until = 0

    def turn(self, mood: str) -> None:
        """From now on. Every connection there is ends: some moods are for new ones."""
        self._mood = mood
        for task in list(self._tasks):
            task.cancel()

    def forget(self) -> None:
        """Connections there are go silent for ever, as when a router forgets them; new ones are well."""
        self._forgotten_until = next(self._numbers)

    def lead_to(self, server_url: str) -> None:
        """To another server from now on; every connection there is ends."""
        self._path = server_url.removeprefix("unix://")
        self.turn(CALM)

    def _is_forgotten(self) -> bool:
        is_forgotten = _connection.get() < self._forgotten_until
        self.hurt["forgotten"] += is_forgotten
        return is_forgotten

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _connection.set(next(self._numbers))
        # asyncio's own server complains of connections that are cancelled.
        with suppress(asyncio.CancelledError, OSError):
            if self._mood == "half_open":
                await self._keep_silent()
            else:
                await super()._serve(reader, writer)
        writer.close()

    async def _keep_silent(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.hurt["half_open"] += 1
        await asyncio.Event().wait()

    async def _questions(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        if self._mood != "twice":
            await self._pass_on(reader, [server])
            return
        twin_reader, twin = await asyncio.open_unix_connection(self._path)
        hearing = asyncio.create_task(self._ignore(twin_reader))
        try:
            await self._pass_on(reader, [twin, server])
        finally:
            hearing.cancel()
            twin.close()

    async def _pass_on(self, reader: asyncio.StreamReader, servers: list[asyncio.StreamWriter]) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if self._is_forgotten():
                    continue
                if self._mood == "cut_before" and self._cuts():
                    servers[0].write(data[: self._part(data)])
                    servers[0].close()
                    return
                self.hurt["twice"] += len(servers) > 1
                for server in servers:
                    if not server.is_closing():
                        server.write(data)

    async def _ignore(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while await reader.read(CHUNK):
                pass

    async def _answers(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await server.read(CHUNK):
            if self._is_forgotten():
                continue
            if self._mood == "cut_after" and self._cuts():
                writer.write(data[: self._part(data)])
                return
            if self._mood == "slow":
                self.hurt["slow"] += 1
                await asyncio.sleep(self._chance.uniform(0, SLOW_S))
            await self._drip(data, writer)

    async def _drip(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        while data and self._mood == "drip" and not writer.is_closing():
            self.hurt["drip"] += 1
            writer.write(data[:DRIP_BYTES])
            data = data[DRIP_BYTES:]
            await asyncio.sleep(DRIP_S)
        writer.write(data)

    def _cuts(self) -> bool:
        cuts = self._chance.random() < CUT_SHARE
        self.hurt[self._mood] += cuts
        return cuts

    def _part(self, data: bytes) -> int:
        """How many bytes still get through."""
        return self._chance.choice([0, self._chance.randrange(len(data))])
