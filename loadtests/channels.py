"""
`make circle`: channels under load. 5,000 skus whose number changes on every channel, and 200 orders at once by webhook.

A service of its own trades with the sandboxes of all channels beside it, which have their vendors' limits. Told are the
calls that numbers took, against the fewest that the vendor's batches allow, the time until every channel showed them,
against the least that its limits allow, and how long orders took from the webhook until they were ours. Nothing timed
decides the exit code; an order that is lost or doubled, or a channel that does not show its numbers, does.
"""

import asyncio
import json
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from app.demo_circle import Buyers, Circle
from app.fair import HOST, Goods, doors, fair
from app.replay.calls import Caller, Unreachable
from app.replay.tally import Tally
from app.service_process import OwnService, ServiceFailed, own_service
from app.stopping import Stop

from .channel_orders import Heard, orders_at_once
from .channel_pushes import Round, push_all
from .channel_report import order_table, push_table
from .channel_shop import SECOND_UNITS, UNITS, make_shop, sku_names
from .processes import machine
from .programs import free_port

CONNECTIONS: Final = 8
WIDTH: Final = 118

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def channels(
    *,
    skus: Annotated[int, typer.Option(help="Skus on every channel.", min=40, max=20_000)] = 5_000,
    orders: Annotated[int, typer.Option(help="Orders that come at once.", min=5, max=2_000)] = 200,
    feed_seconds: Annotated[int, typer.Option(help="How long Amazon works through a feed.", min=1)] = 300,
    first_feed_seconds: Annotated[int, typer.Option(help="The same in the first round.", min=1)] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON, for machines.")] = False,
) -> None:
    """Measure the way of numbers to channels, and of orders from them."""
    notes = Console(stderr=True, highlight=False)
    try:
        with Stop() as stop:
            work = _Work(skus, orders, feed_seconds, first_feed_seconds, notes)
            rounds, heard = _run(work, stop)
    except (OSError, ServiceFailed, Unreachable) as error:
        notes.print(f"the channels could not be measured: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    right = all(row.shows_all for row in rounds) and heard.is_right
    if as_json:
        print(json.dumps({**machine(), "skus": skus, "rounds": [row._asdict() for row in rounds], **heard.figures()}))
    else:
        _tell(skus, rounds, heard)
    raise typer.Exit(0 if right else 1)


class _Work:
    """What is to be measured."""

    def __init__(self, skus: int, orders: int, feed_s: int, first_feed_s: int, notes: Console) -> None:
        self.skus, self.orders, self.notes = skus, orders, notes
        self.feed_ms, self.first_feed_ms = feed_s * 1_000, first_feed_s * 1_000

    async def run(self, service: OwnService, through: Any) -> tuple[list[Round], Heard]:
        """Both rounds of pushes, and the orders."""
        names = sku_names(self.skus)
        goods = Goods(names, service.url, service.key)
        async with (
            fair(through, goods, Random(1)) as (stalls, _),
            Caller(service.url, service.key, Tally(), CONNECTIONS) as caller,
        ):
            circle = Circle(caller, Buyers(stalls))
            feeds = circle.buyers.stalls["amazon"].sandbox.feeds
            feeds.feed_ms = self.first_feed_ms
            self.notes.print("connecting the channels …")
            rounds = await push_all(circle, names, "first", UNITS, circle.connect, feeds.feed_ms / 1_000, self.notes)
            feeds.feed_ms = self.feed_ms
            self.notes.print("changing every number …")
            change = _receiving(caller, names)
            rounds += await push_all(
                circle, names, "changed", UNITS + SECOND_UNITS, change, feeds.feed_ms / 1_000, self.notes
            )
            self.notes.print(f"{self.orders} orders at once …")
            return rounds, await orders_at_once(circle, names, self.orders)


def _receiving(caller: Caller, names: list[str]) -> Any:
    async def change() -> None:
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            lines = [{"sku": sku, "location": "amsterdam", "units": SECOND_UNITS} for sku in some]
            await caller.receive(lines, f"truck-{start}")

    return change


def _run(work: _Work, stop: Stop) -> tuple[list[Round], Heard]:
    with tempfile.TemporaryDirectory(prefix="allot-load-") as name, doors() as through:
        home, port = Path(name), free_port()
        (home / "seed.yaml").write_text(json.dumps(make_shop(work.skus)))
        settings = {"ALLOT_CHANNELS_ALLOW_PRIVATE": "true", "ALLOT_PUBLIC_URL": f"http://{HOST}:{port}"}
        work.notes.print(f"filling a shop of {work.skus:,} skus on five channels …")
        with own_service(home / "service", home / "seed.yaml", port=port, stop=stop, settings=settings) as service:
            return asyncio.run(_until_stopped(work.run(service, through), stop))


async def _until_stopped(working: Coroutine[Any, Any, tuple[list[Round], Heard]], stop: Stop) -> Any:
    """What the work returns; a signal ends it. Raises SystemExit."""
    loop, task = asyncio.get_running_loop(), asyncio.create_task(working)
    with stop.telling(lambda: loop.call_soon_threadsafe(task.cancel)):
        try:
            return await task
        except asyncio.CancelledError:
            stop.leave_if_asked()
            raise


def _tell(skus: int, rounds: list[Round], heard: Heard) -> None:
    console, on = Console(highlight=False, width=WIDTH), machine()
    console.print(f"{skus:,} skus on each channel · {on['cores']} cores · load {on['load_before']} at the end")
    console.print(push_table(rounds))
    console.print(order_table(heard))
    for line in heard.lines():
        console.print(line, soft_wrap=True)


if __name__ == "__main__":
    app()
