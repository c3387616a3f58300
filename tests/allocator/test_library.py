"""All verbs live in one library on the server: no call leaves anything behind for the next, whoever makes it."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from allocator import Pipe, Rule
from allocator.errors import AllocatorError
from allocator.pipe import _library_name
from allocator.scripts import library, scripts

from .fixtures import (
    CONFIG,
    CUP,
    atp,
    buckets,
    hold,
    new_allocator,
    order,
    shelves,
    stock,
    units_at,
    with_channel,
    with_rules,
)
from .raw import call, changed, right


async def test_sellers_whose_calls_alternate_keep_their_own_rules_and_stock(allocator, redis):
    other = await new_allocator(redis, seller="other")
    await other.configure_all(with_rules(Rule(kind="buffer", units=3), config=with_channel(CONFIG, "shop", rank=9)))
    await stock(allocator, oslo=50)
    await stock(other, oslo=20)

    levels = await asyncio.gather(*(atp(one) for _ in range(20) for one in (allocator, other)))
    await asyncio.gather(*(one.order(order(str(n), 1)) for n in range(10) for one in (allocator, other)))

    assert levels == [50, 17] * 20
    assert (await atp(allocator), await atp(other)) == (40, 7)


async def test_channels_whose_calls_alternate_keep_their_own_places(allocator):
    await allocator.configure_all(with_channel(CONFIG, "amazon", locations=shelves("rome")))
    await stock(allocator, oslo=50, rome=50)
    channels = ["shop", "amazon"] * 10

    placed = await asyncio.gather(
        *(allocator.order(order(str(n), 1, channel=channel)) for n, channel in enumerate(channels))
    )

    assert [units_at(one) for one in placed] == [{"oslo": 1}, {"rome": 1}] * 10


async def test_after_a_call_that_made_no_sense_the_next_one_does(allocator, redis):
    await stock(allocator, oslo=5)

    wrong = await call(redis, "order", changed("order", units="nan"))
    sound = await call(redis, "order", right("order"))

    assert (wrong[0], sound[0]) == ("invalid", "placed")


async def test_after_a_call_that_failed_half_way_the_next_one_starts_anew(redis):
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    await stock(allocator, oslo=5)
    sound = await redis.hget("{main}:stock", CUP)
    await redis.hset("{main}:stock", CUP, b"\xc1")

    with pytest.raises(ResponseError):
        await allocator.order(order("1", 2))
    await redis.hset("{main}:stock", CUP, sound)
    placed = await allocator.order(order("1", 2))

    assert placed.lines[0].committed == 2
    assert await buckets(redis, "oslo") == (5, 0, 2)


async def test_units_a_preview_took_in_memory_are_there_for_the_next_call(allocator):
    await stock(allocator, oslo=5)

    answers = await asyncio.gather(
        *(allocator.order(order(str(n), 5), preview=True) for n in range(5)), allocator.order(order("real", 5))
    )

    assert [one.lines[0].committed for one in answers] == [5] * 6


async def test_many_processes_may_give_the_server_the_library_at_once(allocator, redis):
    await stock(allocator, oslo=50)
    await redis.function_flush()

    await asyncio.gather(*(Pipe(redis).install() for _ in range(6)))
    placed = await asyncio.gather(*(allocator.order(order(str(n), 1)) for n in range(20)))

    assert sum(one.lines[0].committed for one in placed) == 20


async def test_a_library_of_another_version_stays_beside_ours(allocator, redis):
    older = library().source.replace(library().name, "allot_older").replace(library().name[6:], "older")
    await redis.function_load(older, replace=True)

    await Pipe(redis).install()

    names = {row[b"library_name"].decode() for row in map(as_dict, await redis.function_list())}
    assert {"allot_older", library().name} <= names
    await redis.function_delete("allot_older")


def as_dict(row) -> dict:
    """A library as FUNCTION LIST tells it: names and values in turn, or a map already."""
    return row if isinstance(row, dict) else dict(zip(row[::2], row[1::2], strict=True))


async def test_the_server_knows_which_verbs_only_read_and_which_must_run_when_it_is_full(allocator, redis):
    await Pipe(redis).install()
    [ours] = map(as_dict, await redis.function_list(library=library().name))

    flags = {found[b"name"].decode(): set(found[b"flags"]) for found in map(as_dict, ours[b"functions"])}

    reading = {name for name, script in scripts().items() if b"no-writes" in flags[script.function]}
    freeing = {name for name, script in scripts().items() if b"allow-oom" in flags[script.function]}
    assert reading == {"availability", "explain", "find", "stock"}
    assert freeing == {
        "cancel",
        "expire",
        "release",
        "return_units",
        "ship",
        "forget",
        "freeze",
        "meet",
        "open",
        "shut",
    }


async def test_a_full_server_takes_no_more_orders_but_lets_units_go(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))
    await allocator.hold(hold("h1", 1))
    await redis.config_set("maxmemory", 1)
    try:
        with pytest.raises((ResponseError, AllocatorError)):
            await allocator.order(order("2", 1))
        await allocator.release("h1")
        await allocator.cancel("shop", "1", op="c1")

        assert await atp(allocator) == 5
    finally:
        await redis.config_set("maxmemory", 0)
    assert not (await allocator.order(order("2", 1))).replayed


async def test_tidying_drops_our_other_versions_and_nobody_elses_library(redis):
    for name in ("allot_0123456789ab", "shop"):
        source = f"#!lua name={name}\nredis.register_function('{name}_verb', function() return 1 end)"
        await redis.function_load(source, replace=True)

    await Pipe(redis).tidy()

    assert {_library_name(entry) for entry in await redis.function_list()} == {library().name, "shop"}
    await redis.function_delete("shop")
