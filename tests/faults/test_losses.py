"""Valkey's data are lost under load: nothing is decided, SQL fills the store again, and what may be gone is said."""

import asyncio
import shutil
import signal
from abc import abstractmethod

from allocator import make_client
from app.times import now_ms

from .crowd import Crowd
from .remembered import read_with_sql
from .scenario import Scenario
from .shop import HOT
from .verdict import Fault, assert_remembered
from .window import forget, judge_closed
from .workers import WithWorkers

GONE = "acknowledged ops gone in the window that was told"
BEHIND_S = 0.4
"""How long the drain stands still before the loss, so that there is something to lose."""

SHUT_SECONDS_MAX = 30.0
LOOKS = 5


class StoreLost(Scenario):
    """The store loses its data; an operator rebuilds it, and trade goes on."""

    rounds_max = 3
    warm_s = after_s = 0.3

    async def start(self) -> None:
        self.place = WithWorkers(self.home)
        await self.place.open()

    options: tuple[str, ...] = ()
    """Of the rebuild."""

    async def disturb(self, crowd: Crowd) -> None:
        [worker] = self.place.workers
        await self.prepare()
        worker.freeze()
        await asyncio.sleep(self.chance.uniform(0.0, 2.0) if self.is_long else BEHIND_S)
        await self.lose()
        lost_ms = now_ms()
        worker.thaw()
        await self.look()
        await crowd.rest()
        self.faults += judge_closed(crowd.diary, lost_ms, now_ms())
        await self.recover(crowd)

    async def prepare(self) -> None:
        """What must have been before the drain falls behind."""

    @abstractmethod
    async def lose(self) -> None:
        """Take the data away."""

    async def look(self) -> None:
        """Ask what may be promised until it is plain that nobody says a number; everybody says why."""
        async with self.place.asking() as client, asyncio.timeout(SHUT_SECONDS_MAX):
            told = 0
            while told < LOOKS:
                answer = await client.get(f"/v1/availability/{HOT}?channel=shop")
                if answer.status_code != 503:
                    self.faults.append(Fault("untrue", HOT, f"a store without its data says {answer.text[:300]}"))
                    return
                told += answer.json()["type"] == "/problems/not-ready"
                await asyncio.sleep(0.02)
        self.why = answer.json()["facts"]
        self.place.done["not ready"] += told

    async def recover(self, crowd: Crowd) -> None:
        """As the README says: stop, rebuild, start; then channels send again what may be gone."""
        complete_until_ms = await self.place.rebuild(*self.options)
        async with make_client(self.place.url) as client:
            books = await read_with_sql(self.place.database, client)
        window = forget(crowd.diary, {entry.op for entry in books.ledger}, complete_until_ms)
        self.faults += window.faults
        self.place.done[GONE] += window.gone


class Flushed(StoreLost):
    """Somebody says FLUSHALL."""

    name = "FLUSHALL"

    async def lose(self) -> None:
        async with make_client(self.place.url) as client:
            await client.flushall()


class OlderCopy(StoreLost):
    """The store dies, and somebody starts it on a copy of its folder that is a little older."""

    name = "older copy of the store's folder"
    options = ("--discard",)

    async def prepare(self) -> None:
        server = self.place.server
        self.copy = self.home / f"copy-{now_ms()}"
        server.process.send_signal(signal.SIGSTOP)
        shutil.copytree(server.folder / "appendonlydir", self.copy)
        server.process.send_signal(signal.SIGCONT)
        await self.place.sql_is_ahead_of(server.url)

    async def lose(self) -> None:
        server = self.place.server
        server.kill()
        shutil.rmtree(server.folder / "appendonlydir")
        shutil.copytree(self.copy, server.folder / "appendonlydir")
        server.start()


async def test_a_flushed_store_decides_nothing_and_is_rebuilt_and_what_is_gone_was_told(torture):
    assert_remembered(await torture(Flushed), "not ready", "rebuilds", GONE)


async def test_a_store_on_an_older_copy_decides_nothing_and_is_rebuilt_and_what_is_gone_was_told(torture):
    assert_remembered(await torture(OlderCopy), "not ready", "rebuilds", GONE)
