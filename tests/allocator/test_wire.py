"""The one connection that all calls of a process share: when it is replaced, and who hears what when it breaks."""

import asyncio

import pytest
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import TimeoutError as Late

from allocator import Pipe, make_client
from allocator.keys import SellerKeys
from allocator.scripts import scripts

from .test_retry import SLOW

STOCK = scripts()["stock"]


async def connections(redis) -> set[int]:
    """The ids of all clients but the one that asks."""
    return {int(client["id"]) for client in await redis.client_list()} - {await redis.client_id()}


def ask(pipe: Pipe) -> asyncio.Task:
    keys = SellerKeys("main").named(*STOCK.keys)
    return asyncio.ensure_future(pipe.run(STOCK, keys, ["epoch-1", "", "", 1, "CUP"]))


@pytest.fixture
async def pipe(server_url):
    pipe = Pipe(make_client(server_url))
    await ask(pipe)
    yield pipe
    await pipe.close()


@pytest.fixture
async def slow(redis):
    await redis.function_load(SLOW, replace=True)
    yield STOCK._replace(function="slow")
    await redis.function_delete("slow")


async def test_all_calls_share_one_connection(redis, pipe):
    before = await connections(redis)

    await asyncio.gather(*(ask(pipe) for _ in range(200)))

    assert await connections(redis) == before


async def test_a_connection_that_was_idle_for_long_is_replaced(redis, pipe):
    before = await connections(redis)
    pipe._wire._connection.health_check_interval = 0.05

    await asyncio.sleep(0.1)
    await ask(pipe)

    after = await connections(redis)
    assert len(after) == len(before)
    assert after != before


async def test_a_connection_the_server_closed_while_nobody_asked_is_replaced_unnoticed(redis, pipe):
    for id in await connections(redis):
        await redis.client_kill_filter(_id=id)
    await asyncio.sleep(0.05)

    word = (await ask(pipe))[0]

    assert word in {b"found", b"not_ready"}


async def test_a_connection_that_breaks_leaves_those_under_way_without_knowledge_and_serves_the_next(redis, pipe, slow):
    calls = [asyncio.ensure_future(pipe.run(slow, [], [])) for _ in range(8)]
    await asyncio.sleep(0.01)

    pipe._wire._connection._writer.transport.abort()
    heard = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(one) for one in heard} == {LostConnection}
    assert (await ask(pipe))[0] in {b"found", b"not_ready"}


async def test_an_answer_that_is_late_ends_the_connection_for_all(redis, pipe, slow):
    wire = pipe._wire
    wire._connection.socket_timeout = 0.3
    await redis.execute_command("CLIENT", "PAUSE", "600", "ALL")

    heard = await asyncio.gather(*(ask(pipe) for _ in range(3)), return_exceptions=True)

    assert {type(one) for one in heard} == {Late}
    wire._connection.socket_timeout = 5
    assert (await ask(pipe))[0] in {b"found", b"not_ready"}
    assert pipe._wire is not wire


async def test_a_caller_that_leaves_takes_no_answer_of_the_others(pipe):
    calls = [ask(pipe) for _ in range(20)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()

    heard = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(one, asyncio.CancelledError) for one in heard[::2])
    assert {one[0] for one in heard[1::2]} <= {b"found", b"not_ready"}
    assert (await ask(pipe))[0] in {b"found", b"not_ready"}


async def test_an_answer_nobody_asked_for_ends_the_connection(pipe):
    wire = pipe._wire
    wire._connection._writer.write(b"PING\r\n")
    await asyncio.wait([wire._hearing], timeout=2)

    assert not wire.is_fit()
    assert (await ask(pipe))[0] in {b"found", b"not_ready"}


async def test_closing_waits_for_what_is_under_way(server_url, slow):
    pipe = Pipe(make_client(server_url))
    calls = [asyncio.ensure_future(pipe.run(slow, [], [])) for _ in range(10)]
    await asyncio.sleep(0)

    await pipe.close()

    assert len(set(await asyncio.gather(*calls))) == 1


@pytest.fixture
async def unreached(server_url):
    """A pipe whose first call waits for its wire, which is not there yet."""
    pipe = Pipe(make_client(server_url, timeout_s=0.3))
    call = ask(pipe)
    while pipe._opening is None:
        await asyncio.sleep(0)
    yield pipe, call
    await pipe.client.aclose()


async def test_when_the_opening_of_a_wire_is_cancelled_so_is_whoever_waits_for_it(unreached):
    pipe, call = unreached

    pipe._opening.cancel()
    await asyncio.wait([call], timeout=1)

    assert call.cancelled()
    await asyncio.wait_for(pipe.close(), 1)


async def test_closing_waits_neither_for_a_wire_nor_for_an_answer_that_nobody_wants_any_more(redis, unreached):
    pipe, call = unreached
    call.cancel()
    await asyncio.wait([call])

    await asyncio.wait_for(pipe.close(), 1)

    assert pipe._opening is None
    # The server sees some moments later that they are closed.
    async with asyncio.timeout(5):
        while await connections(redis):
            await asyncio.sleep(0.01)


async def test_a_server_that_is_not_there_is_everybodys_answer():
    pipe = Pipe(make_client("redis://127.0.0.1:1"))

    heard = await asyncio.gather(*(ask(pipe) for _ in range(3)), return_exceptions=True)

    assert {type(one) for one in heard} == {LostConnection}
    await pipe.close()


async def test_a_new_wire_meets_the_server_before_it_carries_a_call(redis, server_url):
    heard = []
    pipe = Pipe(make_client(server_url, timeout_s=0.3))

    async def meet(run: str) -> None:
        heard.append((run, first.done()))

    pipe.meet = meet
    first = ask(pipe)

    await asyncio.gather(first, ask(pipe))
    await ask(pipe)

    assert heard == [((await redis.info("server"))["run_id"], False)]
    await pipe.close()


async def test_a_server_that_cannot_be_met_carries_no_call_until_it_can(redis, server_url):
    pipe = Pipe(make_client(server_url, timeout_s=0.3))
    before = await connections(redis)

    async def refuse(_run: str) -> None:
        raise LostConnection("not now")

    pipe.meet = refuse
    with pytest.raises(LostConnection, match="not now"):
        await ask(pipe)
    pipe.meet = None

    assert (await ask(pipe))[0] in {b"found", b"not_ready"}
    assert len(await connections(redis) - before) <= 2
    await pipe.close()
