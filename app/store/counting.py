"""
What SQL knows of the places that a count speaks of.

All that a decision needs comes from one statement, so that it is of one moment: the numbers now, and what has moved
since the moment of the count. Differences booked by counts do not count as movements: counts of a place only go
forward, so an earlier one is known to a later one. Corrections of what a count contained do: each belongs to something
that moved.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from .count_tables import CountedPlaceRow, CountLineRow, CountShadowRow
from .counts import CountFacts
from .ledger_tables import BalancePlaceRow, BalanceRow, LedgerEntryRow, LedgerMoveRow
from .statements import all_rows, execute

NET: Final = {
    "physical": (),
    "net_of_reserved": ("held", "committed"),
    "net_of_open_orders": ("committed",),
}
"""What a source has subtracted from what lies there, by what its numbers mean."""

WAITING: Final = "waiting"
BOOKED: Final = "count"
"""The verb of differences that counts have booked."""
CORRECTION: Final = ":contained"
"""How the op of a correction ends that has this verb because it may go below nothing. No op of a count ends so."""

_LINE: Final = CountLineRow
_MOVE: Final = LedgerMoveRow
_ENTRY: Final = LedgerEntryRow
_SHELF: Final = BalancePlaceRow
_SEEN: Any = aliased(LedgerMoveRow)
_THEN: Any = aliased(LedgerEntryRow)


@dataclass(frozen=True, kw_only=True)
class PlaceFacts:
    """
    A line of a count, and all that is known of its place, in numbers of the count's meaning.

    sku_version: None when nobody knows the sku. now: the number as SQL has it. unseen: what moved after the moment of
    the count. near: something moved so close to it that nobody knows whether it is in. version: the sku's at that
    moment; last_version, last_as_of_ms: the last count that was applied there. shadow: what the source said last, own:
    what it reported itself since. touched: whether anything was ever there. entry: the newest of the ledger.
    """

    number: int
    sku: str
    location: str
    counted: int
    as_of_ms: int | None
    seen_up_to: int | None
    settled: bool
    sku_version: int | None
    touched: bool
    now: int
    unseen: int
    near: bool
    version: int | None
    last_version: int | None
    last_as_of_ms: int | None
    shadow: int | None
    own: int
    entry: int


async def waiting_places(session: AsyncSession, count: CountFacts, *, now_ms: int, limit: int) -> list[PlaceFacts]:
    """Lines that can be decided now: nothing is being booked at their place, and the time they speak of is over."""
    busy = col(CountedPlaceRow.op) != ""
    over = or_(
        col(_LINE.seen_up_to).is_not(None),
        col(_LINE.as_of_ms).is_(None),
        col(_LINE.settled_by) != "",
        col(_LINE.as_of_ms) + count.uncertainty_ms <= now_ms,
    )
    conditions = col(_LINE.state) == WAITING, or_(col(CountedPlaceRow.op).is_(None), ~busy), over
    return await _places(session, count, conditions, limit)


async def places_after(session: AsyncSession, count: CountFacts, number: int, limit: int) -> list[PlaceFacts]:
    """Lines of a count from behind this number on, whatever becomes of them."""
    return await _places(session, count, (col(_LINE.number) > number,), limit)


async def _places(session: AsyncSession, count: CountFacts, conditions: Any, limit: int) -> list[PlaceFacts]:
    at = _at(count)
    columns = [
        *(col(getattr(_LINE, name)) for name in ("number", "sku", "location", "counted", "as_of_ms", "seen_up_to")),
        (col(_LINE.settled_by) != "").label("settled"),
        col(BalanceRow.version).label("sku_version"),
        col(_SHELF.sku).is_not(None).label("touched"),
        func.coalesce(_number_now(count.meaning), 0).label("now"),
        _moved(count.meaning, col(_MOVE.number) > _since(at)).label("unseen"),
        _near(count, at).label("near"),
        _version(at).label("version"),
        col(CountedPlaceRow.version).label("last_version"),
        col(CountedPlaceRow.as_of_ms).label("last_as_of_ms"),
        col(CountShadowRow.units).label("shadow"),
        _moved(count.meaning, _reported(count)).label("own"),
        _newest(count.seller).label("entry"),
    ]
    query = _joined(select(*columns), count).where(
        col(_LINE.seller) == count.seller, col(_LINE.count_id) == count.id, *conditions
    )
    rows = await execute(session, query.order_by(col(_LINE.number)).limit(limit))
    return [_facts(row) for row in rows.mappings()]


def _facts(row: Any) -> PlaceFacts:
    """Databases have no booleans in questions, or sums of another type."""
    whole = {name: int(row[name] or 0) for name in ("now", "unseen", "own", "entry")}
    truths = {name: bool(row[name]) for name in ("settled", "touched", "near")}
    return PlaceFacts(**{**row, **whole, **truths})


def _joined(query: Any, count: CountFacts) -> Any:
    """The line, and what is known of its sku, its place, and what the source said of it."""
    shadow = and_(
        *_same(CountShadowRow, "seller", "sku", "location"),
        col(CountShadowRow.source) == count.source,
        col(CountShadowRow.meaning) == count.meaning,
    )
    return (
        query.select_from(_LINE)
        .outerjoin(BalanceRow, and_(*_same(BalanceRow, "seller", "sku")))
        .outerjoin(_SHELF, and_(*_same(_SHELF, "seller", "sku", "location")))
        .outerjoin(CountedPlaceRow, and_(*_same(CountedPlaceRow, "seller", "sku", "location")))
        .outerjoin(CountShadowRow, shadow)
    )


def _same(table: type[SQLModel], *names: str) -> list[Any]:
    return [getattr(table, name) == getattr(_LINE, name) for name in names]


def _number_now(meaning: str) -> Any:
    number: Any = col(_SHELF.on_hand)
    for bucket in NET[meaning]:
        number = number - col(getattr(_SHELF, bucket))
    return number


def _at(count: CountFacts) -> Any:
    """The time a line speaks of; one that a person settled without a time speaks of when it came."""
    settled = col(_LINE.settled_by) != ""
    return case((settled, func.coalesce(col(_LINE.as_of_ms), count.made_ms)), else_=col(_LINE.as_of_ms))


def _since(at: Any) -> Any:
    """The last entry that a line's number contains; nothing where it names neither a version nor a time."""
    seen = col(_LINE.seen_up_to)
    booked = (
        select(col(_SEEN.number))
        .where(*_same(_SEEN, "seller", "sku"), col(_SEEN.version) <= seen)
        .order_by(col(_SEEN.number).desc())
        .limit(1)
        .correlate(_LINE)
    )
    return case(
        (seen.is_not(None), func.coalesce(booked.scalar_subquery(), 0)), (at.is_not(None), _entry_at(at)), else_=None
    )


def _entry_at(at: Any) -> Any:
    """The newest entry at this time or before: entries have their times in the order of their numbers."""
    there = (
        select(col(_THEN.number))
        .where(*_same(_THEN, "seller"), col(_THEN.at_ms) <= at)
        .order_by(col(_THEN.at_ms).desc(), col(_THEN.number).desc())
        .limit(1)
        .correlate(_LINE)
    )
    return func.coalesce(there.scalar_subquery(), 0)


def _reported(count: CountFacts) -> Any:
    return and_(col(_MOVE.number) > col(CountShadowRow.entry), col(_ENTRY.actor) == count.actor)


def _moved(meaning: str, conditions: Any) -> Any:
    """What movements at the line's place add up to, in numbers of this meaning."""
    signs: list[Any] = [(col(_MOVE.bucket) == "on_hand", col(_MOVE.units))]
    signs += [(col(_MOVE.bucket) == bucket, -col(_MOVE.units)) for bucket in NET[meaning]]
    units = func.coalesce(func.sum(case(*signs, else_=0)), 0)
    return _moves_there(select(units), meaning).where(conditions).scalar_subquery()


def _near(count: CountFacts, at: Any) -> Any:
    before, behind = _entry_at(at - count.uncertainty_ms - 1), _entry_at(at + count.uncertainty_ms)
    around = and_(at.is_not(None), col(_MOVE.number) > before, col(_MOVE.number) <= behind)
    return _moves_there(select(func.count()), count.meaning).where(around).scalar_subquery()


def _moves_there(query: Any, meaning: str) -> Any:
    return (
        query.select_from(_MOVE)
        .join(_ENTRY, and_(col(_ENTRY.seller) == col(_MOVE.seller), col(_ENTRY.number) == col(_MOVE.number)))
        .where(
            *_same(_MOVE, "seller", "sku"),
            # Not a plain column, lest all that ever moved at the location is read instead of what moved of the sku.
            col(_MOVE.location).concat("") == col(_LINE.location),
            col(_MOVE.bucket).in_(["on_hand", *NET[meaning]]),
            or_(col(_ENTRY.verb) != BOOKED, col(_ENTRY.op).endswith(CORRECTION)),
        )
        .correlate(_LINE, CountShadowRow)
    )


def _version(at: Any) -> Any:
    """The sku's version at the moment of the count, or nothing where the line names none; 0 before there was any."""
    then = (
        select(col(_SEEN.version))
        .where(*_same(_SEEN, "seller", "sku"), col(_SEEN.number) <= _entry_at(at))
        .order_by(col(_SEEN.number).desc())
        .limit(1)
        .correlate(_LINE)
    )
    seen = col(_LINE.seen_up_to)
    return case((seen.is_not(None), seen), (at.is_not(None), func.coalesce(then.scalar_subquery(), 0)), else_=None)


def _newest(seller: str) -> Any:
    newest = select(func.max(col(_ENTRY.number))).where(col(_ENTRY.seller) == seller)
    return func.coalesce(newest.scalar_subquery(), 0)


async def known_places(session: AsyncSession, count: CountFacts) -> int:
    """How many places have units, at the locations that a count names."""
    named = select(col(_LINE.location)).where(col(_LINE.seller) == count.seller, col(_LINE.count_id) == count.id)
    mine = col(_SHELF.seller) == count.seller, col(_SHELF.on_hand) > 0, col(_SHELF.location).in_(named.distinct())
    [found] = await all_rows(session, select(func.count()).select_from(_SHELF).where(*mine))
    return int(found[0])
