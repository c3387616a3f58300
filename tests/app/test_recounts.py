"""What a reject takes off the books is to be counted, and the next count of it closes the task; on every database."""

import msgspec
import pytest

from allocator import Line, OrderRequest, RejectReason
from app.audit import By
from app.checking.checking import check_seller
from app.checking.repairing import Repairer
from app.store.recounts import RecountFacts, WantedRecounts, given_since, list_recounts, waiting_recounts
from tests.allocator.town import CUP, EPOCH, SELLER, TEE, town
from tests.app.checked import Books
from tests.app.counting import Counted, counted

OWN = [RejectReason(code="lost", effect="zero", recount=True), RejectReason(code="torn", effect="less")]


@pytest.fixture
async def shop(redis_of_service, database):
    shop = await Counted(redis_of_service, database).open(msgspec.structs.replace(town(), reasons=OWN))
    await shop.receive(9)
    await shop.receive(9, "rome")
    await shop.receive(9, "oslo", TEE)
    yield shop
    await shop.pipe.close()


async def refuse(
    shop: Counted, units: int = 2, *, sku: str = CUP, reason: str = "mismatch", by: str = "key:ann"
) -> str:
    """An order of the web shop that Oslo rejects; its id."""
    shop.made += 1
    id = f"W{shop.made}"
    lines = [Line("1", sku, units)]
    await shop.allocator.order(OrderRequest(channel="web", external_id=id, lines=lines, prefer=["oslo"]))
    await shop.allocator.reject("web", id, "oslo", op=id, reason=reason, actor="key:ann")
    return id


async def tasks(shop: Counted, **wanted: object) -> list[RecountFacts]:
    await shop.drain.run()
    async with shop.database.reading() as session:
        return await list_recounts(session, SELLER, WantedRecounts(**wanted), 100)


async def test_what_a_reject_took_off_the_books_is_to_be_counted(shop):
    shop.at(5)
    order = await refuse(shop)

    [task] = await tasks(shop)

    assert (task.sku, task.location, task.reason, task.units, task.rejects) == (CUP, "oslo", "mismatch", 2, 1)
    assert (task.channel, task.external_id, task.actor, task.at_ms) == ("web", order, "key:ann", shop.ms(5))
    assert task.closed_number is None


@pytest.mark.parametrize("reason", ["damaged", "too_busy", "torn"])
async def test_nothing_is_to_be_counted_when_the_reason_does_not_ask_or_the_books_stay(shop, reason):
    await refuse(shop, reason=reason)

    assert await tasks(shop) == []


async def test_the_reason_is_what_it_was_when_the_location_rejected(shop):
    await refuse(shop, reason="lost")
    await shop.allocator.configure_all(town())

    [task] = await tasks(shop)

    assert (task.reason, task.units) == ("lost", 9)


async def test_more_rejects_of_the_same_place_are_one_task_until_it_is_counted(shop):
    await refuse(shop, 1)
    await tasks(shop)
    await refuse(shop, 2)
    await refuse(shop, 1, sku=TEE)

    found = await tasks(shop, state="open")

    assert [(task.sku, task.rejects, task.units) for task in found] == [(CUP, 2, 3), (TEE, 1, 1)]


async def test_a_count_that_finds_another_number_closes_it_with_its_op(shop):
    await refuse(shop)
    await tasks(shop)

    shop.at(30)
    await shop.count(counted(9, seen_up_to=await shop.receive(1)), by="key:bob")
    [task] = await tasks(shop, state="closed")

    assert (task.closed_op.startswith("count:count-"), task.closed_by, task.confirmed) == (True, "key:bob", False)
    assert (task.difference, task.closed_ms) == (1, shop.ms(30))
    assert await tasks(shop, state="open") == []


async def test_a_count_that_finds_what_is_booked_closes_it_too(shop):
    await refuse(shop, reason="lost")
    await tasks(shop)
    seen = await shop.receive(4)

    [line] = await shop.count(counted(4, seen_up_to=seen), by="key:bob")

    [task] = await tasks(shop)
    assert line.state == "unchanged"
    assert (task.confirmed, task.difference, task.closed_by) == (True, 0, "key:bob")


async def test_a_count_of_the_time_before_the_reject_says_nothing_of_it(shop):
    seen = await shop.receive(1)
    await refuse(shop)
    await tasks(shop)

    [line] = await shop.count(counted(10, seen_up_to=seen))

    assert line.state == "unchanged"
    assert len(await tasks(shop, state="open")) == 1


async def test_a_count_of_another_place_closes_nothing(shop):
    await refuse(shop)
    await tasks(shop)

    await shop.count(counted(3, sku=TEE, seen_up_to=1), counted(3, "rome", seen_up_to=2))

    assert len(await tasks(shop, state="open")) == 1


async def test_the_next_reject_after_a_count_opens_another_task(shop):
    await refuse(shop, 1)
    await tasks(shop)
    await shop.count(counted(3, seen_up_to=await shop.receive(1)))
    await refuse(shop, 1)

    found = await tasks(shop)

    assert [(task.closed_number is None, task.units) for task in found] == [(False, 1), (True, 1)]


async def test_tasks_are_chosen_by_state_location_and_sku_and_how_many_wait_is_known(shop):
    await refuse(shop, 1)
    await refuse(shop, 1, sku=TEE)

    everywhere, cups = await tasks(shop, state="open", locations=["oslo"]), await tasks(shop, sku=CUP)
    later = await tasks(shop, after=(everywhere[0].number, everywhere[0].sku))
    async with shop.database.reading() as session:
        waiting = await waiting_recounts(session, SELLER)

    assert [task.sku for task in everywhere] == [CUP, TEE]
    assert ([task.sku for task in cups], [task.sku for task in later]) == ([CUP], [TEE])
    assert await tasks(shop, locations=["rome"]) == []
    assert (waiting.number, waiting.since_ms) == (2, everywhere[0].at_ms)


async def test_what_a_location_gave_and_rejected_is_added_up_by_day(shop):
    day = shop.opened_ms // 86_400_000
    await refuse(shop, 2, reason="too_busy")
    await refuse(shop, 1)
    await shop.drain.run()
    await refuse(shop, 1)
    await shop.drain.run()

    async with shop.database.reading() as session:
        given = await given_since(session, SELLER, day - 1)
        later = await given_since(session, SELLER, day)

    assert [tuple(one) for one in given] == [("oslo", 4, 4), ("rome", 4, 0)]
    assert later == []


# --- the check -----------------------------------------------------------------------------------------------------

DAMAGE = {
    "a task is gone": ("DELETE FROM recount WHERE sku = 'CUP'", "recount_rows_differ"),
    "a task's units": ("UPDATE recount SET units = units + 1 WHERE sku = 'TEE'", "recount_rows_differ"),
    "a task too many": ("UPDATE recount SET location = 'rome' WHERE sku = 'TEE'", "recount_rows_differ"),
    "a task that nobody closed": ("UPDATE recount SET closed_number = NULL WHERE sku = 'CUP'", "recount_rows_differ"),
    "a day's units": ("UPDATE location_day SET taken = taken + 1 WHERE location = 'oslo'", "location_day_differs"),
    "a day is gone": ("DELETE FROM location_day WHERE location = 'oslo'", "location_day_differs"),
    "a day too many": ("UPDATE location_day SET day = day + 1 WHERE location = 'rome'", "location_day_differs"),
}


@pytest.fixture
async def counted_shop(shop):
    """One task that a count closed, one that a count confirmed, one that is open."""
    await refuse(shop, 1)
    await tasks(shop)
    await shop.count(counted(3, seen_up_to=await shop.receive(1)))
    await refuse(shop, 1, sku=TEE)
    await tasks(shop)
    await shop.count(counted(9, sku=TEE, seen_up_to=await shop.receive(1, sku=TEE)))
    await refuse(shop, 1, sku=TEE)
    await shop.drain.run()
    return shop


async def rows(shop: Counted) -> list[list[tuple[object, ...]]]:
    books = Books(shop.redis, shop.database)
    return [await books.rows("recount"), await books.rows("location_day")]


@pytest.mark.parametrize("what", DAMAGE)
async def test_damage_is_found_and_derived_again_from_the_entries(counted_shop, what):
    statement, kind = DAMAGE[what]
    before = await rows(counted_shop)
    assert (await check_seller(counted_shop.database, counted_shop.redis, SELLER, EPOCH)).findings.counts == {}
    assert await Books(counted_shop.redis, counted_shop.database).sql(statement) >= 1

    repairer = Repairer(counted_shop.database, counted_shop.pipe, EPOCH, By(SELLER, "cli:ann"), "the disk lied")
    repaired = await repairer.repair()

    assert set(repaired.first.findings.counts) == {kind}
    assert repaired.last.findings.counts == {}
    assert await rows(counted_shop) == before
