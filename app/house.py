"""
What commands stand on that work on SQL directly: the database and the pepper of the service with these settings.

The service may be running, stopped, or in pieces: a lost key must be replaceable in any case. Nothing is made here
that only a service should make, so a folder or database that no service has used yet is refused.
"""

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import msgspec
import typer
from pydantic import ValidationError
from redis.exceptions import RedisError

from allocator import make_client

from . import log as logs
from .audit import By
from .data_folder import PEPPER, DataFolder, FolderForeign, FolderInUse
from .embedded import EmbeddedValkey
from .errors import RequestRefused
from .opening import database_url
from .settings import Settings
from .signals import announce
from .store.database import SQLITE_FILE, Database
from .store.sellers import SellerUnknown

T = TypeVar("T")

SIGNAL_SECONDS_MAX: Final = 1.0


class NoHouse(Exception):
    """No service has been started with these settings yet."""


class Refused(Exception):
    """What a command cannot or will not do, and what to do instead."""


class House(NamedTuple):
    """An open database, and the pepper its keys are stored with."""

    settings: Settings
    database: Database
    pepper: bytes

    async def tell(self, key_id: str) -> None:
        """Let the running service, if there is one, ask SQL about this key at once."""
        url = self.settings.redis_url or EmbeddedValkey(self.settings.data_dir).url
        client = make_client(url, timeout_s=SIGNAL_SECONDS_MAX, connections_max=1)
        try:
            if not await announce(client, key_id):
                print("Valkey could not be told: a running service notices within 2 seconds.", file=sys.stderr)  # noqa: T201 a command's answer
        finally:
            with suppress(RedisError, OSError):
                await client.aclose()


@asynccontextmanager
async def open_house(data_dir: Path | None) -> AsyncIterator[House]:
    """The database and pepper of these settings. Raises NoHouse, FolderForeign, ValidationError, and SQL's errors."""
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    pepper = _pepper(settings)
    if settings.database_url is None and not (_folder(settings) / SQLITE_FILE).exists():
        raise NoHouse(f"there is no database in {_folder(settings)}: run `allot serve` once, or name the folder")
    async with await Database.open(database_url(settings)) as database:
        yield House(settings, database, pepper)


def store_url(settings: Settings, stack: ExitStack) -> str:
    """Where the store is, whether a service runs or not; our own is started until `stack` ends when none does."""
    if settings.redis_url is not None:
        return settings.redis_url
    embedded = EmbeddedValkey(settings.data_dir)
    try:
        return stack.enter_context(embedded).url
    except FolderInUse:
        return embedded.url


def _folder(settings: Settings) -> Path:
    return settings.data_dir.expanduser().absolute()


def _pepper(settings: Settings) -> bytes:
    if settings.key_pepper is not None:
        return settings.key_pepper.get_secret_value().encode()
    if not (_folder(settings) / PEPPER).exists():
        raise NoHouse(f"there is no pepper in {_folder(settings)}: run `allot serve` once, or name the folder")
    return DataFolder(settings.data_dir).pepper()


def by_user(seller: str) -> By:
    """Who is at this terminal."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        user = str(os.getuid())
    return By(seller, f"cli:{user}")


def run(data_dir: Path | None, work: Callable[[House], Coroutine[Any, Any, T]]) -> T:
    """Do a command's work; what an operator can put right is told in a line, with exit code 2."""
    return run_outside(lambda: _in_house(data_dir, work))


def run_outside(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do the work of a command that needs no service's database yet; as `run`."""
    logs.configure("error", "auto")
    try:
        return asyncio.run(work())
    except SellerUnknown as error:
        _fail(f"there is no seller {error}")
    except TOLD as error:
        _fail(str(error))


TOLD: Final = (NoHouse, Refused, FolderForeign, RequestRefused, OSError, ValidationError, msgspec.ValidationError)
"""What an operator can put right."""


async def _in_house(data_dir: Path | None, work: Callable[[House], Coroutine[Any, Any, T]]) -> T:
    async with open_house(data_dir) as house:
        return await work(house)


def _fail(says: str) -> NoReturn:
    print(f"allot: {says}", file=sys.stderr)  # noqa: T201 a command's last words
    raise typer.Exit(2) from None


def print_json(value: Any) -> None:
    """One line of JSON, for machines."""
    print(msgspec.json.encode(value).decode())  # noqa: T201 a command's answer
