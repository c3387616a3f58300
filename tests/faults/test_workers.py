"""Workers that die or stand still while they copy the ledger into SQL."""

import asyncio
from pathlib import Path

from app.draining.drain import LEASE_MS
from tests.postgres import Postgres

from .crowd import Crowd
from .scenario import OPS_BROKEN, Scenario
from .verdict import assert_remembered
from .workers import WithWorkers

KILLS = 2
TAKEN_SECONDS_MAX = 15.0
CARELESS = (str(Path(__file__).with_name("careless_worker.py")),)


class WorkersKilled(Scenario):
    """One worker after the other dies at any moment, and another one comes."""

    name = "workers killed, SQLite"
    rounds_max = 5
    warm_s = after_s = 0.2

    async def start(self) -> None:
        self.place = WithWorkers(self.home, workers=2)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        for _ in range(KILLS):
            # One that is just being started has nothing to lose.
            started = list(self.place.workers)
            self.place.start_worker()
            await self.place.moves(5.0)
            await asyncio.sleep(self.chance.uniform(0.0, 0.3))
            self.place.kill_worker(self.chance.choice(started))
            await self.pass_lease()

    async def pass_lease(self) -> None:
        """Mostly the lease of the dead is over at once: a round would last a minute."""
        if not self.is_long or self.chance.random() < 0.9:
            await self.place.end_lease()


class WorkersKilledOnPostgres(WorkersKilled):
    name = "workers killed, PostgreSQL"

    async def start(self) -> None:
        self.place = WithWorkers(self.home, workers=2, postgres=Postgres())
        await self.place.open()


class WorkerFrozen(Scenario):
    """The worker that drains stands still until its lease is over and another one drains; then it goes on."""

    name = "draining worker frozen beyond its lease, SQLite"
    rounds_max = 4
    warm_s = after_s = 0.2

    async def start(self) -> None:
        self.place = WithWorkers(self.home, workers=2)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        crowd.allow(OPS_BROKEN)
        self.frozen = await self.place.freeze_who_drains()
        if self.is_long:
            await asyncio.sleep(LEASE_MS / 1000)
        else:
            await self.place.end_lease()
        assert await self.place.moves(TAKEN_SECONDS_MAX), "nobody took over"
        self.place.done["taken over"] += 1
        await asyncio.sleep(self.chance.uniform(0.0, 1.0))

    async def heal(self) -> None:
        self.frozen.thaw()


class WorkerFrozenOnPostgres(WorkerFrozen):
    name = "draining worker frozen beyond its lease, PostgreSQL"

    async def start(self) -> None:
        self.place = WithWorkers(self.home, workers=2, postgres=Postgres())
        await self.place.open()


class CarelessWorkersKilled(WorkersKilled):
    """The same, with a worker that notes how far it is before it has written what came until there."""

    name = "worker killed whose cursor moves first (must lose)"

    async def start(self) -> None:
        self.place = WithWorkers(self.home, program=CARELESS)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        await self.place.moves(5.0)
        self.place.kill_worker(*self.place.workers)
        await self.pass_lease()
        self.place.start_worker()


async def test_every_effect_is_in_sqlite_once_when_workers_are_killed(torture):
    assert_remembered(await torture(WorkersKilled), "workers killed")


async def test_every_effect_is_in_postgres_once_when_workers_are_killed(torture):
    assert_remembered(await torture(WorkersKilledOnPostgres), "workers killed")


async def test_every_effect_is_in_sqlite_once_when_a_worker_goes_on_that_lost_its_lease(torture):
    assert_remembered(await torture(WorkerFrozen), "workers frozen", "taken over")


async def test_every_effect_is_in_postgres_once_when_a_worker_goes_on_that_lost_its_lease(torture):
    assert_remembered(await torture(WorkerFrozenOnPostgres), "workers frozen", "taken over")


async def test_the_judge_finds_what_is_missing_in_sql_when_a_careless_worker_is_killed(torture):
    verdict = await torture(CarelessWorkersKilled)

    assert verdict.count("undrained") > 0
