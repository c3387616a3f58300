"""
The end of a ledger that SQL does not have yet, and records of Valkey read in the very same moment.

The drain goes on while a check reads, so the beginning of the tail is moved along with its cursor.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from allocator import SellerKeys
from allocator.ledger import Damaged, Row, config_of, place, read
from allocator.records import UNREADABLE, Change, ConfigRecord, Entry, decode_entry

PAGE: Final = 1_000


class Tail:
    """
    Entries after a position, as far as they have been read.

    `look` answers fields of hashes as they are after exactly these entries.
    """

    def __init__(self, client: Redis, seller: str) -> None:
        self._client = client
        self._seller = seller
        self._keys = SellerKeys(seller)
        [self._ledger] = self._keys.named("ledger")
        self._rows: deque[Row] = deque()
        self._end: str | None = None
        self._changes: dict[str, deque[Change]] = {}
        self._records: dict[str, deque[bytes]] = {}

    async def begin(self, position: str) -> None:
        """Begin behind this entry, the drain's cursor. Raises Gap and Damaged, at the first time."""
        if self._end is None:
            self._add(await read(self._client, self._seller, position, PAGE))
            self._end = self._rows[-1][0] if self._rows else position
            await self._catch_up()
            return
        while self._rows and place(self._rows[0][0]) <= place(position):
            self._drop(self._rows.popleft()[1])
        if place(self._end) < place(position):
            self._end = position

    async def look(self, word: str, fields: Sequence[str]) -> list[bytes | None]:
        """What these fields of one of the seller's hashes have now, with all entries until now read. Raises Damaged."""
        [name] = self._keys.named(word)
        return list(await self._with("hmget", name, list(fields)))

    async def size(self, word: str) -> int:
        """How many fields one of the seller's hashes has now, with all entries until now read. Raises Damaged."""
        [name] = self._keys.named(word)
        return int(await self._with("hlen", name))

    def changes_of(self, sku: str) -> Sequence[Change]:
        """What the tail did to a sku, in order."""
        return self._changes.get(sku, ())

    def record_of(self, name: str) -> bytes | None:
        """How the tail left the record `hold:<id>` or `order:<id>`; None when it did not touch it."""
        found = self._records.get(name)
        return found[-1] if found else None

    def names(self, kind: str) -> list[str]:
        """The skus, holds or orders that the tail touched."""
        if kind == "stock":
            return sorted(self.made() | self._changes.keys())
        word = {"holds": "hold:", "orders": "order:"}[kind]
        return [name.removeprefix(word) for name in self._records if name.startswith(word)]

    def made(self) -> set[str]:
        """The skus that configs of the tail made."""
        return {sku for config in self.configs() for sku in config.made}

    def configs(self) -> list[ConfigRecord]:
        """The changes of compiled config in the tail, in order."""
        return [config for _, entry in self._rows if (config := config_of(entry)) is not None]

    async def _with(self, command: str, *arguments: Any) -> Any:
        await self._catch_up()
        while True:
            async with self._client.pipeline(transaction=True) as both:
                both.xrange(self._ledger, f"({self._end}", "+", PAGE)
                getattr(both, command)(*arguments)
                rows, found = await both.execute()
            self._extend(rows)
            if len(rows) < PAGE:
                return found

    async def _catch_up(self) -> None:
        while True:
            rows: Any = await self._client.xrange(self._ledger, f"({self._end}", "+", PAGE)
            self._extend(rows)
            if len(rows) < PAGE:
                return

    def _extend(self, rows: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        read_rows = []
        for id, fields in rows:
            try:
                read_rows.append((id.decode(), decode_entry(fields)))
            except UNREADABLE as error:
                raise Damaged(f"ledger entry {id.decode()} cannot be read") from error
        self._add(read_rows)
        if read_rows:
            self._end = read_rows[-1][0]

    def _add(self, rows: Sequence[Row]) -> None:
        for id, entry in rows:
            self._rows.append((id, entry))
            for change in entry.changes:
                self._changes.setdefault(change.sku, deque()).append(change)
            for name, packed in entry.records.items():
                self._records.setdefault(name, deque()).append(packed)

    def _drop(self, entry: Entry) -> None:
        for change in entry.changes:
            _drop_first(self._changes, change.sku)
        for name in entry.records:
            _drop_first(self._records, name)


def _drop_first(index: dict[str, deque[Any]], key: str) -> None:
    index[key].popleft()
    if not index[key]:
        del index[key]
