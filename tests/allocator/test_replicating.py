"""What is answered as replicated is with the replicas; what is not, nobody calls so."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import count

import pytest

from allocator import Allocator, Pipe, Replica, Retries, make_client, replicas_of, why_unsafe
from allocator.errors import OpConflict, Short, Unanswered, UnknownHold
from tests.replicas import Pair, pair, tell
from tests.servers import Leg, present

from .fixtures import CONFIG, EPOCH, NOW, atp, hold, order, stock


@pytest.fixture(scope="module", params=present(), ids=lambda leg: leg.id)
def servers_of_two(request) -> Iterator[Pair]:
    leg: Leg = request.param
    with pair(leg) as both:
        yield both


@pytest.fixture
async def both(servers_of_two) -> AsyncIterator[Pair]:
    yield servers_of_two
    servers_of_two.replica.process.send_signal(signal.SIGCONT)


@pytest.fixture
async def shop(both) -> AsyncIterator[Allocator]:
    """A shop with ten cups, on a server with a replica."""
    tell(both.primary, "FLUSHALL")
    allocator = an_allocator(both.primary.url)
    await allocator.begin()
    await allocator.configure_all(CONFIG)
    await stock(allocator, oslo=10)
    yield allocator
    await allocator._runner._pipe.close()


def an_allocator(url: str, replicas: int = 1) -> Allocator:
    pipe = Pipe(make_client(url, timeout_s=1.0), replicas=replicas)
    allocator = Allocator(pipe, "main", EPOCH, retries=Retries(attempts=2, seconds=1.0))
    allocator.now_ms = NOW
    return allocator


def freeze(both: Pair) -> None:
    both.replica.process.send_signal(signal.SIGSTOP)


def thaw(both: Pair) -> None:
    both.replica.process.send_signal(signal.SIGCONT)


def has_order(server, id: str) -> bool:
    return bool(tell(server, "HEXISTS", "{main}:orders", f"shop:{id}"))


async def test_an_answer_that_is_replicated_is_on_the_replica_when_it_arrives(both, shop):
    replicated = shop.replicated()

    for number in range(5):
        await replicated.order(order(str(number), 1))

        assert has_order(both.replica, str(number))


async def test_many_calls_at_once_end_with_one_wait(both, shop):
    before = tell(both.primary, "INFO", "commandstats")["cmdstat_wait"]["calls"] if waited(both) else 0

    placed = await asyncio.gather(*(shop.replicated().order(order(str(number), 1)) for number in range(10)))

    assert len({one.external_id for one in placed}) == 10
    assert tell(both.primary, "INFO", "commandstats")["cmdstat_wait"]["calls"] - before == 1


def waited(both: Pair) -> bool:
    return "cmdstat_wait" in tell(both.primary, "INFO", "commandstats")


async def test_a_refusal_is_replicated_as_well(both, shop):
    with pytest.raises(Short) as refused:
        await shop.replicated().order(order("1", 11))

    assert tell(both.replica, "HEXISTS", "{main}:ops", refused.value.op)


async def test_while_the_replica_is_frozen_no_answer_is_replicated(both, shop):
    await shop.replicated().order(order("0", 1))
    freeze(both)

    with pytest.raises(Unanswered, match="0 of 1 replicas"):
        await shop.replicated().order(order("1", 2))

    assert await atp(shop) == 7


async def test_the_same_id_again_waits_as_the_first_try_did(both, shop):
    """A repetition that only read would be confirmed at once, though no replica has what the first try did."""
    await shop.replicated().order(order("0", 1))
    freeze(both)
    await shop.order(order("1", 2))

    for _ in range(2):
        with pytest.raises(Unanswered):
            await shop.replicated().order(order("1", 2))


async def test_after_the_thaw_the_same_id_gets_it_and_there_is_one_effect(both, shop):
    freeze(both)
    with pytest.raises(Unanswered):
        await shop.replicated().order(order("1", 2))
    thaw(both)

    placed = await shop.replicated().order(order("1", 2))

    assert (placed.replayed, has_order(both.replica, "1")) == (True, True)
    assert await atp(shop) == 8


async def test_plain_calls_do_not_wait_for_a_replica_that_others_wait_for(both, shop):
    freeze(both)
    waiting = asyncio.create_task(shop.replicated().order(order("1", 1)))
    await asyncio.sleep(0.05)

    await asyncio.wait_for(shop.order(order("2", 1)), 0.2)

    assert not waiting.done()
    with pytest.raises(Unanswered):
        await waiting


async def test_more_replicas_than_there_are_are_never_reached(both, shop):
    two = an_allocator(both.primary.url, replicas=2)
    await two.reload()

    with pytest.raises(Unanswered, match="1 of 2 replicas"):
        await two.replicated().order(order("1", 1))

    await two._runner._pipe.close()


async def test_what_was_replicated_is_there_when_the_primary_is_lost(both, shop):
    """The primary dies in the middle of holds, given and refused, and the replica takes its place."""
    answered: list[str] = []

    async def sell(seller: int) -> None:
        for number in count():
            id = f"h{seller}-{number}"
            with suppress(Short):
                await shop.replicated().hold(hold(id, 1))
            answered.append(id)

    selling = [asyncio.create_task(sell(seller)) for seller in range(50)]
    while len(answered) < 100:
        await asyncio.sleep(0)
    both.primary.kill()
    ends = await asyncio.gather(*selling, return_exceptions=True)
    both.promote()

    second = an_allocator(both.replica.url)
    await second.reload()
    lost = [id for id in answered if not tell(both.replica, "HEXISTS", "{main}:ops", f"hold:{id}")]
    first = await second.find_hold("h0-0")
    await second._runner._pipe.close()
    # The next test finds the pair as it was.
    both.primary.start()
    both.follow()
    assert lost == []
    assert first.state == "open"
    assert all(isinstance(end, Unanswered) for end in ends)


async def test_the_config_is_followed_on_both_ways(both, shop):
    other = an_allocator(both.primary.url)
    await other.reload()
    await shop.configure_all(CONFIG)
    version = shop.version

    await other.replicated().order(order("1", 1))

    assert (other.version, version > 1) == (version, True)
    await other._runner._pipe.close()


async def test_a_refusal_says_which_op_remembers_it(shop):
    await shop.order(order("1", 1))
    with pytest.raises(Short) as short:
        await shop.order(order("2", 11))
    with pytest.raises(OpConflict) as conflict:
        await shop.order(order("1", 2))
    with pytest.raises(UnknownHold) as unknown:
        await shop.release("nothing")

    assert (await shop.find_remembered(short.value.op)).word == "short"
    assert (await shop.find_remembered(conflict.value.op)).word == "placed"
    assert unknown.value.op == ""
    assert await shop.find_remembered("order:shop:none:1") is None


async def test_the_server_knows_its_replicas_and_they_say_whether_they_are_safe(both, shop):
    client = make_client(both.primary.url)
    [replica] = await replicas_of(client)

    assert replica.port == int(tell(both.replica, "CONFIG", "GET", "port")["port"])
    assert await why_unsafe(both.primary.url, replica) == ""

    tell(both.replica, "CONFIG", "SET", "appendfsync", "everysec")
    says = await why_unsafe(both.primary.url, replica)
    tell(both.replica, "CONFIG", "SET", "appendfsync", "always")
    assert says.startswith("appendfsync is everysec")
    assert "could not be asked" in await why_unsafe("rediss://:secret@example:6379/0", Replica("127.0.0.1", 1))
    await client.aclose()


async def test_a_replica_at_no_address_could_not_be_asked():
    assert "could not be asked" in await why_unsafe("redis://example:6379/0", Replica("/run/valkey.sock:0", 0))
