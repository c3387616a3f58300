"""A firm order has been sold already: it opens one reserve after the other and waits for the rest."""

import pytest

from allocator import Rule
from allocator.errors import UnknownSku

from .fixtures import (
    CONFIG,
    TEE,
    atp,
    buckets,
    hold,
    order,
    place,
    quota,
    sold_at_the_till,
    sources,
    state,
    stock,
    units_at,
    with_channel,
    with_inactive,
    with_rules,
)


def firm(id: str, *wanted, **told):
    """An order of amazon."""
    return order(id, *wanted, channel="amazon", **told)


async def test_it_takes_what_it_may_be_promised_first(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=3), Rule(kind="safety_stock", units=2)))
    await stock(allocator, oslo=10)

    # free 8, buffer 3: 5 are plain
    placed = await allocator.order(firm("1", 5))

    assert sources(placed) == [("shared", 5, "")]


async def test_the_buffer_is_opened_first(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=3), Rule(kind="safety_stock", units=2)))
    await stock(allocator, oslo=10)

    placed = await allocator.order(firm("1", 8))

    assert sources(placed) == [("shared", 5, ""), ("buffer", 3, "")]


async def test_safety_stock_is_opened_after_the_buffer(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=3), Rule(kind="safety_stock", units=2)))
    await stock(allocator, oslo=10)

    placed = await allocator.order(firm("1", 10))

    assert sources(placed) == [("shared", 5, ""), ("buffer", 3, ""), ("safety", 2, "")]
    assert placed.lines[0].backordered == 0


async def test_others_quotas_are_opened_last_and_the_lowest_rank_first(allocator, redis):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=1), Rule(kind="safety_stock", units=2)))
    await stock(allocator, oslo=12)
    await quota(allocator, "oslo", "shop", 4, floor=4)
    await quota(allocator, "oslo", "till", 3, floor=3)

    # free 10 = shop 4 + till 3 + shared 3; 3 - 1 = 2 plain, 1 buffer, 2 safety, till 3, shop 3 of 4
    placed = await allocator.order(firm("1", 11))

    assert sources(placed) == [
        ("shared", 2, ""),
        ("buffer", 1, ""),
        ("safety", 2, ""),
        ("borrowed", 3, "till"),
        ("borrowed", 3, "shop"),
    ]
    assert (await place(redis, "oslo")).quotas["shop"].consumed == 3


async def test_what_is_nowhere_is_backordered_and_visible(allocator, redis):
    await stock(allocator, oslo=3)

    placed = await allocator.order(firm("1", 8))

    assert (placed.state, placed.lines[0].committed, placed.lines[0].backordered) == ("backordered", 3, 5)
    assert (await state(redis)).backordered == 5
    assert (await allocator.find_order("amazon", "1")).state == "backordered"


async def test_with_no_stock_at_all_it_is_accepted(allocator):
    placed = await allocator.order(firm("1", 8, (TEE, 2)))

    assert [line.backordered for line in placed.lines] == [8, 2]
    assert placed.plan == "none"


async def test_two_lines_of_one_sku_share_the_units(allocator):
    await stock(allocator, oslo=5)

    placed = await allocator.order(firm("1", 3, 4))

    assert [(line.committed, line.backordered) for line in placed.lines] == [(3, 0), (2, 2)]


async def test_units_others_hold_are_not_taken(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 4))

    placed = await allocator.order(firm("1", 3))

    assert (placed.lines[0].committed, placed.lines[0].backordered) == (1, 2)
    assert await buckets(redis, "oslo") == (5, 4, 1)


async def test_units_that_are_owed_already_are_not_taken(allocator):
    await allocator.order(firm("1", 4))
    await stock(allocator, oslo=6)

    # 4 of the 6 are spoken for
    placed = await allocator.order(firm("2", 5))

    assert (placed.lines[0].committed, placed.lines[0].backordered) == (2, 3)


async def test_safety_stock_and_quotas_do_not_serve_what_is_owed_twice(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=3)))
    await allocator.order(firm("1", 4))
    await stock(allocator, oslo=8)

    # 5 free and 3 safety, 4 of the 8 owed: 1 free, then 3 of the safety stock
    placed = await allocator.order(firm("2", 9))

    assert (placed.lines[0].committed, placed.lines[0].backordered) == (4, 5)
    assert sources(placed) == [("shared", 1, ""), ("safety", 3, "")]


async def test_a_deficit_elsewhere_is_not_robbed(allocator):
    await stock(allocator, bergen=2, oslo=5)
    await allocator.order(order("S1", 2, prefer=["bergen"]))
    await sold_at_the_till(allocator, "T1", 2)

    # oslo 5, deficit of bergen 2
    placed = await allocator.order(firm("1", 5))

    assert (placed.lines[0].committed, placed.lines[0].backordered) == (3, 2)


async def test_only_the_channels_own_locations_are_used(allocator, redis):
    await stock(allocator, oslo=1, bergen=9)

    placed = await allocator.order(firm("1", 4))

    assert units_at(placed) == {"oslo": 1}
    assert placed.lines[0].backordered == 3
    assert await buckets(redis, "bergen") == (9, 0, 0)


async def test_an_inactive_location_is_not_used(allocator):
    await allocator.configure_all(with_inactive("oslo"))
    await stock(allocator, oslo=5, rome=2)

    placed = await allocator.order(firm("1", 4))

    assert units_at(placed) == {"rome": 2}


async def test_the_split_limit_is_only_a_wish(allocator):
    await allocator.configure_all(with_channel(CONFIG, "amazon", split_limit=1))
    await stock(allocator, oslo=3, rome=4)

    placed = await allocator.order(firm("1", 7))

    assert units_at(placed) == {"oslo": 3, "rome": 4}
    assert placed.lines[0].backordered == 0


async def test_one_parcel_is_preferred_even_when_it_needs_the_buffer(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", channel="amazon", units=4)))
    await stock(allocator, oslo=2, rome=5)

    # pool 7, ATP 3; rome alone can serve all 5 when the buffer is open
    placed = await allocator.order(firm("1", 5))

    assert units_at(placed) == {"rome": 5}
    assert sources(placed) == [("shared", 3, ""), ("buffer", 2, "")]


async def test_a_reserve_is_taken_where_the_order_ships_from_already(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=2)))
    await stock(allocator, oslo=2, rome=5)

    # rome: 3 free, 2 safety; oslo: 2 safety. No second parcel is needed
    placed = await allocator.order(firm("1", 5))

    assert units_at(placed) == {"rome": 5}


async def test_a_channel_without_overflow_opens_shared_units_with_the_quotas(allocator):
    await allocator.configure_all(with_channel(CONFIG, "amazon", overflow="none"))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 2)
    await quota(allocator, "oslo", "shop", 3)

    # own 2; then shared 5, then shop's 3
    placed = await allocator.order(firm("1", 10))

    assert sources(placed) == [("own", 2, "amazon"), ("shared", 5, ""), ("borrowed", 3, "shop")]


async def test_an_own_quota_taken_beyond_atp_is_still_consumed(allocator, redis):
    await allocator.configure_all(with_rules(Rule(kind="buffer", channel="amazon", units=3)))
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "amazon", 5)

    placed = await allocator.order(firm("1", 5))

    assert sources(placed) == [("own", 2, "amazon"), ("buffer", 3, "amazon")]
    assert (await place(redis, "oslo")).quotas["amazon"].consumed == 5


async def test_an_unknown_sku_is_still_refused(allocator):
    with pytest.raises(UnknownSku):
        await allocator.order(firm("1", ("POT", 1)))


async def test_a_channel_without_locations_backorders_all(allocator):
    await allocator.configure_all(with_channel(CONFIG, "amazon", locations=[]))
    await stock(allocator, oslo=5)

    placed = await allocator.order(firm("1", 2))

    assert placed.lines[0].backordered == 2


async def test_its_own_region_comes_first_and_the_rest_of_the_channel_after(allocator):
    await allocator.configure_all(with_channel(CONFIG, "amazon", same_region_only=True))
    await stock(allocator, oslo=1, rome=1)

    # no location is in the region of the ship-to: a promise would be unroutable, a firm order relaxes it
    placed = await allocator.order(firm("1", 2))

    assert units_at(placed) == {"oslo": 1, "rome": 1}


async def test_backorders_of_a_sku_are_owed_in_everybodys_number(allocator):
    await allocator.order(firm("1", 4))
    await stock(allocator, bergen=10)

    # amazon does not even sell from bergen, and still its debt is everybody's
    assert await atp(allocator, "till") == 6


async def test_shared_units_that_are_owed_already_are_not_taken_among_the_fenced_ones(allocator):
    await sold_at_the_till(allocator, "T1", 3)
    await stock(allocator, oslo=6)
    await quota(allocator, "oslo", "till", 2)

    placed = await allocator.order(order("1", 6, kind="firm"))

    assert sources(placed) == [("shared", 1, ""), ("borrowed", 2, "till")]
    assert placed.lines[0].backordered == 3
