"""Goods that are gone are a fact: the sale is accepted, and what was promised there is owed."""

import pytest

from allocator import ChannelLocation, Rule
from allocator.errors import Invalid, OverLimit, UnknownChannel, UnknownLocation, UnknownSku

from .fixtures import (
    CONFIG,
    CUP,
    TEE,
    atp,
    buckets,
    hold,
    order,
    place,
    quota,
    sources,
    stock,
    with_channel,
    with_inactive,
    with_rules,
)


def gone(id: str, *wanted, **told):
    """A sale at the till."""
    return order(id, *wanted, channel="till", **told)


async def test_sold_goods_are_on_no_shelf_any_more(allocator, redis):
    await stock(allocator, bergen=5)

    placed = await allocator.order(gone("1", 2))

    assert (placed.kind, placed.state, placed.plan) == ("gone", "shipped", "single")
    assert (placed.lines[0].ordered, placed.lines[0].shipped, placed.lines[0].committed) == (2, 2, 0)
    assert await buckets(redis, "bergen") == (3, 0, 0)


async def test_the_answer_says_where_the_units_came_from(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=1)))
    await stock(allocator, bergen=4)
    await quota(allocator, "bergen", "shop", 1)

    # an own shelf knows no safety stock: shared 3, the shop's quota 1, and one that the books did not know of
    placed = await allocator.order(gone("1", 5))

    assert sources(placed) == [("shared", 3, ""), ("borrowed", 1, "shop"), ("deficit", 1, "")]


async def test_selling_more_than_the_books_know_takes_on_hand_below_zero(allocator, redis):
    await stock(allocator, bergen=1)

    placed = await allocator.order(gone("1", 3))

    found = await place(redis, "bergen")
    assert (placed.state, found.on_hand, found.deficit) == ("shipped", -2, 2)


async def test_what_was_promised_there_is_a_deficit_in_the_same_step(allocator, redis):
    await stock(allocator, bergen=5)
    await allocator.order(order("S1", 4, prefer=["bergen"]))

    await allocator.order(gone("1", 3))

    found = await place(redis, "bergen")
    assert (found.on_hand, found.committed, found.deficit) == (2, 4, 2)
    assert (await allocator.find_order("shop", "S1")).state == "committed"


async def test_what_others_hold_there_is_a_deficit_too(allocator, redis):
    await stock(allocator, bergen=5, oslo=5)
    await allocator.hold(hold("h1", 4, prefer=["bergen"]))

    await allocator.order(gone("1", 3))

    found = await place(redis, "bergen")
    assert (found.held, found.deficit) == (4, 2)
    # 5 in oslo - 2 owed
    assert await atp(allocator, "shop") == 3


async def test_units_that_arrive_end_the_deficit_first(allocator, redis):
    await allocator.order(gone("1", 3))

    await stock(allocator, bergen=5)

    assert (await place(redis, "bergen")).deficit == 0
    assert await atp(allocator, "till") == 2


async def test_safety_stock_of_another_store_is_sold_too(allocator):
    config = with_channel(with_rules(Rule(kind="safety_stock", units=2)), "till", locations=[_shared("bergen")])
    await allocator.configure_all(config)
    await stock(allocator, bergen=3)

    placed = await allocator.order(gone("1", 3))

    assert sources(placed) == [("shared", 1, ""), ("safety", 2, "")]


def _shared(code: str) -> ChannelLocation:
    return ChannelLocation(code=code)


async def test_its_own_quota_is_used_first_and_stays_used(allocator, redis):
    await stock(allocator, bergen=5)
    await quota(allocator, "bergen", "till", 2)

    placed = await allocator.order(gone("1", 3))

    assert sources(placed) == [("own", 2, "till"), ("shared", 1, "")]
    used = (await place(redis, "bergen")).quotas["till"]
    assert (used.consumed, used.spent) == (2, 2)


async def test_it_takes_from_the_hold_of_its_customer(allocator, redis):
    await stock(allocator, bergen=5)
    await allocator.hold(hold("h1", 3, channel="till"))

    placed = await allocator.order(gone("1", 3, hold="h1"))

    found = await place(redis, "bergen")
    assert placed.hold == "used"
    assert (found.on_hand, found.held, found.deficit) == (2, 0, 0)


async def test_a_hold_elsewhere_is_let_go_when_the_goods_left_here(allocator, redis):
    both = [ChannelLocation(code="oslo"), ChannelLocation(code="bergen")]
    await allocator.configure_all(with_channel(CONFIG, "till", locations=both))
    await stock(allocator, oslo=5, bergen=5)
    await allocator.hold(hold("h1", 3, channel="till"))

    placed = await allocator.order(gone("1", 3, hold="h1", at="bergen"))

    assert placed.hold == "used"
    assert await buckets(redis, "oslo") == (5, 0, 0)
    assert await buckets(redis, "bergen") == (2, 0, 0)


async def test_goods_may_leave_a_place_the_channel_does_not_sell_from(allocator, redis):
    await stock(allocator, rome=5)

    placed = await allocator.order(gone("1", 3, at="rome"))

    assert placed.state == "shipped"
    assert await buckets(redis, "rome") == (2, 0, 0)


async def test_goods_may_leave_a_place_that_is_switched_off(allocator, redis):
    await stock(allocator, bergen=5)
    await allocator.configure_all(with_inactive("bergen"))

    await allocator.order(gone("1", 3))

    assert await buckets(redis, "bergen") == (2, 0, 0)


async def test_two_lines_of_one_sku_leave_once_each(allocator, redis):
    await stock(allocator, bergen=4)

    placed = await allocator.order(gone("1", 3, 2))

    assert [line.shipped for line in placed.lines] == [3, 2]
    assert (await place(redis, "bergen")).on_hand == -1


async def test_a_channel_of_many_places_must_say_which(allocator):
    both = [ChannelLocation(code="oslo"), ChannelLocation(code="bergen")]
    await allocator.configure_all(with_channel(CONFIG, "till", locations=both))

    with pytest.raises(Invalid) as refused:
        await allocator.order(gone("1", 3))

    assert refused.value.facts == {"where": "/at"}


async def test_unknown_things_cannot_leave(allocator):
    with pytest.raises(UnknownSku):
        await allocator.order(gone("1", ("POT", 1)))
    with pytest.raises(UnknownLocation) as refused:
        await allocator.order(gone("2", 1, at="narvik"))
    with pytest.raises(UnknownChannel):
        await allocator.order(order("3", 1, channel="kiosk", kind="gone"))

    assert refused.value.facts == {"locations": ["narvik"]}


async def test_more_than_a_place_can_count_is_refused(allocator, redis):
    enough = 1_000_000_000
    for number in range(10):
        await allocator.order(gone(str(number), enough))

    with pytest.raises(OverLimit) as refused:
        await allocator.order(gone("last", 1))

    assert refused.value.facts == {"sku": CUP, "location": "bergen", "units": -10 * enough}
    assert (await place(redis, "bergen")).on_hand == -10 * enough


async def test_sold_goods_can_be_found_by_their_order(allocator):
    await stock(allocator, TEE, bergen=5)
    await allocator.order(gone("1", (TEE, 2)))

    found = await allocator.find_order("till", "1")

    assert (found.state, found.lines[0].shipped, found.lines[0].takes) == ("shipped", 2, [])


async def test_a_sale_sent_twice_took_the_goods_once(allocator, redis):
    await stock(allocator, bergen=5)
    first = await allocator.order(gone("1", 2))

    again = await allocator.order(gone("1", 2))

    assert again.replayed
    assert again.lines == first.lines
    assert await buckets(redis, "bergen") == (3, 0, 0)
