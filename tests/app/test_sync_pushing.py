"""Numbers on their way to a channel, over its sandbox."""

from dataclasses import replace

import pytest

from app.opening import open_service
from app.store.shown import push_anew
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from app.sync.outcomes import failed
from app.times import now_ms
from channels.errors import Down
from tests.app.channel_worlds import CODE, world_of

pytestmark = pytest.mark.usefixtures("quick")

STEPS = {step.name: step for step in OUT_STEPS}
PUSH, PROVE = STEPS["push"], STEPS["prove"]
NOTE = (LISTINGS, FOLLOW)


@pytest.fixture
async def state(settings):
    """The service's state without a schedule: these tests take the steps themselves."""
    async with open_service(settings) as state:
        yield state


@pytest.fixture
async def shop(state):
    """A Shopify shop with a cup and a plate of ten each, of which we have 15 and 4."""
    async with world_of(state, "shopify") as world:
        await world.lists(_11=("CUP", 1), _12=("PLATE", 1))
        yield world


async def test_a_new_listing_is_told_its_number(shop):
    await shop.do(*NOTE, PUSH)

    cup = await shop.row("11")
    assert (shop.sandbox.shows("11"), shop.sandbox.shows("12")) == (15, 4)
    assert (cup.told, cup.outcome, cup.changes - cup.settled, cup.shown) == (15, "applied", 0, 15)


async def test_what_is_sold_elsewhere_is_taken_off(shop):
    await shop.do(*NOTE, PUSH)
    await shop.sells("CUP", 4)

    await shop.do(FOLLOW, PUSH)

    assert shop.sandbox.shows("11") == 11


async def test_a_number_that_did_not_change_is_told_once(shop):
    await shop.do(*NOTE, PUSH)
    pushes = shop.sandbox.calls.count("SetQuantities")
    await shop.do(*NOTE, PUSH)
    await shop.receives("CUP", 1)
    await shop.sells("CUP", 1)

    await shop.do(FOLLOW, PUSH)

    assert shop.sandbox.calls.count("SetQuantities") == pushes
    assert (await shop.row("11")).outcome == "applied"


async def test_many_changes_are_one_push_of_the_last_number(shop):
    await shop.do(*NOTE, PUSH)
    pushes = shop.sandbox.calls.count("SetQuantities")
    for _ in range(3):
        await shop.sells("CUP", 1)

    await shop.do(FOLLOW, PUSH)

    assert (shop.sandbox.shows("11"), shop.sandbox.calls.count("SetQuantities")) == (12, pushes + 1)


async def test_of_a_pack_whole_packs_are_told(shop):
    await shop.lists(_11=("CUP", 4))

    await shop.do(*NOTE, PUSH)

    assert shop.sandbox.shows("11") == 3


async def test_another_pack_size_is_another_number(shop):
    await shop.do(*NOTE, PUSH)
    await shop.lists(_11=("CUP", 6))

    await shop.do(LISTINGS, PUSH)

    assert shop.sandbox.shows("11") == 2


async def test_a_listing_that_is_taken_out_is_told_nothing_more(shop):
    await shop.do(*NOTE, PUSH)
    await shop.lists(_11=None)
    await shop.sells("CUP", 4)

    await shop.do(*NOTE, PUSH)

    assert (shop.sandbox.shows("11"), (await shop.row("11")).sku) == (15, "")


async def test_one_that_is_refused_is_dead_with_its_reason_and_the_others_go(shop):
    shop.sandbox.faults.refuse.add("PLATE")

    await shop.do(*NOTE, PUSH)

    plate = await shop.row("12")
    assert (shop.sandbox.shows("11"), shop.sandbox.shows("12")) == (15, 10)
    assert plate.outcome == "dead"
    assert plate.code
    assert plate.changes > plate.settled


async def test_what_is_dead_stays_so_until_it_is_replayed(shop):
    shop.sandbox.faults.refuse.add("PLATE")
    await shop.do(*NOTE, PUSH)
    shop.sandbox.faults.refuse.clear()
    await shop.receives("PLATE", 5)
    await shop.do(FOLLOW, PUSH)
    before = shop.sandbox.shows("12")

    async with shop.state.database.writing() as session:
        replayed = await push_anew(session, "main", CODE, None, now_ms=now_ms(), dead=True)
    await shop.do(PUSH)

    assert (before, replayed, shop.sandbox.shows("12")) == (10, 1, 9)


async def test_a_number_the_channel_changed_meanwhile_is_not_overwritten_blindly(shop):
    await shop.do(*NOTE, PUSH)
    shop.sandbox.buys("11", 2)
    await shop.sells("CUP", 1)

    await shop.do(FOLLOW)
    await shop.do(STEPS["push"]._replace(run=once(PUSH)))
    stale = await shop.row("11")

    # It shows fewer than we thought: a higher number waits until we hear who bought them.
    assert (stale.code, stale.shown, shop.sandbox.shows("11")) == ("stale", 13, 13)
    assert (stale.changes > stale.settled, stale.due_ms > now_ms()) == (True, True)
    await shop.later(60)
    await shop.do(PUSH)
    assert (shop.sandbox.shows("11"), (await shop.row("11")).outcome) == (14, "applied")


def once(step):
    async def run(work) -> bool:
        await step.run(work)
        return False

    return run


async def test_an_order_that_is_heard_of_makes_the_push_needless(shop):
    await shop.do(*NOTE, PUSH)
    shop.sandbox.buys("11", 2)
    await shop.sells("CUP", 1)
    await shop.do(FOLLOW, PUSH)
    await shop.sells("CUP", 1)
    pushes = shop.sandbox.calls.count("SetQuantities")

    await shop.do(FOLLOW, PUSH)

    cup = await shop.row("11")
    assert (shop.sandbox.shows("11"), shop.sandbox.calls.count("SetQuantities")) == (13, pushes)
    assert (cup.outcome, cup.told, cup.changes - cup.settled) == ("applied", 13, 0)


async def test_a_change_while_it_is_pushed_is_not_acknowledged_with_it(shop, monkeypatch):
    await shop.do(*NOTE)
    push = shop.connector.push

    def pushing(levels):
        said = yield from push(levels)
        return said

    async def run(steps):
        said = await type(shop.engine).run(shop.engine, steps)
        if steps.gi_code is pushing.__code__:
            await shop.sells("CUP", 4)
            await shop.do(FOLLOW)
        return said

    monkeypatch.setattr(shop.connector, "push", pushing)
    monkeypatch.setattr(shop.engine, "run", run)
    await PUSH.run(await shop.work())

    cup = await shop.row("11")
    # Who knows whether the channel sold them before or after it took the number over.
    assert (shop.sandbox.shows("11"), cup.told, cup.changes > cup.settled) == (15, None, True)


async def test_a_channel_that_is_down_keeps_everything_due(shop):
    shop.sandbox.faults.outage["push"] = 100

    with pytest.raises(Down):
        await shop.do(*NOTE, PUSH)

    cup = await shop.row("11")
    assert (cup.told, cup.changes > cup.settled) == (None, True)
    shop.sandbox.faults.outage.clear()
    await shop.do(PUSH)
    assert shop.sandbox.shows("11") == 15


async def test_a_throttled_push_arrives(shop):
    shop.sandbox.faults.throttle["push"] = 1

    await shop.do(*NOTE, PUSH)

    assert shop.sandbox.shows("11") == 15


async def test_numbers_go_to_the_places_that_are_mapped(state):
    async with world_of(state, "shopify", locations={"5": "oslo", "6": "rome"}) as shop:
        shop.sandbox.items["gid://shopify/InventoryItem/11"].available["gid://shopify/Location/6"] = 0
        await shop.lists(_11=("CUP", 1))

        await shop.do(*NOTE, PUSH)

        assert dict((await shop.row("11")).told_places) == {"5": 10, "6": 5}
        assert shop.sandbox.items["gid://shopify/InventoryItem/11"].available == {
            "gid://shopify/Location/5": 10,
            "gid://shopify/Location/6": 5,
        }
        # Nothing of it is told again as long as no place has another number.
        await shop.later(60)
        await shop.change("11", outcome="accepted")
        await shop.do(PROVE)
        await shop.receives("CUP", 1)
        await shop.sells("CUP", 1)
        await shop.do(FOLLOW, PUSH)
        cup = await shop.row("11")
        assert (cup.outcome, cup.shown, shop.sandbox.calls.count("SetQuantities")) == ("applied", 15, 1)


async def test_a_push_whose_answer_was_lost_is_looked_for_before_the_next_one(state):
    async with world_of(state, "amazon") as amazon:
        await amazon.lists(CUP=("CUP", 1), PLATE=("PLATE", 1))
        amazon.sandbox.faults.lose["push"] = 1
        await amazon.do(*NOTE, PUSH)
        unclear = await amazon.rows()
        await amazon.later(200)
        shown = amazon.sandbox.shows("PLATE")
        reads = amazon.sandbox.calls.count("searchListingsItems")

        await amazon.do(PUSH)

        done = await amazon.rows()
        assert {(row.code, row.told) for row in unclear.values()} == {("unclear", None)}
        assert amazon.sandbox.calls.count("searchListingsItems") > reads
        # What had arrived is seen and not sent again, what had not is.
        assert (shown, done["PLATE"].outcome, done["PLATE"].told) == (4, "applied", 4)
        assert (done["CUP"].outcome, done["CUP"].told) == ("accepted", 15)


async def test_a_number_that_was_lost_is_not_taken_for_the_one_before(shop):
    """The channel may show what nobody heard of: going back to the old number is a push as well."""
    await shop.do(*NOTE, PUSH)
    await shop.sells("CUP", 4)
    await shop.do(FOLLOW)
    shop.sandbox.faults.lose["push"] = 100
    with pytest.raises(Down):
        await PUSH.run(await shop.work())
    shop.sandbox.faults.lose.clear()
    await shop.receives("CUP", 4)

    await shop.do(FOLLOW, PUSH)
    await shop.later(60)
    await shop.do(PUSH)

    assert (shop.sandbox.shows("11"), (await shop.row("11")).outcome) == (15, "applied")


async def test_what_fails_is_tried_again_ever_more_seldom_and_given_up_in_the_end(shop):
    await shop.do(*NOTE, PUSH)
    row = await shop.row("11")

    attempts, waits = 0, []
    while True:
        fields = failed(replace(row, attempts=attempts), "later", "", 0)
        attempts, waits = fields["attempts"], [*waits, fields["due_ms"]]
        if fields["outcome"] == "dead":
            break

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5_000, 3_600_000)
    assert 12 * 3_600_000 < sum(waits) < 36 * 3_600_000


async def test_one_that_failed_goes_soon_when_its_number_changes(shop):
    await shop.do(*NOTE, PUSH)
    await shop.change("11", outcome="failed", due_ms=now_ms() + 3_600_000, attempts=9)
    await shop.sells("CUP", 1)

    await shop.do(FOLLOW)

    assert (await shop.row("11")).due_ms <= now_ms() + 30_000
