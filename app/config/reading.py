"""Reads config for people: one thing, a page of things, where the config stands."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from allocator import Allocator
from allocator.errors import Invalid
from app.store import config as store
from app.store.config_changes import ChangeFacts, RowFacts, find_change, page_changes, rows_of_change, standing
from app.store.database import Database

from .errors import ChangeUnknown, ItemUnknown
from .picture import Entry, entry_of


class Page(NamedTuple):
    """Some entries by key, and the cursor of the next page or None."""

    entries: list[tuple[str, Entry]]
    next_cursor: str | None


class Stand(NamedTuple):
    """The version in force in SQL and in the store, the one that is half done, and how many things there are."""

    version: int
    store_version: int
    staged: int | None
    counts: dict[str, int]


async def read_item(database: Database, seller: str, kind: str, key: str) -> Entry:
    """One thing. Raises ItemUnknown."""
    async with database.reading() as session:
        found = await store.find_records(session, seller, kind, [key])
    if key not in found:
        raise ItemUnknown(f"{kind} has no {key!r}", kind=kind, key=key)
    return entry_of(kind, found[key])


async def read_page(
    database: Database, seller: str, kind: str, *, where: Mapping[str, Any], cursor: str, limit: int
) -> Page:
    """Things in the order of their keys. Raises Invalid for a cursor that is none."""
    after = _read_cursor(cursor) if cursor else None
    async with database.reading() as session:
        rows = await store.page_records(session, seller, kind, where=where, after=after, limit=limit + 1)
    entries = [(key, entry_of(kind, stored)) for key, stored in rows[:limit]]
    return Page(entries, _write_cursor(entries[-1][0]) if len(rows) > limit else None)


async def read_stand(database: Database, allocator: Allocator) -> Stand:
    """Where the config stands. Raises NotReady, Unanswered."""
    await allocator.reload()
    async with database.reading() as session:
        stands = await standing(session, allocator.seller)
        counts = await store.count_records(session, allocator.seller)
    return Stand(stands.active, allocator.version, stands.staged, counts)


async def read_changes(
    database: Database, seller: str, *, kind: str, key: str, cursor: str, limit: int
) -> tuple[list[ChangeFacts], str | None]:
    """The history, newest first, and the cursor of the next page or None. Raises Invalid."""
    before = _read_version(cursor) if cursor else None
    async with database.reading() as session:
        changes = await page_changes(session, seller, before=before, limit=limit + 1, kind=kind, key=key)
    last = changes[limit - 1].version if len(changes) > limit else None
    return changes[:limit], None if last is None else _write_cursor(str(last))


async def read_change(database: Database, seller: str, version: int) -> tuple[ChangeFacts, list[RowFacts]]:
    """One change with what it changed. Raises ChangeUnknown."""
    async with database.reading() as session:
        change = await find_change(session, seller, version)
        if change is None:
            raise ChangeUnknown(f"the config has no version {version}", version=version)
        return change, await rows_of_change(session, seller, version)


def _write_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Invalid("this is no cursor of ours", {"where": "query cursor", "value": cursor}) from error


def _read_version(cursor: str) -> int:
    text = _read_cursor(cursor)
    if not text.isdecimal() or len(text) > 9:
        raise Invalid("this is no cursor of ours", {"where": "query cursor", "value": cursor})
    return int(text)
