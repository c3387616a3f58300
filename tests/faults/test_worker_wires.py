"""Wires between the worker and what it copies from and to, that fail; the API's are well."""

import asyncio
from random import Random
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from app.store.database import Database, DatabaseAway
from app.store.sellers import list_sellers
from tests.postgres import USER, Postgres

from .crowd import Crowd
from .scenario import Scenario
from .verdict import Fault, assert_remembered
from .weather import CALM, Weather
from .workers import WithWorkers

HURT_SECONDS_MAX = 15.0
MOOD_OPS = 400


class WorkerWires(Scenario):
    """A wire of the worker fails in one way after the other."""

    rounds_max = 4
    warm_s = after_s = 0.2
    moods: ClassVar[tuple[str, ...]]
    weather: Weather

    async def disturb(self, crowd: Crowd) -> None:
        for mood in self.moods:
            self.weather.turn(mood)
            crowd.allow(MOOD_OPS)
            await self.is_hurt(mood)
            await asyncio.sleep(self.chance.uniform(0.0, 4.0) if self.is_long else 0.1)
        self.weather.turn(CALM)
        await self.place.moves(10.0)
        await self.forget(crowd)
        self.place.done += self.weather.hurt
        self.weather.hurt.clear()

    async def is_hurt(self, mood: str) -> None:
        """Wait until it is; a worker that has failed waits a second itself."""
        async with asyncio.timeout(HURT_SECONDS_MAX):
            while not self.weather.hurt[mood]:
                await asyncio.sleep(0.01)

    async def forget(self, crowd: Crowd) -> None:
        """The connections that the worker has are forgotten by whoever lies in between."""
        crowd.allow(MOOD_OPS)
        self.weather.forget()
        if not await self.place.moves(60.0):
            self.faults.append(Fault("away", "worker", "does nothing on a wire that was forgotten"))

    async def stop(self) -> None:
        await super().stop()
        await self.weather.__aexit__()


class WireToStore(WorkerWires):
    name = "wire from the worker to Valkey cut, slow, half open, forgotten, commands twice"
    moods = ("cut_before", "cut_after", "twice", "slow", "half_open")

    async def start(self) -> None:
        self.place = WithWorkers(self.home)
        self.weather = await Weather(self.place.url, self.chance).__aenter__()
        self.place.worker_variables = {"ALLOT_REDIS_URL": self.weather.url}
        await self.place.open()


class WireToPostgres(WorkerWires):
    """PostgreSQL's sessions cannot be said twice: they have locks that the twin would wait for."""

    name = "wire from the worker to PostgreSQL cut, slow, half open, dripping"
    moods = ("cut_before", "cut_after", "slow", "drip", "half_open")

    async def start(self) -> None:
        postgres = Postgres()
        self.place = WithWorkers(self.home, postgres=postgres)
        self.weather = await Weather(f"unix://{postgres.socket}", self.chance).__aenter__()
        self.place.worker_variables = {"ALLOT_DATABASE_URL": through(self.weather, self.place.database_url)}
        await self.place.open()

    async def forget(self, crowd: Crowd) -> None:
        # Half a minute until a use case is ended; the test below has it in the short run.
        if self.is_long and self.chance.random() < 0.3:
            await super().forget(crowd)


def through(weather: Weather, database_url: str) -> str:
    """The address of the database behind a wire."""
    name = urlsplit(database_url).path
    return f"postgresql://{USER}@127.0.0.1:{urlsplit(weather.url).port}{name}"


async def test_every_effect_is_in_sql_once_when_the_wire_to_valkey_fails(torture):
    assert_remembered(await torture(WireToStore), *WireToStore.moods, "forgotten")


async def test_every_effect_is_in_sql_once_when_the_wire_to_postgres_fails(torture):
    assert_remembered(await torture(WireToPostgres), *WireToPostgres.moods)


async def test_a_use_case_on_a_forgotten_wire_is_ended_and_the_next_one_gets_another(postgres):
    url = postgres.new_migrated()

    async with (
        Weather(f"unix://{postgres.socket}", Random(1)) as wire,
        await Database.open(through(wire, url)) as database,
    ):
        async with database.reading() as session:
            await list_sellers(session)
        wire.forget()
        with pytest.raises(DatabaseAway):
            async with database.reading(seconds_max=0.3) as session:
                await list_sellers(session)

        async with database.reading() as session:
            sellers = await list_sellers(session)
    postgres.drop(url)

    assert sellers == []
    assert wire.hurt["forgotten"] > 0
