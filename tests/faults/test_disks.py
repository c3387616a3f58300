"""Disks that forget what was not fsynced, and disks that are full."""

import asyncio
from typing import ClassVar

import pytest

from tests.servers import present

from .crowd import Crowd
from .places import WithApi
from .powercut import cut_power, wire
from .scenario import Scenario
from .verdict import assert_kept

pytestmark = pytest.mark.needs_compiler

FULL_BYTES = 800_000
"""A second's worth of orders and what the store writes when it begins."""

FULL_BYTES_MAX = 1_200_000

FULL_SECONDS_MAX = 10.0


class PowerCut(Scenario):
    """The store is killed, and of its files only what was fsynced is left. They are rewritten again and again."""

    name = "power cut"
    fsync: ClassVar[str] = "always"
    rewrite_percent: ClassVar[str] = "50"
    """By how much the file grows until it is rewritten, and that may happen all the time."""

    async def start(self) -> None:
        self.wired = wire(self.home)
        self.place = WithApi(
            self.home,
            leg=self.wired.leg,
            appendfsync=self.fsync,
            auto_aof_rewrite_min_size="100kb",
            auto_aof_rewrite_percentage=self.rewrite_percent,
        )
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        server = self.place.server
        server.kill()
        cut_power(server.folder, self.wired.notes)
        await asyncio.sleep(self.chance.uniform(0.3, 0.8))

    async def heal(self) -> None:
        self.place.server.start()


class PowerCutWithoutFsync(PowerCut):
    """The same, on a server that an operator has allowed to lose orders."""

    name = "power cut with appendfsync no (must lose)"
    fsync = "no"
    rewrite_percent = "0"
    rounds_max = 1
    back_s_max = 0.0


class FullDisk(Scenario):
    """There is no space left in the middle of a write; the store ends itself, and starts when there is space again."""

    name = "full disk"
    rounds_max = 1

    async def start(self) -> None:
        bytes_max = self.chance.randrange(FULL_BYTES, FULL_BYTES_MAX) if self.is_long else FULL_BYTES
        self.place = WithApi(self.home, leg=wire(self.home, bytes_max=bytes_max).leg)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        async with asyncio.timeout(FULL_SECONDS_MAX):
            while self.place.server.process.poll() is None:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)

    async def heal(self) -> None:
        self.place.replace_server(present()[0])


async def test_no_acknowledged_op_is_lost_in_a_power_cut(torture):
    assert_kept(await torture(PowerCut))


async def test_the_judge_finds_what_a_power_cut_takes_from_a_server_that_does_not_fsync(torture):
    verdict = await torture(PowerCutWithoutFsync)

    assert verdict.acknowledged > 50
    assert verdict.count("lost") == verdict.acknowledged


async def test_no_acknowledged_op_is_lost_when_the_disk_is_full(torture):
    assert_kept(await torture(FullDisk))
