"""The primary dies and its replica takes its place, which may lack what came last."""

import asyncio

from .replica import WithReplica
from .test_losses import GONE, StoreLost
from .verdict import assert_remembered


class FailOver(StoreLost):
    """
    Nothing reaches the replica for a while, then the primary dies and clients are led to the replica.

    SQL has some of what the replica lacks, so it can be told from the store that was; it is rebuilt.
    """

    name = "fail-over to a replica that lags, level fsynced"
    rounds_max = 1
    options = ("--discard",)
    level = "fsynced"

    async def start(self) -> None:
        self.place = WithReplica(self.home, self.chance, self.level)
        await self.place.open()

    async def prepare(self) -> None:
        self.place.cut_replica_off()
        await self.place.sql_is_ahead()
        await asyncio.sleep(self.chance.uniform(0.0, 3.0) if self.is_long else 0.2)

    async def lose(self) -> None:
        await self.place.fail_over()


class FailOverReplicated(FailOver):
    """The same, for callers who are answered when the replica has it: what was answered is never gone."""

    name = "fail-over to a replica that lags, level replicated"
    level = "replicated"

    async def heal(self) -> None:
        # Without another replica nothing could be answered as replicated any more.
        await self.place.add_replica()


async def test_a_replica_that_lacks_what_was_answered_decides_nothing_and_what_is_gone_was_told(torture):
    assert_remembered(await torture(FailOver), "fail-overs", "not ready", "rebuilds", GONE)


async def test_nothing_answered_as_replicated_is_gone_after_a_fail_over(torture):
    verdict = await torture(FailOverReplicated)

    assert_remembered(verdict, "fail-overs", "rebuilds")
    assert verdict.done[GONE] == 0
