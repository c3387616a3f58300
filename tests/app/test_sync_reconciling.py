"""Accepted is not shown: what a channel really shows, and what becomes of what differs."""

import pytest

from app.opening import open_service
from app.store.connections import find_connection
from app.store.shown import note_changes
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from app.sync.outcomes import ATTEMPTS_MAX, UNCLEAR
from app.sync.told import look_again, note_shown
from app.times import now_ms
from channels.base import Shown
from tests.app.channel_worlds import CODE, world_of

pytestmark = pytest.mark.usefixtures("quick")

STEPS = {step.name: step for step in OUT_STEPS}
PUSH, PROVE, RECONCILE = STEPS["push"], STEPS["prove"], STEPS["reconcile"]
OUT = (LISTINGS, FOLLOW, PUSH)


@pytest.fixture
async def state(settings):
    async with open_service(settings) as state:
        yield state


@pytest.fixture
async def amazon(state):
    async with world_of(state, "amazon") as world:
        await world.lists(CUP=("CUP", 1), PLATE=("PLATE", 1))
        await world.do(*OUT)
        yield world


@pytest.fixture
async def shop(state):
    async with world_of(state, "shopify") as world:
        await world.lists(_11=("CUP", 1), _12=("PLATE", 1))
        await world.do(*OUT)
        yield world


async def test_what_was_accepted_is_proved_once_the_channel_had_its_time(amazon):
    await amazon.do(PROVE)
    before = await amazon.row("CUP")
    await amazon.later(200)
    await amazon.do(PROVE)

    after = await amazon.row("CUP")

    assert (before.outcome, before.shown, before.told) == ("accepted", None, 15)
    assert (after.outcome, after.shown, amazon.sandbox.shows("CUP")) == ("applied", 15, 15)


async def test_a_channel_that_shows_more_is_corrected(amazon):
    await amazon.later(200)
    assert amazon.sandbox.shows("CUP") == 15
    amazon.sandbox.edits("CUP", 99)
    await amazon.do(PROVE)
    drifted = await amazon.row("CUP")
    await amazon.later(10)
    await amazon.do(PUSH)
    await amazon.later(200)
    await amazon.do(PROVE)

    assert (drifted.shown, drifted.told, drifted.changes > drifted.settled) == (99, 15, True)
    assert (amazon.sandbox.shows("CUP"), (await amazon.row("CUP")).outcome) == (15, "applied")


async def test_one_that_shows_fewer_is_given_time_to_tell_the_order(amazon):
    await amazon.later(200)
    amazon.sandbox.shows("CUP")
    amazon.sandbox.buys("CUP", 2)
    await amazon.do(PROVE)
    sold = await amazon.row("CUP")
    await amazon.do(PUSH)
    waiting = amazon.sandbox.shows("CUP")
    # The order is heard of: our number is what the channel shows, and nothing is left to be told.
    await amazon.sells("CUP", 2)
    await amazon.do(FOLLOW, PUSH, PROVE)

    cup = await amazon.row("CUP")
    assert (sold.shown, sold.due_ms > now_ms() + 60_000, waiting) == (13, True, 13)
    assert (cup.told, cup.outcome, cup.changes - cup.settled) == (13, "applied", 0)


async def test_what_is_shown_while_a_push_may_be_on_its_way_proves_nothing(amazon):
    await amazon.later(200)
    await amazon.do(PROVE)
    await amazon.sells("CUP", 1)
    await amazon.do(FOLLOW, PUSH)
    # It shows 15 still, and 14 soon; meanwhile the next push gets lost on its way there.
    await amazon.receives("CUP", 1)
    await amazon.do(FOLLOW)
    await amazon.change("CUP", told=None, told_ms=now_ms(), code=UNCLEAR, outcome="failed")

    await amazon.do(PUSH)

    await amazon.later(200)
    assert (amazon.sandbox.shows("CUP"), (await amazon.row("CUP")).told) == (15, 15)


async def test_a_channel_that_counts_in_all_but_not_by_place_is_corrected_by_what_it_counts_in_all(state):
    async with world_of(state, "ebay", locations={"E1": "oslo", "E2": "rome"}) as ebay:
        await ebay.lists(CUP=("CUP", 1))
        await ebay.do(*OUT)
        ebay.sandbox.gives_up(ebay.sandbox.buys("CUP", 2))
        shown = ebay.sandbox.items["CUP"]

        assert (shown.units, sum(shown.places.values())) == (13, 15)
        await ebay.reopened(reconciled_ms=0)
        await ebay.do(RECONCILE, PROVE)
        await ebay.later(3_600)
        await ebay.do(PUSH)

        assert (ebay.sandbox.shows("CUP"), (await ebay.row("CUP")).outcome) == (15, "applied")


async def test_a_listing_that_shows_no_number_is_given_up_visibly(amazon):
    await amazon.later(200)
    del amazon.sandbox.listings["CUP"]

    await amazon.do(PROVE)

    cup = await amazon.row("CUP")
    assert (cup.outcome, cup.code) == ("dead", "shows-none")


async def test_a_full_comparison_finds_what_differs_and_what_is_not_mapped(shop):
    shop.sandbox.sells(13, "SAUCER", 7)
    shop.sandbox.items["gid://shopify/InventoryItem/11"].available[shop.sandbox.location] = 99
    await shop.reopened(reconciled_ms=0)

    await shop.do(RECONCILE, PROVE)
    await shop.later(10)
    await shop.do(PUSH, PUSH)

    saucer = await shop.row("13")
    assert (saucer.sku, saucer.named, saucer.shown) == ("", "SAUCER", 7)
    assert shop.sandbox.shows("11") == 15


async def test_it_reads_a_page_a_step_and_is_done_for_hours(shop):
    for id in range(100, 200):
        shop.sandbox.sells(id, f"S-{id}", 1)
    await shop.reopened(reconciled_ms=0)

    pages = 1
    while await RECONCILE.run(await shop.work()):
        assert shop.sandbox.calls.count("Items") == pages
        pages += 1
    await shop.do(RECONCILE)

    assert (pages > 1, shop.sandbox.calls.count("Items")) == (True, pages)
    assert len(await shop.rows()) == 102
    async with shop.state.database.reading() as session:
        assert (await find_connection(session, "main", CODE)).reconciled_ms > 0


async def test_what_is_sold_there_no_more_is_forgotten_if_it_was_nobodys(shop):
    shop.sandbox.sells(13, "SAUCER", 7)
    await shop.reopened(reconciled_ms=0)
    await shop.do(RECONCILE)
    known = set(await shop.rows())
    del shop.sandbox.items["gid://shopify/InventoryItem/13"]
    await shop.reopened(reconciled_ms=0)

    await shop.do(RECONCILE)

    assert (known, set(await shop.rows())) == ({"11", "12", "13"}, {"11", "12"})


async def test_a_listing_that_is_mapped_later_is_told_its_number(shop):
    shop.sandbox.sells(13, "SAUCER", 7)
    await shop.reopened(reconciled_ms=0)
    await shop.do(RECONCILE)
    await shop.lists(_13=("PLATE", 1))

    await shop.do(LISTINGS, PUSH)

    assert (shop.sandbox.shows("13"), (await shop.row("13")).sku) == (4, "PLATE")


async def test_a_webhook_with_the_number_that_was_told_proves_it(amazon):
    async with amazon.state.database.writing() as session:
        await note_shown(session, amazon.facts, [Shown("CUP", 15), Shown("NOBODY", 1)])

    cup = await amazon.row("CUP")
    assert (cup.outcome, cup.shown) == ("applied", 15)


async def test_a_webhook_with_another_number_is_looked_into_before_it_is_believed(shop):
    pushes = shop.sandbox.calls.count("SetQuantities")
    async with shop.state.database.writing() as session:
        await note_shown(session, shop.facts, [Shown("11", 10)])
    late = await shop.row("11")
    await shop.do(PROVE, PUSH)

    assert (late.outcome, late.shown) == ("accepted", 15)
    assert ((await shop.row("11")).outcome, shop.sandbox.calls.count("SetQuantities")) == ("applied", pushes)


async def test_what_a_webhook_only_names_is_read_again(shop):
    shop.sandbox.items["gid://shopify/InventoryItem/11"].available[shop.sandbox.location] = 99
    async with shop.state.database.writing() as session:
        await look_again(session, shop.facts, ["11"])

    await shop.do(PROVE)

    cup = await shop.row("11")
    assert (cup.shown, cup.code, cup.changes > cup.settled) == (99, "drift", True)


async def test_one_that_drifts_however_often_it_is_corrected_is_given_up_visibly(amazon):
    await amazon.later(200)
    assert amazon.sandbox.shows("CUP") == 15
    amazon.sandbox.edits("CUP", 99)
    await amazon.change("CUP", attempts=ATTEMPTS_MAX)

    await amazon.do(PROVE)

    cup = await amazon.row("CUP")
    assert (cup.outcome, cup.code, cup.shown, cup.changes > cup.settled) == ("dead", "drift", 99, True)


@pytest.mark.parametrize("says", ["a number", "that it changed"])
async def test_what_a_webhook_says_is_looked_into_though_our_number_stays_as_it_was(shop, state, says):
    shop.sandbox.items["gid://shopify/InventoryItem/11"].available[shop.sandbox.location] = 99
    async with state.database.writing() as session:
        if says == "a number":
            await note_shown(session, shop.facts, [Shown("11", 99)])
        else:
            await look_again(session, shop.facts, ["11"])
        # Something happened to the sku that left our number alone.
        await note_changes(session, "main", CODE, ["CUP"], now_ms=now_ms())

    await shop.do(PUSH, PROVE)
    await shop.later(10)
    await shop.do(PUSH)

    assert shop.sandbox.shows("11") == 15
