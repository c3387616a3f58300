"""As much of SQLModel's objects as the service's use cases need, on a session of the simulated database."""

from collections.abc import Iterable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Table, bindparam, insert, select, update
from sqlmodel.sql.expression import SelectOfScalar


class Row(tuple[Any, ...]):
    """Values of a row, which also go by their columns' names."""

    __slots__ = ()
    names: tuple[str, ...] = ()

    @property
    def _mapping(self) -> dict[str, Any]:
        return dict(zip(self.names, self, strict=True))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[self.names.index(name)]
        except ValueError:
            raise AttributeError(name) from None


def named(names: tuple[str, ...]) -> type[Row]:
    """Rows with these names."""
    return type("NamedRow", (Row,), {"names": names, "__slots__": ()})


class Objects:
    """
    A session's objects: read by key, added, merged, and written where they were changed.

    They are written before the next question and before the end, as SQLAlchemy does by itself.
    """

    def __init__(self) -> None:
        self._there: dict[tuple[Any, ...], tuple[Any, dict[str, Any]]] = {}
        self._new: list[Any] = []

    async def execute(self, statement: Any, values: Any = None) -> Any:
        raise NotImplementedError

    async def connection(self) -> Any:
        raise NotImplementedError

    async def get(self, kind: Any, key: Any, *, populate_existing: bool = False, with_for_update: Any = None) -> Any:
        """The object with this primary key, or None; whoever writes has the database to himself anyway."""
        known = self._there.get((kind, *_parts(key)))
        if known is not None and not populate_existing:
            return known[0]
        await self._ready()
        names = [column.name for column in _table(kind).primary_key]
        found = await self.execute(_by_key(kind), dict(zip((f"key_{one}" for one in names), _parts(key), strict=True)))
        row = found.first()
        return None if row is None else self._made(kind, row)

    async def get_one(self, kind: Any, key: Any, **more: Any) -> Any:
        """The same of one that must be there."""
        found = await self.get(kind, key, **more)
        assert found is not None, f"there is no {kind.__name__} {key}"
        return found

    def add(self, thing: Any) -> None:
        """One more, unless it is known."""
        if all(thing is not one for one, _ in self._there.values()):
            self._new.append(thing)

    def add_all(self, things: Iterable[Any]) -> None:
        """Several more."""
        for thing in things:
            self.add(thing)

    async def merge(self, thing: Any) -> Any:
        """Put this over what is there."""
        kind = type(thing)
        there = await self.get(kind, tuple(getattr(thing, column.name) for column in _table(kind).primary_key))
        if there is None:
            self.add(thing)
            return thing
        for name, value in _values(thing).items():
            setattr(there, name, value)
        return there

    async def flush(self) -> None:
        """Write what was added and changed."""
        new, self._new = self._new, []
        for thing in new:
            await self.connection()
            await self.execute(insert(_table(type(thing))), _values(thing))
        for (kind, *key), (thing, before) in list(self._there.items()):
            now = vars(thing)
            changed = tuple(name for name, value in now.items() if value != before[name])
            if changed:
                self._there[(kind, *key)] = thing, {**now}
                names = [f"key_{column.name}" for column in _table(kind).primary_key]
                keys = dict(zip(names, key, strict=True))
                await self.execute(_change(kind, changed), keys | {f"new_{name}": now[name] for name in changed})

    async def exec(self, statement: Any, *, params: Any = None) -> Any:
        """Run a statement; objects, single values or rows, as SQLModel gives them."""
        await self._ready()
        found = await self.execute(statement, params)
        told = getattr(statement, "column_descriptions", None)
        if not told:
            return found
        first = told[0]
        if isinstance(statement, SelectOfScalar) and first["entity"] is first["expr"]:
            return found.of(lambda row: self._made(first["entity"], row))
        if isinstance(statement, SelectOfScalar):
            return found.of(lambda row: row[0])
        return found

    async def _ready(self) -> None:
        await self.flush()
        await self.connection()

    def _made(self, kind: Any, row: Any) -> Any:
        names, keys = _names(kind)
        values = dict(zip(names, row, strict=True))
        key = (kind, *(values[name] for name in keys))
        # Its fields are all that anybody asks for, and SQLModel takes a hundred times longer to make one.
        thing = self._there[key][0] if key in self._there else SimpleNamespace()
        vars(thing).update(values)
        self._there[key] = thing, values
        return thing


def _table(kind: Any) -> Table:
    table: Table = kind.__table__
    return table


@cache
def _names(kind: Any) -> tuple[list[str], list[str]]:
    """The names of a table's columns, and of those that are its key."""
    return [one.name for one in _table(kind).columns], [one.name for one in _table(kind).primary_key]


def _parts(key: Any) -> Iterator[Any]:
    return iter(key if isinstance(key, tuple) else (key,))


def _values(thing: Any) -> dict[str, Any]:
    return {column.name: getattr(thing, column.name) for column in _table(type(thing)).columns}


@cache
def _by_key(kind: Any) -> Any:
    table = _table(kind)
    return select(table).where(*(column == bindparam(f"key_{column.name}") for column in table.primary_key))


@cache
def _change(kind: Any, names: tuple[str, ...]) -> Any:
    table = _table(kind)
    this = update(table).where(*(column == bindparam(f"key_{column.name}") for column in table.primary_key))
    return this.values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names})
