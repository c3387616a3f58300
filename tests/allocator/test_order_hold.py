"""An order that names a hold takes the held units where they lie, whatever the rules say now."""

import pytest

from allocator import AdjustLine, Rule, StockLine
from allocator.errors import Short

from .fixtures import (
    CONFIG,
    CUP,
    MINUTE,
    TEE,
    atp,
    buckets,
    hold,
    order,
    place,
    quota,
    sold_at_the_till,
    sources,
    stock,
    units_at,
    with_channel,
    with_inactive,
    with_rules,
)


async def test_held_units_become_the_orders(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))

    placed = await allocator.order(order("1", 3, hold="h1"))

    assert placed.hold == "used"
    assert await buckets(redis, "oslo") == (5, 0, 3)
    assert (await allocator.find_hold("h1")).state == "ordered"


async def test_they_stay_where_they_lie(allocator):
    await stock(allocator, rome=5)
    await allocator.hold(hold("h1", 3))
    await stock(allocator, oslo=5)

    placed = await allocator.order(order("1", 3, hold="h1"))

    assert units_at(placed) == {"rome": 3}


async def test_a_rule_made_since_does_not_take_them_away(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 5))
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=99), Rule(kind="safety_stock", units=99)))

    placed = await allocator.order(order("1", 5, hold="h1"))

    assert placed.lines[0].committed == 5


async def test_a_location_switched_off_since_does_not_take_them_away(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 5))
    await allocator.configure_all(with_inactive("oslo"))

    placed = await allocator.order(order("1", 5, hold="h1"))

    assert units_at(placed) == {"oslo": 5}


async def test_what_the_order_wants_beyond_the_hold_is_taken_as_a_promise(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))

    placed = await allocator.order(order("1", 4, hold="h1"))

    assert placed.lines[0].committed == 4
    with pytest.raises(Short):
        await allocator.order(order("2", 2))


async def test_a_promise_that_is_short_beyond_the_hold_leaves_the_hold_as_it_was(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))

    with pytest.raises(Short) as refused:
        await allocator.order(order("1", 6, hold="h1"))

    assert refused.value.facts["lines"][0]["atp_now"] == 2
    assert (await allocator.find_hold("h1")).state == "open"
    assert await buckets(redis, "oslo") == (5, 3, 0)


async def test_a_firm_order_backorders_what_the_hold_and_the_shelves_lack(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3, channel="amazon"))

    placed = await allocator.order(order("1", 7, channel="amazon", hold="h1"))

    assert (placed.lines[0].committed, placed.lines[0].backordered) == (5, 2)


async def test_a_partial_promise_takes_the_hold_and_what_there_is(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 5))

    placed = await allocator.order(order("1", 7, hold="h1", partial=True))

    assert (placed.lines[0].committed, placed.lines[0].cancelled) == (5, 2)


async def test_held_units_the_order_does_not_want_are_free_again(allocator, redis):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    await allocator.hold(hold("h1", 4, (TEE, 2)))

    await allocator.order(order("1", 1, hold="h1"))

    assert await buckets(redis, "oslo", CUP) == (5, 0, 1)
    assert await buckets(redis, "oslo", TEE) == (5, 0, 0)


async def test_lines_of_the_order_share_what_was_held_of_their_sku(allocator):
    await stock(allocator, oslo=3)
    await allocator.hold(hold("h1", 3))

    placed = await allocator.order(order("1", 2, 1, hold="h1"))

    assert [line.committed for line in placed.lines] == [2, 1]


async def test_the_source_of_the_units_is_kept(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "shop", 2)
    await allocator.hold(hold("h1", 3))

    placed = await allocator.order(order("1", 3, hold="h1"))

    assert sources(placed) == [("own", 2, "shop"), ("shared", 1, "")]
    assert (await place(redis, "oslo")).quotas["shop"].consumed == 2


async def test_units_gone_meanwhile_follow_the_orders_kind(allocator):
    await stock(allocator, bergen=4)
    await allocator.hold(hold("h1", 4))
    await sold_at_the_till(allocator, "T1", 3)

    with pytest.raises(Short) as refused:
        await allocator.order(order("1", 4, hold="h1"))

    assert refused.value.facts["lines"][0]["atp_now"] == 0


async def test_units_gone_meanwhile_are_backordered_by_a_firm_order(allocator, redis):
    await stock(allocator, oslo=4)
    await allocator.hold(hold("h1", 4, channel="amazon"))
    await allocator.adjust([AdjustLine(CUP, "oslo", -3)], op="count", why="counted")

    placed = await allocator.order(order("1", 4, channel="amazon", hold="h1"))

    assert (placed.lines[0].committed, placed.lines[0].backordered) == (1, 3)
    assert (await place(redis, "oslo")).deficit == 0


@pytest.mark.parametrize("sold", [3, 4])
async def test_a_hold_of_which_nothing_is_there_any_more_gives_an_order_nothing(allocator, redis, sold):
    await stock(allocator, bergen=3)
    await allocator.hold(hold("h1", 3))
    await sold_at_the_till(allocator, "T1", sold)

    placed = await allocator.order(order("1", 3, kind="firm", hold="h1"))

    assert (placed.lines[0].committed, placed.lines[0].backordered) == (0, 3)
    assert await buckets(redis, "bergen") == (3 - sold, 0, 0)


async def test_units_gone_meanwhile_are_taken_elsewhere_when_they_are_there(allocator):
    await stock(allocator, bergen=4)
    await allocator.hold(hold("h1", 4))
    await sold_at_the_till(allocator, "T1", 3)
    await stock(allocator, oslo=9)

    placed = await allocator.order(order("1", 4, hold="h1"))

    assert units_at(placed) == {"bergen": 1, "oslo": 3}


async def test_the_places_of_the_hold_count_for_the_split_limit(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=2)
    await allocator.hold(hold("h1", 2))
    await stock(allocator, oslo=2, rome=9)

    placed = await allocator.order(order("1", 4, hold="h1"))

    assert units_at(placed) == {"oslo": 4}


@pytest.mark.parametrize("end", ["released", "expired", "ordered", "replaced"])
async def test_an_ended_hold_contributes_nothing(allocator, end):
    await stock(allocator, oslo=9)
    await allocator.hold(hold("h1", 3, owner="ann"))
    await _end(allocator, end)

    placed = await allocator.order(order("1", 1, hold="h1"))

    assert placed.hold == end
    assert placed.lines[0].committed == 1


async def _end(allocator, end: str) -> None:
    """Bring the hold h1 into this state."""
    if end == "released":
        await allocator.release("h1")
    elif end == "ordered":
        await allocator.order(order("0", 3, hold="h1"))
    elif end == "replaced":
        await allocator.hold(hold("h2", 1, owner="ann"))
    else:
        await allocator.expire(elapsed_ms=None)
        allocator.now_ms += MINUTE
        await allocator.expire(elapsed_ms=MINUTE)


async def test_a_hold_nobody_made_contributes_nothing(allocator):
    await stock(allocator, oslo=5)

    placed = await allocator.order(order("1", 3, hold="h9"))

    assert (placed.hold, placed.lines[0].committed) == ("unknown", 3)


async def test_a_hold_of_another_channel_stays_that_channels(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 2, channel="amazon"))

    placed = await allocator.order(order("1", 3, hold="h1"))

    assert placed.hold == "other_channel"
    assert await buckets(redis, "oslo") == (5, 2, 3)


async def test_one_hold_cannot_feed_two_orders(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    await allocator.order(order("1", 3, hold="h1"))

    second = await allocator.order(order("2", 2, hold="h1"))

    assert second.hold == "ordered"
    assert await buckets(redis, "oslo") == (5, 0, 5)
    assert await atp(allocator) == 0


async def test_the_owner_may_hold_again_after_his_order(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3, owner="ann"))
    await allocator.order(order("1", 3, hold="h1"))

    held = await allocator.hold(hold("h2", 2, owner="ann"))

    assert held.replaced == ""


async def test_units_of_a_hold_that_were_damaged_meanwhile_are_not_taken_over(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    await allocator.unavailable([StockLine(CUP, "oslo", 4)], op="u1", reason="wet", direction="in")

    placed = await allocator.order(order("1", 1, 2, hold="h1", kind="firm"))

    assert [(line.committed, line.backordered) for line in placed.lines] == [(1, 0), (0, 2)]


async def test_a_sale_of_goods_that_are_gone_takes_over_what_its_hold_took_there(allocator):
    await stock(allocator, bergen=2)
    await allocator.hold(hold("h1", 2, channel="till"))
    await quota(allocator, "bergen", "shop", 2)

    placed = await allocator.order(order("1", 2, channel="till", hold="h1"))

    assert sources(placed) == [("shared", 2, "")]
