"""Memory that ends."""

import asyncio
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from allocator import make_client

from .crowd import Crowd
from .doors import HASTY, Door
from .ops import Op, Want
from .places import WithApi
from .scenario import Scenario
from .shop import SKUS
from .verdict import Fault, assert_kept

ROOM_BYTES = 100_000
FULL_SECONDS_MAX = 5.0
HELD = 5


class OutOfMemory(Scenario):
    """The store has no memory left; what gives units back must go on all the same."""

    name = "out of memory"

    async def start(self) -> None:
        self.place = WithApi(self.home)
        await self.place.open()
        self.round = 0

    @asynccontextmanager
    async def client(self):
        client = make_client(self.place.url)
        try:
            yield client
        finally:
            await client.aclose()

    async def disturb(self, crowd: Crowd) -> None:
        self.round += 1
        # The first callers are hasty.
        *_, door = self.place.doors(HASTY + 1)
        async with self.client() as client:
            for hold in self.holds():
                crowd.diary.note(hold, await door.send(hold))
            used = (await client.info("memory"))["used_memory"]
            await client.config_set("maxmemory", used + ROOM_BYTES)
            await wait_until_full(client)
        await self.release(crowd, door)
        await door.close()
        await asyncio.sleep(self.chance.uniform(0.1, 3.0) if self.is_long else 0.5)

    def holds(self) -> list[Op]:
        lines = (Want(SKUS[-1], 1),)
        return [Op("hold", f"kept-{self.round}-{number}", "amazon", lines=lines) for number in range(HELD)]

    async def release(self, crowd: Crowd, door: Door) -> None:
        """Each must be done at once, under a full store."""
        for hold in self.holds():
            released = Op("release", hold.subject)
            said = crowd.diary.note(released, await door.send(released))
            if said.outcome != "accepted" and crowd.diary.ops[hold.id].outcome == "accepted":
                self.faults.append(Fault("stuck", released.id, str(said)))

    async def heal(self) -> None:
        async with self.client() as client:
            await client.config_set("maxmemory", 0)


async def wait_until_full(client: Redis) -> None:
    """Until the store has refused something for lack of memory."""
    async with asyncio.timeout(FULL_SECONDS_MAX):
        before = await refused(client)
        while await refused(client) == before:
            await asyncio.sleep(0.01)


async def refused(client: Redis) -> int:
    found = (await client.info("errorstats")).get("errorstat_OOM", {"count": 0})
    return int(found["count"])


async def test_an_op_is_done_whole_or_not_at_all_when_memory_ends_and_units_can_be_given_back(torture):
    assert_kept(await torture(OutOfMemory))
