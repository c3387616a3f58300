"""A preview is the answer an order would get, and nothing else happens."""

import pytest

from allocator.errors import Short, UnknownChannel, UnknownSku

from .fixtures import TEE, dump, hold, order, stock


async def test_a_preview_is_the_answer_the_order_would_get(allocator):
    await stock(allocator, oslo=2, rome=4)

    preview = await allocator.order(order("1", 5), preview=True)
    placed = await allocator.order(order("1", 5))

    assert preview == placed
    assert not placed.replayed


@pytest.mark.parametrize("channel", ["shop", "amazon", "till"])
async def test_a_preview_writes_nothing(allocator, redis, channel):
    await stock(allocator, oslo=5, bergen=5)
    before = await dump(redis)

    await allocator.order(order("1", 3, channel=channel), preview=True)

    assert await dump(redis) == before


async def test_a_refused_preview_writes_nothing_either(allocator, redis):
    before = await dump(redis)

    with pytest.raises(Short):
        await allocator.order(order("1", 3), preview=True)
    with pytest.raises(UnknownSku):
        await allocator.order(order("1", ("POT", 3)), preview=True)
    with pytest.raises(UnknownChannel):
        await allocator.order(order("1", 3, channel="ebay"), preview=True)

    assert await dump(redis) == before


async def test_a_refused_preview_does_not_refuse_the_order_later(allocator):
    with pytest.raises(Short):
        await allocator.order(order("1", 3), preview=True)
    await stock(allocator, oslo=3)

    placed = await allocator.order(order("1", 3))

    assert placed.lines[0].committed == 3


async def test_a_preview_shows_the_backorder_to_come(allocator):
    await stock(allocator, TEE, oslo=1)

    preview = await allocator.order(order("1", (TEE, 3), channel="amazon"), preview=True)

    assert (preview.state, preview.lines[0].backordered) == ("backordered", 2)


async def test_a_preview_counts_the_named_hold_and_leaves_it_open(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.hold(hold("h1", 3))
    before = await dump(redis)

    preview = await allocator.order(order("1", 3, hold="h1"), preview=True)

    assert (preview.hold, preview.lines[0].committed) == ("used", 3)
    assert await dump(redis) == before


async def test_a_preview_of_an_accepted_order_is_made_anew(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))

    with pytest.raises(Short):
        await allocator.order(order("1", 3), preview=True)
