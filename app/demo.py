"""`allot demo`: a running shop, 200 orders at once for its last 100 bicycles, and a live table of the promises left."""

import asyncio
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from .demo_burst import ORDERS, SHELF_UNITS, SKU, Verdict, burst, refill
from .replay.calls import Caller, Unreachable
from .replay.tally import Tally
from .seed import DEMO_SHOP
from .service_process import OwnService, ServiceFailed, own_service
from .stopping import Stop

HOST: Final = "127.0.0.1"
CHANNELS: Final = ("shop", "tills", "amazon", "ebay")
SHOWN: Final = (SKU, "CITY-28-RED", "TYRE-28-TOUR", "TUBE-28", "HELMET-M", "LOCK-U")
TRICKLED: Final = ("TYRE-28-TOUR", "TUBE-28", "HELMET-M", "LOCK-U")
TRICKLE_ORDERS: Final = 20
TRICKLE_SECONDS: Final = 0.25
REFRESH_SECONDS: Final = 1.0


def demo(
    *,
    port: Annotated[int, typer.Option(help="Where the service answers; a free port if it is taken.")] = 8000,
    once: Annotated[bool, typer.Option("--once", help="End after the verdict.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the shop's data here.")] = None,
) -> None:
    """Run a small bicycle shop and let 200 orders race for its last 100 bicycles."""
    console = Console(highlight=False)
    try:
        with Stop() as stop, _folder(data_dir, console) as folder:
            number = _port(port, console)
            with own_service(folder, DEMO_SHOP, port=number, stop=stop) as service:
                is_right = asyncio.run(_Demo(service, console, once=once).run(stop))
    except (ServiceFailed, Unreachable, OSError) as error:
        console.print(f"allot cannot show the demo: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    console.print("The service has stopped.")
    raise typer.Exit(0 if is_right else 1)


@contextmanager
def _folder(given: Path | None, console: Console) -> Iterator[Path]:
    if given:
        console.print(f"The shop's data are kept in {given}.", soft_wrap=True)
        yield given.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="allot-demo-") as name:
        console.print(f"The shop's data are in {name}, which is removed at the end.", soft_wrap=True)
        yield Path(name)


def _port(wanted: int, console: Console) -> int:
    """The port, or 0 for a free one when somebody else has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            console.print(f"Port {wanted} is taken; the service takes a free one.")
            return 0
    return wanted


class _Demo:
    """One showing: a trickle of orders, the burst, the verdict, and then the shop stays open."""

    def __init__(self, service: OwnService, console: Console, *, once: bool) -> None:
        self._service = service
        self._console = console
        self._once = once
        self._run = secrets.token_hex(3)
        self._stop = asyncio.Event()

    async def run(self, stop: Stop) -> bool:
        """Show everything; False only for a wrong verdict. Raises Unreachable."""
        loop = asyncio.get_running_loop()
        with stop.telling(lambda: loop.call_soon_threadsafe(self._stop.set)), self._live() as live:
            async with Caller(self._service.url, self._service.key, Tally(), ORDERS) as caller:
                verdict = await self._play(caller, live)
                if verdict:
                    self._tell(verdict)
                    await self._stay_open(caller, live)
        return verdict is None or verdict.is_right

    async def _stay_open(self, caller: Caller, live: Live | None) -> None:
        while not self._once and not await self._stopped_within(REFRESH_SECONDS):
            await self._refresh(caller, live, "open for business; Ctrl-C ends it", quiet=True)

    async def _play(self, caller: Caller, live: Live | None) -> Verdict | None:
        """Trickle and burst; None when it was stopped meanwhile."""
        units = await refill(caller, self._run)
        if units:
            self._console.print(f"{units} units of {SKU} were delivered, so that there are {SHELF_UNITS} again.")
        await self._refresh(caller, live, "the shop has opened")
        for number in range(TRICKLE_ORDERS):
            await self._trickle(caller, number)
            if await self._stopped_within(0 if self._once else TRICKLE_SECONDS):
                return None
            await self._refresh(caller, live, "orders trickle in", quiet=True)
        await self._refresh(caller, live, f"{ORDERS} orders at once for {SKU}")
        verdict = await burst(caller, self._run)
        await self._refresh(caller, live, "after the burst")
        return verdict

    async def _trickle(self, caller: Caller, number: int) -> None:
        chance = Random(f"{self._run}-{number}")
        lines = [{"sku": sku, "units": chance.randint(1, 3)} for sku in chance.sample(TRICKLED, 2)]
        asked = {"lines": lines, "at": "amsterdam"}
        channel = chance.choice(CHANNELS)
        await caller.place(channel, f"{self._run}-{number}", asked)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    # --- what people see ---------------------------------------------------------------------------------------

    @contextmanager
    def _live(self) -> Iterator[Live | None]:
        if not self._console.is_terminal:
            yield None
            return
        with Live(console=self._console, auto_refresh=False) as live:
            yield live

    async def _refresh(self, caller: Caller, live: Live | None, phase: str, *, quiet: bool = False) -> None:
        """Show what may be promised now; without a terminal as a line, unless it is `quiet`."""
        if live is None and quiet:
            return
        answer = await caller.levels(SHOWN, CHANNELS)
        levels = {(level["sku"], level["channel"]): level["atp_now"] for level in answer.body["levels"]}
        if live:
            live.update(_table(levels, phase), refresh=True)
        else:
            numbers = ", ".join(f"{channel} {levels[SKU, channel]}" for channel in CHANNELS)
            self._console.print(f"{phase}: {SKU} may be promised by {numbers}", soft_wrap=True)

    def _tell(self, verdict: Verdict) -> None:
        for line in verdict.lines():
            self._console.print(line, soft_wrap=True)
        if self._once:
            return
        url, key = self._service.url, self._service.key
        self._console.print(
            f"\nThe API answers at {url} (documentation: {url}/docs) with the key {key}", soft_wrap=True
        )
        self._console.print(f'curl -H "Authorization: Bearer {key}" {url}/v1/availability/{SKU}', soft_wrap=True)


def _table(levels: dict[tuple[str, str], int], phase: str) -> Table:
    table = Table(title="Units each channel may promise now", caption=phase, title_justify="left")
    for position, column in enumerate(("", *CHANNELS)):
        table.add_column(column, justify="right" if position else "left")
    for sku in SHOWN:
        table.add_row(sku, *(str(levels[sku, channel]) for channel in CHANNELS))
    return table
