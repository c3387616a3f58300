"""Somebody decides where an order's units come from: released and taken in one step."""

import pytest

from allocator import Rule, UnitsLine
from allocator.answers import unpack
from allocator.errors import Invalid, NotCommitted, NotEnough, UnknownLine, UnknownLocation, UnknownOrder

from .fixtures import CONFIG, CUP, buckets, dump, order, place, quota, sources, state, stock, units_at, with_rules


async def move(allocator, to: str, *rows: tuple[str, int], id: str = "1", op: str = "m1", **told):
    return await allocator.move("shop", id, to, [UnitsLine(*row) for row in rows], op=op, **told)


async def test_units_leave_one_location_and_are_taken_at_another_in_one_step(allocator, redis):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 3))

    changed = await move(allocator, "rome", origin="oslo")

    assert (changed.state, units_at(changed)) == ("committed", {"rome": 3})
    assert (await buckets(redis, "oslo"), await buckets(redis, "rome")) == ((5, 0, 0), (4, 0, 3))


async def test_some_units_move_alone(allocator):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 3))

    changed = await move(allocator, "rome", ("1", 1), origin="oslo")

    assert units_at(changed) == {"oslo": 2, "rome": 1}


async def test_what_waits_gets_the_units_somebody_gives_it(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.reject("shop", "1", "oslo", op="r1", reason="other", rejects_max=1)
    await allocator.order(order("2", 2, kind="firm", channel="amazon"))

    changed = await move(allocator, "oslo")

    found = await allocator.find_order("shop", "1")
    assert (changed.state, units_at(changed)) == ("committed", {"oslo": 3})
    assert (found.desk, (await state(redis)).conflict) == (False, 0)


async def test_some_of_what_is_in_conflict_moves_and_the_rest_is_still_somebodys_decision(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.reject("shop", "1", "oslo", op="r1", reason="other", rejects_max=1)

    changed = await move(allocator, "oslo", ("1", 2))

    assert (changed.state, changed.lines[0].conflict) == ("conflict", 1)
    assert (await allocator.find_order("shop", "1")).desk


async def test_a_backorder_is_given_units_before_those_who_wait_longer(allocator):
    await allocator.order(order("first", 2, kind="firm"))
    await allocator.order(order("1", 2, kind="firm"))
    await stock(allocator, oslo=2)

    changed = await move(allocator, "oslo")

    assert (changed.state, changed.lines[0].backordered) == ("committed", 0)
    assert (await allocator.find_order("shop", "first")).state == "backordered"


async def test_where_the_channel_does_not_sell_from_safety_stock_is_kept_back_too(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", location="bergen", units=2)))
    await stock(allocator, oslo=3, bergen=3)
    await allocator.order(order("1", 3, channel="amazon"))

    changed = await allocator.move("amazon", "1", "bergen", op="m1", origin="oslo")

    assert sources(changed) == [("shared", 1, ""), ("safety", 2, "")]


async def test_any_part_of_the_shelf_may_be_taken_the_kept_back_last(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", location="rome", units=2)))
    await stock(allocator, oslo=5, rome=5)
    await quota(allocator, "rome", "amazon", 2)
    await allocator.order(order("1", 5))

    changed = await move(allocator, "rome", origin="oslo")

    assert sources(changed) == [("shared", 1, ""), ("safety", 2, ""), ("borrowed", 2, "amazon")]


async def test_a_location_the_channel_does_not_sell_from_may_serve_when_somebody_says_so(allocator):
    await stock(allocator, bergen=2)
    await allocator.order(order("1", 2, channel="amazon"))

    changed = await allocator.move("amazon", "1", "bergen", op="m1")

    assert units_at(changed) == {"bergen": 2}


async def test_an_order_of_a_channel_that_is_gone_moves_too(allocator):
    await stock(allocator, oslo=3, rome=4)
    await allocator.order(order("1", 3))
    await allocator.configure_all(
        CONFIG.__class__(locations=CONFIG.locations, channels=CONFIG.channels[1:], skus=CONFIG.skus)
    )

    changed = await move(allocator, "rome", origin="oslo")

    assert units_at(changed) == {"rome": 3}


async def test_what_is_being_picked_stays(allocator):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")

    with pytest.raises(NotCommitted):
        await move(allocator, "rome", origin="oslo")


async def test_two_lines_never_get_the_same_unit(allocator, redis):
    await stock(allocator, oslo=6, rome=5)
    await allocator.order(order("1", 3, 3))
    before = await dump(redis)

    with pytest.raises(NotEnough) as refused:
        await move(allocator, "rome", origin="oslo")

    assert refused.value.facts == {"sku": CUP, "location": "rome", "units": 2}
    assert (await dump(redis))[b"{main}:stock"] == before[b"{main}:stock"]


async def test_nonsense_is_refused(allocator, redis):
    await stock(allocator, oslo=5, rome=1)
    await allocator.order(order("1", 3))

    with pytest.raises(Invalid, match=r"^to must be another location$"):
        await move(allocator, "oslo", origin="oslo")
    with pytest.raises(UnknownLocation):
        await move(allocator, "paris", origin="oslo", op="m2")
    with pytest.raises(UnknownLine):
        await move(allocator, "rome", ("9", 1), origin="oslo", op="m3")
    with pytest.raises(UnknownOrder):
        await move(allocator, "rome", id="none", op="m4")
    with pytest.raises(NotCommitted):
        await move(allocator, "rome", op="m5")
    with pytest.raises(NotCommitted):
        await move(allocator, "rome", ("1", 4), origin="oslo", op="m6")
    assert (await place(redis, "oslo")).committed == 3


async def test_a_line_that_is_named_twice_moves_what_both_say(allocator):
    await allocator.order(order("1", 3, kind="firm"))
    await stock(allocator, oslo=5)

    changed = await move(allocator, "oslo", ("1", 1), ("1", 2))

    assert (changed.state, units_at(changed)) == ("committed", {"oslo": 3})


async def test_units_are_taken_from_the_channels_own_quota_first(allocator):
    await stock(allocator, oslo=3, rome=3)
    await quota(allocator, "rome", "shop", 2)
    await allocator.order(order("1", 3))

    changed = await move(allocator, "rome", origin="oslo")

    assert sources(changed) == [("own", 2, "shop"), ("shared", 1, "")]


async def test_what_was_decided_is_nobodys_decision_any_more(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.reject("shop", "1", "oslo", op="r1", reason="other", rejects_max=1)

    await move(allocator, "oslo")

    desk, *rejected_at = unpack(await redis.hget("{main}:orders", "shop:1"))[10]
    assert (type(desk), desk, rejected_at) == (int, 0, ["oslo"])


async def test_what_is_being_picked_elsewhere_does_not_bind_the_rest(allocator):
    await stock(allocator, oslo=2, rome=1)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", location="rome", op="p1")
    await stock(allocator, bergen=5)

    changed = await move(allocator, "bergen", origin="oslo")

    assert units_at(changed) == {"rome": 1, "bergen": 2}
