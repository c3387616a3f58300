"""Days with few places: what orders are promised, and what becomes of their places."""

import msgspec
import pytest

from allocator import Allocator, Carrier, Config, Location, Pipe, Rate, ShipLine, SplitRule, UnitsLine, errors
from allocator.answers import unpack
from allocator.model import CancelLine

from .fixtures import CONFIG, CUP, EPOCH, MINUTE, MUG, NOW, hold, order, shelves, stock, units_at, with_channel

HOUR = 60 * MINUTE
SLOTS = "{main}:slots"
TODAY = "2025-11-24"
"""Noon of the shop is a Monday, 16:00 UTC: half an hour before Oslo's cut-off, had it the time of London."""
NORWAY = {"ship_to": {"country": "NO"}}

OSLO = Location(code="oslo", daily_orders=1, cut_off="16:30", time_zone="Europe/London", carriers=("post",))
ROME = Location(code="rome", handling_days=1, time_zone="UTC")
BUSY_ROME = msgspec.structs.replace(ROME, daily_orders=1)
BERGEN = Location(code="bergen", kind="store", pickup=True, time_zone="Europe/London")
POST = Carrier(code="post", zones={"NO": "home"}, rates=[Rate(zone="home", cost=5, transit_days=2)])
DATED: Config = msgspec.structs.replace(CONFIG, locations=[OSLO, ROME, BERGEN], carriers=[POST])


@pytest.fixture
async def shop(allocator):
    """One order a day leaves Oslo, where ten cups are."""
    await allocator.configure_all(DATED)
    await stock(allocator, oslo=10)
    return allocator


def days(placed) -> list[str]:
    return [place.day for place in placed.promised.locations]


async def fill(shop, count: int, channel: str = "shop") -> list[str]:
    """Orders for the same location, one after the other: the day of each."""
    placed = [await shop.order(order(f"fill-{channel}-{n}", 1, channel=channel)) for n in range(count)]
    return [day for one in placed for day in days(one)]


# --- places of days ----------------------------------------------------------------------------------------------


async def test_an_order_that_finds_a_day_full_is_promised_the_next(shop, redis):
    found = await fill(shop, 3)

    assert found == [TODAY, "2025-11-25", "2025-11-26"]
    assert [member.split(b"\0")[:2] for member in await redis.zrange(SLOTS, 0, -1)] == [
        [day.encode(), b"oslo"] for day in found
    ]


async def test_a_location_whose_days_are_all_full_is_no_choice_for_a_promise(shop):
    await fill(shop, 5)
    await stock(shop, rome=3)

    placed = await shop.order(order("next", 2))

    assert units_at(placed) == {"rome": 2}
    assert [(row.location, row.verdict) for row in placed.trace][:2] == [("oslo", "at_capacity"), ("rome", "taken")]


async def test_a_promise_that_needs_a_full_location_is_refused_and_told_why(shop):
    await fill(shop, 5)

    with pytest.raises(errors.AtCapacity) as refused:
        await shop.order(order("next", 2))

    assert refused.value.facts["trace"][0] == {"location": "oslo", "verdict": "at_capacity", "units": 0}
    assert refused.value.facts["lines"] == [{"line": "1", "sku": CUP, "units": 2, "atp_now": 5}]


async def test_a_promise_that_no_place_would_help_is_unroutable(shop):
    await shop.configure_all(with_channel(DATED, "shop", split_limit=1))
    await fill(shop, 5)
    await stock(shop, rome=4)

    with pytest.raises(errors.Unroutable):
        await shop.order(order("next", 9))


async def test_a_partial_promise_takes_what_there_is_elsewhere(shop):
    await fill(shop, 5)
    await stock(shop, rome=1)

    placed = await shop.order(order("next", 3, partial=True))

    assert units_at(placed) == {"rome": 1}


async def test_a_firm_order_goes_to_a_full_location_only_for_what_is_nowhere_else(shop):
    await fill(shop, 5)
    await stock(shop, rome=2)

    elsewhere = await shop.order(order("1", 2, channel="amazon"))
    beyond = await shop.order(order("2", 2, channel="amazon"))
    waits = await shop.order(order("3", 9, channel="amazon"))

    assert units_at(elsewhere) == {"rome": 2}
    assert (units_at(beyond), days(beyond)) == ({"oslo": 2}, ["2025-11-28"])
    assert (units_at(waits), waits.lines[0].backordered) == ({"oslo": 3}, 6)


async def test_a_place_is_taken_once_however_often_the_order_is_sent(shop, redis):
    first = await shop.order(order("1", 1))
    shop.now_ms += 48 * HOUR

    again = await shop.order(order("1", 1))

    assert again == msgspec.structs.replace(first, replayed=True)
    assert await redis.zcard(SLOTS) == 1


async def test_a_preview_takes_no_place(shop, redis):
    previews = [await shop.order(order("1", 1), preview=True) for _ in range(2)]

    assert [days(one) for one in previews] == [[TODAY], [TODAY]]
    assert not await redis.exists(SLOTS)


async def test_a_cancelled_order_gives_its_place_back_and_a_shipped_one_keeps_it(shop):
    await fill(shop, 2)
    await shop.ship("shop", "fill-shop-0", op="s")
    await shop.cancel("shop", "fill-shop-1", op="c")

    placed = await shop.order(order("next", 1))
    shipped = await shop.find_order("shop", "fill-shop-0")

    assert days(placed) == ["2025-11-25"]
    assert [(place.day, place.shipped) for place in shipped.promised.locations] == [(TODAY, True)]


async def test_an_order_keeps_its_place_while_any_of_it_lies_there_or_has_left(shop):
    await shop.order(order("1", 3))
    await shop.ship("shop", "1", [ShipLine("1", "oslo", 1)], op="s")
    await shop.cancel("shop", "1", op="c")

    assert days(await shop.find_order("shop", "1")) == [TODAY]
    assert days(await shop.order(order("2", 1))) == ["2025-11-25"]


async def test_who_is_rejected_goes_on_without_a_place(shop, redis):
    await shop.order(order("1", 2, channel="amazon"))
    await stock(shop, rome=2)

    await shop.reject("amazon", "1", "oslo", op="r", reason="closed")

    found = await shop.find_order("amazon", "1")
    assert (units_at(found), days(found)) == ({"rome": 2}, [])
    assert found.promised.ship_by_ms is not None
    assert not await redis.exists(SLOTS)


async def test_a_hold_that_is_taken_over_lies_where_it_lies(shop):
    await shop.hold(hold("h", 2))
    await fill(shop, 5)

    placed = await shop.order(order("1", 2, hold="h"))

    assert (units_at(placed), days(placed)) == ({"oslo": 2}, ["2025-11-28"])


# --- what is promised --------------------------------------------------------------------------------------------


async def test_after_the_cut_off_another_day_is_promised_though_nothing_else_has_changed(shop):
    before = await shop.order(order("1", 1), preview=True)
    shop.now_ms = NOW + 30 * MINUTE
    after = await shop.order(order("1", 1), preview=True)
    shop.now_ms = NOW
    back = await shop.order(order("1", 1), preview=True)

    assert [days(one) for one in (before, after, back)] == [[TODAY], ["2025-11-25"], [TODAY]]


async def test_an_order_is_promised_the_latest_of_its_locations(shop):
    await stock(shop, rome=5)

    placed = await shop.order(order("1", 12))

    by_place = {place.location: place for place in placed.promised.locations}
    assert placed.promised.ship_by_ms == by_place["rome"].ship_by_ms > by_place["oslo"].ship_by_ms
    assert (by_place["rome"].day, by_place["oslo"].day) == ("", TODAY)


async def test_a_delivery_is_promised_where_a_carrier_goes(shop):
    there = await shop.order(msgspec.convert({**msgspec.to_builtins(order("1", 1)), **NORWAY}, type(order("1", 1))))
    nowhere = await shop.order(order("2", 1))

    assert there.promised.country == "NO"
    assert there.promised.deliver_by_ms == NOW + (2 * 24 + 8) * HOUR - 1_000
    assert nowhere.promised.deliver_by_ms is None


async def test_an_order_that_nothing_is_promised_is_kept_as_ever(allocator, redis):
    await stock(allocator, oslo=1)

    placed = await allocator.order(order("1", 1))

    assert placed.promised is None
    assert len(unpack(await redis.hget("{main}:orders", "shop:1"))) == 10


@pytest.mark.parametrize(("ranking", "best"), [("ship_by", "oslo"), ("deliver_by", "oslo"), ("channel_rank", "rome")])
async def test_orders_are_routed_by_what_can_be_promised(shop, ranking, best):
    ranked = with_channel(DATED, "shop", routing=(ranking, "channel_rank"), locations=shelves("rome", "oslo"))
    await shop.configure_all(ranked)
    await stock(shop, rome=5)

    placed = await shop.order(msgspec.convert({**msgspec.to_builtins(order("1", 1)), **NORWAY}, type(order("1", 1))))

    assert units_at(placed) == {best: 1}


async def test_a_ranking_does_not_outlive_a_cut_off(shop):
    rome = msgspec.structs.replace(ROME, handling_days=0, cut_off="23:00")
    ranked = with_channel(DATED, "shop", routing=("ship_by", "channel_rank"))
    await shop.configure_all(msgspec.structs.replace(ranked, locations=[OSLO, rome, BERGEN]))
    await stock(shop, rome=5)

    before = await shop.order(order("1", 1), preview=True)
    shop.now_ms = NOW + 31 * MINUTE
    after = await shop.order(order("1", 1), preview=True)

    assert [units_at(one) for one in (before, after)] == [{"oslo": 1}, {"rome": 1}]


# --- all at once, fetched, split ---------------------------------------------------------------------------------


async def test_what_is_shipped_all_at_once_waits_for_the_last_unit(shop):
    await shop.order(order("1", 12, channel="amazon", ship_complete=True))

    with pytest.raises(errors.Incomplete) as refused:
        await shop.pick("amazon", "1", op="p")
    with pytest.raises(errors.Incomplete):
        await shop.ship("amazon", "1", [ShipLine("1", "oslo", 1)], op="s")
    await stock(shop, oslo=2)
    await shop.serve(sweep=True)
    await shop.pick("amazon", "1", op="p2")
    shipped = await shop.ship("amazon", "1", op="s2")

    assert refused.value.facts == {"line": "1", "units": 2}
    assert shipped.state == "shipped"


async def test_what_is_cancelled_is_not_waited_for(shop):
    await shop.order(order("1", 12, channel="amazon", ship_complete=True))
    line = (await shop.find_order("amazon", "1")).lines[0]

    await shop.cancel("amazon", "1", [CancelLine(line.line, 2)], op="c")
    shipped = await shop.ship("amazon", "1", op="s")

    assert shipped.state == "shipped"


async def test_an_order_cannot_be_partial_and_all_at_once(shop):
    with pytest.raises(errors.Invalid):
        await shop.order(order("1", 1, partial=True, ship_complete=True))


async def test_an_order_is_fetched_at_its_store_and_nowhere_else(shop):
    await stock(shop, bergen=2)

    placed = await shop.order(order("1", 2, pickup="bergen"))
    await shop.reject("shop", "1", "bergen", op="r", reason="closed")
    found = await shop.find_order("shop", "1")

    assert (units_at(placed), placed.promised.pickup) == ({"bergen": 2}, "bergen")
    assert placed.promised.ship_by_ms == NOW + 8 * HOUR - 1_000
    assert (found.state, units_at(found)) == ("conflict", {})


async def test_an_order_that_is_to_be_fetched_is_short_when_its_store_has_too_little_alone(shop):
    await stock(shop, bergen=1)

    with pytest.raises(errors.Unroutable):
        await shop.order(order("1", 2, pickup="bergen"))


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"pickup": "oslo"}, errors.Invalid),
        ({"pickup": "atlantis"}, errors.UnknownLocation),
        ({"pickup": "bergen", "kind": "firm"}, errors.Invalid),
        ({"pickup": "bergen", "channel": "bazaar", "kind": "promise"}, errors.UnknownChannel),
        ({"pickup": "bergen", "channel": "amazon", "kind": "promise"}, errors.Invalid),
    ],
)
async def test_an_order_can_be_fetched_only_at_a_store_of_its_channel(shop, told, error):
    with pytest.raises(error):
        await shop.order(order("1", 1, **told))


@pytest.mark.parametrize(
    ("wanted", "value", "limit"), [((CUP, 2), None, 2), ((MUG, 2), None, 1), ((CUP, 2), 900, 1), ((CUP, 2), 1_000, 2)]
)
async def test_the_first_rule_that_fits_says_how_often_an_order_may_be_split(shop, wanted, value, limit):
    skus = [msgspec.structs.replace(sku, category="glass" if sku.sku == MUG else "") for sku in DATED.skus]
    rules = (SplitRule(category="glass", split_limit=1), SplitRule(from_value=500, to_value=1_000, split_limit=1))
    ruled = with_channel(msgspec.structs.replace(DATED, skus=skus), "shop", split_rules=rules, split_limit=2)
    await shop.configure_all(ruled)
    sku, units = wanted
    await stock(shop, sku=MUG, oslo=1, rome=1)
    await stock(shop, rome=1)
    told = {} if value is None else {"value": value}

    placed = shop.order(order("1", (sku, 11 if sku == CUP else units), **told))

    if limit == 2:
        assert set(units_at(await placed)) == {"oslo", "rome"}
    else:
        with pytest.raises(errors.Unroutable) as refused:
            await placed
        assert refused.value.facts["split_limit"] == 1


async def test_a_process_that_has_read_no_config_yet_looks_before_it_refuses(shop, redis):
    await stock(shop, bergen=2)
    started = Allocator(Pipe(redis), "main", EPOCH)
    started.now_ms = NOW

    fetched = await started.order(order("1", 1, pickup="bergen"))
    sold = await Allocator(Pipe(redis), "main", EPOCH).order(order("2", 1, channel="till"))

    assert (units_at(fetched), sold.state) == ({"bergen": 1}, "shipped")


# --- what a place of a day hangs on ------------------------------------------------------------------------------


async def test_a_single_unit_in_conflict_keeps_all_of_an_order_back(shop):
    await shop.order(order("1", 2, ship_complete=True))
    await shop.reject("shop", "1", "oslo", [UnitsLine("1", 1)], op="r", reason="mismatch")

    with pytest.raises(errors.Incomplete) as refused:
        await shop.pick("shop", "1", op="p")

    assert refused.value.facts == {"line": "1", "units": 1}


async def test_a_line_the_order_does_not_have_is_told_before_what_it_waits_for(shop):
    await shop.order(order("1", 12, channel="amazon", ship_complete=True))

    with pytest.raises(errors.UnknownLine):
        await shop.ship("amazon", "1", [ShipLine("9", "oslo", 1)], op="s")


async def test_only_the_place_that_units_have_left_is_used_for_good(shop, redis):
    await shop.configure_all(msgspec.structs.replace(DATED, locations=[OSLO, BUSY_ROME, BERGEN]))
    await stock(shop, rome=5)
    await shop.order(order("1", 12))
    before = await redis.zrange(SLOTS, 0, -1, withscores=True)

    await shop.ship("shop", "1", [ShipLine("1", "oslo", 1)], op="s")
    await shop.cancel("shop", "1", op="c")

    assert [(member.split(b"\0")[1], score) for member, score in before] == [(b"oslo", 0), (b"rome", 0)]
    assert [place.location for place in (await shop.find_order("shop", "1")).promised.locations] == ["oslo"]
    assert await redis.zrange(SLOTS, 0, -1) == [before[0][0]]


async def test_a_firm_order_does_not_take_what_others_wait_for_from_a_full_location(shop, redis):
    await fill(shop, 5)
    await shop.order(order("waits", 8, channel="amazon"))
    await stock(shop, oslo=3)

    placed = await shop.order(order("late", 1, channel="amazon"))

    assert (units_at(placed), placed.lines[0].backordered) == ({}, 1)


async def test_a_plan_is_that_of_the_first_locations_that_serve_a_firm_order(shop):
    await fill(shop, 5)
    only_full = await shop.order(order("1", 1, channel="amazon"))
    await stock(shop, rome=2)
    at_both = await shop.order(order("2", 3, channel="amazon"))
    await shop.order(order("3", 9, channel="amazon"))
    nowhere = await shop.order(order("4", 1, channel="amazon"))

    assert [one.plan for one in (only_full, at_both, nowhere)] == ["single", "greedy", "none"]


async def test_places_of_later_days_are_none_of_today(shop):
    await fill(shop, 3)
    await shop.cancel("shop", "fill-shop-0", op="c")

    assert days(await shop.order(order("next", 1))) == [TODAY]
