"""What channels are still to be told of their orders, and how far the ledger was looked through for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, select, tuple_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import ErrandRow, HeardOrderRow, ParcelWayRow, ToldBackRow
from .comparing import number as a_number
from .comparing import words
from .ledger_tables import LedgerEntryRow, LedgerSubjectRow, ShipmentLineRow, ShipmentRow
from .statements import all_rows, dialect, execute

WAITING: Final = "waiting"
DONE: Final = "done"
DEAD: Final = "dead"

IN_PART: Final = "in_part"
"""The code of one that only people can tell the channel: an order was cancelled in part."""

VERBS: Final = ("ship", "cancel", "edit")
"""What happens to orders that their channel may have to hear of."""

ErrandKey = tuple[int, str]
"""When an errand was made and its key: how lists are sorted, newest first."""


@dataclass(frozen=True)
class ErrandFacts:
    """
    Something to tell a channel. kind: ship or cancel; body: what of it, as JSON.

    state: waiting (from due_ms on), done, or dead (code and says tell why). done_ms: 0 while it is not.
    """

    key: str
    kind: str
    external_id: str
    body: str
    state: str
    attempts: int
    due_ms: int
    code: str
    says: str
    made_ms: int
    done_ms: int


class Happened(NamedTuple):
    """An entry of the ledger that may concern a channel; body: all of it, packed."""

    number: int
    verb: str
    op: str
    at_ms: int
    actor: str
    body: bytes


class Shipped(NamedTuple):
    """Units of one line that left one location with one entry."""

    number: int
    location: str
    line: str
    units: int


_ERRAND: Final = [col(getattr(ErrandRow, name)) for name in ErrandFacts.__dataclass_fields__]


def _mine(seller: str, connection: str) -> list[Any]:
    return [col(ErrandRow.seller) == seller, col(ErrandRow.connection) == words(connection)]


# --- the ledger ----------------------------------------------------------------------------------------------------


async def told_back(session: AsyncSession, seller: str, connection: str) -> int | None:
    """The entry up to which the ledger was looked through, None before the first look."""
    row = await session.get(ToldBackRow, (seller, connection), populate_existing=True)
    return None if row is None else row.number


async def move_told_back(session: AsyncSession, seller: str, connection: str, number: int) -> None:
    """Say how far the ledger was looked through."""
    await session.merge(ToldBackRow(seller=seller, connection=connection, number=number))
    await session.flush()


async def number_before(session: AsyncSession, seller: str, at_ms: int) -> int:
    """The newest entry from before then, 0 for none."""
    mine = col(LedgerEntryRow.seller) == seller, col(LedgerEntryRow.at_ms) < at_ms
    query = select(func.max(col(LedgerEntryRow.number))).where(*mine)
    return int((await execute(session, query)).scalar() or 0)


async def happened_after(
    session: AsyncSession, seller: str, number: int, *, besides: str, limit: int
) -> tuple[list[Happened], int]:
    """What happened to orders after this entry, done by others than `besides`; and up to where that was looked for."""
    newest = select(func.max(col(LedgerEntryRow.number))).where(col(LedgerEntryRow.seller) == seller)
    until = int((await execute(session, newest)).scalar() or 0)
    names = ("number", "verb", "op", "at_ms", "actor", "body")
    query = select(*(col(getattr(LedgerEntryRow, name)) for name in names)).where(
        col(LedgerEntryRow.seller) == seller,
        col(LedgerEntryRow.verb).in_(VERBS),
        col(LedgerEntryRow.number) > number,
        col(LedgerEntryRow.number) <= until,
        col(LedgerEntryRow.actor) != besides,
    )
    rows = await all_rows(session, query.order_by(col(LedgerEntryRow.number)).limit(limit))
    found = [Happened(*row) for row in rows]
    return found, found[-1].number if len(found) == limit else max(until, number)


async def order_before(session: AsyncSession, seller: str, channel: str, external_id: str, number: int) -> bytes | None:
    """The entry that was about the order last before this one, packed; None when there is none."""
    about = (
        (col(LedgerSubjectRow.seller) == seller)
        & (col(LedgerSubjectRow.kind) == "order")
        & (col(LedgerSubjectRow.id) == f"{channel}:{external_id}")
        & (col(LedgerSubjectRow.number) < number)
    )
    last = select(func.max(col(LedgerSubjectRow.number))).where(about).scalar_subquery()
    query = select(col(LedgerEntryRow.body)).where(
        col(LedgerEntryRow.seller) == seller, col(LedgerEntryRow.number) == last
    )
    found: bytes | None = (await execute(session, query)).scalar()
    return found


async def shipped_of(session: AsyncSession, seller: str, channel: str, external_id: str) -> list[Shipped]:
    """Everything that has left of an order so far, by entry, location and line."""
    names = ("number", "location", "line", "units")
    of_it = (col(ShipmentRow.number) == col(ShipmentLineRow.number)) & (
        col(ShipmentRow.location) == col(ShipmentLineRow.location)
    )
    query = (
        select(*(col(getattr(ShipmentLineRow, name)) for name in names))
        .join(ShipmentRow, of_it & (col(ShipmentRow.seller) == col(ShipmentLineRow.seller)))
        .where(
            col(ShipmentLineRow.seller) == seller,
            col(ShipmentRow.channel) == channel,
            col(ShipmentRow.external_id) == external_id,
        )
    )
    return sorted(Shipped(*row) for row in await all_rows(session, query))


async def followed_orders(session: AsyncSession, seller: str, connection: str, ids: Collection[str]) -> dict[str, str]:
    """Those of these orders that were heard from this connection, with what was made of them as JSON."""
    query = select(col(HeardOrderRow.external_id), col(HeardOrderRow.followed)).where(
        col(HeardOrderRow.seller) == seller,
        col(HeardOrderRow.connection) == connection,
        col(HeardOrderRow.external_id).in_(sorted(ids)),
    )
    return {str(id): str(followed) for id, followed in await all_rows(session, query)}


# --- errands -------------------------------------------------------------------------------------------------------


async def add_errands(session: AsyncSession, seller: str, connection: str, errands: Sequence[ErrandFacts]) -> None:
    """Remember what is to be told; what is known by its key already stays as it is."""
    rows = [{"seller": seller, "connection": connection, **vars(errand)} for errand in errands]
    if rows:
        await execute(session, dialect(session).insert(ErrandRow).values(rows).on_conflict_do_nothing())


async def due_errands(
    session: AsyncSession, seller: str, connection: str, *, now_ms: int, limit: int
) -> list[ErrandFacts]:
    """What is to be told now, what waits longest first."""
    query = select(*_ERRAND).where(
        *_mine(seller, connection), col(ErrandRow.state) == WAITING, col(ErrandRow.due_ms) <= now_ms
    )
    rows = await all_rows(session, query.order_by(col(ErrandRow.due_ms), col(ErrandRow.key)).limit(limit))
    return [ErrandFacts(*row) for row in rows]


async def change_errand(session: AsyncSession, seller: str, connection: str, key: str, **changes: Any) -> None:
    """Say what became of one."""
    this = update(ErrandRow).where(*_mine(seller, connection), col(ErrandRow.key) == key)
    await execute(session, this.values(**changes))


async def revive_errands(
    session: AsyncSession, seller: str, connection: str, *, now_ms: int, keys: Collection[str] | None = None
) -> int:
    """Tell what is dead again: these, or all that a channel can be told; how many."""
    dead = [*_mine(seller, connection), col(ErrandRow.state) == DEAD]
    if keys is None:
        dead.append(col(ErrandRow.code) != IN_PART)
    else:
        dead.append(col(ErrandRow.key).in_([words(key) for key in keys]))
    again = update(ErrandRow).where(*dead).values(state=WAITING, attempts=0, due_ms=now_ms)
    return int((await execute(session, again)).rowcount)


async def page_errands(
    session: AsyncSession, seller: str, connection: str, *, state: str, before: ErrandKey | None, limit: int
) -> list[ErrandFacts]:
    """Errands of one state or of all (''), newest first; `before`: the key of the last one seen."""
    query = select(*_ERRAND).where(*_mine(seller, connection))
    key = col(ErrandRow.made_ms), col(ErrandRow.key)
    if state:
        query = query.where(col(ErrandRow.state) == state)
    if before is not None:
        query = query.where(tuple_(*key) < tuple_(a_number(before[0]), words(before[1])))
    rows = await all_rows(session, query.order_by(*(column.desc() for column in key)).limit(limit))
    return [ErrandFacts(*row) for row in rows]


async def count_dead(session: AsyncSession, seller: str) -> int:
    """How many of the seller's errands are dead."""
    dead = col(ErrandRow.seller) == seller, col(ErrandRow.state) == DEAD
    return int((await execute(session, select(func.count()).where(*dead))).scalar() or 0)


# --- ways ----------------------------------------------------------------------------------------------------------


class Way(NamedTuple):
    """By whom a shipment goes, and its number there."""

    carrier: str = ""
    tracking: str = ""


async def put_way(session: AsyncSession, seller: str, op: str, way: Way, *, now_ms: int) -> None:
    """Remember the way of what this op ships; the first word stays."""
    row = {"seller": seller, "op": op, "carrier": way.carrier, "tracking": way.tracking, "at_ms": now_ms}
    await execute(session, dialect(session).insert(ParcelWayRow).values(row).on_conflict_do_nothing())


async def way_of(session: AsyncSession, seller: str, op: str) -> Way:
    """The way of what this op has shipped, nothing where nobody said it."""
    row = await session.get(ParcelWayRow, (seller, op))
    return Way() if row is None else Way(row.carrier, row.tracking)


async def drop_ways(session: AsyncSession, *, before_ms: int) -> int:
    """Forget ways from before then; how many there were."""
    return int((await execute(session, delete(ParcelWayRow).where(col(ParcelWayRow.at_ms) < before_ms))).rowcount)
