"""One op has one effect and one answer, however often it is sent, and whatever has changed meanwhile."""

import pytest

from allocator import AdjustLine, CancelLine, ConfigChange, StockLine
from allocator.errors import NotEnough, OpConflict, Short, StaleConfig, UnknownSku

from .fixtures import (
    CONFIG,
    CUP,
    MINUTE,
    NOW,
    TEE,
    atp,
    buckets,
    dump,
    hold,
    ledger_length,
    new_allocator,
    order,
    place,
    shelves,
    stock,
    units_at,
    with_channel,
)


async def test_a_retry_hears_the_first_answer_whatever_the_stock_is_now(allocator, redis):
    await stock(allocator, oslo=5)
    first = await allocator.order(order("1", 5))
    await stock(allocator, rome=9)
    await allocator.cancel("shop", "1", op="c1")

    again = await allocator.order(order("1", 5))

    assert (first.replayed, again.replayed) == (False, True)
    assert (again.lines, again.state, again.versions, again.trace) == (
        first.lines,
        first.state,
        first.versions,
        first.trace,
    )
    assert await buckets(redis, "oslo") == (5, 0, 0)


async def test_a_retry_hears_the_first_answer_whatever_the_config_is_now(allocator):
    await stock(allocator, oslo=5)
    first = await allocator.order(order("1", 5))
    await allocator.configure_all(with_channel(CONFIG, "shop", locations=shelves("rome"), demand="firm"))

    again = await allocator.order(order("1", 5))

    assert (again.replayed, again.kind, again.lines) == (True, "promise", first.lines)


async def test_a_no_stays_a_no_when_stock_has_arrived(allocator):
    with pytest.raises(Short):
        await allocator.order(order("1", 5))
    await stock(allocator, oslo=9)

    with pytest.raises(Short) as refused:
        await allocator.order(order("1", 5))

    assert refused.value.replayed
    assert refused.value.facts["lines"][0]["atp_now"] == 0
    assert await atp(allocator) == 9


async def test_every_refusal_is_remembered_with_its_facts(allocator):
    calls = [
        (Short, lambda: allocator.hold(hold("h1", 5))),
        (UnknownSku, lambda: allocator.order(order("1", ("POT", 1)))),
        (NotEnough, lambda: allocator.adjust([AdjustLine(CUP, "oslo", -1)], op="a1", why="count")),
    ]
    for error, call in calls:
        with pytest.raises(error) as first:
            await call()
        with pytest.raises(error) as again:
            await call()
        assert (first.value.replayed, again.value.replayed) == (False, True)
        assert again.value.facts == first.value.facts


async def test_an_op_used_for_another_request_conflicts(allocator, redis):
    await allocator.receive([StockLine(CUP, "oslo", 5)], op="r1")

    with pytest.raises(OpConflict) as refused:
        await allocator.receive([StockLine(CUP, "oslo", 6)], op="r1")

    assert refused.value.facts == {"op": "receive:r1"}
    assert (await place(redis, "oslo")).on_hand == 5


async def test_verbs_do_not_share_their_ops(allocator, redis):
    await allocator.receive([StockLine(CUP, "oslo", 5)], op="1")
    await allocator.adjust([AdjustLine(CUP, "oslo", 1)], op="1", why="count")
    await allocator.hold(hold("1", 1))
    await allocator.order(order("1", 1))

    assert await buckets(redis, "oslo") == (6, 1, 1)


async def test_ops_of_two_sellers_do_not_meet(allocator, redis):
    other = await new_allocator(redis, seller="other")
    await other.configure_all(CONFIG)
    await allocator.receive([StockLine(CUP, "oslo", 5)], op="1")

    moved = await other.receive([StockLine(CUP, "oslo", 7)], op="1")

    assert not moved.replayed
    assert (await atp(allocator), await atp(other)) == (5, 7)


async def test_who_asked_and_when_does_not_make_another_request(allocator, redis):
    await allocator.receive([StockLine(CUP, "oslo", 5)], op="r1", actor="ann")
    allocator.now_ms = NOW + 10_000

    moved = await allocator.receive([StockLine(CUP, "oslo", 5)], op="r1", actor="bob")

    assert moved.replayed


# --- attempts of an order


async def test_a_refused_order_may_be_tried_again_as_another_attempt(allocator):
    with pytest.raises(Short):
        await allocator.order(order("1", 5))
    await stock(allocator, oslo=5)

    placed = await allocator.order(order("1", 5, attempt=2))

    assert not placed.replayed
    assert placed.lines[0].committed == 5


async def test_the_refused_attempt_stays_refused_after_another_was_accepted(allocator):
    with pytest.raises(Short):
        await allocator.order(order("1", 5))
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5, attempt=2))

    with pytest.raises(Short) as refused:
        await allocator.order(order("1", 5))

    assert refused.value.replayed


async def test_an_accepted_order_answers_every_later_attempt(allocator, redis):
    await stock(allocator, oslo=9)
    first = await allocator.order(order("1", 3))

    again = [await allocator.order(order("1", 3, attempt=number)) for number in (2, 3, 17)]

    assert [one.replayed for one in again] == [True] * 3
    assert {str(one.lines) for one in again} == {str(first.lines)}
    assert await buckets(redis, "oslo") == (9, 0, 3)


async def test_another_request_under_an_accepted_id_conflicts_in_any_attempt(allocator, redis):
    await stock(allocator, oslo=9)
    await allocator.order(order("1", 3))

    for number in (1, 2):
        with pytest.raises(OpConflict):
            await allocator.order(order("1", 4, attempt=number))

    assert await buckets(redis, "oslo") == (9, 0, 3)


async def test_another_attempt_may_ask_for_something_else(allocator):
    await stock(allocator, oslo=3)
    with pytest.raises(Short):
        await allocator.order(order("1", 5))

    placed = await allocator.order(order("1", 3, attempt=2))

    assert placed.lines[0].committed == 3


# --- what a replay leaves behind


async def test_a_replay_writes_a_touch_and_nothing_else(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    before = await dump(redis)

    await allocator.order(order("1", 3))

    after = await dump(redis)
    assert {key for key in after if after[key] != before.get(key)} == {b"{main}:seller"}
    assert await redis.hget("{main}:seller", "replays") == b"1"


async def test_a_replayed_refusal_and_a_conflict_touch_too(allocator, redis):
    for request in (order("1", 3), order("1", 3)):
        with pytest.raises(Short):
            await allocator.order(request)
    with pytest.raises(OpConflict):
        await allocator.order(order("1", 4))

    assert await redis.hget("{main}:seller", "replays") == b"2"


async def test_an_effect_is_one_ledger_entry_and_a_replay_none(allocator, redis):
    await stock(allocator, oslo=9)
    before = await ledger_length(redis)

    for _ in range(3):
        await allocator.order(order("1", 3))
        await allocator.cancel("shop", "1", [CancelLine("1", 1)], op="c1")

    assert await ledger_length(redis) == before + 2


# --- config that changes meanwhile


async def test_a_process_with_an_old_config_reads_the_new_one_and_repeats(allocator, redis):
    behind = await new_allocator(redis)
    await stock(allocator, oslo=5, rome=5)
    await allocator.configure_all(with_channel(CONFIG, "shop", locations=shelves("rome")))

    placed = await behind.order(order("1", 2))

    assert not placed.replayed
    assert units_at(placed) == {"rome": 2}
    assert behind.config.channels == allocator.config.channels


async def test_a_stale_config_is_not_remembered_as_an_answer(allocator, redis):
    behind = await new_allocator(redis)
    await stock(allocator, TEE, oslo=5)
    await allocator.configure_all(with_channel(CONFIG, "shop", locations=shelves("rome", "oslo")))
    ops = await redis.hlen("{main}:ops")

    await behind.hold(hold("h1", (TEE, 1)))

    assert await redis.hlen("{main}:ops") == ops + 1


async def test_the_reads_follow_the_new_config_too(allocator, redis):
    behind = await new_allocator(redis)
    await stock(allocator, oslo=5, rome=3)
    await allocator.configure_all(with_channel(CONFIG, "shop", locations=shelves("rome")))

    assert await atp(behind) == 3
    assert (await behind.explain(CUP, "shop")).atp_now == 3


async def test_a_process_that_has_read_no_config_yet_reads_it_before_it_ranks(allocator, redis):
    await stock(allocator, oslo=5)
    fresh = type(allocator)(allocator._runner._pipe, "main", allocator.epoch)
    fresh.now_ms = NOW

    placed = await fresh.order(order("1", 2))

    assert units_at(placed) == {"oslo": 2}


async def test_a_config_change_made_against_an_old_one_is_refused(allocator, redis):
    behind = await new_allocator(redis)
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    base = behind.version

    with pytest.raises(StaleConfig):
        await behind.configure(ConfigChange(base, base + 1, skus=[CUP]))

    assert behind.version == base


# --- answers that were forgotten, as they are after some days ---------------------------------------------------------


MONTH = 30 * 24 * 60 * MINUTE


@pytest.fixture
async def forgetful(redis):
    """A shop whose books are not looked at afterwards: answers are gone that nobody has forgotten as they should."""
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    return allocator


async def forget(allocator, redis, op: str) -> dict[bytes, object]:
    """A month goes by and an answer is removed. Returns everything as it is then."""
    allocator.now_ms += MONTH
    await allocator.expire(elapsed_ms=MONTH, accept_clock=True)
    assert await redis.hdel("{main}:ops", op) == 1
    return await dump(redis)


@pytest.mark.parametrize("attempt", [1, 2])
async def test_an_accepted_order_answers_for_itself_when_its_answer_is_forgotten(forgetful, redis, attempt):
    await stock(forgetful, oslo=5)
    first = await forgetful.order(order("1", 3, (CUP, 1)))
    before = await forget(forgetful, redis, "order:shop:1:1")

    again = await forgetful.order(order("1", 3, (CUP, 1), attempt=attempt))

    assert (again.kind, again.state, again.placed_ms, again.lines) == ("promise", "committed", NOW, first.lines)
    assert (again.hold, again.plan, again.trace, again.versions) == ("", "none", [], [])
    assert again.replayed
    assert await dump(redis) == before


async def test_another_request_for_an_order_whose_answer_is_forgotten_is_told(forgetful, redis):
    await stock(forgetful, oslo=5)
    await forgetful.order(order("1", 3))
    before = await forget(forgetful, redis, "order:shop:1:1")

    with pytest.raises(OpConflict) as refused:
        await forgetful.order(order("1", 2, attempt=2))

    assert (refused.value.facts, refused.value.replayed) == ({"op": "order:shop:1:2"}, True)
    assert await dump(redis) == before


async def test_a_hold_whose_answer_is_forgotten_is_not_made_twice(forgetful, redis):
    await stock(forgetful, oslo=5)
    await forgetful.hold(hold("h1", 3, ttl_ms=2 * MONTH))
    before = await forget(forgetful, redis, "hold:h1")

    with pytest.raises(OpConflict) as refused:
        await forgetful.hold(hold("h1", 3, ttl_ms=2 * MONTH))

    assert (refused.value.facts, refused.value.replayed) == ({"op": "hold:h1"}, False)
    assert await dump(redis) == before
