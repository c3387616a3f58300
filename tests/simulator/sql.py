"""
The world's SQL database: real SQLite in memory, behind a driver whose every step the world can delay or break.

SQLAlchemy is given connections that look like aiosqlite's and need no threads: a statement runs when it is awaited. All
of them share one database of which one transaction at a time has the key. That takes nothing away: SQLite has one
writer, and what a reader saw is what was there when it began.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from app.store.database import Database, migrate
from app.store.datasets import ensure_dataset
from app.store.sellers import ensure_seller, mark_begun

URL = "sqlite:///a-database-of-the-simulated-world"
"""No file: the name of one, so that SQLAlchemy keeps several connections."""

FIRST_DATASET = "d0d0d0d0d0d0d0d0"

Step = Callable[[str], Awaitable[None]]
"""Is told what comes next (connect, begin, ask, commit, committed), may wait, and may raise what a driver raises."""


async def at_once(_: str) -> None:
    """Nothing is slow and nothing fails."""


class Sql:
    """The database of one world after the other; `database` is what the code under test is given."""

    def __init__(self) -> None:
        self.database = Database(URL, async_creator=self._connect)
        self.step: Step = at_once
        self._empty = _template()
        self.reset()

    def reset(self) -> None:
        """A new database: migrated, without any seller."""
        if hasattr(self, "file"):
            self.file.close()
        self.file = sqlite3.connect(":memory:", isolation_level=None)
        self.file.deserialize(self._empty)
        self.file.execute("PRAGMA foreign_keys=ON")
        self.step, self.key = at_once, asyncio.Lock()

    def reset_trouble(self) -> None:
        """From here on every step goes well."""
        self.step = at_once

    async def begin(self, seller: str) -> str:
        """One seller whose keys are marked as begun. Returns the first epoch."""
        async with self.database.writing() as session:
            dataset = await ensure_dataset(session, now_ms=0, id=FIRST_DATASET)
            await ensure_seller(session, seller, seller)
            await mark_begun(session, seller)
        return dataset.epoch

    def last_number(self) -> int:
        """The number of the newest ledger entry; 0 before the first."""
        return int(self.file.execute("SELECT max(number) FROM ledger_entry").fetchone()[0] or 0)

    def position(self) -> str:
        """How far the drain is, or before the first entry."""
        found = self.file.execute("SELECT position FROM ledger_cursor WHERE reader = 'drain'").fetchone()
        return str(found[0]) if found else "0-0"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What is committed, past everything; nobody may be in the middle of a transaction."""
        assert not self.file.in_transaction, "somebody still writes"
        return self.file.execute(query).fetchall()

    async def _connect(self, *_: Any, **__: Any) -> "Connection":
        await self.step("connect")
        return Connection(self)


def _template() -> bytes:
    """A migrated, empty database as bytes."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "template"
        migrate(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as migrated:
            # In memory there is no log to write ahead.
            migrated.execute("PRAGMA journal_mode=DELETE")
            return migrated.serialize()


class Connection:
    """What SQLAlchemy asks of an aiosqlite connection, and no more."""

    def __init__(self, sql: Sql) -> None:
        self._sql, self._file = sql, sql.file
        self._mine = False
        self.isolation_level: str | None = None
        self._connection = self._conn = self._tx = self

    def put_nowait(self, job: tuple[asyncio.Future[Any], Callable[[], Any]]) -> None:
        """What is not a statement is put into aiosqlite's queue."""
        future, work = job
        future.set_result(work())

    async def create_function(self, *_: Any, **__: Any) -> None:
        """SQLAlchemy brings regular expressions, which nobody here asks for."""

    def cursor(self) -> "Cursor":
        return Cursor(self)

    async def run(self, words: str, rows: Sequence[Any] | None, *, many: bool) -> sqlite3.Cursor:
        """One statement."""
        self._be_there()
        if words.startswith("PRAGMA"):
            # About files and waiting, of which there is neither; and others may be in the middle of a transaction.
            return self._file.execute("SELECT NULL WHERE FALSE")
        if words.startswith("BEGIN"):
            await self._begin()
        else:
            await self._sql.step("ask")
        if many:
            return self._file.executemany(words, rows or [])
        return self._file.execute(words, rows or ())

    async def _begin(self) -> None:
        await self._sql.step("begin")
        await self._sql.key.acquire()
        self._mine = True

    def _be_there(self) -> None:
        if self._file is not self._sql.file:
            raise sqlite3.OperationalError("connection closed: this database is of an earlier world")

    async def commit(self) -> None:
        if not self._mine:
            return
        await self._sql.step("commit")
        self._end("COMMIT")
        await self._sql.step("committed")

    async def rollback(self) -> None:
        self._end("ROLLBACK")

    async def close(self) -> None:
        self._end("ROLLBACK")

    def stop(self) -> None:
        self._end("ROLLBACK")

    def _end(self, word: str) -> None:
        """A transaction that never said it is done leaves nothing behind."""
        if self._mine:
            self._mine = False
            if self._file.in_transaction:
                self._file.execute(word)
            self._sql.key.release()


class Cursor:
    """What SQLAlchemy asks of an aiosqlite cursor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: sqlite3.Cursor | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, words: str, row: Sequence[Any] = ()) -> "Cursor":
        self._found = await self._connection.run(words, row, many=False)
        return self

    async def executemany(self, words: str, rows: Sequence[Sequence[Any]]) -> "Cursor":
        self._found = await self._connection.run(words, rows, many=True)
        return self

    async def fetchall(self) -> list[Any]:
        return self._found.fetchall() if self._found else []

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        return self._found.fetchmany(size or self.arraysize) if self._found else []

    async def fetchone(self) -> Any:
        return self._found.fetchone() if self._found else None

    async def close(self) -> None:
        self._found = None

    @property
    def description(self) -> Any:
        return self._found.description if self._found else None

    @property
    def rowcount(self) -> int:
        return self._found.rowcount if self._found else -1

    @property
    def lastrowid(self) -> int | None:
        return self._found.lastrowid if self._found else None
