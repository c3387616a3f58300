"""
Versions of the config: what was changed, by whom, and how far it got.

A change is staged first, then put in force in Valkey, then its rows are written and it is active; or it failed, and
nothing changed. Of one seller at most one change is staged at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import words
from .tables import ConfigChange, ConfigChangeRow

STAGED: Final = "staged"
ACTIVE: Final = "active"
FAILED: Final = "failed"


@dataclass(frozen=True)
class ChangeFacts:
    """One version; `base` is the version it was made against. Only one that is active was ever in force."""

    version: int
    base: int
    state: str
    actor: str
    note: str
    rolls_back_to: int | None
    why_failed: str
    at_ms: int


@dataclass(frozen=True)
class RowFacts:
    """One thing a change changed: JSON before and after, None where there was or is nothing."""

    kind: str
    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Standing:
    """Where a seller's config stands: the version in force, the newest number used, and what is half done."""

    active: int
    newest: int
    staged: int | None


async def standing(session: AsyncSession, seller: str) -> Standing:
    """Where the seller's config stands."""
    query = select(ConfigChange.state, func.max(ConfigChange.version)).where(ConfigChange.seller == seller)
    newest = dict((await session.exec(query.group_by(ConfigChange.state))).all())
    return Standing(newest.get(ACTIVE, 0), max(newest.values(), default=0), newest.get(STAGED))


async def stage_change(session: AsyncSession, seller: str, change: ChangeFacts, rows: Sequence[RowFacts]) -> None:
    """Remember a change that is about to be put in force."""
    session.add(ConfigChange(seller=seller, **vars(change)))
    session.add_all(
        ConfigChangeRow(seller=seller, version=change.version, number=number, **vars(row))
        for number, row in enumerate(rows)
    )
    await session.flush()


async def end_change(session: AsyncSession, seller: str, version: int, state: str, why_failed: str = "") -> None:
    """Say how a staged change ended."""
    this = update(ConfigChange).where(col(ConfigChange.seller) == seller, col(ConfigChange.version) == version)
    await session.exec(this.values(state=state, why_failed=why_failed))


async def rename_changes(session: AsyncSession, seller: str, *, actor: str, note: str, new_note: str) -> None:
    """Give all changes of an actor that have this note another one."""
    mine = [col(ConfigChange.seller) == seller, col(ConfigChange.actor) == actor, col(ConfigChange.note) == note]
    await session.exec(update(ConfigChange).where(*mine).values(note=new_note))


async def find_change(session: AsyncSession, seller: str, version: int) -> ChangeFacts | None:
    """One version, or None."""
    row = await session.get(ConfigChange, (seller, version), populate_existing=True)
    return _facts(row) if row else None


async def rows_of_change(session: AsyncSession, seller: str, version: int) -> list[RowFacts]:
    """What a version changed, in order."""
    mine = [ConfigChangeRow.seller == seller, ConfigChangeRow.version == version]
    query = select(ConfigChangeRow).where(*mine).order_by(col(ConfigChangeRow.number))
    return [RowFacts(row.kind, row.key, row.before, row.after) for row in await session.exec(query)]


async def rows_of_changes(session: AsyncSession, seller: str, kind: str, *, after: int, until: int) -> set[str]:
    """The keys of this kind that versions after one and until another were about."""
    mine: list[Any] = [ConfigChangeRow.seller == seller, ConfigChangeRow.kind == kind]
    mine += [col(ConfigChangeRow.version) > after, col(ConfigChangeRow.version) <= until]
    return set(await session.exec(select(ConfigChangeRow.key).where(*mine)))


async def page_changes(
    session: AsyncSession, seller: str, *, before: int | None, limit: int, kind: str = "", key: str = ""
) -> list[ChangeFacts]:
    """Versions, newest first, from below `before`; of those that touched a kind or one thing, if it is named."""
    query = select(ConfigChange).where(ConfigChange.seller == seller)
    if before is not None:
        query = query.where(ConfigChange.version < before)
    if kind or key:
        query = query.where(col(ConfigChange.version).in_(_touching(seller, kind, words(key))))
    query = query.order_by(col(ConfigChange.version).desc()).limit(limit)
    return [_facts(row) for row in await session.exec(query)]


async def rows_after(session: AsyncSession, seller: str, version: int, *, limit: int) -> list[tuple[int, RowFacts]]:
    """What the active versions above this one changed, newest first, with their versions; at most `limit`."""
    query = (
        select(ConfigChangeRow)
        .join(
            ConfigChange,
            (col(ConfigChange.seller) == ConfigChangeRow.seller)
            & (col(ConfigChange.version) == ConfigChangeRow.version),
        )
        .where(ConfigChangeRow.seller == seller, ConfigChangeRow.version > version, ConfigChange.state == ACTIVE)
        .order_by(col(ConfigChangeRow.version).desc(), col(ConfigChangeRow.number).desc())
        .limit(limit)
    )
    rows = (await session.exec(query)).all()
    return [(row.version, RowFacts(row.kind, row.key, row.before, row.after)) for row in rows]


async def is_touched(session: AsyncSession, seller: str, *, actor: str, note: str) -> bool:
    """Whether there is an active change that is not this actor's with this note."""
    other = (col(ConfigChange.actor) != actor) | (col(ConfigChange.note) != note)
    query = select(ConfigChange.version).where(ConfigChange.seller == seller, ConfigChange.state == ACTIVE, other)
    return (await session.exec(query.limit(1))).first() is not None


def _touching(seller: str, kind: str, key: str) -> Any:
    query = select(ConfigChangeRow.version).where(ConfigChangeRow.seller == seller)
    if kind:
        query = query.where(ConfigChangeRow.kind == kind)
    return query.where(ConfigChangeRow.key == key) if key else query


def _facts(row: ConfigChange) -> ChangeFacts:
    return ChangeFacts(
        row.version, row.base, row.state, row.actor, row.note, row.rolls_back_to, row.why_failed, row.at_ms
    )
