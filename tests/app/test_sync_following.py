"""Which numbers are looked at again: after entries of the ledger, changes of config, and gaps."""

from datetime import UTC, datetime, timedelta

import pytest

from allocator import SellerKeys, ledger
from app.config.engine import Engine, Plan
from app.config.judging import ANY, Wish
from app.config.kinds import RuleConfig
from app.config.windows import turn_windows
from app.opening import open_service
from app.store.connections import find_connection
from app.sync.memory import forget
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from tests.app.channel_worlds import CODE, world_of

STEPS = {step.name: step for step in OUT_STEPS}
PUSH = STEPS["push"]
OUT = (LISTINGS, FOLLOW, PUSH)


@pytest.fixture
async def state(settings):
    async with open_service(settings) as state:
        yield state


@pytest.fixture
async def shop(state):
    """All numbers are told."""
    async with world_of(state, "shopify") as world:
        await world.lists(_11=("CUP", 1), _12=("PLATE", 1))
        await world.do(*OUT)
        yield world


async def due(shop) -> list[str]:
    return [row.listing for row in (await shop.rows()).values() if row.changes > row.settled]


async def position(shop) -> str:
    async with shop.state.database.reading() as session:
        return (await find_connection(session, "main", CODE)).position


async def change(shop, *wishes: Wish) -> None:
    engine = Engine(shop.state.database, shop.allocator, shop.state.pipe.client)
    assert (await engine.change(Plan(wishes, "test"))).version is not None


async def test_only_skus_that_moved_are_looked_at(shop):
    await shop.sells("CUP", 1)

    await shop.do(FOLLOW)

    assert await due(shop) == ["11"]
    assert await position(shop) == await ledger.last_id(shop.state.pipe.client, "main")


async def test_nothing_is_noted_when_nothing_happened(shop):
    await shop.do(FOLLOW)

    assert await due(shop) == []


async def test_a_rule_changes_the_numbers_of_its_skus(shop):
    buffer = RuleConfig(id="b", kind="buffer", sku="CUP", channel="shop", units=3)
    await change(shop, Wish("rules", "b", buffer, ANY))

    await shop.do(FOLLOW)

    assert await due(shop) == ["11"]
    await shop.do(PUSH)
    assert shop.sandbox.shows("11") == 12


async def test_a_rule_for_everything_is_compared_with_everything_and_told_where_it_differs(shop):
    pushes = shop.sandbox.calls.count("SetQuantities")
    cap = RuleConfig(id="c", kind="max_published", channel="shop", units=10)
    await change(shop, Wish("rules", "c", cap, ANY))

    await shop.do(FOLLOW)
    noted = await due(shop)
    await shop.do(PUSH)

    assert noted == ["11", "12"]
    assert (shop.sandbox.shows("11"), shop.sandbox.shows("12")) == (10, 4)
    assert shop.sandbox.calls.count("SetQuantities") == pushes + 1


async def test_a_rule_whose_window_opens_changes_numbers_by_itself(shop):
    opens = datetime.now(UTC) + timedelta(hours=1)
    rule = RuleConfig(id="w", kind="buffer", sku="CUP", channel="shop", units=5, valid_from=opens)
    await change(shop, Wish("rules", "w", rule, ANY))
    await shop.do(FOLLOW, PUSH)
    before = shop.sandbox.shows("11")
    later = round((opens.timestamp() + 1) * 1_000)
    await turn_windows(Engine(shop.state.database, shop.allocator, shop.state.pipe.client, now_ms=later))

    await shop.do(FOLLOW, PUSH)

    assert (before, shop.sandbox.shows("11")) == (15, 10)


async def test_a_worker_that_fell_behind_what_the_ledger_keeps_compares_everything(shop):
    pushes = shop.sandbox.calls.count("SetQuantities")
    for _ in range(3):
        await shop.sells("CUP", 1)
    [name] = SellerKeys("main").named("ledger")
    await shop.state.pipe.client.xtrim(name, maxlen=1, approximate=False)

    await shop.do(FOLLOW)
    noted = await due(shop)
    await shop.do(PUSH)

    assert noted == ["11", "12"]
    assert (shop.sandbox.shows("11"), shop.sandbox.calls.count("SetQuantities")) == (12, pushes + 1)
    assert await position(shop) == await ledger.last_id(shop.state.pipe.client, "main")


async def test_a_worker_that_begins_compares_everything_and_floods_nothing(shop):
    pushes = shop.sandbox.calls.count("SetQuantities")
    forget(await shop.work())

    await shop.do(FOLLOW)
    noted = await due(shop)
    await shop.do(PUSH)

    assert (noted, await due(shop)) == (["11", "12"], [])
    assert shop.sandbox.calls.count("SetQuantities") == pushes


async def test_a_position_that_somebody_has_moved_is_not_moved_back(shop):
    work = await shop.work()
    await shop.sells("CUP", 1)
    await shop.reopened(position="9-9")

    await FOLLOW.run(work)

    assert await position(shop) == "9-9"


async def test_of_two_listings_of_a_sku_both_are_told(shop):
    shop.sandbox.sells(13, "CUP", 0)
    await shop.lists(_13=("CUP", 2))

    await shop.do(*OUT)
    await shop.sells("CUP", 5)
    await shop.do(*OUT)

    assert (shop.sandbox.shows("11"), shop.sandbox.shows("13")) == (10, 5)


async def test_a_listing_of_another_sku_is_told_the_others_number(shop):
    await shop.lists(_11=("PLATE", 1))

    await shop.do(LISTINGS, PUSH, PUSH)

    assert (shop.sandbox.shows("11"), (await shop.row("11")).sku) == (4, "PLATE")


async def test_listings_of_another_channel_are_none_of_ours(shop):
    await shop.lists("amazon", _99=("CUP", 1))

    await shop.do(*OUT)

    assert (await shop.rows()).keys() == {"11", "12"}
