"""
The numbers of one channel, page by page, and from there on what changes.

A cursor is all there is of a reader: `["all", position, sku]` while everything is told in the order of skus, beginning
at a position of the ledger, and `["from", position]` after that. What changed is what entries behind the position have
touched (`events.touched`, as for the stream), asked after they were read; so a number is that of its entry or newer,
and what is newer comes with an entry of its own. Where entries are gone, or the config changed for all, everything is
told again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from redis.asyncio import Redis

from allocator import Allocator, ledger
from allocator.ledger import Gap, Row
from app.errors import Unfit
from app.events.asking import ask
from app.events.touched import CONFIG_SKUS_MAX, Touched, resolved, touched_by
from app.history import read_cursor_of, write_cursor
from app.store.config import find_records, page_records, skus_of
from app.store.database import Database

from .forms import Feed, FeedRow
from .quantities import shown

READ_COUNT: Final = 500
"""Most entries of one answer."""

GONE: Final = -1
"""The version of a sku that there is no more."""

Position = Annotated[str, msgspec.Meta(max_length=41)]

Cursor = tuple[Literal["all", "from"], Position, str]

_read = msgspec.json.Decoder(Cursor).decode


@dataclass(frozen=True)
class Reader:
    """Reads one channel's numbers for its tills. `client` answers at once."""

    database: Database
    client: Redis
    allocator: Allocator
    channel: str

    async def feed(self, since: str, limit: int) -> Feed:
        """What may have changed, about `limit` skus of it. Raises Unfit, UnknownChannel, NotReady, Unanswered."""
        if not since:
            return await self._all(await self._end(), "", limit, reset=False)
        phase, position, sku = _cursor_of(since)
        if phase == "all":
            return await self._all(position, sku, limit, reset=False)
        return await self._from(position, limit)

    async def _end(self) -> str:
        return await ledger.last_id(self.client, self.allocator.seller)

    async def _all(self, position: str, after: str, limit: int, *, reset: bool) -> Feed:
        """A page of all skus. What changed since the position comes when they have all been told."""
        async with self.database.reading() as session:
            found = await page_records(
                session, self.allocator.seller, "skus", where={}, after=after or None, limit=limit + 1
            )
        scales = {sku: stored.record["scale"] for sku, stored in found[:limit]}
        more = len(found) > limit
        last = found[limit - 1][0] if more else ""
        following = write_cursor(("all", position, last) if more else ("from", position, ""))
        rows = await self._rows(list(scales), scales)
        return Feed(rows, following, more or await self._end() != position, reset)

    async def _from(self, position: str, limit: int) -> Feed:
        """What the entries behind the position have touched; all of it again where that cannot be told."""
        try:
            rows = await ledger.read(self.client, self.allocator.seller, position, READ_COUNT)
            rows, touched = self._some(rows, limit)
            touched = await resolved(touched, self._skus_of)
        except Gap:
            return await self._all(await self._end(), "", limit, reset=True)
        if touched.everything or self.channel in touched.channels:
            return await self._all(await self._end(), "", limit, reset=True)
        if touched.configured:
            await self.allocator.reload()
        last = rows[-1][0] if rows else position
        return Feed(
            await self._rows(sorted(touched.skus), await self._scales(sorted(touched.skus))),
            write_cursor(("from", last, "")),
            await self._end() != last,
            reset=False,
        )

    def _some(self, rows: Sequence[Row], limit: int) -> tuple[list[Row], Touched]:
        """The first of these entries, as long as they touch no more skus than asked for; at least one of them."""
        skus: set[str] = set()
        for number, (_, entry) in enumerate(rows):
            skus |= {change.sku for change in entry.changes}
            if number and len(skus) > limit:
                return list(rows[:number]), touched_by(rows[:number])
        return list(rows), touched_by(rows)

    async def _skus_of(self, categories: list[str]) -> list[str]:
        async with self.database.reading() as session:
            return await skus_of(session, self.allocator.seller, categories, limit=CONFIG_SKUS_MAX + 1)

    async def _scales(self, skus: Sequence[str]) -> dict[str, int]:
        async with self.database.reading() as session:
            found = await find_records(session, self.allocator.seller, "skus", skus)
        return {sku: stored.record["scale"] for sku, stored in found.items()}

    async def _rows(self, skus: Sequence[str], scales: dict[str, int]) -> list[FeedRow]:
        rows = []
        async for _, levels in ask(self.allocator, skus, [self.channel]):
            for level in levels:
                scale = scales.get(level.sku, 1)
                available, published = (shown(max(0, units), scale) for units in (level.atp_now, level.published))
                # What config has no more the store may still know.
                version = level.version if level.sku in scales else GONE
                rows.append(FeedRow(level.sku, available, published, version))
        return rows


def _cursor_of(since: str) -> Cursor:
    """Raises Unfit."""
    try:
        cursor: Cursor | None = read_cursor_of(since, _read)
        assert cursor is not None
        ledger.place(cursor[1])
    except (ValueError, Unfit) as error:
        raise Unfit("this is no cursor of ours", where="query since") from error
    return cursor
