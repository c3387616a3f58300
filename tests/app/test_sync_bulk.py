"""Many numbers at once, few revisions a day, and channels that take their open orders off by themselves."""

import pytest

from app.opening import open_service
from app.sync.choosing import day_of
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from app.sync.told import ticket_finished
from app.times import now_ms
from channels.amazon import Amazon
from channels.ebay import Ebay
from tests.app.channel_worlds import World, world_of
from tests.channels import amazon as amazon_bench
from tests.channels import ebay as ebay_bench

pytestmark = pytest.mark.usefixtures("quick")

STEPS = {step.name: step for step in OUT_STEPS}
PUSH, TICKETS, PROVE = STEPS["push"], STEPS["tickets"], STEPS["prove"]
OUT = (LISTINGS, FOLLOW, PUSH)
HOUR_S = 3_600


class SoonBulk(Amazon):
    """Takes the longer way from two listings on."""

    facts = Amazon.facts._replace(bulk_from=2)


class FewRevisions(Ebay):
    """A listing may be changed ten times a day."""

    facts = Ebay.facts._replace(revisions_per_day=10)


@pytest.fixture
async def state(settings):
    async with open_service(settings) as state:
        yield state


@pytest.fixture
async def amazon(state):
    async with world_of(state, "amazon") as world:
        world.connector = world.engine.connector = SoonBulk(amazon_bench.SETTINGS, amazon_bench.SECRETS)
        await world.lists(CUP=("CUP", 1), PLATE=("PLATE", 1))
        await world.do(LISTINGS, FOLLOW)
        yield world


@pytest.fixture
async def ebay(state):
    async with world_of(state, "ebay") as world:
        world.connector = world.engine.connector = FewRevisions(ebay_bench.SETTINGS, ebay_bench.SECRETS)
        world.sandbox.revisions_max = 10
        await world.lists(CUP=("CUP", 1), PLATE=("PLATE", 1))
        await world.do(*OUT)
        yield world


async def finish(world: World) -> None:
    """Until Amazon is through with a feed, and says so."""
    await world.later(HOUR_S)
    world.sandbox.shows("CUP")
    tickets = {row.ticket for row in (await world.rows()).values() if row.ticket}
    async with world.state.database.writing() as session:
        await ticket_finished(session, world.facts, tickets)


# --- bulk --------------------------------------------------------------------------------------------------------


async def test_many_go_as_one_bulk_push_and_are_acknowledged_when_it_is_through(amazon):
    await amazon.do(PUSH)
    sent = await amazon.rows()
    await amazon.do(TICKETS)
    waiting = await amazon.row("CUP")
    await finish(amazon)
    await amazon.do(TICKETS)

    done = await amazon.rows()
    assert len({row.ticket for row in sent.values()}) == 1
    assert (sent["CUP"].ticket, waiting.ticket) == (waiting.ticket, sent["PLATE"].ticket) != ("", "")
    assert (amazon.sandbox.shows("CUP"), amazon.sandbox.shows("PLATE")) == (15, 4)
    assert {(row.ticket, row.outcome, row.changes - row.settled) for row in done.values()} == {("", "applied", 0)}


async def test_what_changes_while_a_bulk_push_is_on_its_way_is_told_after_it(amazon):
    await amazon.do(PUSH)
    await amazon.sells("CUP", 4)
    await amazon.do(FOLLOW, PUSH)
    patched = amazon.sandbox.calls.count("patchListingsItem")
    await finish(amazon)
    await amazon.do(TICKETS)
    pending = await amazon.row("CUP")
    await amazon.do(PUSH)
    await amazon.later(200)

    assert (patched, pending.changes > pending.settled) == (0, True)
    assert amazon.sandbox.shows("CUP") == 11


async def test_what_is_sold_out_never_waits_for_a_bulk_push(amazon):
    await amazon.sells("PLATE", 4)
    await amazon.do(FOLLOW, PUSH)
    await amazon.later(200)

    plate = await amazon.row("PLATE")
    assert (amazon.sandbox.shows("PLATE"), plate.ticket, plate.told) == (0, "", 0)


async def test_one_that_a_bulk_push_refuses_is_dead_and_the_others_are_told(amazon):
    amazon.sandbox.faults.refuse.add("PLATE")
    await amazon.do(PUSH)
    await finish(amazon)

    await amazon.do(TICKETS)

    done = await amazon.rows()
    assert [done[listing].outcome for listing in ("CUP", "PLATE")] == ["applied", "dead"]
    assert done["PLATE"].code


async def test_what_a_bulk_push_leaves_out_goes_by_itself(amazon):
    """Amazon ships the plates: nothing of them is ours to tell, and the plain push says why."""
    amazon.sandbox.sells("PLATE", None)
    await amazon.do(PUSH)
    await finish(amazon)
    await amazon.do(TICKETS)
    left_out = await amazon.row("PLATE")

    await amazon.do(PUSH)

    plate = await amazon.row("PLATE")
    assert (left_out.code, left_out.ticket, left_out.changes > left_out.settled) == ("alone", "", True)
    assert (plate.outcome, amazon.sandbox.shows("CUP")) == ("dead", 15)


async def test_a_bulk_push_that_takes_none_of_them_is_a_plain_one(amazon):
    for sku in ("CUP", "PLATE"):
        amazon.sandbox.sells(sku, None)

    await amazon.do(PUSH)

    assert {row.outcome for row in (await amazon.rows()).values()} == {"dead"}


async def test_a_bulk_push_of_which_nothing_is_heard_is_given_up_after_a_day(amazon):
    await amazon.do(PUSH)
    rows = await amazon.rows()
    for listing in rows:
        await amazon.change(listing, told_ms=now_ms() - 25 * HOUR_S * 1_000, due_ms=0)

    await amazon.do(TICKETS)

    assert {(row.ticket, row.code) for row in (await amazon.rows()).values()} == {("", "lost")}


# --- few revisions -----------------------------------------------------------------------------------------------


async def test_a_days_revisions_are_spent_where_they_matter_and_the_last_is_for_sold_out(ebay):
    held_back = 0
    for _ in range(15):
        await ebay.sells("CUP", 1)
        await ebay.do(FOLLOW, PUSH)
        held_back += (await ebay.row("CUP")).code == "budget"

    [offer] = ebay.sandbox.offers_of("CUP")
    cup = await ebay.row("CUP")
    assert max(offer.revised.values()) <= 10
    assert (ebay.sandbox.shows("CUP"), cup.told, held_back > 0) == (0, 0, True)


async def test_what_is_held_back_is_visible_and_told_when_the_day_is_over(ebay):
    today = day_of(now_ms(), "America/Los_Angeles")
    await ebay.change("CUP", revisions=8, revisions_day=today)
    await ebay.sells("CUP", 1)
    await ebay.do(FOLLOW, PUSH)
    held = await ebay.row("CUP")
    await ebay.change("CUP", revisions_day=today - 1, due_ms=0)

    await ebay.do(PUSH)

    assert (held.code, held.says, held.changes > held.settled) == ("budget", "2 of 10 revisions are left today", True)
    assert held.due_ms > now_ms()
    assert (ebay.sandbox.shows("CUP"), (await ebay.row("CUP")).revisions) == (14, 1)


async def test_a_sale_that_ends_it_is_told_although_the_rest_was_held_back(ebay):
    today = day_of(now_ms(), "America/Los_Angeles")
    await ebay.change("CUP", revisions=9, revisions_day=today)
    await ebay.sells("CUP", 1)
    await ebay.do(FOLLOW, PUSH)
    await ebay.sells("CUP", 9)
    await ebay.sells("CUP", 5, "amazon")
    await ebay.do(FOLLOW, PUSH)

    assert ebay.sandbox.shows("CUP") == 0


async def test_what_is_sold_out_is_told_first_on_the_wire(state):
    class OneByOne(Ebay):
        facts = Ebay.facts._replace(batch=1)

    async with world_of(state, "ebay") as world:
        world.connector = world.engine.connector = OneByOne(ebay_bench.SETTINGS, ebay_bench.SECRETS)
        await world.lists(CUP=("CUP", 1), PLATE=("PLATE", 1))
        await world.do(*OUT)
        told: list[str] = []
        revises = world.sandbox.revises

        def noting(sku: str, *more) -> None:
            told.append(sku)
            revises(sku, *more)

        world.sandbox.revises = noting
        await world.sells("CUP", 6)
        await world.sells("PLATE", 4)

        await world.do(FOLLOW, PUSH)

    assert told == ["PLATE", "CUP"]


# --- gross -------------------------------------------------------------------------------------------------------


async def test_a_channel_that_takes_its_orders_off_by_itself_is_told_them_too(state):
    async with world_of(state, "shopify", counts="gross") as shop:
        await shop.lists(_11=("CUP", 1), _12=("PLATE", 1))
        order = await shop.sells("CUP", 3, "shop")
        await shop.sells("CUP", 2)
        await shop.drain()

        await shop.do(*OUT)
        open_ = shop.sandbox.shows("11")
        await shop.ships(order)
        await shop.drain()
        await shop.do(FOLLOW, PUSH)

        assert (open_, shop.sandbox.shows("11")) == (13, 10)


async def test_a_number_with_open_orders_waits_until_sql_has_them(state):
    async with world_of(state, "shopify", counts="gross") as shop:
        await shop.lists(_11=("CUP", 1), _12=("PLATE", 1))
        await shop.sells("CUP", 3, "shop")
        await shop.do(*OUT)
        waiting = await shop.row("11")
        await shop.drain()
        await shop.later(2)
        await shop.do(PUSH)

        assert (waiting.code, waiting.told, waiting.changes > waiting.settled) == ("ledger-not-in-sql", None, True)
        assert shop.sandbox.shows("11") == 15


async def test_units_that_orders_wait_for_count_as_open(state):
    async with world_of(state, "shopify", counts="gross", channel="amazon") as shop:
        await shop.lists("amazon", _11=("CUP", 1))
        await shop.sells("CUP", 20, "amazon")
        await shop.drain()

        await shop.do(*OUT)

        assert shop.sandbox.shows("11") == 20
