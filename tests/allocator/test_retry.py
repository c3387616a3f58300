"""When nobody knows whether a call ran, the allocator asks again under the same op; effects come once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as LostConnection

from allocator import AdjustLine, Allocator, ConfigChange, Pipe, Retries, StockLine, make_client
from allocator.errors import Short, Unanswered, UnknownOrder
from allocator.runner import BUSY_WORDS, UNKNOWN, is_busy
from allocator.scripts import scripts
from tests.proxy import Proxy
from tests.servers import Leg, Server, present

from .fixtures import CONFIG, CUP, EPOCH, NOW, buckets, hold, ledger_length, order, stock

each_leg = pytest.mark.parametrize("leg", present(), ids=lambda leg: leg.id)


class BadWire(Proxy):
    """A proxy that loses one answer and is sound again."""

    async def _answers(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await super()._answers(server, writer)
        self.cut = False

    async def silent_once(self) -> None:
        """Swallow answers until one is lost."""
        self.silent, before = True, self.lost
        while self.lost == before:
            await asyncio.sleep(0.001)
        self.silent = False


@pytest.fixture
async def wire(server_url: str) -> AsyncIterator[BadWire]:
    async with BadWire(server_url) as wire:
        yield wire


@pytest.fixture
async def remote(allocator, redis, wire) -> AsyncIterator[Allocator]:
    """An allocator at the other end of a bad wire; it has talked over it once, and the server knows all verbs."""
    await Pipe(redis).install()
    client = make_client(wire.url, timeout_s=0.3)
    remote = Allocator(Pipe(client), "main", EPOCH, retries=Retries(attempts=3, seconds=2.0))
    remote.now_ms = NOW
    await remote.reload()
    yield remote
    await client.aclose()


VERBS = {
    "receive": lambda one: one.receive([StockLine(CUP, "rome", 3)], op="x"),
    "adjust": lambda one: one.adjust([AdjustLine(CUP, "oslo", -1)], op="x", why="count"),
    "count": lambda one: one.count([AdjustLine(CUP, "oslo", -1)], op="x", source="erp"),
    "unavailable": lambda one: one.unavailable([StockLine(CUP, "oslo", 1)], op="x", reason="dirt", direction="in"),
    "set_quota": lambda one: one.set_quota(CUP, "oslo", "shop", 2, op="x"),
    "hold": lambda one: one.hold(hold("x", 2)),
    "extend": lambda one: one.extend("h1", 600_000, op="x"),
    "release": lambda one: one.release("h1"),
    "order": lambda one: one.order(order("x", 2)),
    "pick": lambda one: one.pick("shop", "1", op="x"),
    "ship": lambda one: one.ship("shop", "1", op="x"),
    "cancel": lambda one: one.cancel("shop", "1", op="x"),
}
"""One call of each verb that has an op."""


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_whose_answer_was_cut_off_is_answered_once_and_done_once(allocator, redis, remote, wire, verb):
    await stock(allocator, oslo=10)
    await allocator.hold(hold("h1", 2))
    await allocator.order(order("1", 2))
    before = await ledger_length(redis)
    wire.cut = True

    answer = await VERBS[verb](remote)

    assert wire.lost == 1
    assert answer.replayed
    assert await ledger_length(redis) == before + 1


async def test_the_answer_after_a_cut_is_the_one_that_was_lost(allocator, redis, remote, wire):
    await stock(allocator, oslo=5)
    wire.cut = True

    placed = await remote.order(order("1", 3))

    assert await buckets(redis, "oslo") == (5, 0, 3)
    again = await allocator.order(order("1", 3))
    assert (again.lines, again.placed_ms, again.versions) == (placed.lines, placed.placed_ms, placed.versions)


async def test_a_refusal_whose_answer_was_cut_off_is_still_a_refusal(allocator, redis, remote, wire):
    wire.cut = True

    with pytest.raises(Short) as refused:
        await remote.order(order("1", 3))

    assert refused.value.replayed
    assert wire.lost == 1


async def test_an_answer_that_does_not_come_in_time_is_asked_for_again(allocator, redis, remote, wire):
    await stock(allocator, oslo=5)

    placed, _ = await asyncio.gather(remote.order(order("1", 3)), wire.silent_once())

    assert placed.replayed
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_a_wire_that_stays_bad_leaves_the_caller_with_an_unknown_that_he_may_repeat(
    allocator, redis, remote, wire
):
    await stock(allocator, oslo=5)
    wire.silent = True

    with pytest.raises(Unanswered):
        await remote.order(order("1", 3))

    wire.silent = False
    placed = await remote.order(order("1", 3))
    assert placed.replayed
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_a_lost_answer_in_a_shared_batch_harms_no_caller(allocator, redis, remote, wire):
    await stock(allocator, oslo=100)
    wire.cut = True

    placed = await asyncio.gather(*(remote.order(order(str(n), 1)) for n in range(60)))

    assert sorted(one.external_id for one in placed) == sorted(str(n) for n in range(60))
    assert await buckets(redis, "oslo") == (100, 0, 60)


async def test_expiry_whose_answer_was_cut_off_ends_each_hold_once(allocator, redis, remote, wire):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3, ttl_ms=1_000))
    await allocator.expire(elapsed_ms=None)
    remote.now_ms = NOW + 2_000
    wire.cut = True

    await remote.expire(elapsed_ms=2_000)

    assert wire.lost == 1
    assert (await allocator.find_hold("h1")).state == "expired"
    assert await buckets(redis, "oslo") == (5, 0, 0)


async def test_serving_whose_answer_was_cut_off_gives_each_unit_once(allocator, redis, remote, wire):
    await allocator.order(order("1", 3, channel="amazon"))
    await stock(allocator, oslo=5)
    wire.cut = True

    await remote.serve()

    assert wire.lost == 1
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_a_config_whose_answer_was_cut_off_is_in_force_once(allocator, remote, wire):
    await remote.reload()
    version = remote.version
    wire.cut = True

    await remote.configure(ConfigChange(version, version + 1, {"zone": b"\xa0"}, [], [CUP]))

    assert wire.lost == 1
    assert remote.version == version + 1
    assert await allocator.configure_all(CONFIG) == version + 2


# --- callers who give up


async def test_a_cancelled_caller_disturbs_no_other_and_his_order_stands_or_never_was(allocator, redis):
    await stock(allocator, oslo=100)
    tasks = [asyncio.create_task(allocator.order(order(str(n), 1))) for n in range(40)]
    await asyncio.sleep(0)

    for task in tasks[::2]:
        task.cancel()
    said = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(one, asyncio.CancelledError) for one in said[::2])
    assert [one.external_id for one in said[1::2]] == [str(n) for n in range(1, 40, 2)]
    assert (await buckets(redis, "oslo"))[2] == await _orders_there(allocator, 40)


async def _orders_there(allocator: Allocator, most: int) -> int:
    there = 0
    for number in range(most):
        try:
            await allocator.find_order("shop", str(number))
            there += 1
        except UnknownOrder:
            continue
    return there


async def test_a_caller_cancelled_while_he_waits_for_the_answer_has_ordered_all_the_same(
    allocator, redis, remote, wire
):
    await stock(allocator, oslo=5)
    wire.silent = True
    task = asyncio.create_task(remote.order(order("1", 3)))
    while not wire.lost:
        await asyncio.sleep(0.001)

    task.cancel()
    wire.silent = False
    with pytest.raises(asyncio.CancelledError):
        await task

    again = await remote.order(order("1", 3))
    assert again.replayed
    assert await buckets(redis, "oslo") == (5, 0, 3)


# --- servers that stop, or forget


@each_leg
async def test_a_server_frozen_beyond_all_patience_leaves_an_unknown_and_no_double_effect(leg: Leg):
    server = Server(leg)
    client = make_client(server.url, timeout_s=0.2)
    allocator = await _shop_on(client)
    try:
        os.kill(server.process.pid, signal.SIGSTOP)
        with pytest.raises(Unanswered):
            await allocator.order(order("1", 3))
        os.kill(server.process.pid, signal.SIGCONT)

        await allocator.order(order("1", 3))

        assert await buckets(client, "oslo") == (5, 0, 3)
        assert await ledger_length(client) == 3
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        await client.aclose()
        server.stop()


async def _shop_on(client) -> Allocator:
    allocator = Allocator(Pipe(client), "main", EPOCH, retries=Retries(attempts=2, seconds=1.0))
    allocator.now_ms = NOW
    await allocator.begin()
    await allocator.configure_all(CONFIG)
    await stock(allocator, oslo=5)
    return allocator


@each_leg
async def test_a_server_killed_and_started_again_knows_what_it_answered(leg: Leg):
    server = Server(leg)
    client = make_client(server.url, timeout_s=1.0)
    allocator = await _shop_on(client)
    try:
        placed = await allocator.order(order("1", 3))
        server.kill()
        with pytest.raises((Unanswered, LostConnection)):
            await allocator.order(order("2", 1))
        server.start()

        again = await allocator.order(order("1", 3))
        other = await allocator.order(order("2", 1))

        assert again.lines == placed.lines
        assert other.lines[0].committed == 1
        assert await buckets(client, "oslo") == (5, 0, 4)
    finally:
        await client.aclose()
        server.stop()


async def test_a_server_that_forgot_the_verbs_is_given_them_again(allocator, redis):
    await stock(allocator, oslo=50)
    await redis.function_flush()

    placed = await asyncio.gather(*(allocator.order(order(str(n), 1)) for n in range(30)))

    assert [one.replayed for one in placed] == [False] * 30
    assert await buckets(redis, "oslo") == (50, 0, 30)


async def test_an_answer_to_another_question_is_not_believed(allocator, redis):
    await stock(allocator, oslo=5)
    confused = Allocator(_Crossed(redis), "main", EPOCH, retries=Retries(attempts=2, seconds=0.2))
    confused.now_ms = NOW
    await confused.reload()

    with pytest.raises(Unanswered):
        await confused.order(order("1", 1))

    assert (await allocator.order(order("1", 1))).replayed


class _Crossed(Pipe):
    """A connection that gives every call with an op the answer to somebody else's."""

    async def run(self, script, keys, arguments):
        word, packed, replayed, echo = await super().run(script, keys, arguments)
        return word, packed, replayed, echo and b"order:shop:somebody-elses:1"


SLOW = """#!lua name=slow
redis.register_function('slow', function()
  local n = 0
  for i = 1, 2e6 do n = n + i end
  return n
end)"""
"""Some ten milliseconds of work."""


async def test_large_calls_do_not_add_up_to_a_timeout_of_all(redis, server_url):
    await redis.function_load(SLOW, replace=True)
    pipe = Pipe(make_client(server_url, timeout_s=0.4))
    call, loop = scripts()["find"]._replace(function="slow"), asyncio.get_running_loop()
    calls = [pipe.run(call, [], ["x"] * 3_000) for _ in range(100)]

    began = loop.time()
    heard = await asyncio.gather(*calls)
    seconds = loop.time() - began

    await pipe.close()
    await redis.function_delete("slow")
    assert len(set(heard)) == 1
    assert seconds > 0.4


@pytest.mark.parametrize("word", BUSY_WORDS)
def test_an_error_that_passes_is_known_whatever_redis_py_makes_of_it(word: str):
    error = BaseParser.parse_error(f"{word} says the server")

    assert isinstance(error, UNKNOWN) or is_busy(error)


def test_other_errors_do_not_pass():
    assert not is_busy(BaseParser.parse_error("ERR the script has a mistake"))
