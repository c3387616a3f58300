"""`allot replay`: from the file and the options to a report and an exit code."""

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import typer
from rich.console import Console

from app.seed import Seed
from app.service_process import OwnService, ServiceFailed, own_service
from app.stopping import Stop

from .books import Check, Shelves, check_store, judge, judge_all, judge_desk, read_shelves, settle
from .calls import Caller, Unreachable
from .mishaps import Mishaps, late, shares
from .order_file import Invoice, OrderFileInvalid, read_orders
from .plan import Plan, make_plan
from .play import Player
from .progress import Progress
from .report import Report, Setup, describe_demand, describe_shares, machine, make_report, show
from .shop import make_places, make_shop, make_split, write_shop
from .split import Split
from .tally import Tally

REPORT_WIDTH: Final = 110
"""Wide enough for every table where there is no terminal to ask."""


class ShopInUse(Exception):
    """The service given has stock already, so the books would not be the replay's own."""


class Play(NamedTuple):
    """Everything that is decided before the first request."""

    path: Path
    invoices: list[Invoice]
    split: Split
    plan: Plan
    shop: Seed
    setup: Setup

    @property
    def skus(self) -> list[str]:
        return [sku.sku for sku in self.shop.skus]


class Target(NamedTuple):
    """The service to play against; `store_url` is '' and `data` None when its store is not ours."""

    url: str
    key: str
    store_url: str
    data: Path | None = None


def replay(
    file: Annotated[Path, typer.Argument(help="CSV, plain or gzip: invoice,placed_at,country,stock_code,quantity.")],
    *,
    in_flight: Annotated[int, typer.Option(help="Requests in flight.", min=1, max=1_000)] = 32,
    stocked: Annotated[float, typer.Option(help="Share of each article's demand that is received.", min=0.0)] = 0.9,
    locations: Annotated[int, typer.Option(help="Warehouses and stores together.", min=2, max=15)] = 4,
    seed: Annotated[int, typer.Option(help="Deals invoices to channels in another way.")] = 1,
    limit: Annotated[int | None, typer.Option(help="Only so many invoices.", min=1)] = None,
    mishaps: Annotated[
        bool, typer.Option("--mishaps", help="Edits, cancelled picks, rejects, weekly counts, tills that are offline.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    url: Annotated[str, typer.Option(help="A running service; without it one is started and stopped.")] = "",
    key: Annotated[str, typer.Option(help="Its API key.", envvar="ALLOT_KEY")] = "",
    shop_file: Annotated[
        Path | None, typer.Option(help="Write the shop for `allot serve --seed` there, and play nothing.")
    ] = None,
) -> None:
    """Send an order file through the allocator, many at once, and check every promise afterwards."""
    if bool(url) != bool(key):
        raise typer.BadParameter("--url and --key belong together")
    notes = Console(stderr=True)
    try:
        play = prepare(file, in_flight=in_flight, stocked=stocked, locations=locations, seed=seed, limit=limit, url=url)
        if mishaps:
            play = play._replace(setup=msgspec.structs.replace(play.setup, mishaps=shares()))
        if shop_file:
            write_shop(play.shop, shop_file)
            return
        with Stop() as stop:
            report = _play(play, url, key, notes, stop)
    except (OrderFileInvalid, ServiceFailed, ShopInUse, Unreachable, OSError) as error:
        notes.print(f"allot cannot replay: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    _tell(report, as_json=as_json)
    raise typer.Exit(0 if report.kept else 1)


def prepare(
    file: Path, *, in_flight: int, stocked: float, locations: int, seed: int, limit: int | None, url: str = ""
) -> Play:
    """Read the file, deal its invoices to channels and plan the stock. Raises OrderFileInvalid."""
    invoices = read_orders(file, limit)
    places = make_places(locations)
    split = make_split(seed, places)
    plan = make_plan(invoices, split, stocked)
    shop = make_shop(invoices, places, plan)
    setup = Setup(seed, stocked, locations, in_flight, describe_shares(), own_service=not url)
    return Play(file, invoices, split, plan, shop, setup)


def _play(play: Play, url: str, key: str, notes: Console, stop: Stop) -> Report:
    with _target(play, url, key, stop) as target:
        try:
            return asyncio.run(_run_until_asked(play, target, notes, stop))
        except asyncio.CancelledError:
            stop.leave_if_asked()
            raise


async def _run_until_asked(play: Play, target: Target, notes: Console, stop: Stop) -> Report:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    with stop.telling(lambda: loop.call_soon_threadsafe(task.cancel)):
        return await run(play, target, notes)


@contextmanager
def _target(play: Play, url: str, key: str, stop: Stop) -> Iterator[Target]:
    if url:
        yield Target(url, key, "")
        return
    with tempfile.TemporaryDirectory(prefix="allot-replay-") as name:
        folder = Path(name)
        write_shop(play.shop, folder / "shop.yaml")
        with own_service(folder / "service", folder / "shop.yaml", stop=stop) as service:
            yield _own(service, folder / "service" / "data")


def _own(service: OwnService, data: Path) -> Target:
    return Target(service.url, service.key, service.store_url, data)


async def run(play: Play, target: Target, notes: Console) -> Report:
    """Play, wait until the books are at rest, and look at them. Raises Unreachable, ShopInUse."""
    # What was read lives to the end; collecting it again and again would be measured as waiting.
    gc.freeze()
    tally, in_flight = Tally(), play.setup.in_flight
    async with Caller(target.url, target.key, tally, in_flight) as caller:
        if play.setup.own_service is False:
            await _refuse_used(caller, play)
        mishaps = Mishaps(caller, play.split, play.plan, tally) if play.setup.mishaps else None
        invoices = late(play.invoices, play.split, tally) if mishaps else play.invoices
        with Progress("invoices", len(invoices), notes) as progress:
            player = Player(caller, play.split, play.plan, tally, progress.step, mishaps)
            await player.open(in_flight)
            began, before = time.perf_counter(), tally.requests()
            await player.play(invoices, in_flight)
            seconds, requests = time.perf_counter() - began, tally.requests() - before
        if mishaps:
            await mishaps.finish()
        settled = await settle(caller, play.skus)
        shelves = await read_shelves(caller, play.skus, tally, in_flight)
        more = [await judge_desk(caller, shelves), await judge_all(target.data)] if mishaps else []
    return await _finish(play, target, tally, shelves, more, settled=settled, seconds=seconds, requests=requests)


async def _finish(
    play: Play,
    target: Target,
    tally: Tally,
    shelves: Shelves,
    more: list[Check],
    *,
    settled: bool,
    seconds: float,
    requests: int,
) -> Report:
    store, server = await check_store(target.store_url) if target.store_url else (None, "a server of the service's own")
    return make_report(
        tally,
        shelves,
        judge(tally, shelves, store, settled=settled) + more,
        machine=machine(server),
        demand=describe_demand(play.path, play.invoices, play.plan),
        setup=play.setup,
        seconds=seconds,
        requests=requests,
    )


async def _refuse_used(caller: Caller, play: Play) -> None:
    """A shop that is not the replay's own, or not empty, has units nobody told the replay of."""
    tally = Tally()
    shelves = await read_shelves(caller, play.skus, tally, play.setup.in_flight)
    if tally.errors:
        raise ShopInUse(f"the service has another shop ({tally.samples[0]}); seed it with what --shop-file writes")
    if shelves.on_hand.total() or shelves.committed:
        raise ShopInUse("the service has stock or orders already; a replay needs a new data folder")


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=REPORT_WIDTH)
    show(report, console)
