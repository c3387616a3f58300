"""A place whose store has a replica, on a wire of its own, and whose clients can be led to it."""

import asyncio
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

from allocator import make_client
from tests.servers import Server

from .weather import Weather
from .workers import WithWorkers

LINK_SECONDS_MAX: Final = 20.0

QUICK: Final = {"repl-diskless-sync-delay": "0"}
"""A replica is copied to at once, without waiting for a second one."""


class WithReplica(WithWorkers):
    """Both servers write every change to the disk before they say that they have it. `level`: what callers ask for."""

    def __init__(self, home: Path, chance: Random, level: str) -> None:
        super().__init__(home, **QUICK)
        self._chance = chance
        self._servers = [self.server]
        self._links: list[Weather] = []
        self.api.variables |= {"ALLOT_ACKNOWLEDGE": level, "ALLOT_REPLICAS": "1"}

    async def open(self, store_url: str = "") -> None:
        self.wire = await Weather(self.url, self._chance).__aenter__()
        await self.add_replica()
        await super().open(self.wire.url)

    async def add_replica(self) -> None:
        """A new one, of the server that is the primary now; it has everything when this ends."""
        self.link = await Weather(self.url, self._chance).__aenter__()
        self._links.append(self.link)
        folder = self.home / f"replica-{len(self._links)}"
        folder.mkdir()
        source = f"127.0.0.1 {urlsplit(self.link.url).port}"
        # Started in this thread: what it starts shall live as long.
        self._servers.append(Server(self.leg, folder, {**QUICK, "replicaof": source}))
        await self._is_linked()

    async def _is_linked(self) -> None:
        async with asyncio.timeout(LINK_SECONDS_MAX), make_client(self._servers[-1].url) as client:
            while (await client.info("replication"))["master_link_status"] != "up":
                await asyncio.sleep(0.02)

    def cut_replica_off(self) -> None:
        """Nothing reaches the replica any more, and nobody is told."""
        self.link.forget()

    async def sql_is_ahead(self) -> None:
        """Wait until SQL has what the replica, which is cut off, has not."""
        await self.sql_is_ahead_of(self._servers[-1].url)

    async def fail_over(self) -> None:
        """The primary dies, the replica takes its place, and clients are led there."""
        self.server.kill()
        self.server = self._servers[-1]
        self.url = self.server.url
        async with make_client(self.url) as client:
            await client.replicaof("NO", "ONE")
        self.wire.lead_to(self.url)
        self.done["fail-overs"] += 1

    async def close(self) -> None:
        await super().close()
        for server in self._servers:
            server.stop()
        for wire in (*self._links, self.wire):
            await wire.__aexit__()
