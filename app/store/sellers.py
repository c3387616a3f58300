"""Who owns stock, channels and orders."""

from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .tables import Seller


class SellerUnknown(Exception):
    """There is no such seller."""


@dataclass(frozen=True)
class SellerFacts:
    """
    `code` is part of every key and address, `name` is for people.

    `begun` once its keys in Valkey carry the data set's epoch; from then on empty keys are a loss and no beginning.
    """

    code: str
    name: str
    begun: bool = False


async def ensure_seller(session: AsyncSession, code: str, name: str) -> SellerFacts:
    """The seller with this code, made now if there is none; an existing one keeps its name."""
    found = await session.get(Seller, code)
    if found is None:
        found = Seller(code=code, name=name)
        session.add(found)
        await session.flush()
    return _facts(found)


async def list_sellers(session: AsyncSession) -> list[SellerFacts]:
    """Every seller, by code."""
    rows = await session.exec(select(Seller).order_by(col(Seller.code)))
    return [_facts(row) for row in rows]


async def require_seller(session: AsyncSession, code: str, *, lock: bool = False) -> SellerFacts:
    """The seller with this code; `lock` keeps its other writers waiting until we commit. Raises SellerUnknown."""
    return _facts(await _row(session, code, lock=lock))


async def rename_seller(session: AsyncSession, code: str, name: str) -> SellerFacts:
    """Give a seller another name. Returns the facts from before. Raises SellerUnknown."""
    row = await _row(session, code, lock=True)
    before = _facts(row)
    row.name = name
    session.add(row)
    await session.flush()
    return before


async def mark_begun(session: AsyncSession, code: str) -> None:
    """Remember that the seller's keys in Valkey carry the epoch. Raises SellerUnknown."""
    row = await _row(session, code, lock=True)
    row.begun = True
    session.add(row)
    await session.flush()


async def _row(session: AsyncSession, code: str, *, lock: bool) -> Seller:
    found = await session.get(Seller, code, with_for_update=lock)
    if found is None:
        raise SellerUnknown(code)
    return found


def _facts(row: Seller) -> SellerFacts:
    return SellerFacts(row.code, row.name, row.begun)
