"""
Two sets of twins more: the oracle beside the shim, and the oracle beside a server whose every call the shim repeats.

So every walk and every state machine of tests/allocator can be walked here as well.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import ResponseError

from allocator import Allocator, Config, SellerKeys, make_client
from allocator.scripts import Script
from tests.allocator.oracle import Oracle
from tests.allocator.town import EPOCH, NOON, SELLER, town
from tests.allocator.twins import Ear, Twins
from tests.simulator.loop import VirtualLoop, drive
from tests.simulator.pipe import Network, SimulatedPipe
from tests.simulator.sameness import comparable
from tests.simulator.store import Store


class ShimEar(SimulatedPipe, Ear):
    """A pipe to the shim that remembers what went through it."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.heard = []

    async def run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        return await Ear.run(self, script, keys, arguments)


class MirrorEar(Ear):
    """A pipe to a server; whatever it carries is also asked of the shim, and each reply must be the same."""

    def __init__(self, client: Any, shim: SimulatedPipe) -> None:
        super().__init__(client)
        self.shim = shim

    async def run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        ours = self.repeat(script, keys, arguments)
        try:
            theirs = list(await super().run(script, keys, arguments))
        except ResponseError as error:
            self.compare(script, arguments, error, ours)
            raise
        self.compare(script, arguments, theirs, ours)
        return theirs

    def compare(self, script: Script, arguments: list[Any], theirs: Any, ours: Any) -> None:
        same = comparable(["FCALL"], theirs) == comparable(["FCALL"], ours)
        assert same, f"{script.name} {arguments[3:]}\n  server {theirs}\n  shim {ours}"

    def repeat(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        try:
            return drive(self.shim.run(script, keys, arguments))
        except ResponseError as error:
            return error


class _InTurn(Twins):
    """Twins that are asked one after the other even by a crowd: what is one process has nobody beside it."""

    def begin(self, ear: Ear, config: Config | None) -> None:
        self.agree, self.seller, self.ear, self.client = True, SELLER, ear, ear.client
        self.allocator = Allocator(ear, SELLER, EPOCH)
        self.allocator.now_ms = NOON
        self.oracle = Oracle(EPOCH)
        self.run(self.client.delete(*SellerKeys(SELLER).all()))
        self.run(self.allocator.begin())
        self.configure(config or town())

    def ask_together(self, works: list[Callable[[Allocator], Awaitable[Any]]]) -> None:
        for work in works:
            self.ask(work(self.allocator))


class ShimTwins(_InTurn):
    """The oracle and the shim, in one process and without an event loop's time."""

    def __init__(
        self, config: Config | None = None, store: Store | None = None, network: Callable[[Store], Network] = Network
    ) -> None:
        self.store = store or Store()
        self.loop = VirtualLoop()
        self.network = network(self.store)
        self.begin(ShimEar(self.network), config)

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run(work)

    def close(self) -> None:
        self.loop.close()


class MirrorTwins(_InTurn):
    """The oracle, a server, and the shim that repeats it."""

    def __init__(self, url: str, config: Config | None = None) -> None:
        self.runner = asyncio.Runner()
        self.url, self.store = url, Store()
        self.begin(MirrorEar(make_client(url), SimulatedPipe(Network(self.store))), config)

    def close(self) -> None:
        self.run(self.ear.close())
        self.runner.close()

    def compare_data(self) -> None:
        """Every key of the seller holds the same on both sides; ids of ledger entries aside, which follow the clock."""
        theirs = self.run(dump(self.client))
        ours = drive(dump(self.ear.shim.client))
        assert ours == theirs


async def dump(client: Any) -> dict[str, Any]:
    """All that a seller has, by key."""
    (seller, config, stock, ops, ledger, holds, owners, deadlines, orders, waiting, *rest) = SellerKeys(SELLER).all()
    slots, forgotten, servable = rest
    found: dict[str, Any] = {name: await client.hgetall(name) for name in (seller, config, stock, ops, holds, owners)}
    found |= {orders: await client.hgetall(orders), servable: await client.smembers(servable)}
    found |= {forgotten: await client.get(forgotten)}
    found |= {name: await client.zrange(name, 0, -1, withscores=True) for name in (deadlines, waiting, slots)}
    entries = await client.xrange(ledger)
    return found | {ledger: [fields for _, fields in entries]}
