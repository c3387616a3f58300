"""Who owns stock, channels and orders."""

from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .tables import Seller


class SellerUnknown(Exception):
    """There is no such seller."""


@dataclass(frozen=True)
class SellerFacts:
    """`code` is part of every key and address, `name` is for people."""

    code: str
    name: str


async def ensure_seller(session: AsyncSession, code: str, name: str) -> SellerFacts:
    """The seller with this code, made now if there is none; an existing one keeps its name."""
    found = await session.get(Seller, code)
    if found is None:
        found = Seller(code=code, name=name)
        session.add(found)
        await session.flush()
    return SellerFacts(found.code, found.name)


async def list_sellers(session: AsyncSession) -> list[SellerFacts]:
    """Every seller, by code."""
    rows = await session.exec(select(Seller).order_by(col(Seller.code)))
    return [SellerFacts(row.code, row.name) for row in rows]


async def require_seller(session: AsyncSession, code: str, *, lock: bool = False) -> SellerFacts:
    """The seller with this code; `lock` keeps its other writers waiting until we commit. Raises SellerUnknown."""
    found = await session.get(Seller, code, with_for_update=lock)
    if found is None:
        raise SellerUnknown(code)
    return SellerFacts(found.code, found.name)
