"""Everybody at once: whatever the order of arrival, no unit is given twice and none is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from allocator import Allocator, Pipe, Rule, StockLine, make_client
from allocator.errors import AllocatorError, HoldEnded, OpConflict, Short, StaleConfig

from .fixtures import (
    CONFIG,
    CUP,
    EPOCH,
    MINUTE,
    NOW,
    TEE,
    atp,
    buckets,
    hold,
    order,
    state,
    stock,
    units_at,
    with_channel,
    with_rules,
)


@pytest.fixture
async def crowd(allocator, server_url) -> AsyncIterator[list[Allocator]]:
    """Six more allocators of the same seller, each with a connection of its own, as six processes would have."""
    clients = [make_client(server_url) for _ in range(6)]
    crowd = [Allocator(Pipe(client), "main", EPOCH) for client in clients]
    for one in crowd:
        one.now_ms = NOW
        await one.reload()
    yield crowd
    for client in clients:
        await client.aclose()


async def at_once(calls) -> tuple[list, list[AllocatorError]]:
    """Answers and refusals of calls that all start now; anything else that goes wrong fails the test."""
    said = await asyncio.gather(*calls, return_exceptions=True)
    refused = [one for one in said if isinstance(one, AllocatorError)]
    unexpected = [one for one in said if isinstance(one, BaseException) and one not in refused]
    assert unexpected == []
    return [one for one in said if not isinstance(one, BaseException)], refused


async def test_of_three_hundred_orders_for_one_hundred_units_exactly_one_hundred_are_accepted(allocator, crowd, redis):
    await stock(allocator, oslo=100)

    placed, refused = await at_once(crowd[n % 6].order(order(f"o{n}", 1)) for n in range(300))

    assert len(placed) == 100
    assert {type(one) for one in refused} == {Short}
    assert {one.facts["lines"][0]["atp_now"] for one in refused} == {0}
    assert await buckets(redis, "oslo") == (100, 0, 100)


async def test_units_spread_over_places_are_given_once_each(allocator, crowd, redis):
    await stock(allocator, oslo=30, rome=40, bergen=30)

    placed, refused = await at_once(crowd[n % 6].order(order(f"o{n}", 3)) for n in range(60))

    taken = sum((Counter(units_at(one)) for one in placed), Counter())
    assert (len(placed), len(refused)) == (33, 27)
    assert taken.total() == 99
    for location, there in (("oslo", 30), ("rome", 40), ("bergen", 30)):
        assert await buckets(redis, location) == (there, 0, taken[location])


async def test_every_accepted_order_raised_the_version_by_one(allocator, crowd, redis):
    await stock(allocator, oslo=40)

    placed, _ = await at_once(crowd[n % 6].order(order(f"o{n}", 1)) for n in range(60))

    assert sorted(one.versions[0].version for one in placed) == list(range(2, 42))
    assert (await state(redis)).version == 41


async def test_parallel_holds_never_hold_a_unit_twice(allocator, crowd, redis):
    await stock(allocator, oslo=50)

    held, refused = await at_once(crowd[n % 6].hold(hold(f"h{n}", 1)) for n in range(150))

    assert (len(held), len(refused)) == (50, 100)
    assert await buckets(redis, "oslo") == (50, 50, 0)


async def test_holds_orders_sales_and_releases_all_at_once_keep_the_books_true(allocator, crowd, redis):
    await stock(allocator, oslo=40, bergen=40)
    await stock(allocator, TEE, oslo=40)
    for n in range(20):
        await allocator.hold(hold(f"early{n}", 1))

    calls = [
        *(crowd[n % 6].hold(hold(f"h{n}", 1, (TEE, 1))) for n in range(40)),
        *(crowd[n % 6].order(order(f"o{n}", 2)) for n in range(40)),
        *(crowd[n % 6].order(order(f"a{n}", 1, (TEE, 2), channel="amazon")) for n in range(20)),
        *(crowd[n % 6].order(order(f"t{n}", 1, channel="till")) for n in range(20)),
        *(crowd[n % 6].release(f"early{n}") for n in range(10)),
        *(crowd[n % 6].order(order(f"e{n}", 1, hold=f"early{n}")) for n in range(10, 20)),
    ]
    done, refused = await at_once(calls)

    assert {type(one) for one in refused} <= {Short}
    assert len(done) + len(refused) == len(calls)
    assert await atp(allocator, sku=CUP) >= 0


async def test_one_order_sent_fifty_times_at_once_is_one_order(allocator, crowd, redis):
    await stock(allocator, oslo=100)

    placed, _ = await at_once(crowd[n % 6].order(order("1", 3)) for n in range(50))

    assert Counter(one.replayed for one in placed) == {False: 1, True: 49}
    assert len({str(one.lines) for one in placed}) == 1
    assert await buckets(redis, "oslo") == (100, 0, 3)


async def test_one_movement_sent_fifty_times_at_once_is_one_movement(allocator, crowd, redis):
    moved, _ = await at_once(crowd[n % 6].receive([StockLine(CUP, "oslo", 7)], op="r1") for n in range(50))

    assert Counter(one.replayed for one in moved) == {False: 1, True: 49}
    assert await buckets(redis, "oslo") == (7, 0, 0)


async def test_of_two_requests_under_one_id_one_wins_and_the_other_conflicts(allocator, crowd, redis):
    await stock(allocator, oslo=100)

    placed, refused = await at_once(crowd[n % 6].order(order("1", 1 + n % 2)) for n in range(20))

    assert len({one.lines[0].ordered for one in placed}) == 1
    assert (len(placed), {type(one) for one in refused}) == (10, {OpConflict})


async def test_two_orders_cannot_both_take_over_one_hold(allocator, crowd, redis):
    await stock(allocator, oslo=3)
    await allocator.hold(hold("h1", 3))

    placed, refused = await at_once(one.order(order(f"o{n}", 3, hold="h1")) for n, one in enumerate(crowd))

    assert (len(placed), len(refused)) == (1, 5)
    assert await buckets(redis, "oslo") == (3, 0, 3)


async def test_a_hold_ends_once_whoever_ends_it(allocator, crowd, redis):
    await stock(allocator, oslo=3)
    await allocator.hold(hold("h1", 3, ttl_ms=MINUTE))
    await allocator.expire(elapsed_ms=None)
    for one in crowd:
        one.now_ms = NOW + MINUTE

    done, refused = await at_once(
        [
            *(one.expire(elapsed_ms=MINUTE) for one in crowd[:2]),
            *(one.release("h1", op=f"r{n}") for n, one in enumerate(crowd[2:4])),
            *(one.extend("h1", MINUTE, op=f"x{n}") for n, one in enumerate(crowd[4:])),
        ]
    )

    assert {type(one) for one in refused} <= {HoldEnded}
    assert len(done) + len(refused) == 6
    open_units = 3 if (await allocator.find_hold("h1")).state == "open" else 0
    assert await buckets(redis, "oslo") == (3, open_units, 0)


async def test_an_owner_in_two_windows_has_one_hold(allocator, crowd, redis):
    await stock(allocator, oslo=9)

    held, _ = await at_once(one.hold(hold(f"h{n}", 2, owner="ann")) for n, one in enumerate(crowd))

    states = Counter([(await allocator.find_hold(one.hold_id)).state for one in held])
    assert states == {"open": 1, "replaced": 5}
    assert await buckets(redis, "oslo") == (9, 2, 0)


async def test_two_config_changes_at_once_are_made_one_after_the_other_or_refused(allocator, crowd):
    configs = [with_rules(Rule(kind="buffer", units=n)) for n in range(1, 7)]

    versions, refused = await at_once(one.configure_all(config) for one, config in zip(crowd, configs, strict=True))

    assert {type(one) for one in refused} <= {StaleConfig}
    assert len(versions) >= 1
    assert sorted(set(versions)) == sorted(versions)


async def test_orders_placed_while_the_config_changes_follow_the_one_or_the_other(allocator, crowd, redis):
    await stock(allocator, oslo=200)
    changes = [with_channel(CONFIG, "shop", split_limit=1 + n % 3) for n in range(10)]

    async def change() -> None:
        for config in changes:
            await allocator.configure_all(config)

    (_, *placed), refused = await at_once([change(), *(crowd[n % 6].order(order(f"o{n}", 1)) for n in range(100))])

    assert (len(placed), refused) == (100, [])
    assert await buckets(redis, "oslo") == (200, 0, 100)


@pytest.mark.parametrize("eager", range(3))
async def test_a_caller_who_asks_again_when_all_batches_come_back_at_once_is_answered(
    allocator, redis, server_url, eager
):
    pauser = make_client(server_url)
    await stock(allocator, oslo=5)
    await asyncio.gather(*(redis.ping() for _ in range(4)))
    await pauser.client_pause(80)

    async def ask(times: int) -> list[int]:
        return [await atp(allocator) for _ in range(times)]

    asking = []
    for number in range(3):
        asking.append(asyncio.create_task(ask(2 if number == eager else 1)))
        await asyncio.sleep(0.005)
    done, waiting = await asyncio.wait(asking, timeout=1)

    for task in waiting:
        task.cancel()
    await pauser.aclose()
    assert (len(done), len(waiting)) == (3, 0)
