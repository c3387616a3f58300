"""What callers send and get about keys, the seller and the audit."""

from typing import Annotated, Any, Final, Literal

import msgspec

from allocator import Code

from .requests import CHANNELS_MAX, Asked, Text
from .rights import Role, limits_of, scopes_of
from .store.audit import Entry
from .store.keys import KeyFacts

DAY_SECONDS: Final = 86_400
LOCATIONS_MAX: Final = 1_000

KeyId = Annotated[Code, msgspec.Meta(description="The public part of a key, 12 hexadecimal digits.")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Cursor = Annotated[str, msgspec.Meta(max_length=64, description="next_cursor of the page before.")]


class KeyPath(Asked, frozen=True, kw_only=True):
    """One key of the seller."""

    key_id: KeyId


class KeysQuery(Asked, frozen=True, kw_only=True):
    """One page of keys, oldest first."""

    limit: PageSize = 100
    cursor: Cursor = ""


class KeyAsked(Asked, frozen=True, kw_only=True):
    """
    A new key. None limits it to no channel, no location, no number of requests but the service's default.

    A key with limits has no scope that concerns the whole seller, whatever its role.
    """

    name: Name
    role: Role
    channels: Annotated[list[Code], msgspec.Meta(max_length=CHANNELS_MAX)] | None = None
    locations: Annotated[list[Code], msgspec.Meta(max_length=LOCATIONS_MAX)] | None = None
    requests_per_minute: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] | None = None


class RotateAsked(Asked, frozen=True, kw_only=True):
    """How long the old key stays good beside the new one; 0 ends it at once."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=30 * DAY_SECONDS)] = DAY_SECONDS


class SellerAsked(Asked, frozen=True, kw_only=True):
    """The seller's new name, for people."""

    name: Name


class AuditQuery(Asked, frozen=True, kw_only=True):
    """Which entries; '' does not choose. `since_ms` is in milliseconds since 1970."""

    actor: Text = ""
    action: Text = ""
    outcome: Text = ""
    since_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    limit: PageSize = 100
    cursor: Cursor = ""


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """What may be known of a key. state: good, expired, revoked. Times in milliseconds since 1970, or None."""

    id: str
    name: str
    role: str
    scopes: list[str]
    channels: list[str] | None
    locations: list[str] | None
    requests_per_minute: int | None
    replaces: str | None
    state: Literal["good", "expired", "revoked"]
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    last_used_ms: int | None


class KeyMade(msgspec.Struct, frozen=True):
    """A new key. `secret` is the whole key as it is sent, and is never shown again."""

    key: KeyShown
    secret: str


class KeyPage(msgspec.Struct, frozen=True):
    """Keys, oldest first; None when there are no more."""

    data: list[KeyShown]
    next_cursor: str | None


class SellerShown(msgspec.Struct, frozen=True):
    """Who owns stock, channels and orders."""

    code: str
    name: str


class Me(msgspec.Struct, frozen=True):
    """Which key this is, and whose."""

    seller: SellerShown
    key: KeyShown


class AuditShown(msgspec.Struct, frozen=True, kw_only=True):
    """
    An act (`outcome` done) or a refusal (`outcome` is the problem's slug, `action` the operation).

    actor: key:<id>, cli:<user>, unknown, or unknown:<id a wrong key had>. detail: before and after, or the reason; for
    a refusal where it was and how often.
    """

    id: int
    at_ms: int
    actor: str
    action: str
    target: str
    outcome: str
    detail: dict[str, Any]
    request_id: str


class AuditPage(msgspec.Struct, frozen=True):
    """Entries, newest first; None when there are no more."""

    data: list[AuditShown]
    next_cursor: str | None


def show_key(key: KeyFacts, now_ms: int) -> KeyShown:
    """What may be known of a key."""
    limits = limits_of(key.channels, key.locations)
    ended: Literal["expired", "revoked"] = "expired" if key.revoked_ms is None else "revoked"
    return KeyShown(
        id=key.id,
        name=key.name,
        role=key.role,
        scopes=sorted(scopes_of(key.role, limits)),
        channels=None if key.channels is None else list(key.channels),
        locations=None if key.locations is None else list(key.locations),
        requests_per_minute=key.requests_per_minute,
        replaces=key.replaces,
        state="good" if key.is_good(now_ms) else ended,
        created_ms=key.created_ms,
        expires_ms=key.expires_ms,
        revoked_ms=key.revoked_ms,
        last_used_ms=key.last_used_ms,
    )


def show_entry(entry: Entry) -> AuditShown:
    """An entry of the audit."""
    return AuditShown(
        id=entry.id,
        at_ms=entry.at_ms,
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        outcome=entry.outcome,
        detail=entry.detail,
        request_id=entry.request_id,
    )
