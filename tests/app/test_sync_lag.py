"""How long numbers take to channels is counted where they arrive."""

import pytest

from app.lines import lag
from app.opening import open_service
from app.store.connections import find_connection
from app.survey import Survey
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from app.sync.told import note_shown
from channels.base import Shown
from tests.app.channel_worlds import CODE, world_of
from tests.app.tills import CONNECTION, HERE

PUSH = next(step for step in OUT_STEPS if step.name == "push")


@pytest.fixture
async def opened(settings):
    async with open_service(settings) as opened:
        yield opened


async def counted(opened) -> dict[str, int]:
    return {stage: sum(timing.counts) for stage, timing in (await kept(opened)).items()}


async def kept(opened):
    return await lag.kept(opened.pipe.client, "main", CODE)


async def test_a_number_counts_from_the_ledger_until_the_channel_has_it(opened):
    async with world_of(opened, "shopify") as shop:
        await shop.lists(_11=("CUP", 1))
        await shop.do(LISTINGS, FOLLOW, PUSH)
        before = await counted(opened), (await kept(opened))["applied"].seconds
        await shop.sells("CUP", 1)
        await shop.do(FOLLOW)
        await shop.change("11", changed_ms=(await shop.row("11")).changed_ms - 3_000)
        await shop.change("11", told_ms=0)

        await shop.do(PUSH)

    assert before[0] == {"accepted": 1, "applied": 1}
    assert await counted(opened) == {"accepted": 2, "applied": 2}
    assert 3 <= (await kept(opened))["applied"].seconds - before[1] < 8


async def test_a_change_is_as_old_as_its_entry_in_the_ledger(opened):
    async with world_of(opened, "shopify") as shop:
        await shop.lists(_11=("CUP", 1))
        await shop.do(LISTINGS, FOLLOW, PUSH)
        await shop.sells("CUP", 1)
        await shop.do(FOLLOW)

        row = await shop.row("11")
        async with opened.database.reading() as session:
            facts = await find_connection(session, "main", CODE)

    assert row.changed_ms == int(facts.position.partition("-")[0])


async def test_what_is_only_accepted_counts_as_applied_once_it_is_seen(opened):
    async with world_of(opened, "amazon") as shop:
        await shop.lists(CUP=("CUP", 1))
        await shop.do(LISTINGS, FOLLOW, PUSH)
        accepted = await counted(opened)

        async with opened.database.writing() as session:
            arrivals = await note_shown(session, shop.facts, [Shown("CUP", (await shop.row("CUP")).told)])
        await lag.keep(opened.pipe.client, "main", CODE, arrivals)

    assert accepted == {"accepted": 1}
    assert await counted(opened) == {"accepted": 1, "applied": 1}


async def test_a_number_that_is_not_taken_has_not_arrived(opened):
    async with world_of(opened, "shopify") as shop:
        await shop.lists(_11=("CUP", 1))
        shop.sandbox.faults.refuse.add("CUP")

        await shop.do(LISTINGS, FOLLOW, PUSH)

    assert await counted(opened) == {}


async def test_every_process_tells_what_the_workers_have_counted(client, app):
    await client.put(HERE, json=CONNECTION)
    await lag.keep(app.service.pipe.client, "main", "tills", [("accepted", 300), ("applied", 700)])
    await Survey().look(app.service)

    page = (await client.get("/metrics")).text

    labels = 'connection="tills",seller="main",stage="applied"'
    assert f"allot_push_lag_seconds_count{{{labels}}} 1.0" in page
    assert f"allot_push_lag_seconds_sum{{{labels}}} 0.7" in page
    assert 'allot_push_lag_seconds_bucket{connection="tills",le="0.5",seller="main",stage="applied"} 0.0' in page
