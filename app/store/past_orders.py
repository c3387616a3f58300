"""Orders and what left for them, asked of what the drain has written. Every list is walked along an index."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import number, words
from .ledger_tables import OpAnswerRow, OrderLineRow, OrderRow, OrderTakeRow, ShipmentLineRow, ShipmentRow
from .statements import all_rows

OrderKey = tuple[int, str, str]
"""When an order was placed, its channel and its external id: how lists are sorted, newest first."""

ShipmentKey = tuple[int, int, str]
"""When goods left, the number of the entry, the location: how lists are sorted, newest first."""


@dataclass(frozen=True, kw_only=True)
class WantedOrders:
    """
    Which orders; '' and None do not choose. Times in ms, the end is not included.

    location: units wait there. shipped_from: units have left from there. own: either of it, at any of these.
    """

    channels: Collection[str] | None = None
    location: str = ""
    shipped_from: str = ""
    own: Collection[str] | None = None
    state: str = ""
    sku: str = ""
    from_ms: int = 0
    until_ms: int | None = None
    before: OrderKey | None = None


@dataclass(frozen=True, kw_only=True)
class WantedShipments:
    """Which shipments; '' and None do not choose. Times in ms, the end is not included."""

    channels: Collection[str] | None = None
    external_id: str = ""
    locations: Collection[str] | None = None
    sku: str = ""
    from_ms: int = 0
    until_ms: int | None = None
    before: ShipmentKey | None = None


@dataclass(frozen=True)
class ShippedLine:
    """Units of one line of an order."""

    line: str
    sku: str
    units: int


@dataclass(frozen=True)
class ShipmentFacts:
    """What of an order left one location in one step; `gone` when it had left before."""

    entry: int
    location: str
    channel: str
    external_id: str
    at_ms: int
    gone: bool
    units: int
    lines: list[ShippedLine] = field(default_factory=list)


# --- orders --------------------------------------------------------------------------------------------------------


async def read_order(session: AsyncSession, seller: str, channel: str, external_id: str) -> bytes | None:
    """The packed order, or None."""
    row = await session.get(OrderRow, (seller, channel, external_id))
    return None if row is None else row.record


async def read_answer(session: AsyncSession, seller: str, op: str) -> bytes | None:
    """What an op was answered, packed, or None."""
    row = await session.get(OpAnswerRow, (seller, op))
    return None if row is None else row.answer


async def list_orders(session: AsyncSession, seller: str, wanted: WantedOrders, limit: int) -> list[bytes]:
    """Packed orders, newest first."""
    table = _walked(wanted)
    key = _key(table)
    query = select(*key).where(col(table.seller) == seller, *_conditions(seller, table, wanted))
    # Several rows may be of one order; where there is one of each, PostgreSQL would sort them all to find that out.
    query = query if table is OrderRow else query.distinct()
    page = query.order_by(*(column.desc() for column in key)).limit(limit).subquery()
    # Joined, not asked for in a second question: SQLite finds rows by a list of pairs only by walking all of them.
    same = (col(OrderRow.channel) == page.c.channel, col(OrderRow.external_id) == page.c.external_id)
    records = select(col(OrderRow.record)).join(page, and_(*same)).where(col(OrderRow.seller) == seller)
    # Sorted by the database again, whose order of letters may not be ours.
    ordered = records.order_by(*(column.desc() for column in page.c))
    return [bytes(row[0]) for row in await all_rows(session, ordered)]


def _walked(wanted: WantedOrders) -> Any:
    """The table whose index has what is wanted in the order of the list; all of them have an order's key."""
    if wanted.sku:
        return OrderLineRow
    if wanted.location:
        return OrderTakeRow
    return ShipmentRow if wanted.shipped_from else OrderRow


def _key(table: Any) -> tuple[Any, Any, Any]:
    return col(table.placed_ms), col(table.channel), col(table.external_id)


def _conditions(seller: str, table: Any, wanted: WantedOrders) -> list[Any]:
    conditions = [*_times(col(table.placed_ms), wanted.from_ms, wanted.until_ms)]
    if wanted.channels is not None:
        conditions.append(col(table.channel).in_(sorted(wanted.channels)))
    if wanted.before is not None:
        placed_ms, channel, external_id = wanted.before
        conditions.append(tuple_(*_key(table)) < tuple_(number(placed_ms), words(channel), words(external_id)))
    for other, chosen in _chosen(wanted):
        same = (column == theirs for column, theirs in zip(_key(other), _key(table), strict=True))
        found = select(col(other.seller)).where(col(other.seller) == seller, *same, chosen)
        conditions.append(chosen if other is table else found.exists())
    return conditions if wanted.own is None else [*conditions, _is_own(seller, table, wanted.own)]


def _chosen(wanted: WantedOrders) -> list[tuple[Any, Any]]:
    """What must be found in which table."""
    chosen: list[tuple[Any, Any]] = []
    if wanted.sku:
        chosen.append((OrderLineRow, col(OrderLineRow.sku) == wanted.sku))
    if wanted.location:
        chosen.append((OrderTakeRow, col(OrderTakeRow.location) == wanted.location))
    if wanted.shipped_from:
        chosen.append((ShipmentRow, col(ShipmentRow.location) == wanted.shipped_from))
    if wanted.state:
        chosen.append((OrderRow, col(OrderRow.state) == wanted.state))
    return chosen


def _is_own(seller: str, table: Any, own: Collection[str]) -> Any:
    """That units of the order wait at one of these places, or have left from there."""
    mine = []
    for each in (OrderTakeRow, ShipmentRow):
        # Under a name of its own: the table may be the very one that is walked.
        other: Any = aliased(each)
        same = and_(*(column == theirs for column, theirs in zip(_key(other), _key(table), strict=True)))
        there = col(other.location).in_(sorted(own))
        mine.append(select(col(other.seller)).where(col(other.seller) == seller, same, there).exists())
    return or_(*mine)


def _times(at_ms: Any, from_ms: int, until_ms: int | None) -> list[Any]:
    until = [] if until_ms is None else [at_ms < number(until_ms)]
    return [at_ms >= number(from_ms), *until] if from_ms else until


# --- shipments -----------------------------------------------------------------------------------------------------

_SHIPMENT = [
    col(column)
    for column in (
        ShipmentRow.number,
        ShipmentRow.location,
        ShipmentRow.channel,
        ShipmentRow.external_id,
        ShipmentRow.at_ms,
        ShipmentRow.gone,
        ShipmentRow.units,
    )
]

_LINE = [col(getattr(ShipmentLineRow, name)) for name in ("number", "location", "line", "sku", "units")]


async def list_shipments(
    session: AsyncSession, seller: str, wanted: WantedShipments, limit: int
) -> list[ShipmentFacts]:
    """Shipments with their lines, newest first."""
    table: Any = ShipmentLineRow if wanted.sku else ShipmentRow
    key = col(table.at_ms), col(table.number), col(table.location)
    query = select(*key).where(col(table.seller) == seller, *_of_shipments(table, wanted))
    if table is not ShipmentRow:
        query = query.distinct().join(ShipmentRow, _is_part_of(table))
    page = query.order_by(*(column.desc() for column in key)).limit(limit).subquery()
    found: dict[tuple[int, str], ShipmentFacts] = {}
    ordered = _those(seller, ShipmentRow, page, _SHIPMENT).order_by(*(column.desc() for column in page.c))
    for row in await all_rows(session, ordered):
        found[row[0], row[1]] = ShipmentFacts(*row)
    for entry, location, *line in sorted(await all_rows(session, _those(seller, ShipmentLineRow, page, _LINE))):
        found[entry, location].lines.append(ShippedLine(*line))
    return list(found.values())


def _is_part_of(lines: Any) -> Any:
    names = ("seller", "number", "location")
    return and_(*(col(getattr(lines, name)) == col(getattr(ShipmentRow, name)) for name in names))


def _of_shipments(table: Any, wanted: WantedShipments) -> list[Any]:
    conditions = [*_times(col(table.at_ms), wanted.from_ms, wanted.until_ms)]
    if wanted.sku:
        conditions.append(col(ShipmentLineRow.sku) == wanted.sku)
    if wanted.channels is not None:
        conditions.append(col(ShipmentRow.channel).in_(sorted(wanted.channels)))
    if wanted.external_id:
        conditions.append(col(ShipmentRow.external_id) == wanted.external_id)
    if wanted.locations is not None:
        conditions.append(col(table.location).in_(sorted(wanted.locations)))
    if wanted.before is not None:
        at_ms, entry, location = wanted.before
        key = tuple_(col(table.at_ms), col(table.number), col(table.location))
        conditions.append(key < tuple_(number(at_ms), number(entry), words(location)))
    return conditions


def _those(seller: str, table: Any, page: Any, columns: Sequence[Any]) -> Any:
    """The rows of the shipments of a page."""
    same = (col(table.number) == page.c.number, col(table.location) == page.c.location)
    return select(*columns).join(page, and_(*same)).where(col(table.seller) == seller)
