"""What a channel may promise, step by step, with every number worked by hand."""

import pytest

from allocator import AdjustLine, Rule, StockLine

from .fixtures import (
    CONFIG,
    CUP,
    TEE,
    atp,
    hold,
    order,
    published,
    quota,
    sold_at_the_till,
    stock,
    with_channel,
    with_inactive,
    with_rules,
)

# --- step 1: what is free at a location


async def test_available_is_what_is_neither_unavailable_nor_held_nor_committed(allocator):
    await stock(allocator, oslo=20)
    await allocator.unavailable([StockLine(CUP, "oslo", 3)], op="drop", reason="damaged", direction="in")
    await allocator.hold(hold("h1", 4))
    await allocator.order(order("1", 5))

    # 20 on hand - 3 damaged - 4 held - 5 committed = 8
    shelf = (await allocator.explain(CUP, "shop")).shelves[0]

    assert (shelf.on_hand, shelf.unavailable, shelf.held, shelf.committed, shelf.available) == (20, 3, 4, 5, 8)
    assert await atp(allocator) == 8


async def test_safety_stock_is_kept_back_at_each_location(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=4)))
    await stock(allocator, oslo=10, rome=3, bergen=4)

    # oslo 10 - 4 = 6, rome max(0, 3 - 4) = 0, bergen 4 - 4 = 0
    told = await allocator.explain(CUP, "shop")

    assert [shelf.free for shelf in told.shelves] == [6, 0, 0]
    assert told.atp_now == 6


async def test_a_till_sells_the_safety_stock_of_its_own_shelf(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", location="bergen", units=2)))
    await stock(allocator, bergen=5)

    # the shop sees 5 - 2 = 3, the till in the store sees all 5
    assert await atp(allocator, "shop") == 3
    assert await atp(allocator, "till") == 5


async def test_an_inactive_location_counts_nothing(allocator):
    await stock(allocator, oslo=5, rome=7)

    await allocator.configure_all(with_inactive("oslo"))

    # oslo counts 0, rome 7
    assert await atp(allocator) == 7
    assert [shelf.on_hand for shelf in (await allocator.explain(CUP, "shop")).shelves] == [5, 7, 0]


async def test_a_location_the_channel_does_not_sell_from_counts_nothing(allocator):
    await stock(allocator, oslo=2, bergen=9)

    # amazon sells from oslo and rome, the till from bergen alone
    assert await atp(allocator, "amazon") == 2
    assert await atp(allocator, "till") == 9


# --- step 2: quotas


async def test_two_quotas_over_too_little_stock_are_covered_in_channel_rank_order(allocator):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 8)
    await quota(allocator, "oslo", "amazon", 6)

    # amazon (rank 1) has min(6, 10) = 6, shop (rank 2) min(8, 10 - 6) = 4, nothing is left to share
    assert await atp(allocator, "amazon") == 6
    assert await atp(allocator, "shop") == 4


async def test_the_order_in_which_quotas_were_set_does_not_matter(allocator):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)
    await quota(allocator, "oslo", "shop", 8)

    assert await atp(allocator, "amazon") == 6
    assert await atp(allocator, "shop") == 4


async def test_a_channel_without_a_quota_shares_what_no_quota_covers(allocator):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 7)

    # shared = 10 - 7 = 3
    assert await atp(allocator, "shop") == 3
    assert await atp(allocator, "amazon") == 10


async def test_safety_stock_goes_before_quotas(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=4)))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 5)

    # free 6: amazon 5, shared 1
    assert await atp(allocator, "shop") == 1
    assert await atp(allocator, "amazon") == 6


@pytest.mark.parametrize(
    ("overflow", "units"),
    [
        ("none", 3),  # its own 3
        ("shared", 5),  # its own 3 + shared 10 - 3 - 5 = 2
        ("borrow", 8),  # its own 3 + shared 2 + amazon's 5 above its floor of 2 = 3
    ],
)
async def test_overflow_says_what_lies_beyond_the_quota(allocator, overflow, units):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow=overflow))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 3)
    await quota(allocator, "oslo", "amazon", 5, floor=2)

    assert await atp(allocator, "shop") == units


async def test_a_channel_without_quota_and_overflow_may_sell_nothing(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="none"))
    await stock(allocator, oslo=10)

    assert await atp(allocator, "shop") == 0


async def test_a_floor_above_what_is_effective_lends_nothing(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="borrow"))
    await stock(allocator, oslo=4)
    await quota(allocator, "oslo", "amazon", 10, floor=6)

    # amazon's effective quota is 4, all of it below the floor of 6
    assert await atp(allocator, "shop") == 0


async def test_what_a_quota_has_consumed_is_no_longer_fenced(allocator):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)
    await allocator.order(order("A1", 4, channel="amazon"))

    # 10 - 4 committed = 6 free; amazon min(6 - 4, 6) = 2, shared 4
    assert await atp(allocator, "amazon") == 6
    assert await atp(allocator, "shop") == 4


async def test_each_location_has_quotas_of_its_own(allocator):
    await stock(allocator, oslo=5, rome=5)
    await quota(allocator, "oslo", "amazon", 5)

    # the shop: oslo 0 + rome 5
    assert await atp(allocator, "shop") == 5


# --- step 3: what is owed


async def test_a_deficit_is_in_nobodys_atp(allocator):
    await stock(allocator, oslo=10, bergen=2)
    await allocator.order(order("1", 2, prefer=["bergen"]))
    await sold_at_the_till(allocator, "T1", 2)

    # bergen: 0 on hand, 2 committed: deficit 2; the pool of each channel is its open units - 2
    assert await atp(allocator, "shop") == 8
    assert await atp(allocator, "amazon") == 8
    assert await atp(allocator, "till") == 0


async def test_a_backorder_is_in_nobodys_atp(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("A1", 8, channel="amazon"))

    # 3 committed, 5 backordered; 7 arrive in rome, 5 of them are spoken for
    await stock(allocator, rome=7)

    assert await atp(allocator, "shop") == 2
    assert await atp(allocator, "amazon") == 2


async def test_what_is_owed_does_not_fall_below_zero(allocator):
    await allocator.order(order("A1", 8, channel="amazon"))
    await stock(allocator, rome=5)

    told = await allocator.explain(CUP, "shop")

    # open 5 - owed 8 is no negative pool
    assert (told.open, told.backordered, told.owed, told.pool, told.atp_now) == (5, 8, 8, 0, 0)


async def test_debts_of_another_sku_do_not_matter(allocator):
    await allocator.order(order("A1", 8, channel="amazon"))
    await stock(allocator, TEE, oslo=5)

    assert await atp(allocator, sku=TEE) == 5


async def test_a_correction_below_what_is_committed_is_a_deficit(allocator):
    await stock(allocator, oslo=6, rome=4)
    await allocator.order(order("1", 6))
    await allocator.adjust([AdjustLine(CUP, "oslo", -5)], op="count", why="counted")

    # oslo: 1 on hand, 6 committed: deficit 5 > the 4 in rome
    told = await allocator.explain(CUP, "shop")

    assert (told.open, told.deficits, told.pool) == (4, 5, 0)


# --- step 4: the buffer


@pytest.mark.parametrize(
    ("pool", "percent_bp", "left"),
    [
        (1, 1_000, 0),  # ceil(0.1) = 1
        (3, 1_000, 2),  # ceil(0.3) = 1
        (10, 1_000, 9),  # ceil(1.0) = 1
        (11, 1_000, 9),  # ceil(1.1) = 2
        (7, 3_333, 4),  # ceil(2.3331) = 3
        (3, 1, 2),  # ceil(0.0003) = 1
        (5, 10_000, 0),  # all of it
        (999_999_999, 1, 999_899_999),  # ceil(99,999.9999) = 100,000
    ],
)
async def test_a_percentage_is_rounded_up(allocator, pool, percent_bp, left):
    await allocator.configure_all(with_rules(Rule(kind="buffer", percent_bp=percent_bp)))
    await stock(allocator, oslo=pool)

    assert await atp(allocator) == left


async def test_of_units_and_percentage_the_larger_is_kept_back(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=3, percent_bp=2_000)))

    # of 10: max(3, 2) = 3
    await stock(allocator, oslo=10)
    assert await atp(allocator) == 7

    # of 20: max(3, 4) = 4
    await stock(allocator, oslo=10)
    assert await atp(allocator) == 16


async def test_a_buffer_larger_than_the_pool_leaves_nothing(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=50)))
    await stock(allocator, oslo=10)

    assert await atp(allocator) == 0


async def test_the_buffer_is_kept_from_the_pool_and_not_at_each_location(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=3)))
    await stock(allocator, oslo=2, rome=2, bergen=2)

    # 6 - 3
    assert await atp(allocator) == 3


# --- step 5: the published number


@pytest.mark.parametrize(("units", "told"), [(0, 0), (4, 0), (5, 0), (6, 6)])
async def test_at_or_below_the_cutoff_nothing_is_published(allocator, units, told):
    await allocator.configure_all(with_rules(Rule(kind="cutoff", units=5)))
    await stock(allocator, oslo=units + 1)
    await allocator.order(order("1", 1))

    assert await published(allocator) == told
    assert await atp(allocator) == units


@pytest.mark.parametrize(("units", "told"), [(9, 9), (10, 10), (11, 10), (500, 10)])
async def test_no_more_than_max_published_is_told(allocator, units, told):
    await allocator.configure_all(with_rules(Rule(kind="max_published", units=10)))
    await stock(allocator, oslo=units)

    assert await published(allocator) == told
    assert await atp(allocator) == units


async def test_max_published_of_zero_tells_nothing(allocator):
    await allocator.configure_all(with_rules(Rule(kind="max_published", units=0)))
    await stock(allocator, oslo=5)

    assert (await published(allocator), await atp(allocator)) == (0, 5)


async def test_the_cutoff_is_compared_after_the_buffer(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=4), Rule(kind="cutoff", units=5)))
    await stock(allocator, oslo=9)

    # 9 - 4 = 5, at the cutoff
    assert (await atp(allocator), await published(allocator)) == (5, 0)


async def test_the_published_number_is_spread_in_rank_order_up_to_what_is_open(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=4), Rule(kind="safety_stock", units=1)))
    await stock(allocator, oslo=6, rome=1, bergen=4)

    # open: oslo 5, rome 0, bergen 3; 8 - 4 = 4 published: 4 of oslo
    assert (await allocator.explain(CUP, "shop")).spread == {"oslo": 4, "rome": 0, "bergen": 0}

    # open: oslo 5, rome 0, bergen 8; 13 - 4 = 9: oslo 5, bergen 4
    await stock(allocator, bergen=5)
    assert (await allocator.explain(CUP, "shop")).spread == {"oslo": 5, "rome": 0, "bergen": 4}


# --- all steps at once


async def test_all_five_steps_together(allocator):
    rules = [
        Rule(kind="safety_stock", units=2),
        Rule(kind="buffer", channel="shop", units=1, percent_bp=1_500),
        Rule(kind="cutoff", channel="shop", units=2),
        Rule(kind="max_published", channel="shop", units=9),
    ]
    config = with_channel(with_rules(*rules), "shop", overflow="borrow")
    await allocator.configure_all(config)
    await stock(allocator, oslo=20, rome=6, bergen=1)
    await quota(allocator, "oslo", "amazon", 8, floor=3)
    await quota(allocator, "oslo", "shop", 5)
    await sold_at_the_till(allocator, "T1", 3)

    told = await allocator.explain(CUP, "shop")

    # bergen: 1 - 3 = -2: deficit 2
    # oslo: free 18 = amazon 8 + shop 5 + shared 5; the shop may borrow 8 - 3 = 5: open 15
    # rome: free 4, all shared: open 4
    assert [(shelf.own, shelf.shared, shelf.borrowable, shelf.open) for shelf in told.shelves] == [
        (5, 5, 5, 15),
        (0, 4, 0, 4),
        (0, 0, 0, 0),
    ]
    # open 19 - owed 2 = 17; buffer max(1, ceil(2.55)) = 3; 14; above the cutoff, capped at 9
    assert (told.open, told.owed, told.pool, told.buffer, told.atp_now) == (19, 2, 17, 3, 14)
    assert (told.cutoff, told.max_published, told.published) == (2, 9, 9)
    assert told.spread == {"oslo": 9, "rome": 0, "bergen": 0}
