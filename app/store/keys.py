"""
API keys: `allot_live_<id>_<secret>`, shown once, kept as HMAC-SHA256 with the pepper.

The secret has 256 random bits, so a slow password hash would protect nothing and cost every request 200 ms;
the pepper keeps a stolen database alone from being checked against guesses.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .sellers import require_seller
from .tables import ApiKey

PATTERN: Final = re.compile(r"allot_live_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True)
class MadeKey:
    """A new key; `plaintext` cannot be shown again."""

    id: str
    plaintext: str


@dataclass(frozen=True)
class KeyFacts:
    """What may be shown of a key. `revoked_ms` is None while it is good."""

    id: str
    seller: str
    name: str
    created_ms: int
    revoked_ms: int | None


async def make_key(session: AsyncSession, *, seller: str, name: str, pepper: bytes, now_ms: int) -> MadeKey:
    """Make a key for a seller. Raises SellerUnknown."""
    await require_seller(session, seller)
    id = secrets.token_hex(6)
    plaintext = f"allot_live_{id}_{secrets.token_urlsafe(32)}"
    secret_hmac = key_hmac(pepper, plaintext)
    session.add(ApiKey(id=id, seller=seller, name=name, role="admin", secret_hmac=secret_hmac, created_ms=now_ms))
    await session.flush()
    return MadeKey(id, plaintext)


async def verify_key(session: AsyncSession, plaintext: str, *, pepper: bytes) -> KeyFacts | None:
    """Whose key this is; None for one that is malformed, unknown, wrong or revoked."""
    id = key_id(plaintext)
    row = await session.get(ApiKey, id) if id else None
    # An unknown id takes as long as a wrong secret.
    expected = row.secret_hmac if row else ""
    good = hmac.compare_digest(expected, key_hmac(pepper, plaintext))
    return _facts(row) if row and good and row.revoked_ms is None else None


async def list_keys(session: AsyncSession, *, seller: str) -> list[KeyFacts]:
    """Every key of a seller, revoked ones too, oldest first."""
    mine = select(ApiKey).where(ApiKey.seller == seller).order_by(col(ApiKey.created_ms), col(ApiKey.id))
    return [_facts(row) for row in await session.exec(mine)]


async def revoke_key(session: AsyncSession, id: str, *, seller: str, now_ms: int) -> KeyFacts | None:
    """End a key for ever; a second time changes nothing. None if the seller has no such key."""
    row = await session.get(ApiKey, id, with_for_update=True)
    if row is None or row.seller != seller:
        return None
    if row.revoked_ms is None:
        row.revoked_ms = now_ms
        session.add(row)
        await session.flush()
    return _facts(row)


def key_id(plaintext: str) -> str | None:
    """The public part of a key, or None if it is not of our form."""
    found = PATTERN.fullmatch(plaintext)
    return found[1] if found else None


def key_hmac(pepper: bytes, plaintext: str) -> str:
    """What is stored of a key, in hex; the id inside is covered too."""
    return hmac.new(pepper, plaintext.encode(), hashlib.sha256).hexdigest()


def _facts(row: ApiKey) -> KeyFacts:
    return KeyFacts(row.id, row.seller, row.name, row.created_ms, row.revoked_ms)
