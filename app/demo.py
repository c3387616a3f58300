"""`allot demo`: five channels, 200 buyers for the last 100 bicycles, and what each channel was told, shows and sold."""

import asyncio
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from .demo_burst import ORDERS, SHELF_UNITS, SKU, State, Verdict, burst, judge, refill, state_of
from .demo_circle import CHANNELS, Bought, Buyers, Circle, Sight
from .demo_lag import Lags, lags_of, since
from .demo_table import Row, final_table, live_line, live_table
from .fair import HOST, SKUS, Goods, doors, fair
from .replay.calls import Caller, Unreachable
from .replay.tally import Tally
from .seed import DEMO_SHOP
from .service_process import OwnService, ServiceFailed, own_service
from .stopping import Stop

TRICKLED: Final = {"TYRE-28-TOUR": False, "TUBE-28": True, "HELMET-M": True, "LOCK-U": True}
"""What is bought before the burst, and whether the store in Amsterdam has it."""

TRICKLE_ORDERS: Final = 25
TRICKLE_SECONDS: Final = 0.2
CONNECT_SECONDS_MAX: Final = 90.0
SETTLE_SECONDS_MAX: Final = 120.0
REFRESH_SECONDS: Final = 1.0
CONNECTIONS: Final = 8
WIDTH: Final = 122
"""Wide enough for the table where there is no terminal to ask."""


def demo(
    *,
    port: Annotated[int, typer.Option(help="Where the service answers; a free port if it is taken.")] = 8000,
    once: Annotated[bool, typer.Option("--once", help="End after the verdict.")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the shop's data here.")] = None,
) -> None:
    """Run a small bicycle shop on five channels and let 200 buyers race for its last 100 bicycles."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    try:
        with Stop() as stop, _folder(data_dir, console) as folder, doors() as through:
            number = _port(port, console)
            # Channels are beside us, and tell us of orders at the address where we answer.
            settings = {"ALLOT_CHANNELS_ALLOW_PRIVATE": "true", "ALLOT_PUBLIC_URL": f"http://{HOST}:{number}"}
            with own_service(folder, DEMO_SHOP, port=number, stop=stop, settings=settings) as service:
                is_right = asyncio.run(_Demo(service, through, console, once=once).run(stop))
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
    """The port, or a free one when somebody else has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            console.print(f"Port {wanted} is taken; the service takes a free one.")
            return _port(0, console)
        return int(probe.getsockname()[1])


class _Demo:
    """One showing: channels are connected, a trickle of orders, the burst, the account; then the shop stays open."""

    def __init__(
        self, service: OwnService, through: Mapping[str, socket.socket], console: Console, *, once: bool
    ) -> None:
        self._service = service
        self._through = through
        self._console = console
        self._once = once
        self._run = secrets.token_hex(3)
        self._stop = asyncio.Event()
        self._live: Live | None = None

    async def run(self, stop: Stop) -> bool:
        """Show everything; False only for a wrong verdict. Raises ServiceFailed, Unreachable."""
        loop, chance = asyncio.get_running_loop(), Random(self._run)
        # Channels never give an id twice; the data may be those of an earlier demo.
        goods = Goods(SKUS, self._service.url, self._service.key, after=chance.randrange(10**5) * 10**4)
        with stop.telling(lambda: loop.call_soon_threadsafe(self._stop.set)), self._shown():
            async with (
                fair(self._through, goods, chance) as (stalls, _),
                Caller(self._service.url, self._service.key, Tally(), CONNECTIONS) as caller,
            ):
                circle = Circle(caller, Buyers(stalls))
                verdict = await self._play(circle)
                if verdict:
                    await self._stay_open(circle)
        return verdict is None or verdict.is_right

    async def _play(self, circle: Circle) -> Verdict | None:
        """Connect, trickle, burst and account; None when it was stopped meanwhile."""
        units = await refill(circle.caller, self._run)
        if units:
            self._console.print(f"{units} units of {SKU} were delivered, so that there are {SHELF_UNITS} again.")
        await circle.connect()
        connected = await self._settled(circle, "channels are connected and told their numbers", CONNECT_SECONDS_MAX)
        if self._stop.is_set():
            return None
        if not connected:
            raise ServiceFailed(f"channels do not show their numbers after {CONNECT_SECONDS_MAX:g} s")
        await self._refresh(circle, "every channel shows its number")
        before = await lags_of(self._service.url), await state_of(circle.caller)
        await self._trickle(circle)
        first = len(circle.buyers.bought)
        self._say(f"{ORDERS} buyers for the last {SHELF_UNITS} of {SKU}")
        await burst(circle.buyers, self._run, self._stop.is_set)
        await self._refresh(circle, "after the burst")
        is_settled = await self._settled(circle, "orders come in, numbers go out", SETTLE_SECONDS_MAX)
        if self._stop.is_set():
            return None
        await self._refresh(circle, "all is taken and told" if is_settled else "not all is taken and told")
        return await self._account(circle, circle.buyers.bought[first:], *before)

    async def _trickle(self, circle: Circle) -> None:
        for number in range(TRICKLE_ORDERS):
            chance = Random(f"{self._run}-{number}")
            code = chance.choice(list(CHANNELS))
            sku = chance.choice([sku for sku, is_there in TRICKLED.items() if is_there or code != "pos"])
            circle.buyers.buy(code, sku, chance.randint(1, 3), till="till-1" if code == "pos" else "")
            if await self._stopped_within(TRICKLE_SECONDS):
                return
            if number % 5 == 0:
                await self._refresh(circle, "orders trickle in", quiet=True)

    async def _account(self, circle: Circle, raced: Sequence[Bought], lags: Lags, before: State) -> Verdict:
        """Every order looked for, every number compared, and told."""
        bought, became = circle.buyers.bought, await circle.became()
        sights, told = await circle.look(), await circle.told(SKU)
        lags = since(await lags_of(self._service.url), lags)
        verdict = judge(
            before,
            await state_of(circle.caller),
            sold=sum(one.units for one in raced if one.code == "pos"),
            refused=ORDERS - len(raced),
            lost=len(bought) - len(became),
            behind=sum(sight.shown != sight.published for sight in sights),
        )
        rows = [_row(sight, told[sight.code], circle.buyers, became, lags) for sight in sights]
        self._console.print(final_table(rows, verdict.oversold))
        self._tell(verdict)
        return verdict

    async def _stay_open(self, circle: Circle) -> None:
        while not self._once and not await self._stopped_within(REFRESH_SECONDS):
            await self._refresh(circle, "open for business; Ctrl-C ends it", quiet=True)

    async def _settled(self, circle: Circle, phase: str, seconds: float) -> bool:
        self._say(phase)

        async def tell(sights: list[Sight]) -> bool:
            self._update(sights, phase)
            return self._stop.is_set()

        return await circle.settled(seconds, tell)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    # --- what people see ---------------------------------------------------------------------------------------

    @contextmanager
    def _shown(self) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield

    def _say(self, phase: str) -> None:
        if self._live is None:
            self._console.print(phase, soft_wrap=True)

    def _update(self, sights: Sequence[Sight], phase: str) -> None:
        if self._live:
            self._live.update(live_table(sights, phase), refresh=True)

    async def _refresh(self, circle: Circle, phase: str, *, quiet: bool = False) -> None:
        """Show what channels show now; without a terminal as a line, unless it is `quiet`."""
        if self._live is None and quiet:
            return
        sights = await circle.look()
        self._update(sights, phase)
        if self._live is None:
            self._console.print(live_line(sights, phase), soft_wrap=True)

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


def _row(sight: Sight, told: int | None, buyers: Buyers, became: Mapping[Bought, Mapping[str, int]], lags: Lags) -> Row:
    code = sight.code
    lines = [line for one, line in became.items() if one.code == code]
    bought = sum(one.code == code for one in buyers.bought)
    return Row(
        code=code,
        pushed=told,
        shown=sight.shown[SKU],
        published=sight.published[SKU],
        p50=lags[code].at(0.5) if code in lags else None,
        p99=lags[code].at(0.99) if code in lags else None,
        asked=bought + buyers.refused[code],
        refused=buyers.refused[code],
        taken=len(lines),
        waiting=sum(line["backordered"] + line["conflict"] for line in lines),
        calls=buyers.calls(code),
    )
