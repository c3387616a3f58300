"""A PostgreSQL that dies or stands still under the API and the worker."""

import asyncio
import signal
from abc import abstractmethod

from tests.postgres import Postgres

from .crowd import Crowd
from .scenario import OPS_BROKEN, Scenario
from .tuner import CHANGED, PUT_OFF, Tuner
from .verdict import assert_remembered
from .workers import WithWorkers

MEANWHILE = "ops accepted meanwhile"


class PostgresBroken(Scenario):
    """PostgreSQL, which is as durable as in production, breaks under orders and changes of config."""

    rounds_max = 5
    warm_s = after_s = 0.3

    async def start(self) -> None:
        self.postgres = Postgres({"fsync": "on"})
        self.place = WithWorkers(self.home, postgres=self.postgres)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        async with Tuner(self.place.api) as self.tuner:
            await self.tuner.heard(CHANGED, 2, 10.0)
            self.hurt()
            before = sum(1 for _ in crowd.diary.of("accepted"))
            crowd.allow(OPS_BROKEN)
            await self.wait()
            self.place.done[MEANWHILE] += sum(1 for _ in crowd.diary.of("accepted")) - before
            self.mend()
            # On a server that is back, without anybody having done anything to the service.
            await self.tuner.heard(CHANGED, self.tuner.done[CHANGED] + 2, 20.0)
            self.faults += await self.tuner.judge()
        self.place.done += self.tuner.done

    @abstractmethod
    def hurt(self) -> None:
        """Break it."""

    @abstractmethod
    async def wait(self) -> None:
        """Wait while it is broken."""

    @abstractmethod
    def mend(self) -> None:
        """Put it right."""


class PostgresKilled(PostgresBroken):
    """It dies with every process it has and is started again; meanwhile who needs it is told so."""

    name = "PostgreSQL killed"

    def hurt(self) -> None:
        self.postgres.kill()

    async def wait(self) -> None:
        await self.tuner.heard(PUT_OFF, self.tuner.done[PUT_OFF] + 2, 10.0)
        await asyncio.sleep(self.chance.uniform(0.1, 5.0) if self.is_long else 0.5)

    def mend(self) -> None:
        self.postgres.start()


class PostgresFrozen(PostgresBroken):
    """Every process it has stands still; whoever needs it waits."""

    name = "PostgreSQL frozen"

    def hurt(self) -> None:
        self.postgres.signal(signal.SIGSTOP)

    async def wait(self) -> None:
        await asyncio.sleep(self.chance.uniform(5.0, 15.0) if self.is_long else 2.0)

    def mend(self) -> None:
        self.postgres.signal(signal.SIGCONT)


async def test_orders_go_on_while_postgres_is_dead_and_sql_catches_up(torture):
    assert_remembered(await torture(PostgresKilled), PUT_OFF, MEANWHILE)


async def test_orders_go_on_while_postgres_stands_still_and_sql_catches_up(torture):
    assert_remembered(await torture(PostgresFrozen), CHANGED, MEANWHILE)
