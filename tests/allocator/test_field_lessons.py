"""What users of other systems suffer from, one test for each pain that a core can cause or prevent."""

import asyncio
from collections import Counter

import pytest

from allocator import AdjustLine, CancelLine, Rule, ShipLine
from allocator.check import check
from allocator.errors import HoldEnded, NotCommitted, PickStarted, Short, Unroutable

from .fixtures import (
    CONFIG,
    CUP,
    MINUTE,
    TEE,
    assert_sound,
    atp,
    buckets,
    hold,
    ledger_length,
    new_allocator,
    order,
    place,
    published,
    quota,
    sold_at_the_till,
    state,
    stock,
    units_at,
    with_channel,
    with_rules,
)


async def refused(*calls) -> int:
    """How many of these calls, made at once, were refused as short."""
    said = await asyncio.gather(*calls, return_exceptions=True)
    return sum(isinstance(one, Short) for one in said)


async def test_pain_1_the_last_unit_is_sold_once(allocator, redis):
    """Checking and taking are one step: a number read earlier is never used again."""
    await stock(allocator, oslo=1)

    shorts = await refused(*(allocator.order(order(str(number), 1)) for number in range(20)))

    assert shorts == 19
    assert await buckets(redis, "oslo") == (1, 0, 1)


async def test_pain_2_two_lines_of_one_cart_cannot_share_the_same_unit(allocator):
    """What a request wants of one sku is summed before it is checked."""
    await stock(allocator, oslo=1)

    assert await refused(allocator.order(order("1", 1, 1)), allocator.hold(hold("h1", 1, 1))) == 2
    assert await atp(allocator) == 1


async def test_pain_3_what_is_shown_over_all_places_is_taken_over_all_places(allocator, redis):
    """The check and the taking use the same locations: nothing is booked on the first one by default."""
    await stock(allocator, rome=2, bergen=3)
    assert await atp(allocator) == 5

    placed = await allocator.order(order("1", 5))

    assert units_at(placed) == {"rome": 2, "bergen": 3}
    assert await buckets(redis, "oslo") == (0, 0, 0)


async def test_pain_4_thirteen_units_from_ten_and_fifteen_are_thirteen(allocator, redis):
    """A second location gives the rest and not the whole again."""
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=2))
    await stock(allocator, oslo=10, rome=9)

    placed = await allocator.order(order("1", 13))

    assert units_at(placed) == {"oslo": 10, "rome": 3}
    assert sum(line.committed for line in placed.lines) == 13
    assert (await buckets(redis, "oslo"))[2] + (await buckets(redis, "rome"))[2] == 13


async def test_pain_4_takes_always_add_up_to_what_was_ordered(allocator):
    """The sum of all takes is what the lines say is committed, whatever the shape of the order."""
    await stock(allocator, oslo=7, rome=5, bergen=9)
    await stock(allocator, TEE, oslo=3, rome=8)

    for number, wanted in enumerate([[13], [3, (TEE, 9), 2], [1, 1, (TEE, 1)]]):
        placed = await allocator.order(order(str(number), *wanted))
        for line in placed.lines:
            assert sum(take.units for take in line.takes) == line.committed == line.ordered


async def test_pain_5_reserved_never_exceeds_what_is_on_the_shelf(allocator, redis):
    """Nobody jumps a lock: parallel claims on one shelf are counted one after the other."""
    await stock(allocator, oslo=1)

    shorts = await refused(
        *(allocator.hold(hold(str(number), 1)) for number in range(10)),
        *(allocator.order(order(str(number), 1)) for number in range(10)),
    )

    on_hand, held, committed = await buckets(redis, "oslo")
    assert shorts == 19
    assert held + committed == on_hand == 1


async def test_pain_6_two_payments_at_once_do_not_drive_the_stock_below_zero(allocator, redis):
    """The unit is held before the payment, so that a payment cannot come too late."""
    await stock(allocator, oslo=1)
    assert await refused(allocator.hold(hold("ann", 1)), allocator.hold(hold("bob", 1))) == 1
    [winner] = [hold_id.decode() for hold_id in await redis.hkeys("{main}:holds")]

    placed = await allocator.order(order("1", 1, hold=winner))

    assert placed.lines[0].committed == 1
    assert await atp(allocator) == 0
    assert (await place(redis, "oslo")).deficit == 0


async def test_pain_7_channels_that_share_a_shelf_share_its_units(allocator):
    """A claim lies on the shelf itself and not on one channel's view of it."""
    await stock(allocator, oslo=5)

    await allocator.hold(hold("h1", 3))
    await allocator.order(order("A1", 1, channel="amazon"))

    assert (await atp(allocator, "shop"), await atp(allocator, "amazon")) == (1, 1)
    with pytest.raises(Short):
        await allocator.order(order("1", 2))


async def test_pain_9_what_is_published_is_what_may_be_promised(allocator):
    """On-hand is never shown: what is held, committed, kept back or owed is gone from the number."""
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=4)))
    await stock(allocator, oslo=80)
    await allocator.order(order("1", 15))
    await allocator.hold(hold("h1", 10))

    assert await published(allocator) == 80 - 15 - 10 - 4


async def test_pain_10_the_books_can_be_checked_and_explained_at_any_time(allocator, redis):
    """A number that cannot be explained cannot be trusted: the steps add up, and a checker says the books are true."""
    await stock(allocator, oslo=9)
    await allocator.hold(hold("h1", 2))
    await allocator.order(order("1", 3))

    told = await allocator.explain(CUP, "shop")
    report = await check(redis, "main")

    [shelf, *_] = told.shelves
    assert shelf.available == shelf.on_hand - shelf.unavailable - shelf.held - shelf.committed == 4
    assert told.atp_now == max(0, told.pool - told.buffer) == 4
    assert (report.violations, report.holds, report.orders) == ([], 1, 1)


async def test_pain_11_the_number_is_made_when_it_is_asked_for(allocator):
    """There is no index that lags behind: the answer after a change is the changed one."""
    numbers = []
    for number in range(5):
        await stock(allocator, oslo=2)
        await allocator.order(order(str(number), 1))
        numbers.append(await atp(allocator))

    assert numbers == [1, 2, 3, 4, 5]


async def test_pain_12_of_a_hundred_parallel_orders_none_is_lost(allocator, redis):
    """Orders that touch the same skus in different order cannot lock each other out."""
    await stock(allocator, oslo=100)
    await stock(allocator, TEE, oslo=100)
    carts = [((CUP, 1), (TEE, 1)), ((TEE, 1), (CUP, 1))]

    placed = await asyncio.gather(*(allocator.order(order(str(n), *carts[n % 2])) for n in range(100)))

    assert Counter(one.state for one in placed) == {"committed": 100}
    assert (await redis.hlen("{main}:orders"), await atp(allocator)) == (100, 0)


async def test_pain_13_a_shopper_is_not_blocked_by_his_own_hold(allocator, redis):
    """An owner's new hold replaces his old one in the same step, and what he sees includes what he holds."""
    await stock(allocator, oslo=2)
    await allocator.hold(hold("cart-1", 2, owner="ann"))

    [his] = await allocator.availability([CUP], ["shop"], owner="ann")
    [others] = await allocator.availability([CUP], ["shop"])
    held = await allocator.hold(hold("cart-2", 2, owner="ann"))

    assert (his.atp_now, others.atp_now) == (2, 0)
    assert held.replaced == "cart-1"
    assert await buckets(redis, "oslo") == (2, 2, 0)


async def test_pain_13_a_payment_that_comes_late_finds_its_hold_and_sells_nothing_twice(allocator):
    """An ended hold is told by its state; the late order is judged as any other."""
    await stock(allocator, oslo=1)
    await allocator.hold(hold("ann", 1))
    await allocator.expire(elapsed_ms=None)
    allocator.now_ms += MINUTE
    await allocator.expire(elapsed_ms=MINUTE)
    await allocator.order(order("bob", 1))

    with pytest.raises(Short):
        await allocator.order(order("ann", 1, hold="ann"))

    assert (await allocator.find_hold("ann")).state == "expired"


async def test_pain_14_a_hold_ends_in_one_way_only(allocator, redis):
    """There is one path from open, and a second end changes nothing."""
    await stock(allocator, oslo=3)
    await allocator.hold(hold("h1", 3))
    await allocator.order(order("1", 3, hold="h1"))

    for call in (allocator.release("h1"), allocator.extend("h1", MINUTE, op="x1")):
        with pytest.raises(HoldEnded):
            await call

    assert await buckets(redis, "oslo") == (3, 0, 3)


async def test_pain_14_an_order_changes_state_on_legal_paths_only(allocator, redis):
    """What is picked is not cancelled, what is shipped is not shipped again, what is cancelled is not picked."""
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 2))
    await allocator.pick("shop", "1", op="p1")
    with pytest.raises(PickStarted):
        await allocator.cancel("shop", "1", op="c1")
    await allocator.ship("shop", "1", op="s1")
    with pytest.raises(NotCommitted):
        await allocator.ship("shop", "1", op="s2")
    await allocator.order(order("2", 1))
    await allocator.cancel("shop", "2", op="c1")

    with pytest.raises(NotCommitted):
        await allocator.pick("shop", "2", op="p1")

    assert await buckets(redis, "oslo") == (1, 0, 0)


async def test_pain_16_a_reader_that_was_stuck_finds_every_change_in_the_ledger(allocator, redis):
    """Whoever follows the ledger later misses nothing: each effect is one entry, in the order of its versions."""
    before = await ledger_length(redis)
    await stock(allocator, oslo=3)
    for number in range(3):
        await allocator.order(order(str(number), 1))

    assert await ledger_length(redis) == before + 4
    assert (await state(redis)).version == 4


async def test_pain_19_every_change_has_a_version_so_that_the_last_value_is_known(allocator):
    """Two quick changes cannot be mistaken for one another: the number comes with the sku's version."""
    versions = []
    for _ in range(3):
        await stock(allocator, oslo=1)
        [level] = await allocator.availability([CUP], ["shop"])
        versions.append((level.atp_now, level.version))

    assert versions == [(1, 1), (2, 2), (3, 3)]


async def test_pain_20_a_shop_in_another_town_is_not_emptied_by_web_orders(allocator, redis):
    """Which locations a channel may sell from binds the number, the hold and the route alike."""
    await stock(allocator, bergen=9)

    assert await atp(allocator, "amazon") == 0
    with pytest.raises(Short):
        await allocator.hold(hold("h1", 1, channel="amazon"))
    with pytest.raises(Short):
        await allocator.order(order("1", 1, channel="amazon", kind="promise", prefer=["bergen"]))
    placed = await allocator.order(order("2", 1, channel="amazon"))

    assert placed.lines[0].backordered == 1
    assert await buckets(redis, "bergen") == (9, 0, 0)


async def test_pain_21_no_accepted_order_is_without_its_units(allocator, redis):
    """Every unit of every accepted order is committed somewhere, or visibly waiting."""
    await stock(allocator, oslo=5, rome=5)
    for number in range(12):
        await allocator.order(order(str(number), 1, channel="amazon"))

    for number in range(12):
        found = await allocator.find_order("amazon", str(number))
        assert sum(take.units for take in found.lines[0].takes) + found.lines[0].backordered == 1

    await assert_sound(redis)


async def test_pain_21_units_lost_from_the_books_are_found_with_the_order(redis):
    """The checker names what does not add up, and where."""
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await redis.hdel("{main}:orders", "shop:1")

    report = await check(redis, "main")

    assert [(one.what, one.sku, one.location, one.found, one.expected) for one in report.violations] == [
        ("committed_differs", CUP, "oslo", 3, 0)
    ]


async def test_pain_22_a_shipment_uses_up_its_own_commitment_where_it_lies(allocator, redis):
    """Shipping from another location than the one committed is refused and corrupts neither."""
    await stock(allocator, oslo=3, rome=3)
    await allocator.order(order("1", 2))

    with pytest.raises(NotCommitted) as told:
        await allocator.ship("shop", "1", [ShipLine("1", "rome", 2)], op="s1")

    assert told.value.facts == {"line": "1", "location": "rome", "units": 0}
    assert await buckets(redis, "oslo") == (3, 0, 2)
    assert await buckets(redis, "rome") == (3, 0, 0)


async def test_pain_22_quotas_are_moved_within_what_is_left_of_them(allocator, redis):
    """Moving checks the side that gives: what is consumed cannot be handed on."""
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 6)
    await allocator.order(order("1", 4))

    await allocator.move_quota(CUP, "oslo", "shop", "amazon", 2, op="m1")

    quotas = (await place(redis, "oslo")).quotas
    assert (quotas["shop"].quota, quotas["amazon"].quota) == (4, 2)


async def test_pain_24_a_sale_at_the_till_is_everybodys_at_once(allocator):
    """There is no closing of the day: what has left the store is gone from every number in the same step."""
    await stock(allocator, bergen=5)

    await sold_at_the_till(allocator, "T1", 2)

    assert (await atp(allocator, "shop"), await atp(allocator, "till")) == (3, 3)


async def test_pain_25_no_more_parcels_than_needed(allocator):
    """One place that has everything comes before two better ranked ones, and the split limit holds."""
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=2))
    await stock(allocator, oslo=2, rome=1, bergen=3)

    with pytest.raises(Unroutable):
        await allocator.order(order("1", 6))
    placed = await allocator.order(order("2", 3))

    assert units_at(placed) == {"bergen": 3}


async def test_pain_25_the_plan_can_be_seen_before_it_is_made(allocator, redis):
    """A preview names the same places with the same reasons, and takes nothing."""
    await stock(allocator, oslo=2, rome=4)

    preview = await allocator.order(order("1", 3), preview=True)
    assert await buckets(redis, "rome") == (4, 0, 0)
    placed = await allocator.order(order("1", 3))

    assert (preview.lines, preview.plan, preview.trace) == (placed.lines, placed.plan, placed.trace)


async def test_a_partial_cancel_frees_what_was_cancelled_and_no_more(allocator, redis):
    """Lowering a line keeps the rest of its claim instead of taking everything anew."""
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5))
    await allocator.cancel("shop", "1", [CancelLine("1", 2)], op="c1")

    assert await buckets(redis, "oslo") == (5, 0, 3)
    assert await atp(allocator) == 2


async def test_a_count_below_what_is_promised_is_told_and_not_hidden(allocator, redis):
    """A negative number that nobody sees is worse than a debt that everybody sees."""
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5))

    await allocator.adjust([AdjustLine(CUP, "oslo", -2)], op="a1", why="counted")

    assert (await place(redis, "oslo")).deficit == 2
    assert (await allocator.explain(CUP, "shop")).owed == 2
