"""Nonsense is refused before anything is written, by every verb, whoever sends it."""

import asyncio

import msgspec
import pytest
from redis.exceptions import ResponseError

from allocator import AdjustLine, StockLine, errors
from allocator.scripts import scripts

from .fixtures import CONFIG, CUP, MUG, atp, buckets, dump, hold, new_allocator, order, stock, units_at
from .raw import VERBS, call, changed, right, wrong_calls

pack = msgspec.msgpack.encode

every_verb = pytest.mark.parametrize("verb", sorted(VERBS))


@pytest.fixture
async def busy(allocator):
    """A seller with stock, an open hold h1 of ann's and an order 1."""
    await stock(allocator, oslo=10, rome=10)
    await allocator.hold(hold("h1", 2, owner="ann"))
    await allocator.order(order("1", 3))
    return allocator


def test_every_verb_is_tried():
    assert VERBS.keys() == scripts().keys()


@every_verb
async def test_the_call_the_others_are_made_from_is_right(busy, redis, verb):
    word, facts = await call(redis, verb, right(verb))

    assert word != "invalid", facts


@every_verb
async def test_one_wrong_argument_is_refused_and_changes_nothing(busy, redis, verb):
    calls = list(wrong_calls(verb))
    before = await dump(redis)

    answers = await asyncio.gather(*(call(redis, verb, arguments) for _, arguments in calls))

    taken = [what for (what, _), (word, _) in zip(calls, answers, strict=True) if word != "invalid"]
    assert taken == []
    assert await dump(redis) == before


@every_verb
async def test_the_refusal_names_the_argument(busy, redis, verb):
    for argument in VERBS[verb]:
        if argument.wrong:
            word, [what] = await call(redis, verb, changed(verb, **{argument.name: argument.wrong[-1]}))

            assert word == "invalid"
            assert what.startswith(argument.name) or "as many as announced" in what


@pytest.mark.parametrize(
    ("verb", "count"),
    [
        (verb, argument.name)
        for verb in VERBS
        for argument in VERBS[verb]
        if argument.name in {"lines", "skus", "fields"}
    ],
)
async def test_a_count_that_is_not_what_follows_is_refused(busy, redis, verb, count):
    before = await dump(redis)
    [told] = {argument.right for argument in VERBS[verb] if argument.name == count}
    others = [str(int(told) + 1), str(int(told) + 7)] if verb != "serve" else []

    words = [(await call(redis, verb, changed(verb, **{count: other})))[0] for other in others]

    assert set(words) <= {"invalid"}
    assert await dump(redis) == before


async def test_the_same_line_twice_is_refused(busy, redis):
    before = await dump(redis)

    assert (await call(redis, "order", changed("order", line="1")))[0] == "invalid"
    assert (await call(redis, "hold", changed("hold", line="1")))[0] == "invalid"
    assert await dump(redis) == before


async def test_what_only_one_location_has_is_not_counted_twice(allocator, redis):
    await stock(allocator, oslo=1)

    word, _ = await call(redis, "hold", changed("hold", candidates='["oslo",0]'))

    assert word == "short"
    assert await buckets(redis, "oslo") == (1, 0, 0)


async def test_the_only_candidate_fills_no_order_twice(allocator, redis):
    await stock(allocator, oslo=1, bergen=1)

    word, _ = await call(redis, "order", changed("order", candidates='["oslo",0]'))

    # two units may be promised, but the only candidate has one of them
    assert word == "unroutable"
    assert await buckets(redis, "oslo") == (1, 0, 0)


async def test_candidates_that_do_not_exist_give_nothing(allocator, redis):
    await stock(allocator, oslo=9)

    assert (await call(redis, "order", changed("order", candidates='["atlantis",0]')))[0] == "unroutable"
    assert (await call(redis, "hold", changed("hold", candidates='["atlantis",0]')))[0] == "unroutable"


async def test_a_candidate_of_another_channel_gives_nothing(allocator, redis):
    await stock(allocator, bergen=9, oslo=1)

    word, _ = await call(redis, "order", changed("order", candidates='["bergen",0]', channel="amazon", kind="promise"))

    assert word == "short"
    assert await buckets(redis, "bergen") == (9, 0, 0)


async def test_a_sale_of_goods_gone_from_nowhere_is_refused(busy, redis):
    before = await dump(redis)

    assert (await call(redis, "order", changed("order", kind="gone", candidates="[]")))[0] == "invalid"
    assert await dump(redis) == before


async def test_many_repeated_lines_of_a_movement_are_summed(allocator, redis):
    await allocator.receive([StockLine(CUP, "oslo", 2)] * 3, op="r1")

    assert await buckets(redis, "oslo") == (6, 0, 0)


async def test_repeated_lines_cannot_take_away_more_than_there_is(allocator, redis):
    await stock(allocator, oslo=5)

    with pytest.raises(errors.NotEnough) as refused:
        await allocator.adjust([AdjustLine(CUP, "oslo", -3)] * 2, op="a1", why="count")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 2}
    assert await buckets(redis, "oslo") == (5, 0, 0)


async def test_sums_at_the_limits_stay_exact(allocator, redis):
    most = [StockLine(CUP, "oslo", 1_000_000_000)] * 10
    await allocator.receive(most, op="r1")

    placed = await allocator.order(order("1", *[1_000_000_000] * 9, 999_999_999))

    assert units_at(placed) == {"oslo": 9_999_999_999}
    assert await atp(allocator) == 1
    assert await buckets(redis, "oslo") == (10_000_000_000, 0, 9_999_999_999)


async def test_ids_may_look_like_anything_but_control_characters(allocator):
    await stock(allocator, oslo=9)
    strange = ["a:b", "{x}", "%d %s", "' .. x", "ключ", "🛒", "a b", "]]", "--", "\\n", "nil", "0", "%z", "(", "\u200b"]

    for id in strange:
        held = await allocator.hold(hold(id, 1, owner=id))
        assert (await allocator.find_hold(id)).takes == held.takes
        await allocator.release(id)
        await allocator.order(order(id, 1, channel="amazon"))
        await allocator.cancel("amazon", id, op="c1")

    assert await atp(allocator) == 9


async def test_backorders_of_strange_orders_are_served(allocator):
    strange = ["a:b:c", "%d", "ключ 🛒", "{x}"]
    for id in strange:
        await allocator.order(order(id, 1, channel="amazon"))

    await stock(allocator, oslo=4)
    served = await allocator.serve()

    assert sorted(line.order for line in served.lines) == sorted(f"amazon:{id}" for id in strange)


# --- damage that was there before


DAMAGE = {
    "a state of another shape": b"\xc1nonsense",
    "a state that is no list": b"\xa5hello",
    "nothing at all": b"",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("verb", ["receive", "adjust", "unavailable", "hold", "order", "ship", "cancel", "release"])
async def test_a_damaged_state_stops_the_verb_before_it_writes(redis, verb, damage):
    allocator = await _damaged(redis, damage)
    before = await dump(redis)

    with pytest.raises(ResponseError):
        await call(redis, verb, changed(verb, **({"hold_id": ""} if verb == "order" else {})))

    assert await dump(redis) == before
    await stock(allocator, MUG, oslo=1)


async def _busy_seller(redis):
    """As `busy`, for tests that leave the books in disorder on purpose."""
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    await stock(allocator, oslo=10, rome=10)
    await allocator.hold(hold("h1", 2, owner="ann"))
    await allocator.order(order("1", 3))
    return allocator


async def _damaged(redis, damage: bytes):
    """A seller whose cups can no longer be read; the other skus are sound."""
    allocator = await _busy_seller(redis)
    await redis.hset("{main}:stock", CUP, damage)
    return allocator


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("release", changed("release")),
        ("order", changed("order", hold_id="h1")),
        ("ship", changed("ship")),
        ("cancel", changed("cancel")),
    ],
)
async def test_takes_that_were_never_booked_cannot_be_undone(redis, verb, arguments):
    await _busy_seller(redis)
    # cups as they were before anything was held or committed: the hold and the order claim what nobody booked
    await redis.hset("{main}:stock", CUP, pack([9, 0, "oslo", 10, 0, 0, 0]))
    before = await dump(redis)

    with pytest.raises(ResponseError, match="below zero"):
        await call(redis, verb, arguments)

    assert await dump(redis) == before


@pytest.mark.parametrize("verb", ["receive", "hold", "order", "release"])
async def test_units_promised_twice_stop_every_verb_that_is_no_fact(redis, verb):
    await _busy_seller(redis)
    # 2 on hand, 2 held, 3 committed, and no deficit says so
    await redis.hset("{main}:stock", CUP, pack([9, 0, "oslo", 2, 2, 3, 0, "rome", 20, 0, 0, 0]))
    before = await dump(redis)

    with pytest.raises(ResponseError, match="promised twice"):
        await call(redis, verb, changed(verb, hold_id="h1") if verb != "hold" else changed(verb, owner=""))

    assert await dump(redis) == before
