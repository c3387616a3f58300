"""Numbers that were given up: they oversell as long as the channel shows more than there is."""

import pytest

from app.opening import open_service
from app.store.unpushed import count_shown
from app.sync.out_steps import OUT_STEPS
from app.sync.outcomes import ATTEMPTS_MAX as FAILURES_MAX
from app.times import now_ms
from tests.app.channel_worlds import CODE, world_of

pytestmark = pytest.mark.usefixtures("quick")

STEPS = {step.name: step for step in OUT_STEPS}
FOLLOW, PUSH, AGAIN = STEPS["follow"], STEPS["push"], STEPS["try_again"]
HOUR_S = 3_600


@pytest.fixture
async def shop(settings):
    """A Shopify shop that shows 15 cups, and has refused to show 13 of them."""
    async with open_service(settings) as state, world_of(state, "shopify") as world:
        await world.lists(_11=("CUP", 1))
        await world.do(STEPS["listings"], FOLLOW, PUSH)
        world.sandbox.faults.refuse.add("CUP")
        await world.sells("CUP", 2)
        await world.do(FOLLOW, PUSH)
        assert (await world.row("11")).outcome == "dead"
        yield world


def tries(shop) -> int:
    return shop.sandbox.calls.count("SetQuantities")


async def retried(shop) -> tuple[int, int]:
    """How many are given up, and how many of them are tried again by themselves."""
    async with shop.state.database.reading() as session:
        count = await count_shown(session, "main", CODE, now_ms=now_ms())
    return count.dead, count.retried


async def test_one_that_shows_more_than_there_is_is_tried_again_once_an_hour(shop):
    before = tries(shop)
    for _ in range(3):
        await shop.later(HOUR_S / 2)
        await shop.sells("CUP", 1)
        await shop.do(FOLLOW, AGAIN, PUSH, AGAIN, PUSH)
    refused = tries(shop) - before
    shop.sandbox.faults.refuse.clear()
    await shop.later(HOUR_S)

    await shop.do(AGAIN, PUSH)

    assert (refused, shop.sandbox.shows("11"), await retried(shop)) == (1, 10, (0, 0))


async def test_one_that_is_sold_out_is_tried_at_once(shop):
    await shop.later(120)
    shop.sandbox.faults.refuse.clear()
    await shop.sells("CUP", 13)

    await shop.do(FOLLOW, AGAIN, PUSH)

    assert shop.sandbox.shows("11") == 0


async def test_one_that_is_sold_out_and_refused_again_waits_an_hour(shop):
    await shop.later(120)
    await shop.sells("CUP", 13)
    await shop.do(FOLLOW, AGAIN, PUSH)
    before = tries(shop)

    await shop.later(120)
    await shop.do(FOLLOW, AGAIN, PUSH)
    waited = tries(shop) - before
    await shop.later(HOUR_S)
    await shop.do(FOLLOW, AGAIN, PUSH)

    assert (waited, tries(shop) - before, await retried(shop)) == (0, 1, (1, 1))


async def test_one_that_shows_too_few_stays_given_up(shop):
    await shop.receives("CUP", 9)
    await shop.do(FOLLOW, AGAIN)
    before = tries(shop)

    await shop.later(HOUR_S)
    await shop.do(AGAIN, PUSH)

    assert (tries(shop), await retried(shop), (await shop.row("11")).due_ms) == (before, (1, 0), 0)


async def test_one_of_which_nobody_knows_what_it_shows_is_tried_when_its_number_changes(shop):
    await shop.change("11", shown=None, shown_ms=0)
    await shop.later(HOUR_S)
    await shop.do(AGAIN, PUSH)
    before = await retried(shop)
    shop.sandbox.faults.refuse.clear()

    await shop.sells("CUP", 1)
    await shop.do(FOLLOW, AGAIN, PUSH)

    assert (before, shop.sandbox.shows("11")) == ((1, 0), 12)


async def test_one_that_somebody_raises_on_the_channel_is_tried_again(shop):
    await shop.receives("CUP", 9)
    await shop.do(FOLLOW, AGAIN)
    shop.sandbox.items["gid://shopify/InventoryItem/11"].available[shop.sandbox.location] = 99
    shop.sandbox.faults.refuse.clear()

    await shop.reopened(reconciled_ms=0)
    await shop.do(STEPS["reconcile"])
    await shop.later(HOUR_S)
    await shop.do(AGAIN, PUSH)
    # It has to be looked at once more: it shows another number than we compared with.
    await shop.do(PUSH)

    assert shop.sandbox.shows("11") == 22


async def test_one_that_was_tried_too_often_has_one_try_an_hour(shop):
    await shop.change("11", attempts=FAILURES_MAX)
    await shop.later(HOUR_S)

    await shop.do(AGAIN, PUSH, AGAIN, PUSH)

    row = await shop.row("11")
    assert (row.outcome, row.attempts, await retried(shop)) == ("dead", FAILURES_MAX + 1, (1, 1))


async def test_what_changes_while_it_is_looked_at_is_looked_at_again(shop):
    await shop.receives("CUP", 9)
    await shop.do(FOLLOW)
    asked = type(shop.allocator).availability

    async def sold_meanwhile(self, *args, **more):
        found = await asked(self, *args, **more)
        await shop.sells("CUP", 15)
        await shop.do(FOLLOW)
        return found

    type(shop.allocator).availability = sold_meanwhile
    try:
        await AGAIN.run(await shop.work())
    finally:
        type(shop.allocator).availability = asked

    assert 0 < (await shop.row("11")).due_ms <= now_ms()
