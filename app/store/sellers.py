"""Who owns stock, channels and orders."""

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .statements import all_rows, execute
from .tables import Seller

_SELLERS: Final = select(col(Seller.code), col(Seller.name), col(Seller.begun))
_ALL: Final = _SELLERS.order_by(col(Seller.code))
_OF: Final = col(Seller.code) == bindparam("of")
_ONE: Final = _SELLERS.where(_OF)
_LOCKED: Final = _ONE.with_for_update()


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
    try:
        return await require_seller(session, code)
    except SellerUnknown:
        facts = SellerFacts(code, name)
        await execute(session, insert(Seller), asdict(facts))
        return facts


async def list_sellers(session: AsyncSession) -> list[SellerFacts]:
    """Every seller, by code."""
    return [SellerFacts(*row) for row in await all_rows(session, _ALL)]


async def require_seller(session: AsyncSession, code: str, *, lock: bool = False) -> SellerFacts:
    """The seller with this code; `lock` keeps its other writers waiting until we commit. Raises SellerUnknown."""
    found = (await execute(session, _LOCKED if lock else _ONE, {"of": code})).first()
    if found is None:
        raise SellerUnknown(code)
    return SellerFacts(*found)


async def rename_seller(session: AsyncSession, code: str, name: str) -> SellerFacts:
    """Give a seller another name. Returns the facts from before. Raises SellerUnknown."""
    before = await require_seller(session, code, lock=True)
    await execute(session, update(Seller).where(_OF).values(name=name), {"of": code})
    return before


async def mark_begun(session: AsyncSession, code: str) -> None:
    """Remember that the seller's keys in Valkey carry the epoch. Raises SellerUnknown."""
    await require_seller(session, code, lock=True)
    await execute(session, update(Seller).where(_OF).values(begun=True), {"of": code})
