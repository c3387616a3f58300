"""What is announced to come back, asked of what the drain has written; walked along an index."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, select, text, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from .announced_tables import AnnouncedReturnRow
from .comparing import number, words
from .statements import all_rows

_TABLE: Final[Table] = AnnouncedReturnRow.__table__  # type: ignore[attr-defined] # SQLModel makes it

ExpectedKey = tuple[int, str, str, str, str]
"""When it is expected, channel, external id, return and line: how the list is sorted, what is expected first first."""


@dataclass(frozen=True, kw_only=True)
class WantedReturns:
    """Which lines; '' and None do not choose. due_before_ms: expected before that time, where a time is known."""

    channels: Collection[str] | None = None
    locations: Collection[str] | None = None
    sku: str = ""
    due_before_ms: int | None = None
    after: ExpectedKey | None = None


@dataclass(frozen=True)
class ExpectedFacts:
    """One line of a return of which units are expected; due_ms 0: nobody knows when."""

    channel: str
    external_id: str
    return_id: str
    line: str
    revision: int
    due_ms: int
    location: str
    why: str
    sku: str
    units: int
    arrived: int
    expected: int


_COLUMNS: Final = [_TABLE.c[name] for name in ExpectedFacts.__dataclass_fields__]
_KEY: Final = [_TABLE.c[name] for name in ("due_ms", "channel", "external_id", "return_id", "line")]


async def list_expected(session: AsyncSession, seller: str, wanted: WantedReturns, limit: int) -> list[ExpectedFacts]:
    """Lines of returns of which units are expected, soonest first; before them those without a time."""
    # As text, as the indexes have it: a value that is bound is not compared with their condition.
    some = text("announced_return.expected > 0")
    query = select(*_COLUMNS).where(_TABLE.c.seller == seller, some, *_conditions(wanted))
    return [ExpectedFacts(*row) for row in await all_rows(session, query.order_by(*_KEY).limit(limit))]


def _conditions(wanted: WantedReturns) -> list[Any]:
    conditions: list[Any] = []
    for column, chosen in ((_TABLE.c.channel, wanted.channels), (_TABLE.c.location, wanted.locations)):
        if chosen is not None:
            # One alone is compared, so that its part of the index is in the order of the list.
            several = sorted(chosen)
            conditions.append(column == several[0] if len(several) == 1 else column.in_(several))
    if wanted.sku:
        conditions.append(_TABLE.c.sku == wanted.sku)
    if wanted.due_before_ms is not None:
        conditions += [_TABLE.c.due_ms > 0, _TABLE.c.due_ms < number(wanted.due_before_ms)]
    if wanted.after is not None:
        due_ms, *names = wanted.after
        conditions.append(tuple_(*_KEY) > tuple_(number(due_ms), *map(words, names)))
    return conditions
