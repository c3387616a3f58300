"""Processes that die at full load."""

import asyncio
import os
import signal

from .crowd import Crowd
from .places import Embedded, WithAllocator, WithApi
from .scenario import Scenario
from .verdict import assert_kept


class StoreKilled(Scenario):
    """The store dies at once and is started again on the same folder."""

    async def disturb(self, crowd: Crowd) -> None:
        self.place.server.kill()
        await asyncio.sleep(self.chance.uniform(0.3, 0.8))

    async def heal(self) -> None:
        self.place.server.start()


class StoreKilledUnderApi(StoreKilled):
    name = "Valkey killed under the API"

    async def start(self) -> None:
        self.place = WithApi(self.home)
        await self.place.open()


class StoreKilledUnderAllocator(StoreKilled):
    name = "Valkey killed under an allocator"

    async def start(self) -> None:
        self.place = WithAllocator(self.home)
        await self.place.open()


class ApiKilled(Scenario):
    """One of two API processes dies; its callers go to the other, and later a new one comes."""

    name = "one of two API processes killed"

    async def start(self) -> None:
        self.place = WithApi(self.home)
        await self.place.open()
        await self.place.api.start()

    async def disturb(self, crowd: Crowd) -> None:
        living = [service for service in self.place.api.services if service.process.poll() is None]
        self.chance.choice(living).end(signal.SIGKILL)

    async def heal(self) -> None:
        if self.is_long:
            await self.place.api.start()


class OnlyApiKilled(Scenario):
    """The only API process dies; its callers repeat what they do not know to the next one."""

    name = "the only API process killed"

    async def start(self) -> None:
        self.place = WithApi(self.home)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        self.place.api.services[-1].end(signal.SIGKILL)
        await asyncio.sleep(self.chance.uniform(0.1, 0.5))

    async def heal(self) -> None:
        await self.place.api.start()


class EmbeddedKilled(Scenario):
    """The service that started its own store dies; the next one on the folder adopts that or starts it again."""

    name = "embedded service killed"

    async def start(self) -> None:
        self.place = Embedded(self.home)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        self.place.api.services[-1].end(signal.SIGKILL)

    async def heal(self) -> None:
        await self.place.api.start()


class EmbeddedStoreKilled(Scenario):
    """The store that a service started dies under it, and the service starts it again by itself."""

    name = "embedded Valkey killed under its service"

    async def start(self) -> None:
        self.place = Embedded(self.home)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        os.kill(self.place.api.services[-1].valkey_pid(), signal.SIGKILL)


async def test_no_acknowledged_op_is_lost_when_valkey_is_killed_under_the_api(torture):
    assert_kept(await torture(StoreKilledUnderApi))


async def test_no_acknowledged_op_is_lost_when_valkey_is_killed_under_an_allocator(torture):
    assert_kept(await torture(StoreKilledUnderAllocator))


async def test_another_api_process_answers_for_one_that_was_killed(torture):
    assert_kept(await torture(ApiKilled))


async def test_the_next_api_process_answers_for_the_only_one_that_was_killed(torture):
    assert_kept(await torture(OnlyApiKilled))


async def test_the_next_service_on_the_folder_answers_for_one_that_was_killed(torture):
    assert_kept(await torture(EmbeddedKilled))


async def test_a_service_starts_its_own_valkey_again_when_that_is_killed(torture):
    assert_kept(await torture(EmbeddedStoreKilled))
