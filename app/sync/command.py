"""`allot sync`: how far channels are behind the stock, at the terminal; the service may be running."""

from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.house import House, by_user, print_json, run
from app.keys_command import AsJson, DataDir
from app.opening import SELLER
from app.store.connections import list_connections
from app.store.sellers import require_seller

from . import desk, overview
from .in_command import orders_command, pull_command
from .sync_words import Marked, SyncStatus

sync = typer.Typer(no_args_is_help=True, help="What channels are told and tell; push, compare or pull again.")
sync.command("pull")(pull_command)
sync.command("orders")(orders_command)

OfSeller = Annotated[str, typer.Option(help="Whose connections.")]
Connection = Annotated[str, typer.Argument(help="The code of the connection.")]
Skus = Annotated[list[str] | None, typer.Option("--sku", help="Only this sku; may be repeated.")]


@sync.command("status")
def status_command(*, seller: OfSeller = SELLER, json: AsJson = False, data_dir: DataDir = None) -> None:
    """Every connection: what is pushed, what waits, what was given up, and what shows another number."""
    found = run(data_dir, partial(_status, seller=seller))
    if json:
        print_json(found)
        return
    headings = ("listed", "due", "waiting", "held back", "dead", "retried", "drift", "unmapped")
    table = Table(
        Column("connection", no_wrap=True),
        "channel",
        "state",
        *(Column(heading, justify="right") for heading in (*headings, "oldest")),
    )
    for one in found:
        table.add_row(*_row(one))
    Console(highlight=False).print(table)


@sync.command("push")
def push_command(
    connection: Connection,
    *,
    sku: Skus = None,
    seller: OfSeller = SELLER,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Tell the newest numbers once more, of some skus or of all."""
    marked = run(data_dir, partial(_push, seller=seller, code=connection, skus=sku or None))
    _tell(marked, json=json, text=f"{marked.listings} listings of {connection} are due; a worker pushes them.")


@sync.command("replay")
def replay_command(
    connection: Connection,
    *,
    sku: Skus = None,
    seller: OfSeller = SELLER,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Try once more what was given up, of some skus or of all."""
    marked = run(data_dir, partial(_replay, seller=seller, code=connection, skus=sku or None))
    _tell(marked, json=json, text=f"{marked.listings} listings of {connection} that were given up are tried again.")


@sync.command("reconcile")
def reconcile_command(
    connection: Connection, *, seller: OfSeller = SELLER, json: AsJson = False, data_dir: DataDir = None
) -> None:
    """Compare everything the channel shows with what it was told, beginning within seconds."""
    status = run(data_dir, partial(_reconcile, seller=seller, code=connection))
    if json:
        print_json(status)
    else:
        Console(highlight=False).print(f"All of {connection} is compared now, a page at a time.", markup=False)


async def _status(house: House, *, seller: str) -> list[SyncStatus]:
    async with house.database.reading() as session:
        await require_seller(session, seller)
        return [await overview.status_of(session, facts) for facts in await list_connections(session, seller)]


async def _push(house: House, *, seller: str, code: str, skus: list[str] | None) -> Marked:
    async with house.database.writing() as session:
        facts = await desk.find(session, seller, code, lock=True)
        return await overview.push_again(session, by_user(seller), facts, skus)


async def _replay(house: House, *, seller: str, code: str, skus: list[str] | None) -> Marked:
    async with house.database.writing() as session:
        facts = await desk.find(session, seller, code, lock=True)
        return await overview.replay(session, by_user(seller), facts, skus)


async def _reconcile(house: House, *, seller: str, code: str) -> SyncStatus:
    async with house.database.writing() as session:
        facts = await desk.find(session, seller, code, lock=True)
        return await overview.reconcile_now(session, by_user(seller), facts)


def _tell(marked: Marked, *, json: bool, text: str) -> None:
    if json:
        print_json(marked)
    else:
        Console(highlight=False).print(text, markup=False, soft_wrap=True)


def _row(one: SyncStatus) -> list[str]:
    numbers = one.numbers
    counts = (
        *(numbers.listed, numbers.due, numbers.waiting, numbers.held_back),
        *(numbers.dead, numbers.retried, numbers.drift, numbers.unmapped),
    )
    state = "paused" if one.paused else one.failing or "ok"
    age = f"{one.oldest_unpushed_ms / 1000:.0f} s" if one.oldest_unpushed_ms else ""
    return [escape(one.connection), escape(one.channel), escape(state), *map(str, counts), age]
