"""
Config as rows: what operators decide, one row a thing, in one table a kind.

Every function takes the kind's name and moves records: a row's columns without its seller and version. A key is text:
the code of the row, or "channel/listing" (a channel's code has no slash).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Table, and_, or_, tuple_
from sqlalchemy import select as select_rows
from sqlmodel import SQLModel, delete, func, insert, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import words
from .tables import CarrierRow, ChannelRow, ListingRow, LocationRow, ReasonRow, RuleRow, SkuRow, ZoneRow

Record = dict[str, Any]

CHUNK: Final = 500
"""Keys of one statement; databases limit its variables."""


class Stored(NamedTuple):
    """A record, and the config version that changed it last."""

    version: int
    record: Record


class _Home(NamedTuple):
    table: Any
    keys: tuple[str, ...]


def _home(row: type[SQLModel], *keys: str) -> _Home:
    table: Table = row.__table__  # type: ignore[attr-defined] # SQLModel makes it
    return _Home(table, keys)


_HOMES: Final = {
    "locations": _home(LocationRow, "code"),
    "channels": _home(ChannelRow, "code"),
    "skus": _home(SkuRow, "sku"),
    "listings": _home(ListingRow, "channel", "listing"),
    "rules": _home(RuleRow, "id"),
    "zones": _home(ZoneRow, "area"),
    "carriers": _home(CarrierRow, "code"),
    "reasons": _home(ReasonRow, "code"),
}
KINDS: Final = tuple(_HOMES)

_RULES: Final = _HOMES["rules"].table.c
_SKUS: Final = _HOMES["skus"].table.c


def split_key(kind: str, key: str) -> tuple[str, ...]:
    """The key's columns. A key of too few parts belongs to nothing."""
    keys = _HOMES[kind].keys
    parts = key.split("/", len(keys) - 1)
    return (*parts, *[""] * (len(keys) - len(parts)))


def key_of(kind: str, record: Mapping[str, Any]) -> str:
    """The key of a record."""
    return "/".join(record[name] for name in _HOMES[kind].keys)


async def find_records(session: AsyncSession, seller: str, kind: str, keys: Iterable[str]) -> dict[str, Stored]:
    """Those of these keys that exist."""
    home = _HOMES[kind]
    columns = [home.table.c[name] for name in home.keys]
    return await _each(session, seller, kind, columns, sorted({split_key(kind, key) for key in keys}))


async def all_records(session: AsyncSession, seller: str, kind: str) -> dict[str, Stored]:
    """Every row of a kind: for the small ones."""
    return await _select(session, seller, kind, [])


async def page_records(
    session: AsyncSession, seller: str, kind: str, *, where: Mapping[str, Any], after: str | None, limit: int
) -> list[tuple[str, Stored]]:
    """Rows in the order of their keys, from behind the key `after`, that have these values."""
    home = _HOMES[kind]
    keys = [home.table.c[name] for name in home.keys]
    conditions = [home.table.c[name] == value for name, value in where.items()]
    if after is not None:
        conditions.append(tuple_(*keys) > tuple_(*split_key(kind, words(after))))
    query = select_rows(home.table).where(home.table.c.seller == seller, *conditions).order_by(*keys).limit(limit)
    return [_stored(kind, row) for row in await _rows(session, query)]


async def count_records(session: AsyncSession, seller: str) -> dict[str, int]:
    """How many rows each kind has."""
    counts = {}
    for kind, home in _HOMES.items():
        query = select(func.count()).select_from(home.table).where(home.table.c.seller == seller)
        counts[kind] = (await session.exec(query)).one()
    return counts


async def write_records(
    session: AsyncSession, seller: str, kind: str, rows: Mapping[str, Record | None], *, version: int
) -> None:
    """Put these rows under this version; None removes a row."""
    home = _HOMES[kind]
    columns = [home.table.c[name] for name in home.keys]
    for chunk in _chunks([split_key(kind, key) for key in rows]):
        await session.exec(delete(home.table).where(home.table.c.seller == seller, _among(columns, chunk)))
    made = [{**record, "seller": seller, "version": version} for record in rows.values() if record is not None]
    if made:
        await session.exec(insert(home.table), params=made)


# --- rules and skus ------------------------------------------------------------------------------------------------


async def rules_of_scopes(
    session: AsyncSession, seller: str, *, skus: Collection[str], categories: Collection[str], base: bool
) -> dict[str, Stored]:
    """The rules for these skus, for these categories, and (`base`) for neither."""
    found = await _each(session, seller, "rules", [_RULES.sku], sorted((sku,) for sku in skus))
    named = sorted(("", category) for category in {*categories, *([""] if base else [])})
    return found | await _each(session, seller, "rules", [_RULES.sku, _RULES.category], named)


async def due_rules(session: AsyncSession, seller: str, *, now_ms: int, limit: int) -> dict[str, Stored]:
    """Rules whose window has opened or closed since `in_force` was written; those to close come first."""
    begun = or_(_RULES.valid_from_ms.is_(None), _RULES.valid_from_ms <= now_ms)
    ended = and_(_RULES.valid_until_ms.is_not(None), _RULES.valid_until_ms <= now_ms)
    close = and_(_RULES.in_force.is_(True), or_(ended, _RULES.valid_from_ms > now_ms))
    found = await _select(session, seller, "rules", [close], limit=limit)
    if len(found) < limit:
        opens = and_(_RULES.in_force.is_(False), begun, ~ended)
        found |= await _select(session, seller, "rules", [opens], limit=limit - len(found))
    return found


async def skus_of(session: AsyncSession, seller: str, categories: Sequence[str] | None, *, limit: int) -> list[str]:
    """The first skus of these categories (None: of all), in order."""
    query = select(_SKUS.sku).where(*_of_categories(seller, categories)).order_by(_SKUS.sku).limit(limit)
    return list((await session.exec(query)).all())


async def count_skus(
    session: AsyncSession, seller: str, categories: Sequence[str] | None, *, besides: Collection[str]
) -> int:
    """How many skus these categories have (None: all there are), and those besides."""
    mine = _of_categories(seller, categories)
    count = (await session.exec(select(func.count()).select_from(_HOMES["skus"].table).where(*mine))).one()
    found = await find_records(session, seller, "skus", besides)
    return int(count) + sum(not _is_among(stored.record, categories) for stored in found.values())


def _of_categories(seller: str, categories: Sequence[str] | None) -> list[Any]:
    return [_SKUS.seller == seller, *([] if categories is None else [_SKUS.category.in_(categories)])]


def _is_among(record: Record, categories: Sequence[str] | None) -> bool:
    return categories is None or record["category"] in categories


async def naming(
    session: AsyncSession, seller: str, kind: str, column: str, values: Iterable[str], *, limit: int | None = None
) -> dict[str, Stored]:
    """The rows of a kind that have one of these values in a column."""
    found: dict[str, Stored] = {}
    among = _HOMES[kind].table.c[column]
    for chunk in _chunks(sorted(values)):
        found |= await _select(session, seller, kind, [among.in_(chunk)], limit=limit)
    return found


# --- statements ----------------------------------------------------------------------------------------------------


async def _each(
    session: AsyncSession, seller: str, kind: str, columns: list[Any], values: Sequence[tuple[str, ...]]
) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for chunk in _chunks(values):
        found |= await _select(session, seller, kind, [_among(columns, chunk)])
    return found


async def _select(
    session: AsyncSession, seller: str, kind: str, conditions: list[ColumnElement[bool]], *, limit: int | None = None
) -> dict[str, Stored]:
    home = _HOMES[kind]
    order = [home.table.c[name] for name in home.keys]
    query = select_rows(home.table).where(home.table.c.seller == seller, *conditions).order_by(*order).limit(limit)
    return dict(_stored(kind, row) for row in await _rows(session, query))


async def _rows(session: AsyncSession, query: Select[Any]) -> Sequence[Row[Any]]:
    """Whole rows: SQLModel's own `select` of a table has its first column only."""
    found: Any = await session.exec(query)  # type: ignore[call-overload] # it runs every statement
    rows: Sequence[Row[Any]] = found.all()
    return rows


def _stored(kind: str, row: Row[Any]) -> tuple[str, Stored]:
    record = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    del record["seller"]
    version = record.pop("version")
    return key_of(kind, record), Stored(version, record)


def _among(columns: list[Any], values: Sequence[tuple[str, ...]]) -> ColumnElement[bool]:
    if len(columns) == 1:
        among: ColumnElement[bool] = columns[0].in_([value for (value,) in values])
        return among
    return tuple_(*columns).in_(values)


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
