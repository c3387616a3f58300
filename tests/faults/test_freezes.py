"""Processes that stand still for a while and then go on as if nothing had been."""

import asyncio
import os
import signal
from abc import abstractmethod

from .crowd import Crowd
from .places import WithAllocator, WithApi
from .scenario import Scenario
from .verdict import assert_kept

FROZEN_S = 3.0
"""Longer than the service waits for its store (2 s)."""


class Freeze(Scenario):
    """A process is stopped and goes on."""

    rounds_max = 4

    @abstractmethod
    def frozen(self) -> int:
        """The process."""

    async def disturb(self, crowd: Crowd) -> None:
        self._pid = self.frozen()
        os.kill(self._pid, signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(0.1, 15.0) if self.is_long else FROZEN_S)

    async def heal(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


class StoreFrozenUnderApi(Freeze):
    name = "Valkey frozen under the API"

    async def start(self) -> None:
        self.place = WithApi(self.home)
        await self.place.open()

    def frozen(self) -> int:
        return self.place.server.process.pid


class StoreFrozenUnderAllocator(StoreFrozenUnderApi):
    name = "Valkey frozen under an allocator"

    async def start(self) -> None:
        self.place = WithAllocator(self.home)
        await self.place.open()


class ApiFrozen(StoreFrozenUnderApi):
    name = "API frozen"

    def frozen(self) -> int:
        return self.place.api.services[0].process.pid


async def test_every_op_has_one_effect_when_valkey_stands_still_under_the_api(torture):
    assert_kept(await torture(StoreFrozenUnderApi))


async def test_every_op_has_one_effect_when_valkey_stands_still_under_an_allocator(torture):
    assert_kept(await torture(StoreFrozenUnderAllocator))


async def test_every_op_has_one_effect_when_the_api_stands_still(torture):
    assert_kept(await torture(ApiFrozen))
