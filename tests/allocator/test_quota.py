"""A quota says who may sell units, not what there is."""

import pytest

from allocator import ledger
from allocator.errors import Invalid, NotEnough, OverLimit, UnknownChannel, UnknownLocation, UnknownSku

from .fixtures import CONFIG, CUP, atp, buckets, order, place, quota, sources, state, stock, with_channel


async def test_a_quota_is_set_and_not_added(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)

    await quota(allocator, "oslo", "amazon", 4)

    assert (await place(redis, "oslo")).quotas["amazon"].quota == 4
    assert await atp(allocator, "shop") == 6


async def test_no_units_move(allocator, redis):
    await stock(allocator, oslo=10)

    await quota(allocator, "oslo", "amazon", 99)

    assert await buckets(redis, "oslo") == (10, 0, 0)
    assert (await atp(allocator, "shop"), await atp(allocator, "amazon")) == (0, 10)


async def test_a_quota_may_be_set_where_there_is_no_stock_yet(allocator):
    await quota(allocator, "rome", "amazon", 4)

    await stock(allocator, rome=6)

    assert (await atp(allocator, "shop"), await atp(allocator, "amazon")) == (2, 6)


async def test_setting_what_is_set_already_has_no_effect(allocator, redis):
    await quota(allocator, "oslo", "amazon", 4, floor=2)

    moved = await allocator.set_quota(CUP, "oslo", "amazon", 4, floor=2, op="again")

    assert moved.versions == []
    assert (await state(redis)).version == 1


async def test_a_quota_of_zero_is_no_quota(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "amazon", 4, floor=1)

    await quota(allocator, "oslo", "amazon", 0)

    assert (await place(redis, "oslo")).quotas == {}
    assert await atp(allocator, "shop") == 5


async def test_what_was_consumed_stays_counted_when_the_quota_changes(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)
    await allocator.order(order("A1", 4, channel="amazon"))

    await quota(allocator, "oslo", "amazon", 3)

    found = (await place(redis, "oslo")).quotas["amazon"]
    assert (found.quota, found.consumed) == (3, 4)
    # 6 free, nothing of the quota is left
    assert await atp(allocator, "shop") == 6


async def test_shipped_units_stay_consumed(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)
    await allocator.order(order("A1", 4, channel="amazon"))

    await allocator.ship("amazon", "A1", op="s1")

    found = (await place(redis, "oslo")).quotas["amazon"]
    assert (found.consumed, found.spent) == (4, 4)
    # 6 on hand, 2 of the quota are left
    assert await atp(allocator, "shop") == 4


async def test_cancelled_units_are_no_longer_consumed(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)
    await allocator.order(order("A1", 4, channel="amazon"))

    await allocator.cancel("amazon", "A1", op="c1")

    assert (await place(redis, "oslo")).quotas["amazon"].consumed == 0


async def test_a_floor_changes_alone(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="borrow"))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 10, floor=10)

    await quota(allocator, "oslo", "amazon", 10, floor=4)

    assert await atp(allocator, "shop") == 6


async def test_units_of_a_quota_are_handed_to_another_channel(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)
    await quota(allocator, "oslo", "shop", 1)

    await allocator.move_quota(CUP, "oslo", "amazon", "shop", 5, op="m1")

    quotas = (await place(redis, "oslo")).quotas
    assert (quotas["amazon"].quota, quotas["shop"].quota) == (1, 6)


async def test_the_ledger_tells_both_sides_of_what_was_handed_on(allocator, redis):
    await quota(allocator, "oslo", "amazon", 6)

    await allocator.move_quota(CUP, "oslo", "amazon", "shop", 5, op="m1", why="a sale")

    [*_, (_, entry)] = await ledger.read(redis, allocator.seller, "0-0", 100)
    assert (entry.verb, entry.why, entry.word) == ("move_quota", "a sale", "moved")
    assert entry.changes[0].moves == [("oslo", "quota", "amazon", -5), ("oslo", "quota", "shop", 5)]


async def test_only_what_is_not_consumed_can_be_handed_on(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 6)
    await allocator.order(order("A1", 4, channel="amazon"))

    with pytest.raises(NotEnough) as refused:
        await allocator.move_quota(CUP, "oslo", "amazon", "shop", 3, op="m1")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 2}
    await allocator.move_quota(CUP, "oslo", "amazon", "shop", 2, op="m2")
    assert (await place(redis, "oslo")).quotas["amazon"].quota == 4


async def test_a_quota_is_handed_to_another_channel_and_not_to_itself(allocator):
    with pytest.raises(Invalid, match="another channel"):
        await allocator.move_quota(CUP, "oslo", "shop", "shop", 1, op="m1")


async def test_a_quota_counts_to_a_billion_and_no_further(allocator):
    await quota(allocator, "oslo", "amazon", 999_999_999)
    await quota(allocator, "oslo", "shop", 2)
    await allocator.move_quota(CUP, "oslo", "shop", "amazon", 1, op="m1")

    with pytest.raises(OverLimit) as refused:
        await allocator.move_quota(CUP, "oslo", "shop", "amazon", 1, op="m2")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 1_000_000_000}


async def test_unknown_things_have_no_quota(allocator):
    with pytest.raises(UnknownChannel):
        await quota(allocator, "oslo", "ebay", 1)
    with pytest.raises(UnknownLocation):
        await quota(allocator, "narvik", "shop", 1)
    with pytest.raises(UnknownSku):
        await allocator.set_quota("POT", "oslo", "shop", 1, op="q1")
    with pytest.raises(UnknownChannel) as refused:
        await allocator.move_quota(CUP, "oslo", "shop", "ebay", 1, op="m1")

    assert refused.value.facts == {"channel": "ebay"}


async def test_two_lines_of_a_sku_do_not_borrow_a_unit_twice(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="borrow"))
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "till", 1)
    await quota(allocator, "oslo", "amazon", 2)

    placed = await allocator.order(order("1", 1, 1, 1, 1, 1))

    borrowed = [("borrowed", 1, "till"), ("borrowed", 1, "amazon"), ("borrowed", 1, "amazon")]
    assert sources(placed) == [("shared", 1, ""), ("shared", 1, ""), *borrowed]


async def test_two_lines_of_a_sku_do_not_use_a_unit_of_their_own_quota_twice(allocator, redis):
    await stock(allocator, oslo=4)
    await quota(allocator, "oslo", "shop", 1)

    placed = await allocator.order(order("1", 1, 1, 1))

    assert sources(placed) == [("own", 1, "shop"), ("shared", 1, ""), ("shared", 1, "")]
    assert (await place(redis, "oslo")).quotas["shop"].consumed == 1


async def test_two_lines_of_a_firm_order_do_not_take_a_fenced_unit_twice(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="none"))
    await stock(allocator, oslo=4)
    await quota(allocator, "oslo", "shop", 1)
    await quota(allocator, "oslo", "amazon", 2)

    placed = await allocator.order(order("1", 1, 1, 1, 1, kind="firm"))

    borrowed = [("borrowed", 1, "amazon"), ("borrowed", 1, "amazon")]
    assert sources(placed) == [("own", 1, "shop"), ("shared", 1, ""), *borrowed]


async def test_a_quota_of_nothing_keeps_its_floor_and_what_it_has_consumed(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "shop", 2)
    await allocator.order(order("1", 2))

    await quota(allocator, "oslo", "shop", 0)
    await quota(allocator, "oslo", "till", 0, floor=3)

    uses = (await place(redis, "oslo")).quotas
    assert {channel: (use.quota, use.consumed, use.spent, use.floor) for channel, use in uses.items()} == {
        "shop": (0, 2, 0, 0),
        "till": (0, 0, 0, 3),
    }
