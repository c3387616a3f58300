"""What SQL knows of a place is the same on every database: each way a line can go, and two who decide at once."""

import asyncio
from datetime import UTC, datetime

import pytest

from app.audit import By
from app.counts import taking
from app.store.counts import WantedCounts, WantedLines, list_counts, list_lines, tally
from tests.allocator.town import CUP, LOCATIONS, PEN, SELLER, TEE
from tests.app.counting import Counted, counted


@pytest.fixture
async def shop(redis_of_service, database):
    shop = await Counted(redis_of_service, database).open()
    yield shop
    await shop.pipe.close()


async def test_lines_of_every_kind_are_decided_as_their_places_are_known(shop):
    shop.at(1)
    seen = await shop.receive(10)
    await shop.receive(6, "rome")
    await shop.receive(4, "rome", TEE)
    await shop.count(counted(3, "rome", PEN))
    shop.at(30)
    await shop.receive(5)
    await shop.receive(2, "rome", PEN, actor="key:erp")
    then = datetime.fromtimestamp(shop.ms(20) / 1_000, UTC)
    lines = [
        counted(8, seen_up_to=seen),
        counted(5, "rome", as_of=then),
        counted(4, "rome", TEE, as_of=datetime.fromtimestamp(shop.ms(2) / 1_000, UTC)),
        counted(4, "rome", PEN),
        counted(1, sku="POT", seen_up_to=0),
        counted(7, "lima", TEE),
    ]

    found = await shop.count(*lines, id="all")

    assert [(line.state, line.why, line.measured, line.difference) for line in found] == [
        ("applied", "", 10, -2),
        ("applied", "", 6, -1),
        ("review", "movements_near", 4, None),
        ("applied", "", 5, -1),
        ("refused", "unknown_sku", None, None),
        ("applied", "", 0, 7),
    ]
    assert [await shop.on_hand(*at) for at in (("oslo",), ("rome",), ("rome", PEN), ("lima", TEE))] == [13, 5, 4, 7]
    await settled_and_listed(shop)


async def settled_and_listed(shop: Counted) -> None:
    async with shop.database.writing() as session:
        assert await taking.settle(session, By(SELLER, "key:ann"), "all", [1, 3], "discard") == 1
    async with shop.database.reading() as session:
        review = await list_lines(session, SELLER, "all", WantedLines(state="refused", locations={"oslo"}), 10)
        newest = await list_counts(session, SELLER, WantedCounts(source="erp"), 1)
        older = await list_counts(session, SELLER, WantedCounts(before=(newest[0].made_ms, newest[0].id)), 5)
        states = await tally(session, SELLER, "all")
    assert ([line.number for line in review], newest[0].id, len(older)) == ([5], "all", 1)
    assert states == {"applied": 4, "refused": 1, "discarded": 1}


async def test_desks_that_work_at_once_book_every_difference_once(shop):
    places = [(sku, location) for sku in (CUP, TEE, PEN) for location in LOCATIONS]
    ids = [
        await shop.send(*(counted(units, location, sku, seen_up_to=0) for sku, location in places)) for units in (4, 9)
    ]

    for _ in range(3):
        await asyncio.gather(*(shop.desk().finish(id, 5) for id in ids * 2))

    assert {state for id in ids for state in await shop.states(id)} == {"applied"}
    # Both speak of the same moment: whichever of them was decided last is what lies there.
    assert {await shop.on_hand(location, sku) for sku, location in places} <= {4, 9}
    assert [(await shop.find(id)).state for id in ids] == ["applied", "applied"]


async def test_a_snapshot_is_judged_and_waits_for_a_second_person(shop):
    await shop.receive(10)
    id = await shop.snapshot(counted(0, seen_up_to=1), counted(3, "rome", seen_up_to=0))
    await shop.desk().work(60.0)
    parked = await shop.find(id)

    async with shop.database.writing() as session:
        await taking.release(session, By(SELLER, "key:ann"), id)
    await shop.desk().work(60.0)

    assert (parked.state, parked.figures["parked"], parked.figures["places"]) == ("parked", ["zeroed"], 1)
    assert ((await shop.find(id)).state, await shop.on_hand(), await shop.on_hand("rome")) == ("applied", 0, 3)
