"""
What is broken: a store with an allocator in this process, a store with one or two API processes, or the service that
starts its own store.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from allocator import Allocator, Pipe, Retries, make_client
from allocator.reading import Books, read_books
from app.embedded import EmbeddedValkey
from app.store.database import sqlite_url
from tests.app.process import Service
from tests.servers import Leg, Server, present

from .doors import AllocatorDoor, Door, HttpDoor
from .shop import SELLER, fill, write_seed
from .verdict import Fault

EPOCH = "epoch-1"
TIMEOUT_S = 1.0
"""Of the allocator in this process."""


class Place(ABC):
    """
    A store in a folder of its own; `store_url` may lead through a wire that fails.

    done: what was done to it that callers may not notice, for the report.
    """

    def __init__(self, home: Path, *, leg: Leg | None = None, **settings: str) -> None:
        self.home = home
        self.done: Counter[str] = Counter()
        self.seed = write_seed(home)
        self.leg = leg or present()[0]
        folder = home / "store"
        folder.mkdir()
        self.server = Server(self.leg, folder, {name.replace("_", "-"): value for name, value in settings.items()})
        self.url = self.server.url

    @abstractmethod
    async def open(self, store_url: str = "") -> None:
        """Let the shop begin."""

    @abstractmethod
    def doors(self, count: int) -> list[Door]:
        """Ways in for this many callers."""

    async def books(self, client: Redis) -> Books:
        """What the judge reads: the store's own records."""
        return await read_books(client, SELLER)

    async def examine(self, client: Redis) -> list[Fault]:
        """What is wrong beside the books."""
        return []

    def replace_server(self, leg: Leg) -> None:
        """Start another kind of server on what the last one left."""
        self.server = Server(leg, self.server.folder, self.server._settings)

    async def close(self) -> None:
        """End everything that was started."""
        self.server.stop()


class WithAllocator(Place):
    """An allocator in this process, which gives up early: then there is more that nobody knows."""

    _pipe: Pipe | None = None

    async def open(self, store_url: str = "") -> None:
        self._pipe = Pipe(make_client(store_url or self.url, timeout_s=TIMEOUT_S))
        self.allocator = Allocator(self._pipe, SELLER, EPOCH, retries=Retries(1, 0.5))
        await fill(self.allocator, self.seed)

    def doors(self, count: int) -> list[Door]:
        return [AllocatorDoor(self.allocator, caller) for caller in range(count)]

    async def close(self) -> None:
        if self._pipe is not None:
            await self._pipe.close()
        await super().close()


class Api:
    """Processes that serve the API; the first one makes the key."""

    def __init__(self, home: Path, seed: Path, **variables: str) -> None:
        self._home = home
        self._seed = seed
        self.variables = {"ALLOT_LOG_LEVEL": "warning", **variables}
        self._urls: list[str] = []
        self.services: list[Service] = []
        self.key = ""

    async def start(self) -> Service:
        """One more. It is started in this thread: what it starts shall live as long."""
        home = self._home / f"api-{len(self.services)}"
        home.mkdir()
        service = Service(home, "--seed", self._seed, "--data-dir", self._home / "data", **self.variables)
        self.services.append(service)
        await asyncio.to_thread(service.wait_until_ready)
        self.key = self.key or service.key or ""
        host, port = service.address
        self._urls.append(f"http://{host}:{port}")
        return service

    def urls(self) -> Sequence[str]:
        """Of those that have not ended, or of the last one."""
        pairs = zip(self._urls, self.services, strict=False)
        return [url for url, service in pairs if service.process.poll() is None] or self._urls[-1:]

    def doors(self, count: int) -> list[Door]:
        return [HttpDoor(self.urls, self.key, caller) for caller in range(count)]

    def close(self) -> None:
        for service in self.services:
            if service.process.poll() is None:
                service.process.kill()
            service.wait()


class WithApi(Place):
    """A store, and the API in processes of its own that share a database."""

    def __init__(self, home: Path, *, leg: Leg | None = None, **settings: str) -> None:
        super().__init__(home, leg=leg, **settings)
        self.api = Api(
            home,
            self.seed,
            ALLOT_DATABASE_URL=sqlite_url(home),
            ALLOT_KEY_PEPPER=secrets.token_hex(32),
            ALLOT_ALLOW_UNSAFE="appendfsync-no,fsync-off",
        )

    async def open(self, store_url: str = "") -> None:
        self.api.variables["ALLOT_REDIS_URL"] = store_url or self.url
        await self.api.start()

    def doors(self, count: int) -> list[Door]:
        return self.api.doors(count)

    async def close(self) -> None:
        self.api.close()
        await super().close()


class Embedded(Place):
    """The service that starts its own store."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.done = Counter()
        self.seed = write_seed(home)
        self.url = EmbeddedValkey(home / "data").url
        self.api = Api(self.home, self.seed, ALLOT_LOG_LEVEL="info")

    async def open(self, store_url: str = "") -> None:
        await self.api.start()

    def doors(self, count: int) -> list[Door]:
        return self.api.doors(count)

    async def close(self) -> None:
        # In order, so that its store ends with it.
        for service in self.api.services:
            if service.process.poll() is None:
                await asyncio.to_thread(service.end)
        self.api.close()
