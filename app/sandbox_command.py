"""`allot sandbox`: all sandboxes on this machine, with buyers, for trying connections out."""

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from channels.sandbox.market import Stall

from .fair import SKUS, Goods, doors, fair
from .stopping import Stop


def sandbox(
    *,
    port: Annotated[int, typer.Option(help="Port of the first; the others follow. 0 takes free ones.")] = 9301,
    orders_per_minute: Annotated[float, typer.Option(min=0, max=6_000, help="Purchases at all of them together.")] = 12,
    faults: Annotated[float, typer.Option(min=0, max=1, help="Share of purchases with which a fault comes.")] = 0,
    skus: Annotated[str, typer.Option(help="What they sell, separated by commas.")] = ",".join(SKUS),
    service: Annotated[str, typer.Option(help="Address of Allot, for tills and Amazon's notifications.")] = "",
    key: Annotated[str, typer.Option(envvar="ALLOT_KEY", help="The tills' API key.")] = "",
    seed: Annotated[int, typer.Option(help="The same buyers again.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each, and for each order.")] = False,
) -> None:
    """Run a sandbox of every channel, with buyers; connections to them need ALLOT_CHANNELS_ALLOW_PRIVATE."""
    console = Console(highlight=False)
    with Stop() as stop, ExitStack() as until:
        try:
            through = until.enter_context(doors(port))
        except OSError as error:
            console.print(f"allot cannot run the sandboxes: {error}", markup=False, soft_wrap=True)
            raise typer.Exit(2) from None
        goods = Goods(skus.split(","), service.rstrip("/"), key)
        market = _Market(console, Random(seed), rate=orders_per_minute / 60, faults=faults, as_json=as_json)
        asyncio.run(market.run(stop, through, goods))
    if not as_json:
        console.print("The sandboxes have stopped.")


class _Market:
    """The sandboxes while they run, and their buyers. rate: purchases a second."""

    def __init__(self, console: Console, chance: Random, *, rate: float, faults: float, as_json: bool) -> None:
        self._console, self._chance = console, chance
        self._rate, self._faults, self._as_json = rate, faults, as_json

    async def run(self, stop: Stop, through: Mapping[str, socket.socket], goods: Goods) -> None:
        """Until a signal comes; then every server finishes what it has begun."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with fair(through, goods, self._chance) as (stalls, urls):
            self._show(stalls, urls)
            with stop.telling(lambda: loop.call_soon_threadsafe(ended.set)):
                buying = asyncio.create_task(self._buy(stalls))
                await ended.wait()
            buying.cancel()
            await asyncio.gather(buying, return_exceptions=True)

    async def _buy(self, stalls: Sequence[Stall]) -> None:
        while self._rate:
            await asyncio.sleep(self._chance.expovariate(self._rate))
            stall = self._chance.choice(stalls)
            if self._chance.random() < self._faults:
                stall.go_wrong(self._chance)
            order = stall.visit(self._chance)
            if self._as_json:
                self._say({"event": "order" if order else "sold_out", "name": stall.name, "order": order})
            else:
                self._console.print(f"{stall.name}: {f'order {order}' if order else 'sold out'}", markup=False)

    def _show(self, stalls: Sequence[Stall], urls: Mapping[str, str]) -> None:
        if self._as_json:
            for one in stalls:
                told = {"connector": one.name, "settings": one.settings, "secrets": one.secrets}
                self._say({"event": "ready", "name": one.name, "url": urls[one.name], "listings": one.listings, **told})
            return
        table = Table("connector", "address", "listings", title="Sandboxes")
        for one in stalls:
            listings = ", ".join(f"{sku} = {listing}" for sku, listing in one.listings.items() if sku != listing)
            table.add_row(one.name, urls[one.name], listings or "called like the skus")
        self._console.print(table)
        self._console.print("Connections to them, for PUT /v1/connections/{code}; each needs its channel:")
        for one in stalls:
            self._say({"connector": one.name, "settings": one.settings, "secrets": one.secrets})

    def _say(self, row: Mapping[str, object]) -> None:
        self._console.print(json.dumps(row), markup=False, soft_wrap=True)
