"""`allot sync pull` and `allot sync orders`: orders from channels at the terminal; the service may be running."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.house import House, by_user, print_json, run
from app.keys_command import AsJson, DataDir
from app.opening import SELLER
from app.store.heard import page_heard

from . import desk, in_desk
from .in_words import LIMIT_MAX, HeardOrder, HeardPage, PullAsked, Pulled, ReplayOrders, Woken, show_heard

Connection = Annotated[str, typer.Argument(help="The connection's code.")]
OfSeller = Annotated[str, typer.Option(help="Whose connection.")]


def pull_command(
    connection: Connection,
    *,
    since: Annotated[datetime | None, typer.Option(help="Look from then on (UTC), not from where one is.")] = None,
    seller: OfSeller = SELLER,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Let a running worker look for orders at once; what is known already stays as it is."""
    since_ms = None if since is None else round(since.replace(tzinfo=UTC).timestamp() * 1_000)
    pulled = run(data_dir, partial(_pull, seller=seller, code=connection, asked=PullAsked(since_ms=since_ms)))
    if json:
        print_json(pulled)
    else:
        _say(f"Orders of {connection} are looked for from {_time(pulled.since_ms)} UTC on.")


def orders_command(
    connection: Connection,
    *,
    state: Annotated[str, typer.Option(help="waiting, taken or parked; nothing for all.")] = "parked",
    replay: Annotated[bool, typer.Option("--replay", help="Take all parked ones again.")] = False,
    seller: OfSeller = SELLER,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Orders as the channel told them, the newest first: which wait, and which somebody must look at."""
    if replay:
        woken = run(data_dir, partial(_replay, seller=seller, code=connection))
        print_json(woken) if json else _say(f"{woken.woken} orders are taken again.")
        return
    found = run(data_dir, partial(_orders, seller=seller, code=connection, state=state))
    if json:
        print_json(found)
        return
    table = Table(Column("order", no_wrap=True), "state", "why", "what to do", "placed (UTC)", "heard")
    for order in found.data:
        table.add_row(*_row(order))
    Console(highlight=False).print(table)


async def _pull(house: House, *, seller: str, code: str, asked: PullAsked) -> Pulled:
    async with house.database.writing() as session:
        return await in_desk.pull_now(session, by_user(seller), code, asked)


async def _replay(house: House, *, seller: str, code: str) -> Woken:
    async with house.database.writing() as session:
        return await in_desk.replay_orders(session, by_user(seller), code, ReplayOrders())


async def _orders(house: House, *, seller: str, code: str, state: str) -> HeardPage:
    async with house.database.reading() as session:
        facts = await desk.find(session, seller, code)
        found = await page_heard(session, seller, code, state=state, before=None, limit=LIMIT_MAX)
    return HeardPage([show_heard(facts.channel, one) for one in found], None)


def _row(order: HeardOrder) -> list[str]:
    return [
        escape(order.external_id),
        order.state,
        order.code,
        escape(order.says),
        _time(order.placed_ms),
        _time(order.heard_ms),
    ]


def _say(text: str) -> None:
    Console(highlight=False).print(text, markup=False, soft_wrap=True)


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M") if ms else ""
