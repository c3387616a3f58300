"""
One database: its engine, its transactions and its migrations.

SQLite in the data folder unless an address is given. A committed transaction survives a power cut: SQLite runs with a
write-ahead log and `synchronous=FULL`, and a PostgreSQL that would lose one is refused (`durability`).
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self, TypeVar
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlmodel.ext.asyncio.session import AsyncSession

from app.gathering import Gathering

from .revisions import current, newest_known

Session = AsyncSession
"""What the use cases of the other modules are handed."""

SQLITE_FILE: Final = "allot.sqlite3"
BUSY_MS_MAX: Final = 5_000
"""How long a writer waits for another one."""

SECONDS_MAX: Final = 30.0
"""Longest one use case may take: a wire whose other end is gone never says so."""

GIVEN_BACK_SECONDS_MAX: Final = 5.0
"""How long the end waits for connections that somebody still has."""

STEPS_MAX: Final = 25
"""Most use cases of one transaction: others want to write too."""

Result = TypeVar("Result")

IDLE_TOO_LONG: Final = "25P03"
"""PostgreSQL's code for who stood still in a transaction."""

DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
WRITES: Final = "allot_writes"


def sqlite_url(folder: Path) -> str:
    """The address of the database inside a data folder."""
    return URL.create("sqlite+aiosqlite", database=str(folder / SQLITE_FILE)).render_as_string()


class DatabaseAway(OSError):
    """The database cannot be reached or opened, or did not answer in time; what was under way may have been done."""


SqlError: Final = (SQLAlchemyError, DatabaseAway)
"""Whatever a database or its driver complains of."""


class Database:
    """Transactions on one database. Make it with `open`, end it with `close`."""

    def __init__(self, url: str, **options: Any) -> None:
        """Connect when first asked; `options` are the engine's own."""
        self.url = async_url(url)
        engine = create_async_engine(self.url, pool_pre_ping=self.url.get_backend_name() != "sqlite", **options)
        prepare_sqlite(engine.sync_engine, foreign_keys=True)
        _prepare_postgres(engine.sync_engine)
        self._engine = engine
        self._threads = _threads_of(engine.sync_engine)
        reading = engine.execution_options(**_reading_options(engine.dialect.name))
        self._readers = async_sessionmaker(reading, class_=AsyncSession, expire_on_commit=False)
        writing = engine.execution_options(**{WRITES: True})
        self._writers = async_sessionmaker(writing, class_=AsyncSession, expire_on_commit=False)
        self._together: dict[Hashable, Gathering[Any, Any]] = {}
        # SQLite lets one write at a time and lets the others try again and again, the longer they wait the more rarely;
        # and each of them would keep a connection that readers could have.
        self._turn = asyncio.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Bring the database at `url` to the newest revision and connect to it. Raises DatabaseAway, OtherDataset."""
        try:
            await asyncio.to_thread(migrate, url)
        except OperationalError as error:
            raise DatabaseAway(f"the database cannot be reached or opened: {error.orig}") from error
        except ModuleNotFoundError as error:
            says = f"the package {error.name} is not installed; psycopg for PostgreSQL comes with the extra `postgres`"
            raise DatabaseAway(says) from error
        return cls(url)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One use case that writes: committed at the end, rolled back on an error. Raises DatabaseAway."""
        async with _answering(), self._turn, self._writers.begin() as session:
            yield session

    async def together(self, whose: Hashable, step: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
        """
        A short use case that writes and that many have at once: one transaction with those of the same owner that come
        at the same moment, as if one came after the other. Raises what `step` raises, and DatabaseAway.

        A step is called again, in a transaction of its own, where another one beside it failed.
        """
        theirs = self._together.setdefault(whose, Gathering(DatabaseAway, most=STEPS_MAX))
        done: Result = await theirs.add(step, self._write_all)
        return done

    async def _write_all(self, steps: Sequence[Callable[[AsyncSession], Awaitable[Any]]]) -> list[Any]:
        async with self.writing() as session:
            return [await step(session) for step in steps]

    @asynccontextmanager
    async def reading(self, *, seconds_max: float | None = SECONDS_MAX) -> AsyncIterator[AsyncSession]:
        """
        One use case that only reads: it sees one state of the database and blocks no writer. Raises DatabaseAway.

        None for one that reads all there is, whose every statement must have an end of its own.
        """
        async with _answering(seconds_max), self._readers() as session:
            yield session

    async def close(self) -> None:
        """Give every connection back, and wait for statements of whoever was cancelled: they know no other loop."""
        for one in self._together.values():
            await one.close()
        await self._until_given_back()
        await self._engine.dispose()
        # Whoever still works beside us may begin another one meanwhile.
        for thread in list(self._threads):
            await asyncio.to_thread(thread.join, SECONDS_MAX)

    async def _until_given_back(self) -> None:
        """Wait for whoever is giving his connection back just now: one that comes too late is closed by nobody."""
        pool, end = self._engine.pool, time.monotonic() + GIVEN_BACK_SECONDS_MAX
        while isinstance(pool, AsyncAdaptedQueuePool) and pool.checkedout() > 0 and time.monotonic() < end:  # noqa: ASYNC110 a pool has no event
            await asyncio.sleep(0.005)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@asynccontextmanager
async def _answering(seconds_max: float | None = SECONDS_MAX) -> AsyncIterator[None]:
    """Tell a database that is away from everything else that goes wrong."""
    limit = asyncio.timeout(seconds_max)
    try:
        async with limit:
            yield
    except (DBAPIError, NoConnectionFree, TimeoutError) as error:
        if not (_is_away(error) or limit.expired()):
            raise
        raise DatabaseAway(f"the database does not answer: {type(getattr(error, 'orig', error)).__name__}") from error


def _is_away(error: Exception) -> bool:
    """Whether the same statement may go well later; SQLite says OperationalError of a missing table as well."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.OperationalError):
        # Without a code it is the driver's own word: the connection is closed.
        return getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
    if getattr(getattr(error, "orig", None), "sqlstate", None) == IDLE_TOO_LONG:
        return True
    return isinstance(error, (OperationalError, InterfaceError, NoConnectionFree))


def _reading_options(dialect: str) -> dict[str, Any]:
    """What makes a transaction see one state of the database: on SQLite every one does."""
    if dialect != "postgresql":
        return {}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def migrate(url: str) -> None:
    """Bring the database to the newest revision; blocks, so call it in a thread from async code."""
    engine = create_engine(sync_url(url))
    prepare_sqlite(engine, foreign_keys=False)
    try:
        with engine.execution_options(**{WRITES: True}).begin() as connection:
            if current(connection) != newest_known():
                # Importing Alembic takes a tenth of a second, and mostly there is nothing to do.
                from .migrations import upgrade  # noqa: PLC0415 see above

                upgrade(connection)
    finally:
        engine.dispose()


def async_url(url: str) -> URL:
    """The address with the driver the service uses, whatever driver it named."""
    parsed = make_url(url)
    return parsed.set(drivername=DRIVERS.get(parsed.drivername, parsed.drivername))


def sync_url(url: str) -> URL:
    """The same address for migrations, which run without asyncio."""
    parsed = async_url(url)
    return parsed.set(drivername="sqlite") if parsed.get_backend_name() == "sqlite" else parsed


def prepare_sqlite(engine: Engine, *, foreign_keys: bool) -> None:
    """
    Make SQLite durable and its transactions real; other databases are left alone.

    Migrations run without foreign keys: rebuilding a table would otherwise delete the rows that point to it.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        # Python's driver begins transactions late and commits before DDL; `on_begin` does it instead.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_MS_MAX}")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once when another wrote in between; one that
        # says from the start that it will write waits for its turn.
        writes = connection.get_execution_options().get(WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _threads_of(engine: Engine) -> WeakSet[Thread]:
    """The threads in which SQLite's connections run, from now on."""
    threads = WeakSet[Thread]()
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def on_connect(connection: Any, _: object) -> None:
            threads.add(connection.driver_connection._thread)  # noqa: SLF001 as SQLAlchemy does: there is no other way

    return threads


def _prepare_postgres(engine: Engine) -> None:
    """Let nobody who stands still, or whose machine is gone, keep others from what he has locked."""
    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET idle_in_transaction_session_timeout = {int(SECONDS_MAX * 1000)}")
        cursor.close()
        connection.commit()
