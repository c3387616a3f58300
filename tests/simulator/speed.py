"""
How fast the shim is: `python -m tests.simulator.speed`.

Three figures: the scripts alone, the allocator's verbs over them, and worlds of 150 verbs each with faults on the way.
"""

import random
import time
from collections.abc import Callable

import stamina

from allocator import Allocator, errors
from tests.allocator.fixtures import CONFIG, CUP, EPOCH, hold, order, stock
from tests.simulator.loop import VirtualLoop, drive
from tests.simulator.pipe import ANSWERED, Fate, Network, SimulatedPipe
from tests.simulator.store import Store

ORDERS = 5_000
WORLDS = 50
VERBS = 150


def per_second(work: Callable[[], int]) -> float:
    """How many of what `work` counts are done in a second of one processor."""
    started = time.process_time()
    return work() / (time.process_time() - started)


def open_shop(store: Store, network: Network) -> Allocator:
    store.reset()
    allocator = Allocator(SimulatedPipe(network), "main", EPOCH)
    drive(allocator.begin())
    drive(allocator.configure_all(CONFIG))
    drive(stock(allocator, oslo=100_000))
    return allocator


def orders(store: Store) -> int:
    """One-line orders through the allocator."""
    allocator = open_shop(store, Network(store))
    for number in range(ORDERS):
        drive(allocator.order(order(str(number), 1)))
    return ORDERS


def reads(store: Store) -> int:
    """Availability of one sku through the allocator."""
    allocator = open_shop(store, Network(store))
    for _ in range(ORDERS):
        drive(allocator.availability([CUP], ["shop"]))
    return ORDERS


class Recorder(Network):
    """Keeps what is asked, to ask it again without the allocator."""

    heard: list[list[bytes]]

    async def ask(self, name, commands, *, together=False):
        self.heard += commands
        return await super().ask(name, commands, together=together)


def record(store: Store) -> list[list[bytes]]:
    """What one-line orders ask of the server."""
    network = Recorder(store)
    network.heard = []
    allocator = open_shop(store, network)
    network.heard.clear()
    for number in range(ORDERS):
        drive(allocator.order(order(str(number), 1)))
    return network.heard


def scripts(store: Store, commands: list[list[bytes]]) -> int:
    """The same again, without the allocator."""
    open_shop(store, Network(store))
    for words in commands:
        store.command(*words)
        store.fsync()
    return len(commands)


def worlds(store: Store) -> int:
    """Worlds in which every twentieth call fails in some way; each with a loop and a clock of its own."""
    for seed in range(WORLDS):
        chance = random.Random(seed)
        random.seed(seed)
        network = Network(store)
        allocator = open_shop(store, network)
        whats = ["lost", "cut", "doubled", "crashed", "crashed_late"]
        network.fate = lambda _, chance=chance, whats=whats: (
            Fate(chance.choice(whats)) if chance.random() < 0.05 else ANSWERED
        )
        loop = VirtualLoop()
        loop.run(live(allocator, chance))
        loop.close()
    return WORLDS


async def live(allocator: Allocator, chance: random.Random) -> None:
    for number in range(VERBS):
        verb = chance.randrange(3)
        try:
            if verb == 0:
                await allocator.hold(hold(str(number), chance.randint(1, 3)))
            elif verb == 1:
                await allocator.order(order(str(number), chance.randint(1, 3)))
            else:
                await allocator.availability([CUP], ["shop", "amazon", "till"])
        except (errors.Refusal, errors.Unanswered):
            continue


def main() -> None:
    stamina.instrumentation.set_on_retry_hooks([])  # otherwise each retry is a line on the terminal
    store = Store()
    commands = record(store)
    print(f"one-line orders, scripts alone        {per_second(lambda: scripts(store, commands)):10,.0f} /s")
    print(f"one-line orders through the allocator {per_second(lambda: orders(store)):10,.0f} /s")
    print(f"availability through the allocator    {per_second(lambda: reads(store)):10,.0f} /s")
    print(f"worlds of {VERBS} verbs with faults       {per_second(lambda: worlds(store)):10,.1f} /s")


if __name__ == "__main__":
    main()
