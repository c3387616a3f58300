"""What a count does: exact with a watermark, by difference without, and to a person where nobody can tell."""

import asyncio
from datetime import UTC, datetime

import pytest

from allocator.errors import OpConflict
from allocator.model import HoldRequest, Line, OrderRequest, StockLine
from app.audit import By
from app.counts import taking
from app.errors import CountStands, CountUnknown, SecondPerson
from tests.allocator.town import CUP, SELLER, TEE
from tests.app.counting import Counted, counted

BILLION = 1_000_000_000


@pytest.fixture
async def shop(redis_of_service, database):
    shop = await Counted(redis_of_service, database).open()
    yield shop
    await shop.pipe.close()


async def sell(shop: Counted, id: str, units: int) -> None:
    await shop.allocator.order(OrderRequest(channel="web", external_id=id, lines=[Line("1", CUP, units)]))


async def ship(shop: Counted, id: str) -> None:
    await shop.allocator.ship("web", id, op="parcel")


def moment(shop: Counted, minute: float) -> datetime:
    return datetime.fromtimestamp(shop.ms(minute) / 1_000, UTC)


# --- with a watermark --------------------------------------------------------------------------------------------


async def test_a_count_that_says_what_it_has_seen_is_exact_whatever_happened_since(shop):
    seen = await shop.receive(10)
    await sell(shop, "1", 3)
    await ship(shop, "1")
    await shop.receive(4)

    [line] = await shop.count(counted(9, seen_up_to=seen))

    assert (line.state, line.measured, line.difference) == ("applied", 10, -1)
    assert await shop.on_hand() == 10 - 1 - 3 + 4


async def test_the_next_count_knows_what_the_one_before_has_booked(shop):
    seen = await shop.receive(10)
    await shop.count(counted(8, seen_up_to=seen))
    await shop.receive(5)

    [line] = await shop.count(counted(8, seen_up_to=seen))

    assert (line.state, line.measured) == ("unchanged", 8)
    assert await shop.on_hand() == 13


async def test_a_count_of_an_earlier_moment_than_the_last_one_is_ignored(shop):
    early = await shop.receive(10)
    late = await shop.receive(5)
    await shop.count(counted(14, seen_up_to=late))

    [line] = await shop.count(counted(3, seen_up_to=early))

    assert (line.state, line.difference) == ("older", None)
    assert await shop.on_hand() == 14


@pytest.mark.parametrize(("meaning", "ours"), [("physical", 10), ("net_of_reserved", 5), ("net_of_open_orders", 7)])
async def test_numbers_are_compared_with_what_they_mean(shop, meaning: str, ours: int):
    await shop.receive(10)
    await sell(shop, "1", 3)
    held = HoldRequest(hold_id="h", channel="web", ttl_ms=60_000, lines=[Line("1", CUP, 2)])
    seen = (await shop.allocator.hold(held)).versions[0].version
    await sell(shop, "2", 1)

    [line] = await shop.count(counted(ours + 1, seen_up_to=seen), meaning=meaning)

    assert (line.measured, line.difference) == (ours, 1)
    assert await shop.on_hand() == 11


async def test_a_count_below_what_is_promised_leaves_a_deficit(shop):
    await shop.receive(9)
    await sell(shop, "1", 5)

    [line] = await shop.count(counted(-1, seen_up_to=2))

    assert (line.difference, await shop.on_hand()) == (-10, -1)
    assert await shop.deficit() == 6


# --- with a time -------------------------------------------------------------------------------------------------


async def test_a_count_of_a_time_is_measured_by_what_lay_there_then(shop):
    shop.at(1)
    await shop.receive(10)
    shop.at(30)
    await shop.receive(7)

    [line] = await shop.count(counted(9, as_of=moment(shop, 15)))

    assert (line.state, line.measured, line.difference) == ("applied", 10, -1)
    assert await shop.on_hand() == 16


async def test_movements_close_to_the_time_are_for_a_person(shop):
    shop.at(1)
    await shop.receive(10)
    shop.at(14)
    await shop.receive(7)

    [line] = await shop.count(counted(9, as_of=moment(shop, 15)))

    assert (line.state, line.why, line.measured) == ("review", "movements_near", 17)
    assert await shop.on_hand() == 17


async def test_movements_elsewhere_or_of_another_bucket_are_not_close(shop):
    shop.at(1)
    await shop.receive(10)
    shop.at(15)
    await shop.receive(1, "rome")
    await sell(shop, "1", 2)

    lines = [
        await shop.count(counted(9, as_of=moment(shop, 15)), meaning=word) for word in ("physical", "net_of_reserved")
    ]

    assert [line.state for [line] in lines] == ["applied", "review"]


async def test_an_earlier_time_than_the_last_one_is_ignored(shop):
    shop.at(1)
    await shop.receive(10)
    await shop.count(counted(9, as_of=moment(shop, 20)))

    [line] = await shop.count(counted(3, as_of=moment(shop, 10)))

    assert (line.state, await shop.on_hand()) == ("older", 9)


async def test_a_time_that_is_not_over_is_waited_for(shop):
    await shop.receive(10)

    [line] = await shop.count(counted(9, as_of=datetime.now(UTC)))

    assert (line.state, await shop.on_hand()) == ("waiting", 10)


# --- with neither ------------------------------------------------------------------------------------------------


async def test_the_first_count_of_a_place_where_nothing_ever_was_is_applied(shop):
    [line] = await shop.count(counted(12))

    assert (line.state, line.measured, await shop.on_hand()) == ("applied", 0, 12)


async def test_the_first_count_of_any_other_place_is_for_a_person(shop):
    await shop.receive(10)

    [line] = await shop.count(counted(12))

    assert (line.state, line.why, line.measured) == ("review", "first_count", 10)


async def test_later_counts_are_the_difference_to_what_their_source_said_before(shop):
    await shop.count(counted(12))
    await sell(shop, "1", 3)
    await ship(shop, "1")

    [unaware] = await shop.count(counted(12))
    [aware] = await shop.count(counted(10))

    assert (unaware.state, aware.difference, await shop.on_hand()) == ("unchanged", -2, 7)


async def test_what_the_source_reported_itself_is_known_to_it(shop):
    await shop.count(counted(12))
    await shop.receive(5, actor="key:erp")
    await shop.receive(3, actor="key:wms")

    [line] = await shop.count(counted(17))

    assert (line.state, line.measured, await shop.on_hand()) == ("unchanged", 17, 20)


async def test_every_source_has_its_own_view(shop):
    await shop.count(counted(12))

    [line] = await shop.count(counted(12), source="wms")

    assert (line.state, line.why) == ("review", "first_count")


# --- what a person settles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "state", "on_hand"), [("apply", "applied", 15), ("discard", "discarded", 13)])
async def test_a_line_in_review_is_applied_or_discarded(shop, action: str, state: str, on_hand: int):
    shop.at(60)
    await shop.receive(10)
    id = await shop.send(counted(12))
    await shop.desk().finish(id, 20)
    await asyncio.sleep(0.002)
    shop.allocator.now_ms = None
    await shop.receive(3)

    async with shop.database.writing() as session:
        settled = await taking.settle(session, By(SELLER, "key:ann"), id, [1], action)
    await shop.desk().finish(id, 20)

    assert (settled, await shop.states(id), await shop.on_hand()) == (1, [state], on_hand)
    count = await shop.find(id)
    assert (count.state, count.tally) == ("applied", {state: 1})


# --- refused -----------------------------------------------------------------------------------------------------


async def test_lines_that_make_no_sense_are_refused_and_the_others_are_applied(shop):
    lines = [
        counted(1, sku="POT", seen_up_to=0),
        counted(1, "atlantis", seen_up_to=0),
        counted(1, seen_up_to=99),
        counted(1, as_of=datetime(2999, 1, 1, tzinfo=UTC), seen_up_to=0),
        counted(7, sku=TEE, seen_up_to=0),
    ]

    found = await shop.count(*lines)

    words = ["unknown_sku", "unknown_location", "not_happened", "in_the_future", ""]
    assert [line.why for line in found] == words
    assert await shop.on_hand(sku=TEE) == 7


async def test_what_no_place_can_count_is_taken_out_and_the_others_are_applied(shop):
    await shop.allocator.receive([StockLine(CUP, "oslo", BILLION)] * 10, op="all")

    first, second, third = await shop.count(
        counted(1, seen_up_to=0), counted(2, "rome", seen_up_to=0), counted(-5, sku=TEE, seen_up_to=0)
    )

    assert (first.state, first.why, first.difference) == ("refused", "over_limit", None)
    assert [second.state, third.state] == ["applied", "applied"]
    assert (await shop.on_hand(), await shop.on_hand("rome"), await shop.on_hand(sku=TEE)) == (10 * BILLION, 2, -5)


async def test_a_place_whose_count_was_refused_is_free_for_the_next(shop):
    await shop.allocator.receive([StockLine(CUP, "oslo", BILLION)] * 10, op="all")
    await shop.count(counted(1, seen_up_to=0))

    [line] = await shop.count(counted(-1, seen_up_to=0))

    assert (line.state, await shop.on_hand()) == ("applied", 10 * BILLION - 1)


# --- once --------------------------------------------------------------------------------------------------------


async def test_a_count_that_broke_off_before_it_was_booked_goes_on(shop):
    id = await shop.send(counted(5, seen_up_to=0))
    await shop.desk().step(id)
    assert (await shop.states(id), await shop.on_hand()) == (["applying"], 0)

    await shop.desk().finish(id, 20)

    assert (await shop.states(id), await shop.on_hand()) == (["applied"], 5)


async def test_a_count_that_broke_off_after_it_was_booked_is_booked_once(shop):
    id = await shop.send(counted(5, seen_up_to=0))
    await shop.desk().step(id)
    await shop.desk(arrives=False).step(id)
    assert (await shop.states(id), await shop.on_hand()) == (["applying"], 5)

    await shop.desk().finish(id, 20)

    assert (await shop.states(id), await shop.on_hand()) == (["applied"], 5)


async def test_a_place_waits_until_sql_has_what_the_count_before_it_did(shop):
    before = await shop.send(counted(5, seen_up_to=0))
    await shop.desk().step(before)
    after = await shop.send(counted(7, seen_up_to=0), counted(2, "rome", seen_up_to=0))

    await shop.desk().step(after)
    between = await shop.states(after)
    await shop.desk().work(60.0)

    assert between == ["waiting", "applying"]
    assert (await shop.states(before), await shop.states(after)) == (["applied"], ["applied", "applied"])
    assert (await shop.on_hand(), await shop.on_hand("rome")) == (7, 2)


async def test_of_two_lines_for_one_place_the_last_counts(shop):
    found = await shop.count(counted(5, seen_up_to=0), counted(7, seen_up_to=0))

    assert [(line.state, line.difference) for line in found] == [("applied", 5), ("applied", 2)]
    assert await shop.on_hand() == 7


async def test_the_same_count_again_is_the_same_and_another_one_under_its_id_is_refused(shop):
    await shop.count(counted(5, seen_up_to=0), id="night")

    await shop.count(counted(5, seen_up_to=0), id="night")

    with pytest.raises(OpConflict):
        await shop.send(counted(6, seen_up_to=0), id="night")
    assert await shop.on_hand() == 5


# --- snapshots ---------------------------------------------------------------------------------------------------


async def test_a_plausible_snapshot_goes_through_by_itself(shop):
    await shop.receive(10)
    id = await shop.snapshot(counted(9, seen_up_to=1), counted(3, "rome", seen_up_to=0))

    await shop.desk().work(60.0)

    count = await shop.find(id)
    assert (count.state, count.figures["parked"], count.figures["changed"]) == ("applied", [], 1)
    assert (await shop.on_hand(), await shop.on_hand("rome")) == (9, 3)


async def test_a_snapshot_that_empties_too_much_waits_for_a_second_person(shop):
    await shop.receive(10)
    id = await shop.snapshot(counted(0, seen_up_to=1))

    await shop.desk().work(60.0)
    parked = await shop.find(id), await shop.on_hand()
    with pytest.raises(SecondPerson):
        async with shop.database.writing() as session:
            await taking.release(session, By(SELLER, "key:erp"), id)
    async with shop.database.writing() as session:
        await taking.release(session, By(SELLER, "key:ann"), id)
    await shop.desk().work(60.0)

    assert (parked[0].state, parked[0].figures["parked"], parked[1]) == ("parked", ["zeroed"], 10)
    released = await shop.find(id)
    assert (released.state, released.settled_by, await shop.on_hand()) == ("applied", "key:ann", 0)


async def test_a_discarded_snapshot_has_no_effect(shop):
    await shop.receive(10)
    id = await shop.snapshot(counted(0, seen_up_to=1))
    await shop.desk().work(60.0)

    async with shop.database.writing() as session:
        await taking.discard(session, By(SELLER, "key:erp"), id)
    await shop.desk().work(60.0)

    assert ((await shop.find(id)).state, await shop.on_hand()) == ("discarded", 10)
    with pytest.raises(CountStands):
        async with shop.database.writing() as session:
            await taking.release(session, By(SELLER, "key:ann"), id)


async def test_a_snapshot_has_the_parts_that_were_announced_each_once(shop):
    by, lines = By(SELLER, "key:erp"), [counted(1, seen_up_to=0)]
    id = await shop.snapshot(*lines)

    async with shop.database.writing() as session:
        assert await taking.add(session, by, id, 1, lines)
        assert await taking.close(session, by, id, 1)
        for refused, work in (
            (OpConflict, taking.add(session, by, id, 1, [counted(2, seen_up_to=0)])),
            (CountStands, taking.add(session, by, id, 2, lines)),
            (CountStands, taking.close(session, by, id, 2)),
            (CountUnknown, taking.close(session, By(SELLER, "key:ann"), id, 1)),
        ):
            with pytest.raises(refused):
                await work

    assert len(await shop.lines(id)) == 1
