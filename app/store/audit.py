"""Who did what, and what was refused to whom: written once, never changed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import INTEGER_MAX, number
from .statements import execute
from .tables import AuditEntry


@dataclass(frozen=True, kw_only=True)
class Entry:
    """
    One act or refusal.

    `actor` is "key:<id>", "cli:<user>" or "unknown"; `outcome` "done" or a problem's slug. `id` counts upwards, and is
    0 until it is written.
    """

    seller: str
    at_ms: int
    actor: str
    action: str
    target: str
    outcome: str = "done"
    detail: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""
    id: int = 0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which entries are asked for; '' and 0 do not choose. `before` is the id of the last one seen."""

    actor: str = ""
    action: str = ""
    outcome: str = ""
    since_ms: int = 0
    before: int | None = None


async def add_entries(session: AsyncSession, entries: Iterable[Entry]) -> None:
    """Write entries, in the transaction of what they speak about."""
    if rows := [_row(entry) for entry in entries]:
        await execute(session, insert(AuditEntry), rows)


async def list_entries(session: AsyncSession, *, seller: str, wanted: Wanted, limit: int) -> list[Entry]:
    """A seller's entries, newest first."""
    since_ms = number(wanted.since_ms)
    rows = select(AuditEntry).where(AuditEntry.seller == seller, col(AuditEntry.at_ms) >= since_ms)
    for column in ("actor", "action", "outcome"):
        if value := getattr(wanted, column):
            rows = rows.where(getattr(AuditEntry, column) == value)
    if wanted.before is not None:
        rows = rows.where(col(AuditEntry.id) < number(wanted.before, INTEGER_MAX))
    found = await session.exec(rows.order_by(col(AuditEntry.id).desc()).limit(limit))
    return [_entry(row) for row in found]


def _row(entry: Entry) -> dict[str, Any]:
    # What callers named can be longer than a column; PostgreSQL would refuse the whole batch.
    return {
        "seller": entry.seller,
        "at_ms": entry.at_ms,
        "actor": entry.actor[:128],
        "action": entry.action[:64],
        "target": entry.target[:300],
        "outcome": entry.outcome[:40],
        "detail": entry.detail,
        "request_id": entry.request_id[:64],
    }


def _entry(row: AuditEntry) -> Entry:
    return Entry(
        id=row.id or 0,
        seller=row.seller,
        at_ms=row.at_ms,
        actor=row.actor,
        action=row.action,
        target=row.target,
        outcome=row.outcome,
        detail=row.detail,
        request_id=row.request_id,
    )
