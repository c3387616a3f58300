"""`allot sellers`: who owns stock, channels and orders. A running service opens a new one within seconds."""

from functools import partial
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from allocator import Code

from .audit import note
from .house import House, by_user, print_json, run
from .key_forms import SellerAsked, SellerShown
from .keys_command import AsJson, DataDir
from .store.audit import add_entries
from .store.sellers import ensure_seller, list_sellers, rename_seller

sellers = typer.Typer(no_args_is_help=True, help="List, add and rename sellers; the service may be running.")

SellerCode = Annotated[str, typer.Argument(help="Part of every key in Valkey; it never changes.")]
SellerName = Annotated[str, typer.Argument(help="For people.")]


@sellers.command("list")
def list_command(*, json: AsJson = False, data_dir: DataDir = None) -> None:
    """Every seller."""
    found = run(data_dir, _list)
    if json:
        print_json(found)
        return
    table = Table("code", "name")
    for seller in found:
        table.add_row(seller.code, escape(seller.name))
    Console(highlight=False).print(table)


@sellers.command("add")
def add_command(code: SellerCode, name: SellerName, *, json: AsJson = False, data_dir: DataDir = None) -> None:
    """Add a seller; then make a key for it with `allot keys make --seller CODE --role admin`."""
    added = run(data_dir, partial(_add, code=code, name=name))
    _tell(added, json=json, text=f"The seller {added.code} ({added.name}) is there; a running service opens it now.")


@sellers.command("rename")
def rename_command(code: SellerCode, name: SellerName, *, json: AsJson = False, data_dir: DataDir = None) -> None:
    """Give a seller another name."""
    renamed = run(data_dir, partial(_rename, code=code, name=name))
    _tell(renamed, json=json, text=f"The seller {renamed.code} is called {renamed.name} now.")


def _tell(seller: SellerShown, *, json: bool, text: str) -> None:
    if json:
        print_json(seller)
    else:
        Console(highlight=False).print(text, markup=False, soft_wrap=True)


async def _list(house: House) -> list[SellerShown]:
    async with house.database.reading() as session:
        return [SellerShown(seller.code, seller.name) for seller in await list_sellers(session)]


async def _add(house: House, *, code: str, name: str) -> SellerShown:
    code, name = msgspec.convert(code, Code), msgspec.convert({"name": name}, SellerAsked).name
    async with house.database.writing() as session:
        if code in {seller.code for seller in await list_sellers(session)}:
            raise msgspec.ValidationError(f"there is a seller {code} already")
        await ensure_seller(session, code, name)
        await add_entries(session, [note(by_user(code), "seller.make", code, {"after": name})])
    return SellerShown(code, name)


async def _rename(house: House, *, code: str, name: str) -> SellerShown:
    name = msgspec.convert({"name": name}, SellerAsked).name
    async with house.database.writing() as session:
        before = await rename_seller(session, code, name)
        detail = {"before": before.name, "after": name}
        await add_entries(session, [note(by_user(code), "seller.rename", code, detail)])
    return SellerShown(code, name)
