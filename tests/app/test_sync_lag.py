"""How long numbers take to channels is counted where they arrive."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import registry_of, written
from app.opening import open_service
from app.store.connections import find_connection
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from app.sync.told import note_shown
from channels.base import Shown
from tests.app.channel_worlds import world_of

PUSH = next(step for step in OUT_STEPS if step.name == "push")


@pytest.fixture
async def state(settings):
    async with open_service(settings) as state:
        yield state


def counted(state, kind: str = "count") -> dict[str, float]:
    """By stage; `kind` is count or sum."""
    text = written(registry_of(state.metrics), "text/plain")[0].decode()
    return {
        sample.labels["stage"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"allot_push_lag_seconds_{kind}"
    }


async def test_a_number_counts_from_the_ledger_until_the_channel_has_it(state):
    async with world_of(state, "shopify") as shop:
        await shop.lists(_11=("CUP", 1))
        await shop.do(LISTINGS, FOLLOW, PUSH)
        before = counted(state), counted(state, "sum")
        await shop.sells("CUP", 1)
        await shop.do(FOLLOW)
        await shop.change("11", changed_ms=(await shop.row("11")).changed_ms - 3_000)
        await shop.change("11", told_ms=0)

        await shop.do(PUSH)

    assert before[0] == {"accepted": 1, "applied": 1}
    assert counted(state) == {"accepted": 2, "applied": 2}
    assert 3 <= counted(state, "sum")["applied"] - before[1]["applied"] < 8


async def test_a_change_is_as_old_as_its_entry_in_the_ledger(state):
    async with world_of(state, "shopify") as shop:
        await shop.lists(_11=("CUP", 1))
        await shop.do(LISTINGS, FOLLOW, PUSH)
        await shop.sells("CUP", 1)
        await shop.do(FOLLOW)

        row = await shop.row("11")
        async with state.database.reading() as session:
            facts = await find_connection(session, "main", "there")

    assert row.changed_ms == int(facts.position.partition("-")[0])


async def test_what_is_only_accepted_counts_as_applied_once_it_is_seen(state):
    async with world_of(state, "amazon") as shop:
        await shop.lists(CUP=("CUP", 1))
        await shop.do(LISTINGS, FOLLOW, PUSH)
        accepted = counted(state)

        async with state.database.writing() as session:
            await note_shown(session, shop.facts, [Shown("CUP", (await shop.row("CUP")).told)], state.metrics)

    assert accepted == {"accepted": 1}
    assert counted(state) == {"accepted": 1, "applied": 1}


async def test_a_number_that_is_not_taken_has_not_arrived(state):
    async with world_of(state, "shopify") as shop:
        await shop.lists(_11=("CUP", 1))
        shop.sandbox.faults.refuse.add("CUP")

        await shop.do(LISTINGS, FOLLOW, PUSH)

    assert counted(state) == {}
