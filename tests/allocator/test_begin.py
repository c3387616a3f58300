"""Empty keys are marked as a data set once; data of another one are never taken over."""

import pytest

from allocator import Allocator, Pipe, StockLine
from allocator.errors import NotReady

from .fixtures import CONFIG, CUP, EPOCH, atp, dump, hold, new_allocator, order, place, stock
from .raw import call, changed, reply


async def test_another_data_set_is_not_taken_for_ours(allocator, redis):
    await stock(allocator, oslo=5)
    stranger = Allocator(Pipe(redis), "main", "epoch-2")

    with pytest.raises(NotReady) as refused:
        await stranger.order(order("1", 1))
    with pytest.raises(NotReady):
        await stranger.begin()

    assert refused.value.facts == {"epoch_found": EPOCH, "why": ""}
    assert (await place(redis, "oslo")).on_hand == 5


async def test_stock_that_lost_its_mark_is_not_adopted(redis):
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    await redis.hdel("{main}:seller", "epoch")

    with pytest.raises(NotReady) as refused:
        await allocator.begin()

    assert refused.value.facts == {"epoch_found": "", "why": ""}


async def test_beginning_twice_is_beginning_once(allocator):
    await stock(allocator, oslo=5)

    await allocator.begin()

    assert await atp(allocator) == 5


@pytest.mark.parametrize("left", ["stock", "ledger"])
async def test_whatever_is_left_of_a_seller_without_its_mark_is_not_adopted(redis, left):
    allocator = Allocator(Pipe(redis), "main", EPOCH)
    if left == "stock":
        await redis.hset("{main}:stock", CUP, b"\x92\x01\x00")
    else:
        await redis.xadd("{main}:ledger", {"entry": "x"})
    before = await dump(redis)

    with pytest.raises(NotReady):
        await allocator.begin()

    assert await dump(redis) == before


async def test_a_mark_alone_can_be_begun_again_by_its_own_data_set_only(redis):
    await new_allocator(redis)

    with pytest.raises(NotReady) as refused:
        await Allocator(Pipe(redis), "main", "epoch-2").begin()
    await Allocator(Pipe(redis), "main", EPOCH).begin()

    assert refused.value.facts == {"epoch_found": EPOCH, "why": ""}
    assert await dump(redis) == {b"{main}:seller": {b"epoch": EPOCH.encode()}}


async def test_every_answer_to_a_beginning_is_a_first_one_and_names_no_op(redis):
    answers = [await reply(redis, "begin", [epoch]) for epoch in (EPOCH, "another", "")]

    assert [(word, *rest) for word, _, *rest in answers] == [
        (b"begun", 0, b""),
        (b"not_ready", 0, b""),
        (b"invalid", 0, b""),
    ]


async def test_a_server_that_lost_everything_is_not_taken_for_empty_stock(allocator, redis):
    await stock(allocator, oslo=5)
    await redis.flushall()

    for ask in (
        allocator.order(order("1", 1)),
        allocator.hold(hold("h1", 1)),
        allocator.availability([CUP], ["shop"]),
        allocator.explain(CUP, "shop"),
        allocator.find_order("shop", "1"),
        allocator.receive([StockLine(CUP, "oslo", 1)], op="r1"),
        allocator.expire(elapsed_ms=None),
        allocator.serve(),
        allocator.configure_all(CONFIG),
        allocator.reload(),
    ):
        with pytest.raises(NotReady) as refused:
            await ask
        assert refused.value.facts == {"epoch_found": "", "why": ""}
    assert await dump(redis) == {}


async def test_before_the_first_config_its_version_is_0(redis):
    await new_allocator(redis)

    assert await call(redis, "order", changed("order", config="0")) == ("unknown_channel", ["shop"])
    assert await call(redis, "order", changed("order", config="1")) == ("stale_config", ["0"])
