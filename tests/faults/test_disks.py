"""Disks that forget what was not fsynced, and disks that are full."""

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from allocator import make_client
from app.embedded import EmbeddedValkey
from app.keeping import kept_running
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


async def test_a_store_of_our_own_that_found_its_disk_full_is_started_until_there_is_space_again(short_home):
    program = wire(short_home, bytes_max=100_000).leg.binary
    full, free = program.read_text().replace("BYTES=100000", "BYTES=0"), program.read_text().replace("BYTES=100000", "")
    server, acknowledged = EmbeddedValkey(short_home / "data", binary=program), set()

    with server, capture_logs() as logs:
        client = make_client(server.url, timeout_s=1.0)
        async with kept_running(server), asyncio.timeout(3 * FULL_SECONDS_MAX):
            while count(logs, "valkey_ended") < 3:
                if count(logs, "valkey_ended") == 1:
                    replace(program, full)
                acknowledged |= await put(client, 1_000 + len(acknowledged))
            replace(program, free)
            while not (last := await put(client, 999)):
                pass
            found = set(await client.keys("*"))
        await client.aclose()

    assert len(acknowledged) > 20
    assert acknowledged | last <= found
    assert any("AOF" in log["says"] for log in logs if log["event"] == "valkey_ended")


def count(logs: list[dict], event: str) -> int:
    return sum(log["event"] == event for log in logs)


def replace(program: Path, text: str) -> None:
    """Give the program another content, whoever reads it now."""
    new = program.with_name("new")
    new.write_text(text)
    new.chmod(0o700)
    new.replace(program)


async def put(client: Redis, number: int) -> set[bytes]:
    """Write a kilobyte; its key, if that was acknowledged."""
    key = b"%d" % number
    try:
        await client.set(key, b"x" * 1_000)
    except (RedisError, OSError):
        await asyncio.sleep(0.02)
        return set()
    return {key}
