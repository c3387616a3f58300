"""
Making and ending keys, with the audit entry in the same transaction: for the API and for the command line.

Whoever uses it commits first and then tells every process (`signals.announce`) which key has ended.
"""

from typing import Any

from .audit import By, note
from .errors import KeyUnknown, RotationUnderWay
from .key_forms import KeyAsked
from .store.audit import add_entries
from .store.database import Session
from .store.keys import CannotRotate, KeyFacts, MadeKey, find_key, make_key, revoke_key, rotate_key
from .times import now_ms


async def make(session: Session, by: By, asked: KeyAsked, *, pepper: bytes) -> MadeKey:
    """A new key. Raises SellerUnknown."""
    made = await make_key(
        session,
        seller=by.seller,
        name=asked.name,
        role=asked.role,
        pepper=pepper,
        now_ms=now_ms(),
        channels=asked.channels,
        locations=asked.locations,
        requests_per_minute=asked.requests_per_minute,
    )
    await _note(session, by, "keys.make", made.id, {"after": _rights(await find(session, by.seller, made.id))})
    return made


async def rotate(session: Session, by: By, id: str, *, overlap_ms: int, pepper: bytes) -> MadeKey:
    """A key with the rights of this one, which stays good for a while. Raises KeyUnknown, RotationUnderWay."""
    try:
        made = await rotate_key(session, id, seller=by.seller, pepper=pepper, now_ms=now_ms(), overlap_ms=overlap_ms)
    except CannotRotate as error:
        raise RotationUnderWay(str(error)) from error
    if made is None:
        raise KeyUnknown(f"there is no key {id}")
    old = await find(session, by.seller, id)
    await _note(session, by, "keys.rotate", id, {"new": made.id, "old_expires_ms": old.expires_ms})
    return made


async def revoke(session: Session, by: By, id: str) -> KeyFacts:
    """End a key for ever; again changes nothing. Raises KeyUnknown."""
    before = await find(session, by.seller, id)
    after = await revoke_key(session, id, seller=by.seller, now_ms=now_ms())
    if after is None:
        raise KeyUnknown(f"there is no key {id}")
    if before.revoked_ms is None:
        await _note(session, by, "keys.revoke", id, {"before": _rights(before)})
    return after


async def find(session: Session, seller: str, id: str) -> KeyFacts:
    """The seller's key. Raises KeyUnknown."""
    key = await find_key(session, id, seller=seller)
    if key is None:
        raise KeyUnknown(f"there is no key {id}")
    return key


async def _note(session: Session, by: By, action: str, id: str, detail: dict[str, Any]) -> None:
    await add_entries(session, [note(by, action, f"key:{id}", detail)])


def _rights(key: KeyFacts) -> dict[str, Any]:
    return {
        "name": key.name,
        "role": key.role,
        "channels": key.channels,
        "locations": key.locations,
        "requests_per_minute": key.requests_per_minute,
    }
