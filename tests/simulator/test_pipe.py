"""The allocator over the simulated way to the server: every fate of a call, in virtual time."""

import asyncio
import random
import time

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError

from allocator import Allocator, StockLine, errors
from tests.allocator.fixtures import CONFIG, CUP, EPOCH, order
from tests.simulator.loop import VirtualLoop, drive
from tests.simulator.pipe import ANSWERED, FATES, Client, Fate, Network, SimulatedPipe
from tests.simulator.store import Store


class World:
    """A shop with five cups in Oslo; `fates` are those of the next calls, in order, then all are answered."""

    def __init__(self) -> None:
        self.store = Store()
        self.fates = []
        self.loop = VirtualLoop(self.pass_time)
        self.network = Network(self.store, lambda _: self.fates.pop(0) if self.fates else ANSWERED)
        self.allocator = Allocator(SimulatedPipe(self.network), "main", EPOCH)
        drive(self.allocator.begin())
        drive(self.allocator.configure_all(CONFIG))
        drive(self.allocator.receive([StockLine(CUP, "oslo", 5)], op="opening"))

    def pass_time(self, seconds: float) -> None:
        self.store.now_ms += round(seconds * 1000)

    def available(self) -> int:
        [level] = drive(self.allocator.availability([CUP], ["shop"]))
        return level.atp_now


@pytest.fixture
def world():
    world = World()
    yield world
    world.loop.close()


@pytest.mark.parametrize("what", FATES)
def test_whatever_becomes_of_an_order_it_has_one_effect_after_the_allocators_own_retries(world, what):
    world.fates = [Fate(what)]

    placed = world.loop.run(world.allocator.order(order("1", 2)))

    assert placed.lines[0].committed == 2
    assert placed.replayed == (what in {"cut", "doubled", "crashed_late"})
    assert world.available() == 3


def test_a_call_that_is_never_answered_is_given_up_in_virtual_time_only(world):
    world.fates = [Fate("lost", there_s=2.0)] * 20
    started = time.monotonic()

    with pytest.raises(errors.Unanswered):
        world.loop.run(world.allocator.order(order("1", 2)))

    assert world.loop.time() >= 10.0
    assert time.monotonic() - started < 5.0


def test_calls_under_way_overtake_each_other(world):
    world.fates = [Fate(there_s=0.3), Fate(there_s=0.1)]

    async def race():
        return await asyncio.gather(*(world.allocator.order(order(id, 4)) for id in "ab"), return_exceptions=True)

    slow, quick = world.loop.run(race())

    assert isinstance(slow, errors.Short)
    assert quick.lines[0].committed == 4


def test_the_servers_clock_goes_on_while_callers_wait(world):
    before = world.store.now_ms

    world.loop.run(asyncio.sleep(90))

    assert world.store.now_ms == before + 90_000


def test_readers_hear_of_lost_connections_too(world):
    world.fates = [Fate("lost")]

    with pytest.raises(RedisConnectionError):
        drive(Client(world.network).hgetall("{main}:stock"))


def test_a_server_without_our_library_is_given_it(world):
    world.store.command("FUNCTION", "FLUSH")

    placed = drive(world.allocator.order(order("1", 2)))

    assert placed.lines[0].committed == 2


def test_a_world_where_everybody_waits_for_ever_says_so(world):
    with pytest.raises(RuntimeError, match="everybody waits"):
        world.loop.run(asyncio.Event().wait())


def test_driving_without_a_loop_refuses_what_waits():
    with pytest.raises(RuntimeError, match="needs a loop"):
        drive(asyncio.sleep(0))


@pytest.mark.parametrize("seed", range(5))
def test_a_world_is_the_same_in_every_run_of_its_seed(seed):
    runs = [run_of(seed), run_of(seed), run_of(seed + 100)]

    assert runs[0] == runs[1] != runs[2]


def run_of(seed: int) -> object:
    """The ledger of some concurrent orders with delays and faults."""
    random.seed(seed)
    chance = random.Random(seed)
    world = World()
    world.fates = [Fate(chance.choice(list(FATES)), chance.random(), chance.random()) for _ in range(20)]

    async def crowd():
        wanted = [order(str(number), chance.randint(1, 2)) for number in range(8)]
        return await asyncio.gather(*(world.allocator.order(one) for one in wanted), return_exceptions=True)

    heard = [repr(one) for one in world.loop.run(crowd())]
    world.loop.close()
    return heard, world.store.command("XRANGE", "{main}:ledger", "-", "+"), world.store.now_ms


@pytest.mark.parametrize(
    "words", ["BUSY Valkey is busy running a script.", "LOADING the dataset", "READONLY a replica"]
)
def test_a_config_that_a_busy_server_does_not_tell_is_unanswered(world, words):
    ask = world.network.ask

    async def busy(name, commands, *, together=False):
        if name == "HGETALL":
            return [BaseParser.parse_error(words)]
        return await ask(name, commands, together=together)

    world.network.ask = busy

    with pytest.raises(errors.Unanswered):
        world.loop.run(world.allocator.configure_all(CONFIG))
