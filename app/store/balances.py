"""Stock as the ledger adds up to it: now, and as it was after any entry."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import words
from .ledger_tables import BalancePlaceRow, BalanceRow, LedgerMoveRow
from .statements import all_rows

Moved = tuple[str, str, str, int]
"""Location, bucket, `of` and units, as a change of the ledger has them."""


@dataclass(frozen=True, kw_only=True)
class WantedBalances:
    """Which skus, in the order of their codes; None does not choose. `after` is the last one seen."""

    locations: Collection[str] | None = None
    after: str = ""


@dataclass(frozen=True)
class BalanceFacts:
    """A sku's packed state, and the number of the entry that made it so."""

    sku: str
    number: int
    state: bytes


@dataclass(frozen=True)
class MovedFacts:
    """What the movements of a sku add up to on one side of an entry; version is the sku's after that entry."""

    version: int
    moves: list[Moved]


async def read_balance(session: AsyncSession, seller: str, sku: str) -> BalanceFacts | None:
    """One sku, or None."""
    row = await session.get(BalanceRow, (seller, sku))
    return None if row is None else BalanceFacts(row.sku, row.number, row.state)


async def list_balances(session: AsyncSession, seller: str, wanted: WantedBalances, limit: int) -> list[BalanceFacts]:
    """Skus in the order of their codes; with locations those of which there are any units there or on their way."""
    columns = [col(getattr(BalanceRow, name)) for name in ("sku", "number", "state")]
    conditions = [col(BalanceRow.seller) == seller, col(BalanceRow.sku) > words(wanted.after)]
    if wanted.locations is not None:
        if not (skus := await _skus_at(session, seller, wanted, limit)):
            return []
        conditions = [col(BalanceRow.seller) == seller, col(BalanceRow.sku).in_(skus)]
    query = select(*columns).where(*conditions).order_by(col(BalanceRow.sku)).limit(limit)
    return [BalanceFacts(sku, number, bytes(state)) for sku, number, state in await all_rows(session, query)]


async def _skus_at(session: AsyncSession, seller: str, wanted: WantedBalances, limit: int) -> list[str]:
    sku = col(BalancePlaceRow.sku)
    units = [col(getattr(BalancePlaceRow, name)) for name in ("on_hand", "held", "committed", "deficit", "in_transit")]
    there = (
        col(BalancePlaceRow.seller) == seller,
        col(BalancePlaceRow.location).in_(sorted(wanted.locations or ())),
        or_(*(column != 0 for column in units)),
        sku > words(wanted.after),
    )
    query = select(sku).distinct().where(*there).order_by(sku).limit(limit)
    return [row[0] for row in await all_rows(session, query)]


async def moved_until(session: AsyncSession, seller: str, sku: str, entry: int) -> MovedFacts:
    """What the sku's movements up to this entry add up to."""
    return await _moved(session, seller, sku, col(LedgerMoveRow.number) <= entry, entry)


async def moved_since(session: AsyncSession, seller: str, sku: str, entry: int) -> MovedFacts:
    """What the sku's movements after this entry add up to."""
    return await _moved(session, seller, sku, col(LedgerMoveRow.number) > entry, entry)


async def _moved(session: AsyncSession, seller: str, sku: str, side: Any, entry: int) -> MovedFacts:
    mine = col(LedgerMoveRow.seller) == seller, col(LedgerMoveRow.sku) == sku
    bucket = col(LedgerMoveRow.location), col(LedgerMoveRow.bucket), col(LedgerMoveRow.of)
    sums = select(*bucket, func.sum(col(LedgerMoveRow.units))).where(*mine, side).group_by(*bucket)
    newest = (
        select(col(LedgerMoveRow.version))
        .where(*mine, col(LedgerMoveRow.number) <= entry)
        .order_by(col(LedgerMoveRow.number).desc())
        .limit(1)
    )
    version = await all_rows(session, newest)
    moves = [(location, name, of, int(units)) for location, name, of, units in await all_rows(session, sums)]
    return MovedFacts(version[0][0] if version else 0, moves)
