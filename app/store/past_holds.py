"""Holds, open and ended, asked of what the drain has written. Every list is walked along an index."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, tuple_
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import number, words
from .ledger_tables import HoldLineRow, HoldRow
from .statements import all_rows

HoldKey = tuple[int, str]
"""When a hold was made, and its id: how lists are sorted, newest first."""

KEYS_MAX = 500
"""Most keys one question names: databases limit the variables of a statement."""


@dataclass(frozen=True, kw_only=True)
class WantedHolds:
    """Which holds; '' and None do not choose. Times in ms, the end is not included. Locations: units lie there."""

    channels: Collection[str] | None = None
    locations: Collection[str] | None = None
    state: str = ""
    sku: str = ""
    owner: str = ""
    owner_prefix: str = ""
    from_ms: int = 0
    until_ms: int | None = None
    before: HoldKey | None = None


@dataclass(frozen=True)
class HeldFacts:
    """Units of a sku at a location that a hold was made of."""

    sku: str
    location: str
    units: int


@dataclass(frozen=True)
class HoldFacts:
    """A hold: when it was made, of what, and the packed record of how it is now."""

    hold_id: str
    channel: str
    made_ms: int
    record: bytes
    lines: list[HeldFacts] = field(default_factory=list)


async def read_hold(session: AsyncSession, seller: str, hold_id: str) -> HoldFacts | None:
    """One hold, or None."""
    found = await _holds(session, seller, [hold_id])
    return found.get(hold_id)


async def newest_of_owner(session: AsyncSession, seller: str, owner: str) -> HoldFacts | None:
    """The hold that this owner made last, or None."""
    found = await list_holds(session, seller, WantedHolds(owner=owner), 1)
    return found[0] if found else None


async def list_holds(session: AsyncSession, seller: str, wanted: WantedHolds, limit: int) -> list[HoldFacts]:
    """Holds, newest first."""
    table: Any = HoldRow
    if wanted.sku or (wanted.locations is not None and len(wanted.locations) == 1):
        table = HoldLineRow
    key = col(table.made_ms), col(table.hold_id)
    query = select(*key).where(col(table.seller) == seller, *_conditions(seller, table, wanted))
    # A hold may have several lines.
    query = query if table is HoldRow else query.distinct()
    keys = await all_rows(session, query.order_by(*(column.desc() for column in key)).limit(limit))
    found = await _holds(session, seller, [hold_id for _, hold_id in keys])
    return [found[hold_id] for _, hold_id in keys]


def _conditions(seller: str, table: Any, wanted: WantedHolds) -> list[Any]:
    made_ms = col(table.made_ms)
    conditions: list[Any] = [made_ms >= number(wanted.from_ms)] if wanted.from_ms else []
    if wanted.until_ms is not None:
        conditions.append(made_ms < number(wanted.until_ms))
    if wanted.before is not None:
        before_ms, hold_id = wanted.before
        conditions.append(tuple_(made_ms, col(table.hold_id)) < tuple_(number(before_ms), words(hold_id)))
    for other, chosen in ((HoldRow, _of_hold(wanted)), (HoldLineRow, _of_lines(wanted))):
        if not chosen:
            continue
        same = col(other.seller) == seller, col(other.hold_id) == col(table.hold_id)
        found = select(col(other.hold_id)).where(*same, *chosen).exists()
        conditions += chosen if other is table else [found]
    return conditions


def _of_hold(wanted: WantedHolds) -> list[Any]:
    conditions: list[Any] = []
    if wanted.channels is not None:
        conditions.append(col(HoldRow.channel).in_(sorted(wanted.channels)))
    if wanted.state:
        conditions.append(col(HoldRow.state) == wanted.state)
    if wanted.owner:
        conditions.append(col(HoldRow.owner) == wanted.owner)
    if wanted.owner_prefix:
        conditions.append(col(HoldRow.owner).startswith(wanted.owner_prefix, autoescape=True))
    return conditions


def _of_lines(wanted: WantedHolds) -> list[Any]:
    """Of one and the same line: a sku and a location that are asked for together are held together."""
    conditions: list[Any] = []
    if wanted.sku:
        conditions.append(col(HoldLineRow.sku) == wanted.sku)
    if wanted.locations is not None:
        conditions.append(col(HoldLineRow.location).in_(sorted(wanted.locations)))
    return conditions


async def _holds(session: AsyncSession, seller: str, ids: Sequence[str]) -> dict[str, HoldFacts]:
    found: dict[str, HoldFacts] = {}
    for start in range(0, len(ids), KEYS_MAX):
        part = ids[start : start + KEYS_MAX]
        columns = [col(getattr(HoldRow, name)) for name in ("hold_id", "channel", "made_ms", "record")]
        for row in await all_rows(session, _those(seller, HoldRow, part, columns)):
            found[row[0]] = HoldFacts(row[0], row[1], row[2], bytes(row[3]))
        lines = [col(getattr(HoldLineRow, name)) for name in ("hold_id", "sku", "location", "units")]
        query = _those(seller, HoldLineRow, part, lines).order_by(col(HoldLineRow.hold_id), col(HoldLineRow.place))
        for hold_id, *line in await all_rows(session, query):
            found[hold_id].lines.append(HeldFacts(*line))
    return found


def _those(seller: str, table: Any, ids: Sequence[str], columns: Sequence[Any]) -> Any:
    return select(*columns).where(col(table.seller) == seller, col(table.hold_id).in_(ids))
