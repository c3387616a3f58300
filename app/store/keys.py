"""
API keys: `allot_live_<id>_<secret>`, shown once, kept as HMAC-SHA256 with the pepper.

The secret has 256 random bits, so a slow password hash would protect nothing and cost every request 200 ms;
the pepper keeps a stolen database alone from being checked against guesses. What a key may do never changes: another
key is made instead.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import col, select, tuple_, update
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import number, words
from .sellers import require_seller
from .tables import ApiKey

PATTERN: Final = re.compile(r"allot_live_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)

IDS_MAX: Final = 500
"""Most ids in one statement."""


class CannotRotate(Exception):
    """The key has ended, or two keys of its rotation are valid already."""


@dataclass(frozen=True)
class MadeKey:
    """A new key; `plaintext` cannot be shown again."""

    id: str
    plaintext: str


@dataclass(frozen=True, kw_only=True)
class KeyFacts:
    """
    What may be shown of a key.

    `channels` and `locations` are what it is limited to, None for no limit. `requests_per_minute` None is the
    service's default. `replaces` is the key it follows in a rotation. It is good until `expires_ms` or `revoked_ms`.
    """

    id: str
    seller: str
    name: str
    role: str
    created_ms: int
    channels: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    requests_per_minute: int | None = None
    replaces: str | None = None
    expires_ms: int | None = None
    revoked_ms: int | None = None
    last_used_ms: int | None = None

    def is_good(self, now_ms: int) -> bool:
        """Whether the key opens anything at this time."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


async def make_key(
    session: AsyncSession,
    *,
    seller: str,
    name: str,
    role: str,
    pepper: bytes,
    now_ms: int,
    channels: Collection[str] | None = None,
    locations: Collection[str] | None = None,
    requests_per_minute: int | None = None,
    replaces: str | None = None,
) -> MadeKey:
    """Make a key for a seller. Raises SellerUnknown."""
    await require_seller(session, seller)
    id = secrets.token_hex(6)
    plaintext = f"allot_live_{id}_{secrets.token_urlsafe(32)}"
    row = ApiKey(
        id=id,
        seller=seller,
        name=name,
        role=role,
        channels=_listed(channels),
        locations=_listed(locations),
        requests_per_minute=requests_per_minute,
        secret_hmac=key_hmac(pepper, plaintext),
        replaces=replaces,
        created_ms=now_ms,
    )
    session.add(row)
    await session.flush()
    return MadeKey(id, plaintext)


async def verify_key(session: AsyncSession, plaintext: str, *, pepper: bytes, now_ms: int) -> KeyFacts | None:
    """Whose key this is; None for one that is malformed, unknown, wrong, expired or revoked."""
    id = key_id(plaintext)
    row = await session.get(ApiKey, id) if id else None
    # An unknown id takes as long as a wrong secret.
    expected = row.secret_hmac if row else ""
    right = hmac.compare_digest(expected, key_hmac(pepper, plaintext))
    facts = _facts(row) if row and right else None
    return facts if facts and facts.is_good(now_ms) else None


async def find_key(session: AsyncSession, id: str, *, seller: str) -> KeyFacts | None:
    """The seller's key with this id, good or not; None if the seller has no such key."""
    row = await session.get(ApiKey, id)
    return _facts(row) if row and row.seller == seller else None


async def list_keys(
    session: AsyncSession, *, seller: str, after: tuple[int, str] | None = None, limit: int | None = None
) -> list[KeyFacts]:
    """Keys of a seller, ended ones too, oldest first; `after` is (created_ms, id) of the last one seen."""
    mine = select(ApiKey).where(ApiKey.seller == seller).order_by(col(ApiKey.created_ms), col(ApiKey.id)).limit(limit)
    if after is not None:
        last = (number(after[0]), words(after[1]))
        mine = mine.where(tuple_(col(ApiKey.created_ms), col(ApiKey.id)) > last)
    return [_facts(row) for row in await session.exec(mine)]


async def read_keys(session: AsyncSession, ids: Iterable[str]) -> dict[str, KeyFacts]:
    """These keys of any seller, by id, as far as they exist."""
    found: dict[str, KeyFacts] = {}
    for some in _chunks(list(ids)):
        rows = await session.exec(select(ApiKey).where(col(ApiKey.id).in_(some)))
        found |= {row.id: _facts(row) for row in rows}
    return found


async def rotate_key(
    session: AsyncSession, id: str, *, seller: str, pepper: bytes, now_ms: int, overlap_ms: int
) -> MadeKey | None:
    """
    A new key with the rights of this one, which ends `overlap_ms` from now. None if the seller has no such key.

    Raises CannotRotate when it is not good, or when the key it follows, or one that follows it, is good too.
    """
    await require_seller(session, seller, lock=True)
    row = await session.get(ApiKey, id)
    if row is None or row.seller != seller:
        return None
    await _refuse_third(session, _facts(row), now_ms)
    row.expires_ms = min(now_ms + overlap_ms, row.expires_ms or now_ms + overlap_ms)
    session.add(row)
    return await make_key(
        session,
        seller=seller,
        name=row.name,
        role=row.role,
        pepper=pepper,
        now_ms=now_ms,
        channels=row.channels,
        locations=row.locations,
        requests_per_minute=row.requests_per_minute,
        replaces=id,
    )


async def _refuse_third(session: AsyncSession, key: KeyFacts, now_ms: int) -> None:
    if not key.is_good(now_ms):
        raise CannotRotate(f"the key {key.id} has ended")
    mine = select(ApiKey).where(ApiKey.seller == key.seller)
    rows = await session.exec(mine.where((ApiKey.replaces == key.id) | (ApiKey.id == key.replaces)))
    good = [row.id for row in rows if _facts(row).is_good(now_ms)]
    if good:
        raise CannotRotate(f"the key {good[0]} of the same rotation is still good")


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


async def touch_keys(session: AsyncSession, ids: Iterable[str], *, now_ms: int) -> None:
    """Remember that these keys were used just now."""
    # Always in the same order: processes that touch the same keys never wait for each other in a circle.
    for some in _chunks(sorted(ids)):
        await session.exec(update(ApiKey).where(col(ApiKey.id).in_(some)).values(last_used_ms=now_ms))


def key_id(plaintext: str) -> str | None:
    """The public part of a key, or None if it is not of our form."""
    found = PATTERN.fullmatch(plaintext)
    return found[1] if found else None


def key_hmac(pepper: bytes, plaintext: str) -> str:
    """What is stored of a key, in hex; the id inside is covered too."""
    return hmac.new(pepper, plaintext.encode(), hashlib.sha256).hexdigest()


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + IDS_MAX] for start in range(0, len(ids), IDS_MAX)]


def _listed(codes: Collection[str] | None) -> list[str] | None:
    return None if codes is None else sorted(set(codes))


def _facts(row: ApiKey) -> KeyFacts:
    return KeyFacts(
        id=row.id,
        seller=row.seller,
        name=row.name,
        role=row.role,
        created_ms=row.created_ms,
        channels=None if row.channels is None else tuple(row.channels),
        locations=None if row.locations is None else tuple(row.locations),
        requests_per_minute=row.requests_per_minute,
        replaces=row.replaces,
        expires_ms=row.expires_ms,
        revoked_ms=row.revoked_ms,
        last_used_ms=row.last_used_ms,
    )
