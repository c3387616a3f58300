"""Drafts: changes of config that somebody prepares under a name; one row each, kept when it is over."""

from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import words
from .tables import ConfigDraft

DRAFT: Final = "draft"
ACTIVE: Final = "active"


@dataclass(frozen=True)
class DraftFacts:
    """
    A named change. `rows` is JSON, its reader's business; `version` rises with every save.

    state: draft, or active once it has been put in force, as version `config_version`.
    """

    name: str
    version: int
    state: str
    note: str
    rows: str
    config_version: int | None
    actor: str
    at_ms: int


async def find_draft(session: AsyncSession, seller: str, name: str) -> DraftFacts | None:
    """One draft, or None."""
    row = await session.get(ConfigDraft, (seller, words(name)), populate_existing=True)
    return _facts(row) if row else None


async def put_draft(session: AsyncSession, seller: str, draft: DraftFacts) -> None:
    """Write a draft over what is there."""
    await session.merge(ConfigDraft(seller=seller, **vars(draft)))


async def drop_draft(session: AsyncSession, seller: str, name: str) -> None:
    """Let a draft go."""
    mine: list[Any] = [col(ConfigDraft.seller) == seller, col(ConfigDraft.name) == words(name)]
    await session.exec(delete(ConfigDraft).where(*mine))


async def page_drafts(session: AsyncSession, seller: str, *, after: str, limit: int) -> list[DraftFacts]:
    """Drafts by name, from behind `after`."""
    query = select(ConfigDraft).where(ConfigDraft.seller == seller, col(ConfigDraft.name) > words(after))
    return [_facts(row) for row in await session.exec(query.order_by(col(ConfigDraft.name)).limit(limit))]


def _facts(row: ConfigDraft) -> DraftFacts:
    return DraftFacts(row.name, row.version, row.state, row.note, row.rows, row.config_version, row.actor, row.at_ms)
