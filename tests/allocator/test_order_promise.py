"""A promised order takes what it may be promised, or is refused with the facts."""

import pytest

from allocator import Rule
from allocator.errors import Short, UnknownChannel, UnknownOrder, UnknownSku, Unroutable

from .fixtures import (
    CONFIG,
    CUP,
    MUG,
    NOW,
    TEE,
    atp,
    buckets,
    hold,
    ledger_length,
    order,
    place,
    quota,
    sources,
    stock,
    units_at,
    with_channel,
    with_rules,
)


async def test_an_accepted_order_is_committed_where_it_ships_from(allocator, redis):
    await stock(allocator, oslo=5)

    placed = await allocator.order(order("1", 3))

    assert (placed.kind, placed.state, placed.plan) == ("promise", "committed", "single")
    assert units_at(placed) == {"oslo": 3}
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_an_accepted_order_can_be_read_as_it_stands(allocator):
    await stock(allocator, oslo=5)
    placed = await allocator.order(order("1", 3))

    found = await allocator.find_order("shop", "1")

    assert (found.channel, found.external_id, found.kind, found.state) == ("shop", "1", "promise", "committed")
    assert found.placed_ms == placed.placed_ms == NOW
    assert found.lines == placed.lines


async def test_every_effect_raises_the_skus_version_by_one(allocator):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)

    first = await allocator.order(order("1", 1, (TEE, 1), 1))
    second = await allocator.order(order("2", 1))

    assert [(version.sku, version.version) for version in first.versions] == [(CUP, 2), (TEE, 2)]
    assert [(version.sku, version.version) for version in second.versions] == [(CUP, 3)]


async def test_more_than_may_be_promised_is_refused_with_the_facts_per_line(allocator):
    await stock(allocator, oslo=2)
    await stock(allocator, TEE, oslo=9)

    with pytest.raises(Short) as refused:
        await allocator.order(order("1", 3, (TEE, 4)))

    assert refused.value.facts == {
        "lines": [
            {"line": "1", "sku": CUP, "units": 3, "atp_now": 2},
            {"line": "2", "sku": TEE, "units": 4, "atp_now": 9},
        ]
    }


async def test_a_refused_order_takes_nothing_and_does_not_exist(allocator, redis):
    await stock(allocator, oslo=2)
    before = await ledger_length(redis)

    with pytest.raises(Short):
        await allocator.order(order("1", 1, (TEE, 1)))

    assert await buckets(redis, "oslo") == (2, 0, 0)
    assert await ledger_length(redis) == before
    with pytest.raises(UnknownOrder):
        await allocator.find_order("shop", "1")


async def test_two_lines_of_one_sku_cannot_be_promised_the_same_unit(allocator):
    await stock(allocator, oslo=5)

    with pytest.raises(Short):
        await allocator.order(order("1", 3, 3))

    placed = await allocator.order(order("2", 3, 2))
    assert [line.committed for line in placed.lines] == [3, 2]
    assert await atp(allocator) == 0


async def test_the_last_unit_may_be_promised(allocator):
    await stock(allocator, oslo=1)

    await allocator.order(order("1", 1))

    with pytest.raises(Short):
        await allocator.order(order("2", 1))


async def test_a_promise_leaves_the_buffer(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=2)))
    await stock(allocator, oslo=5)

    with pytest.raises(Short) as refused:
        await allocator.order(order("1", 4))

    assert refused.value.facts["lines"][0]["atp_now"] == 3
    await allocator.order(order("2", 3))


async def test_a_promise_leaves_safety_stock_and_others_quotas(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=2)))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 5)

    # free 8, amazon's 5, shared 3
    with pytest.raises(Short):
        await allocator.order(order("1", 4))

    await allocator.order(order("2", 3))


async def test_the_cutoff_and_the_cap_do_not_bind_a_promise(allocator):
    rules = [Rule(kind="cutoff", units=5), Rule(kind="max_published", units=2)]
    await allocator.configure_all(with_rules(*rules))
    await stock(allocator, oslo=4)

    placed = await allocator.order(order("1", 4))

    assert placed.state == "committed"


async def test_units_held_by_others_cannot_be_promised(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))

    with pytest.raises(Short):
        await allocator.order(order("1", 3))


async def test_its_own_quota_is_used_before_shared_units(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 4)

    placed = await allocator.order(order("1", 6))

    assert sources(placed) == [("own", 4, "shop"), ("shared", 2, "")]
    assert (await place(redis, "oslo")).quotas["shop"].consumed == 4


async def test_borrowed_units_come_from_the_least_important_lender_first(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="borrow"))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 5, floor=1)
    await quota(allocator, "oslo", "till", 4, floor=2)

    # shared 1, the till (rank 3) lends 4 - 2 = 2, amazon (rank 1) lends 5 - 1 = 4
    placed = await allocator.order(order("1", 5))

    assert sources(placed) == [("shared", 1, ""), ("borrowed", 2, "till"), ("borrowed", 2, "amazon")]
    assert await atp(allocator) == 2


async def test_a_partial_order_takes_what_there_is_and_forgoes_the_rest(allocator, redis):
    await stock(allocator, oslo=2)

    placed = await allocator.order(order("1", 5, (TEE, 1), partial=True))

    assert [(line.ordered, line.committed, line.cancelled, line.backordered) for line in placed.lines] == [
        (5, 2, 3, 0),
        (1, 0, 1, 0),
    ]
    assert placed.state == "committed"
    assert await buckets(redis, "oslo") == (2, 0, 2)


async def test_a_partial_order_of_nothing_is_refused(allocator):
    with pytest.raises(Short):
        await allocator.order(order("1", 5, partial=True))


async def test_a_partial_order_within_one_parcel_takes_the_place_with_most(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=2, rome=3)

    placed = await allocator.order(order("1", 5, partial=True))

    assert units_at(placed) == {"rome": 3}
    assert placed.lines[0].cancelled == 2


async def test_enough_units_at_too_many_places_is_unroutable(allocator, redis):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=2, rome=3)

    with pytest.raises(Unroutable) as refused:
        await allocator.order(order("1", 5))

    assert refused.value.facts["split_limit"] == 1
    assert [step["location"] for step in refused.value.facts["trace"]] == ["oslo", "rome", "bergen"]
    assert await buckets(redis, "rome") == (3, 0, 0)


async def test_an_unknown_sku_refuses_the_order(allocator):
    await stock(allocator, oslo=5)

    with pytest.raises(UnknownSku) as refused:
        await allocator.order(order("1", 1, ("POT", 1)))

    assert refused.value.facts == {"skus": ["POT"]}
    assert await atp(allocator) == 5


async def test_an_unknown_channel_is_refused(allocator):
    with pytest.raises(UnknownChannel) as refused:
        await allocator.order(order("1", 1, channel="ebay"))

    assert refused.value.facts == {"channel": "ebay"}


async def test_a_kind_named_by_the_order_comes_before_the_channels_own(allocator):
    await stock(allocator, oslo=2)

    with pytest.raises(Short):
        await allocator.order(order("1", 5, channel="amazon", kind="promise"))

    placed = await allocator.order(order("2", 5, kind="firm"))
    assert (placed.kind, placed.lines[0].backordered) == ("firm", 3)


async def test_orders_of_two_channels_may_have_the_same_id(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 1))

    placed = await allocator.order(order("1", 2, channel="amazon"))

    assert not placed.replayed
    assert await atp(allocator) == 2


async def test_an_order_may_have_fifteen_hundred_lines(allocator, redis):
    await stock(allocator, oslo=1_500)
    await stock(allocator, MUG, oslo=1_500)

    placed = await allocator.order(order("1", *[(CUP, 1), (MUG, 1)] * 750))

    assert len(placed.lines) == 1_500
    assert await buckets(redis, "oslo", CUP) == (1_500, 0, 750)
    assert await buckets(redis, "oslo", MUG) == (1_500, 0, 750)


async def test_an_unknown_sku_of_two_lines_is_named_once(allocator):
    for ask in (
        lambda: allocator.order(order("1", ("POT", 1), 1, ("PAN", 1), ("POT", 1))),
        lambda: allocator.hold(hold("h1", ("POT", 1), 1, ("PAN", 1), ("POT", 1))),
    ):
        with pytest.raises(UnknownSku) as refused:
            await ask()

        assert refused.value.facts == {"skus": ["POT", "PAN"]}
