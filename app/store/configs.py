"""
Versions of the config document. SQL masters it, Valkey has it in force.

The order is: `stage` here, put in force in Valkey, `activate` here. A crash in between leaves a staged
version and a Valkey that names it, which the next start can tell and finish.
"""

from dataclasses import dataclass

from sqlmodel import col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from .sellers import require_seller
from .tables import ConfigDocument


class VersionUnknown(Exception):
    """The seller has no such version of its config."""


@dataclass(frozen=True)
class ConfigFacts:
    """One version; `document` is JSON text."""

    seller: str
    version: int
    document: str
    active: bool
    created_ms: int


async def stage_config(session: AsyncSession, *, seller: str, document: str, now_ms: int) -> ConfigFacts:
    """Remember a document under the seller's next version, not active yet. Raises SellerUnknown."""
    # Two that staged at once would both find the same newest version.
    await require_seller(session, seller, lock=True)
    newest = await session.exec(select(func.max(ConfigDocument.version)).where(ConfigDocument.seller == seller))
    version = (newest.one() or 0) + 1
    row = ConfigDocument(seller=seller, version=version, document=document, active=False, created_ms=now_ms)
    session.add(row)
    await session.flush()
    return _facts(row)


async def activate_config(session: AsyncSession, *, seller: str, version: int) -> ConfigFacts:
    """Mark a version as the one in force, and no other; again changes nothing. Raises SellerUnknown, VersionUnknown."""
    await require_seller(session, seller, lock=True)
    row = await session.get(ConfigDocument, (seller, version))
    if row is None:
        message = f"{seller} has no config version {version}"
        raise VersionUnknown(message)
    others = update(ConfigDocument).where(col(ConfigDocument.seller) == seller, col(ConfigDocument.version) != version)
    await session.exec(others.values(active=False))
    row.active = True
    session.add(row)
    await session.flush()
    return _facts(row)


async def active_config(session: AsyncSession, *, seller: str) -> ConfigFacts | None:
    """The version in force, or None before the first."""
    mine = select(ConfigDocument).where(ConfigDocument.seller == seller, col(ConfigDocument.active))
    row = (await session.exec(mine)).one_or_none()
    return _facts(row) if row else None


async def read_config(session: AsyncSession, *, seller: str, version: int) -> ConfigFacts | None:
    """One version of a seller's config, or None."""
    row = await session.get(ConfigDocument, (seller, version))
    return _facts(row) if row else None


def _facts(row: ConfigDocument) -> ConfigFacts:
    return ConfigFacts(row.seller, row.version, row.document, row.active, row.created_ms)
