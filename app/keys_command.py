"""`allot keys`: API keys at the terminal, also when nobody has a key any more."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from . import keyring
from .house import House, by_user, print_json, run
from .key_forms import DAY_SECONDS, KeyAsked, KeyMade, KeyShown, RotateAsked, show_key
from .opening import SELLER
from .rights import ROLES
from .store.keys import MadeKey, list_keys
from .store.sellers import require_seller
from .times import now_ms

keys = typer.Typer(no_args_is_help=True, help="List, make, rotate and revoke API keys; the service may be running.")

DataDir = Annotated[Path | None, typer.Option(help="The service's data folder, if it is not ALLOT_DATA_DIR.")]
OfSeller = Annotated[str, typer.Option(help="Whose keys.")]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON instead of text.")]
KeyId = Annotated[str, typer.Argument(help="The 12 letters after allot_live_.")]


@keys.command("list")
def list_command(*, seller: OfSeller = SELLER, json: AsJson = False, data_dir: DataDir = None) -> None:
    """Every key of a seller with its rights, and when it was last used."""
    found = run(data_dir, partial(_list, seller=seller))
    if json:
        print_json(found)
        return
    table = Table(Column("id", no_wrap=True), "name", "role", "limits", "state", "made (UTC)", "ends", "last used")
    for key in found:
        table.add_row(*_row(key))
    Console(highlight=False).print(table)


@keys.command("make")
def make_command(
    *,
    role: Annotated[str, typer.Option(help=", ".join(ROLES))],
    name: Annotated[str, typer.Option(help="Who will use it, for people.")] = "made at the terminal",
    channel: Annotated[list[str] | None, typer.Option(help="Limit it to this channel; may be repeated.")] = None,
    location: Annotated[list[str] | None, typer.Option(help="Limit it to this location; may be repeated.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="How often it may ask each API process.")] = None,
    seller: OfSeller = SELLER,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make a key and show it, this once."""
    said = {
        "name": name,
        "role": role,
        "channels": channel or None,
        "locations": location or None,
        "requests_per_minute": requests_per_minute,
    }
    _show_made(run(data_dir, partial(_make, seller=seller, said=said)), json=json)


@keys.command("rotate")
def rotate_command(
    id: KeyId,
    *,
    overlap: Annotated[int, typer.Option(help="Seconds for which the old key stays good.")] = DAY_SECONDS,
    seller: OfSeller = SELLER,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make a key with the rights of this one, which ends after the overlap, and show it, this once."""
    _show_made(run(data_dir, partial(_rotate, seller=seller, id=id, overlap_seconds=overlap)), json=json)


@keys.command("revoke")
def revoke_command(id: KeyId, *, seller: OfSeller = SELLER, json: AsJson = False, data_dir: DataDir = None) -> None:
    """End a key for ever, at once."""
    revoked = run(data_dir, partial(_revoke, seller=seller, id=id))
    if json:
        print_json(revoked)
    else:
        Console(highlight=False).print(f"The key {revoked.id} ({revoked.name}) is revoked.", markup=False)


async def _list(house: House, *, seller: str) -> list[KeyShown]:
    async with house.database.reading() as session:
        await require_seller(session, seller)
        return [show_key(key, now_ms()) for key in await list_keys(session, seller=seller)]


async def _make(house: House, *, seller: str, said: dict[str, Any]) -> KeyMade:
    asked = msgspec.convert(said, KeyAsked)
    async with house.database.writing() as session:
        made = await keyring.make(session, by_user(seller), asked, pepper=house.pepper)
        return await _shown(session, seller, made)


async def _rotate(house: House, *, seller: str, id: str, overlap_seconds: int) -> KeyMade:
    asked = msgspec.convert({"overlap_seconds": overlap_seconds}, RotateAsked)
    by, overlap_ms = by_user(seller), asked.overlap_seconds * 1000
    async with house.database.writing() as session:
        made = await keyring.rotate(session, by, id, overlap_ms=overlap_ms, pepper=house.pepper)
        shown = await _shown(session, seller, made)
    await house.tell(id)
    return shown


async def _revoke(house: House, *, seller: str, id: str) -> KeyShown:
    async with house.database.writing() as session:
        revoked = await keyring.revoke(session, by_user(seller), id)
    await house.tell(id)
    return show_key(revoked, now_ms())


async def _shown(session: Any, seller: str, made: MadeKey) -> KeyMade:
    return KeyMade(show_key(await keyring.find(session, seller, made.id), now_ms()), made.plaintext)


def _show_made(made: KeyMade, *, json: bool) -> None:
    if json:
        print_json(made)
    else:
        console = Console(highlight=False)
        console.print(f"API key (shown this once): {made.secret}", markup=False, soft_wrap=True)


def _row(key: KeyShown) -> list[str]:
    times = (key.created_ms, key.revoked_ms or key.expires_ms, key.last_used_ms)
    return [key.id, escape(key.name), key.role, "\n".join(_limits(key)), key.state, *map(_time, times)]


def _limits(key: KeyShown) -> list[str]:
    said = [f"{name}: {', '.join(codes) or 'none'}" for name, codes in _codes(key) if codes is not None]
    return said + ([f"{key.requests_per_minute:,} a minute"] if key.requests_per_minute else [])


def _codes(key: KeyShown) -> list[tuple[str, list[str] | None]]:
    return [("channels", key.channels), ("locations", key.locations)]


def _time(ms: int | None) -> str:
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
