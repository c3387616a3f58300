"""Bits that turn over in the append-only file: nothing that differs from what was acknowledged is sold from."""

import asyncio
import os
import sqlite3
from collections import Counter
from contextlib import closing
from random import Random

import pytest

from allocator import SellerKeys, make_client
from app.store.database import SQLITE_FILE
from app.store.datasets import read_dataset

from .aof import flip, last_value, newest
from .crowd import Crowd
from .flips import Original, choose, read_records, try_out
from .report import LINE, SEED
from .scenario import Scenario
from .shop import HOT, SELLER
from .verdict import Fault, assert_remembered
from .workers import WithWorkers

DRAINED_OPS, UNDRAINED_OPS = 150, 30
HARMLESS = ("seller ", "ledger ", "ops ", "servable ")
"""
Counters; entries that SQL has; answers without an effect, which SQL has not; hints that every minute's sweep gives anew
to whatever waits.
"""

FROZEN_VERSION = -2
FROZEN_SECONDS_MAX = 30.0
[STOCK] = SellerKeys(SELLER).named("stock")

FLIPS = 16
"""In the short run; ALLOT_TORTURE times as many in the long one."""


@pytest.fixture
async def original(short_home):
    """A store after a load, of which SQL has most."""
    place = WithWorkers(short_home)
    doors = []
    try:
        await place.open()
        doors = place.doors(4)
        async with Crowd(doors, seed=7) as crowd:
            crowd.allow(DRAINED_OPS)
            await crowd.spend()
            place.workers[0].freeze()
            crowd.allow(UNDRAINED_OPS)
            await crowd.spend()
        async with place.database.reading() as session:
            epoch = (await read_dataset(session)).epoch
        place.api.close()
        async with make_client(place.url) as client:
            records = await read_records(client)
        place.server.kill()
        place.kill_worker(*place.workers)
        await place.end_lease()
        with closing(sqlite3.connect(short_home / SQLITE_FILE)) as sql:
            # All of it into the one file that is copied.
            sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield Original(place.leg, place.server.folder, records, epoch, short_home)
    finally:
        for door in doors:
            await door.close()
        await place.close()


async def test_a_bit_that_turned_over_is_refused_or_harmless_or_closes_what_it_changed(original, request):
    rounds, seed = int(os.environ.get("ALLOT_TORTURE", "0")), int(os.environ.get("ALLOT_TORTURE_SEED", "0"))
    seed = seed or Random().randrange(1, 2**32)
    chance = Random(seed)
    data = newest(original.folder).read_bytes()

    found = [await try_out(original, choose(data, chance)) for _ in range(FLIPS * max(1, rounds))]

    words = Counter(each.word for each in found)
    counts = ", ".join(f"{count} {word}" for word, count in words.items())
    request.node.user_properties += [(LINE, f"one bit turned over: {len(found)} times, {counts}"), (SEED, seed)]
    assert [each for each in found if each.word == "sold from"] == []
    assert [each for each in found if each.word == "unseen" and not each.differs.startswith(HARMLESS)] == []
    assert words["told"] + words["shut"] > 0


class DamagedSku(Scenario):
    """The newest state of the sku that everybody wants is damaged on the disk of a store that died."""

    name = "state of a sku damaged on the disk"
    rounds_max = 4
    warm_s = after_s = 0.3

    async def start(self) -> None:
        self.place = WithWorkers(self.home)
        await self.place.open()

    async def disturb(self, crowd: Crowd) -> None:
        server = self.place.server
        server.kill()
        self.damage()
        server.start()
        await self.is_frozen()
        if await crowd.hear_again(10.0) is None:
            self.faults.append(Fault("away", "other skus", "are not sold beside a frozen one"))

    def damage(self) -> None:
        file = newest(self.place.server.folder)
        state = last_value(file.read_bytes(), STOCK.encode(), HOT.encode())
        flip(file, state.start + self.chance.randrange(len(state.value)), self.chance.randrange(8))

    async def is_frozen(self) -> None:
        """Wait until the service says so; it must not say a number before."""
        async with asyncio.timeout(FROZEN_SECONDS_MAX), self.place.asking() as client:
            while True:
                answer = await client.get(f"/v1/availability/{HOT}?channel=shop")
                if answer.status_code == 200:
                    [level] = answer.json()["levels"]
                    if level["version"] == FROZEN_VERSION:
                        break
                    self.faults.append(Fault("untrue", HOT, f"a damaged sku says {level}"))
                await asyncio.sleep(0.02)
            found = (await client.get("/v1/frozen")).json()
        self.place.done["frozen"] += HOT in str(found)

    async def heal(self) -> None:
        await self.place.run("check", "--repair", "--reason", "a bit had turned over")
        self.place.done["repairs"] += 1


async def test_a_damaged_sku_is_frozen_until_it_is_repaired_and_the_others_are_sold(torture):
    assert_remembered(await torture(DamagedSku), "frozen", "repairs")
