"""`allot sandbox`: all sandboxes on this machine, with buyers, for trying connections out."""

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Annotated, Final

import httpx
import typer
import uvicorn
from rich.console import Console
from rich.table import Table

from channels.sandbox.market import NAMES, Market, Stall

from .stopping import Stop
from .times import now_ms

HOST: Final = "127.0.0.1"
DELIVER_SECONDS: Final = 0.5
SECONDS_MAX: Final = 5.0
SKUS: Final = "CITY-28-BLACK,HELMET-M,LOCK-U,TYRE-28-TOUR,TUBE-28"
"""Of the shop that `allot demo` and `allot serve --seed app/demo_shop.yaml` have."""


def sandbox(
    *,
    port: Annotated[int, typer.Option(help="Port of the first; the others follow. 0 takes free ones.")] = 9301,
    orders_per_minute: Annotated[float, typer.Option(min=0, max=6_000, help="Purchases at all of them together.")] = 12,
    faults: Annotated[float, typer.Option(min=0, max=1, help="Share of purchases with which a fault comes.")] = 0,
    skus: Annotated[str, typer.Option(help="What they sell, separated by commas.")] = SKUS,
    service: Annotated[str, typer.Option(help="Address of Allot, for tills and Amazon's notifications.")] = "",
    key: Annotated[str, typer.Option(envvar="ALLOT_KEY", help="The tills' API key.")] = "",
    seed: Annotated[int, typer.Option(help="The same buyers again.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each, and for each order.")] = False,
) -> None:
    """Run a sandbox of every channel, with buyers; connections to them need ALLOT_CHANNELS_ALLOW_PRIVATE."""
    console = Console(highlight=False)
    with Stop() as stop, ExitStack() as until:
        try:
            doors = {name: until.enter_context(_bound(port and port + number)) for number, name in enumerate(NAMES)}
        except OSError as error:
            console.print(f"allot cannot run the sandboxes: {error}", markup=False, soft_wrap=True)
            raise typer.Exit(2) from None
        fair = _Fair(console, Random(seed), rate=orders_per_minute / 60, faults=faults, as_json=as_json)
        asyncio.run(fair.run(stop, doors, skus.split(","), service.rstrip("/"), key))
    if not as_json:
        console.print("The sandboxes have stopped.")


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise OSError(f"{HOST}:{port}: {error.strerror}") from error
    return listener


class _Fair:
    """The sandboxes while they run. rate: purchases a second."""

    def __init__(self, console: Console, chance: Random, *, rate: float, faults: float, as_json: bool) -> None:
        self._console, self._chance = console, chance
        self._rate, self._faults, self._as_json = rate, faults, as_json

    async def run(
        self, stop: Stop, doors: Mapping[str, socket.socket], skus: Sequence[str], service: str, key: str
    ) -> None:
        """Until a signal comes; then every server finishes what it has begun."""
        urls = {name: f"http://{HOST}:{door.getsockname()[1]}" for name, door in doors.items()}
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(timeout=SECONDS_MAX, trust_env=False) as http:
            market = Market(skus, urls, now_ms, http, self._chance, service, key)
            stalls = market.stalls()
            servers = {stall.name: _Server(_config(stall)) for stall in stalls}
            serving = [asyncio.create_task(servers[name].serve(sockets=[doors[name]])) for name in NAMES]
            self._show(stalls, urls)
            with stop.telling(lambda: loop.call_soon_threadsafe(ended.set)):
                working = [asyncio.create_task(work) for work in (self._buy(stalls), self._deliver(stalls))]
                await ended.wait()
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            for server in servers.values():
                server.should_exit = True
            await asyncio.gather(*serving)

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

    async def _deliver(self, stalls: Sequence[Stall]) -> None:
        while True:
            await asyncio.sleep(DELIVER_SECONDS)
            for stall in stalls:
                await stall.sandbox.deliver()

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


class _Server(uvicorn.Server):
    """One of several in a process: signals are for the command, which ends all of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def _config(stall: Stall) -> uvicorn.Config:
    return uvicorn.Config(
        stall.sandbox.app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=2
    )
