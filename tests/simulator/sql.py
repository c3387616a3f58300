"""
The world's SQL database: real SQLite in memory, whose every step the world can delay or break.

The service's own statements, as SQLAlchemy compiles them, run on it when they are awaited, past SQLAlchemy's sessions,
pools and threads: these would be half of all the work in a world. All transactions share one database, and one at a
time has its key. That takes nothing away: SQLite has one writer, and what a reader saw is what was there when it began.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Self

from sqlalchemy import make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from app.store.database import Database, migrate
from app.store.datasets import ensure_dataset
from app.store.sellers import ensure_seller, mark_begun

from .objects import Objects, named

URL = "sqlite:///a-database-of-the-simulated-world"
DIALECT: Any = sqlite.dialect(paramstyle="qmark")

QUERIES_MAX = 500
"""Most statements that are known: those that are made anew for each call would be there for ever."""

FIRST_DATASET = "d0d0d0d0d0d0d0d0"

Step = Callable[[str], Awaitable[None]]
"""Is told what comes next (connect, begin, ask, commit, committed), may wait, and may raise what a driver raises."""


async def at_once(_: str) -> None:
    """Nothing is slow and nothing fails."""


class Sql:
    """The database of one world after the other; `database` is what the code under test is given."""

    def __init__(self) -> None:
        self.step: Step = at_once
        self._empty = _template()
        self.reset()
        self.database = Simulated(self)

    def reset(self, content: bytes | None = None) -> None:
        """A new database with this in it; migrated and without any seller if nothing is said."""
        if hasattr(self, "file"):
            self.file.close()
        self.file = sqlite3.connect(":memory:", isolation_level=None)
        self.file.deserialize(content or self._empty)
        self.file.execute("PRAGMA foreign_keys=ON")
        self.step, self.key, self.connections = at_once, asyncio.Lock(), 0

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


def _template() -> bytes:
    """A migrated, empty database as bytes."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "template"
        migrate(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as migrated:
            # In memory there is no log to write ahead.
            migrated.execute("PRAGMA journal_mode=DELETE")
            return migrated.serialize()


class Simulated(Database):
    """The service's own class of databases; its sessions are ours."""

    def __init__(self, sql: Sql) -> None:
        self.url = make_url(URL)
        self._readers = partial(Session, sql, writes=False)
        self._writers = SimpleNamespace(begin=partial(Session, sql, writes=True))
        self._turn, self._together = nullcontext(), {}

    async def close(self) -> None:
        """Nothing is open."""


class Session(Objects):
    """
    One transaction, with as much of a session and its connection as statements need (app/store/statements.py).

    It begins with its first statement, after whoever holds the key. Raises what SQLAlchemy makes of a driver's errors.
    """

    bind = SimpleNamespace(dialect=DIALECT)

    def __init__(self, sql: Sql, *, writes: bool) -> None:
        super().__init__()
        self._sql, self._file, self._key = sql, sql.file, sql.key
        self._writes, self._began = writes, False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self._writes:
                await self.flush()
            if self._began and self._writes and kind is None:
                await self._step("commit")
                self._end("COMMIT")
                await self._step("committed")
        finally:
            self._end("ROLLBACK")

    def get_bind(self) -> Any:
        return self.bind

    async def connection(self) -> Self:
        if not self._began:
            if not self._sql.connections:
                await self._step("connect")
                self._sql.connections = 1
            await self._step("begin")
            await self._key.acquire()
            self._began = True
            self._file.execute("BEGIN")
        return self

    async def execute(self, statement: Any, values: Any = None) -> "Found":
        await self._step("ask")
        many = isinstance(values, list)
        query, known = _query(statement, tuple(values[0] if many else values or ()))
        try:
            if many:
                rows = [query.row({**known, **row}) for row in values]
                return query.found(self._file.executemany(query.words, rows))
            return query.found(self._file.execute(*query.filled({**known, **(values or {})})))
        except sqlite3.Error as error:
            raise _as_sqlalchemys(error) from error

    @asynccontextmanager
    async def stream(self, statement: Any, values: Any = None) -> AsyncIterator["Found"]:
        """A question whose answer is read in parts."""
        yield await self.execute(statement, values)

    async def _step(self, kind: str) -> None:
        try:
            await self._sql.step(kind)
        except sqlite3.Error as error:
            self._sql.connections = 0
            raise _as_sqlalchemys(error) from error

    def _end(self, word: str) -> None:
        """A transaction that never said it is done leaves nothing behind."""
        if self._began:
            self._began = False
            if self._file is self._sql.file:
                self._file.execute(word)
            self._key.release()


def _as_sqlalchemys(error: sqlite3.Error) -> Exception:
    return DBAPIError.instance("a statement", None, error, sqlite3.Error, dialect=DIALECT)


class Found:
    """What a statement found, as much as is asked of SQLAlchemy's results."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows, self.rowcount = rows, rowcount

    def of(self, make: Callable[[Any], Any]) -> "Found":
        """The same with something made of each row."""
        return Found([make(row) for row in self._rows], self.rowcount)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def all(self) -> list[tuple[Any, ...]]:
        return self._rows

    def first(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def one(self) -> tuple[Any, ...]:
        [row] = self._rows
        return row

    def one_or_none(self) -> tuple[Any, ...] | None:
        return self.one() if self._rows else None

    def scalar_one(self) -> Any:
        return self.one()[0]

    async def partitions(self, size: int) -> AsyncIterator[list[tuple[Any, ...]]]:
        for start in range(0, len(self._rows), size):
            yield self._rows[start : start + size]


class Query:
    """A statement as SQLAlchemy compiles it for SQLite: its words, and how values and rows pass in and out."""

    def __init__(self, statement: Any, names: tuple[str, ...], key: Any) -> None:
        self._compiled: Any = statement.compile(dialect=DIALECT, column_keys=names or None, cache_key=key)
        self.words = str(self._compiled)
        self._defaults: dict[str, Any] = {
            column.key: column.default.arg
            for column in (*self._compiled.insert_prefetch, *self._compiled.update_prefetch)
        }
        self.own = self.known(None)
        self._in: dict[str, Any] = self._compiled._bind_processors
        self._places: list[str] = self._compiled.positiontup or []
        self._expands = bool(self._compiled.post_compile_params)
        columns = [one[3] for one in self._compiled._result_columns]
        self._out = [kind._cached_result_processor(DIALECT, None) for kind in columns]
        self._row = named(tuple(one[0] for one in self._compiled._result_columns))

    def known(self, key: Any) -> dict[str, Any]:
        """The values that a statement like this one came with."""
        extracted = None if key is None else key.bindparams
        return {**self._compiled.construct_params(_check=False, extracted_parameters=extracted), **self._defaults}

    def row(self, values: Mapping[str, Any]) -> list[Any]:
        """Values by name, each where it belongs."""
        return _processed(self._places, values, self._in)

    def filled(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The words, and the values they need; a list among the values makes new words."""
        if not self._expands:
            return self.words, self.row(values)
        state = self._compiled.construct_expanded_state(values)
        return state.statement, _processed(state.positiontup, state.parameters, {**self._in, **state.processors})

    def found(self, cursor: sqlite3.Cursor) -> Found:
        """What is found, of the columns' own types."""
        rows = cursor.fetchall()
        if any(self._out):
            rows = [
                self._row(read(value) if read else value for read, value in zip(self._out, row, strict=True))
                for row in rows
            ]
        else:
            rows = [self._row(row) for row in rows]
        return Found(rows, cursor.rowcount)


def _processed(places: Sequence[str], values: Mapping[str, Any], processors: Mapping[str, Any]) -> list[Any]:
    return [processors[name](values[name]) if name in processors else values[name] for name in places]


_by_object: dict[Any, Query] = {}
_by_form: dict[Any, Query] = {}


def _query(statement: Any, names: tuple[str, ...]) -> tuple[Query, dict[str, Any]]:
    """
    A statement compiled, and its own values.

    Those that are made once are known as they are; one that is made anew for each call is known by its form, as
    SQLAlchemy knows it.
    """
    query = _by_object.get((statement, names))
    if query is not None:
        return query, query.own
    key = statement._generate_cache_key()
    form = None if key is None else (key.key, names)
    query = _by_form.get(form)
    if query is not None:
        return query, query.known(key)
    query = Query(statement, names, key)
    for queries, one in ((_by_object, (statement, names)), (_by_form, form)):
        if one is not None:
            queries[one] = query
            if len(queries) > QUERIES_MAX:
                del queries[next(iter(queries))]
    return query, query.own
