"""
Whole copies of a database, made beside whoever works on it, and put back into an empty one.

SQLite copies itself in one step and one transaction. PostgreSQL's own programs do it, `pg_dump` with the snapshot of
our transaction and `pg_restore`; they must be installed.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import URL, create_engine, func, select, text
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .database import Database, DatabaseAway, async_url, sync_url
from .ledger_tables import BalanceRow, LedgerEntryRow
from .statements import execute
from .tables import LedgerCursor, Seller

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgresql"

POLL_SECONDS: Final = 0.1

Progress = Callable[[int], None]
"""Hears how many bytes have been written so far."""


class CopyFailed(Exception):
    """The copy could not be made or put back, and why."""


class NotEmpty(Exception):
    """The database that should be filled has tables already."""


class SellerCopied(msgspec.Struct, frozen=True):
    """
    What a copy has of a seller: the place in the ledger of its epoch, how many entries and skus.

    newest_ms: when the newest entry happened, 0 when there is none.
    """

    seller: str
    position: str
    entries: int
    skus: int
    newest_ms: int


class Facts(NamedTuple):
    """What a database holds: revision of its tables, data set, generation, sellers that have begun."""

    schema: str
    dataset: str
    generation: int
    sellers: list[SellerCopied]


def backend_of(url: str) -> str:
    """Which kind of database an address leads to: SQLITE or POSTGRES."""
    return async_url(url).get_backend_name()


async def copy_to(database: Database, reader: str, path: Path, progress: Progress) -> Facts:
    """Copy all of a database into a new file, and say what is in it. Raises CopyFailed."""
    if database.url.get_backend_name() == SQLITE:
        await asyncio.to_thread(_copy_sqlite, database.url, path, progress)
        copied = Database(URL.create("sqlite+aiosqlite", database=str(path)).render_as_string())
        async with copied, copied.reading() as session:
            return await read_facts(session, reader)
    async with database.reading() as session:
        facts = await read_facts(session, reader)
        snapshot = (await execute(session, text("SELECT pg_export_snapshot()"))).scalar_one()
        address, password = _address(database.url)
        words = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={path}")
        await _run("pg_dump", *words, address, password=password, watch=path, progress=progress)
    return facts


async def put_back(path: Path, url: str, progress: Progress) -> None:
    """Fill an empty database, or a SQLite file that is not there yet, from a copy. Raises CopyFailed, NotEmpty."""
    target = async_url(url)
    if target.get_backend_name() == SQLITE:
        await asyncio.to_thread(_put_back_file, path, Path(target.database or ""), progress)
        return
    await asyncio.to_thread(_refuse_full, target)
    address, password = _address(target)
    words = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", f"--dbname={address}")
    await _run("pg_restore", *words, str(path), password=password, watch=None, progress=progress)


async def read_facts(session: AsyncSession, reader: str) -> Facts:
    """What a database holds; `reader` names the cursor that says how far the ledger is in it."""
    schema = (await execute(session, text("SELECT version_num FROM alembic_version"))).scalar_one()
    dataset, generation = (await execute(session, text("SELECT id, generation FROM dataset"))).one()
    begun = select(col(Seller.code)).where(col(Seller.begun)).order_by(col(Seller.code))
    codes = [row[0] for row in await execute(session, begun)]
    return Facts(schema, dataset, generation, [await _seller(session, code, reader) for code in codes])


async def _seller(session: AsyncSession, seller: str, reader: str) -> SellerCopied:
    cursor = await session.get(LedgerCursor, (seller, reader))
    newest = select(func.max(col(LedgerEntryRow.number)), func.max(col(LedgerEntryRow.at_ms)))
    entries, at_ms = (await execute(session, newest.where(col(LedgerEntryRow.seller) == seller))).one()
    counted = select(func.count()).select_from(BalanceRow).where(col(BalanceRow.seller) == seller)
    skus = (await execute(session, counted)).scalar_one()
    return SellerCopied(seller, cursor.position if cursor else "", entries or 0, skus, at_ms or 0)


# --- SQLite ------------------------------------------------------------------------------------------------------


def _copy_sqlite(url: URL, path: Path, progress: Progress) -> None:
    """In one step: a copy made in several begins again whenever somebody writes."""
    try:
        with closing(sqlite3.connect(url.database or "")) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy, pages=-1)
    except sqlite3.Error as error:
        raise CopyFailed(f"SQLite could not be copied: {error}") from error
    progress(path.stat().st_size)


def _put_back_file(path: Path, target: Path, progress: Progress) -> None:
    if target.exists():
        raise NotEmpty(f"{target} is there already")
    new = target.with_name(f"{target.name}.new")
    with path.open("rb") as source, os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as made:
        while part := source.read(1 << 20):
            made.write(part)
            progress(made.tell())
        made.flush()
        os.fsync(made.fileno())
    new.replace(target)


# --- PostgreSQL --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def scratch_database(url: str, name: str) -> AsyncIterator[str]:
    """The address of a database that is made on the same server and dropped afterwards. Raises DatabaseAway."""
    server = sync_url(url)
    await asyncio.to_thread(_outside_transactions, server, f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        await asyncio.to_thread(_outside_transactions, server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _outside_transactions(url: URL, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    except Exception as error:
        raise DatabaseAway(f"the database server refused it: {error}") from error
    finally:
        engine.dispose()


def _refuse_full(url: URL) -> None:
    engine = create_engine(sync_url(url.render_as_string(hide_password=False)))
    query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
    try:
        with engine.connect() as connection:
            tables = connection.exec_driver_sql(query).scalar_one()
    except Exception as error:
        raise DatabaseAway(f"the database cannot be reached: {error}") from error
    finally:
        engine.dispose()
    if tables:
        raise NotEmpty(f"the database {url.database} has {tables} tables already")


def _address(url: URL) -> tuple[str, str | None]:
    """What PostgreSQL's programs connect to, and the password, which a list of processes must not show."""
    bare = url.set(drivername="postgresql", password=None)
    return bare.render_as_string(), None if url.password is None else str(url.password)


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.exists() else 0


async def _run(program: str, *words: str, password: str | None, watch: Path | None, progress: Progress) -> None:
    found = shutil.which(program)
    if found is None:
        raise CopyFailed(f"{program} is not on PATH: install PostgreSQL's client programs, of the server's version")
    environment: Mapping[str, str] = {**os.environ, **({} if password is None else {"PGPASSWORD": password})}
    process = await asyncio.create_subprocess_exec(
        *(found, "--no-password", *words), stderr=asyncio.subprocess.PIPE, env=environment
    )
    said = asyncio.create_task(process.communicate())
    try:
        while not said.done():
            await asyncio.wait([said], timeout=POLL_SECONDS)
            progress(_size(watch))
    except BaseException:
        process.kill()
        await asyncio.wait([said])
        raise
    if process.returncode:
        raise CopyFailed(f"{program} failed: {(await said)[1].decode(errors='replace').strip()}")
