"""
Reads all that a seller has in Valkey, in chunks, beside the running service.

No command is long, so no caller waits; in return the parts are of slightly different moments while verbs run.
`position` tells whether any did.
"""

from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from .config import ConfigChange
from .forgotten import left_of, name_of
from .keys import SellerKeys
from .model import Hold
from .records import (
    UNREADABLE,
    Entry,
    OrderRecord,
    Place,
    Remembered,
    SkuState,
    decode_answer,
    decode_entry,
    decode_hold,
    decode_order,
    decode_state,
)


class Books(msgspec.Struct):
    """
    A seller's records, read. `unreadable` names those that could not be: "<key>: <field>".

    `left` has the ops that were looked for, are not there, and may have left the store for SQL.
    """

    stock: dict[str, SkuState] = {}
    holds: dict[str, Hold] = {}
    orders: dict[str, OrderRecord] = {}
    ops: dict[str, Remembered] = {}
    left: set[str] = set()
    owners: dict[str, str] = {}
    deadlines: dict[str, int] = {}
    waiting: set[bytes] = set()
    slots: set[bytes] = set()
    ledger: list[Entry] = []
    unreadable: list[str] = []


async def position(client: Redis, seller: str) -> str:
    """The id of the seller's last ledger entry, or ''. Every effect moves it."""
    [ledger] = SellerKeys(seller).named("ledger")
    last: Any = await client.xrevrange(ledger, count=1)
    return str(last[0][0].decode()) if last else ""


async def read_books(client: Redis, seller: str, *, chunk: int = 500, every_op: bool = False) -> Books:
    """
    Read every key of a seller, `chunk` records at a time.

    Stock comes before the ledger, so that what the ledger says of a sku is never older than its state. Of a week's
    answers only those of ops that orders or the ledger name are read, unless `every_op` is wanted.
    """
    books, reader = Books(), _Reader(client, SellerKeys(seller), chunk)
    books.stock = await reader.hash("stock", lambda _, packed: decode_state(packed))
    books.owners = await reader.hash("owners", lambda _, packed: packed.decode())
    books.holds = await reader.hash("holds", decode_hold)
    books.orders = await reader.hash("orders", lambda _, packed: decode_order(packed))
    books.deadlines = {member.decode(): score async for member, score in reader.sorted_set("deadlines")}
    books.waiting = {member async for member, _ in reader.sorted_set("waiting")}
    books.slots = {member async for member, _ in reader.sorted_set("slots")}
    books.ledger = [entry async for entry in reader.ledger()]
    named = {record.op for record in books.orders.values()} | {entry.op for entry in books.ledger if entry.op}
    books.ops = await (reader.hash("ops", _answer) if every_op else reader.answers(sorted(named)))
    # After the answers: what leaves meanwhile is in the filter by then.
    names = {op: name_of(op) for op in named - books.ops.keys()}
    left = await left_of(client, seller, sorted(set(names.values())))
    books.left = {op for op, name in names.items() if name in left}
    books.unreadable = reader.unreadable
    return books


def _answer(_: str, packed: bytes) -> Remembered:
    return decode_answer(packed)


class _Reader:
    """Walks one seller's keys; a record that cannot be read is noted and passed over."""

    def __init__(self, client: Redis, keys: SellerKeys, chunk: int) -> None:
        self.client, self.keys, self.chunk = client, keys, chunk
        self.unreadable: list[str] = []

    async def hash(self, key: str, decode: Callable[[str, bytes], Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        [name] = self.keys.named(key)
        async for field, packed in self.client.hscan_iter(name, count=self.chunk):
            self._add(found, key, field, packed, decode)
        return found

    async def answers(self, ops: list[str]) -> dict[str, Remembered]:
        found: dict[str, Remembered] = {}
        [name] = self.keys.named("ops")
        for start in range(0, len(ops), self.chunk):
            asked = ops[start : start + self.chunk]
            stored: Any = await self.client.hmget(name, asked)
            for op, packed in zip(asked, stored, strict=True):
                if packed is not None:
                    self._add(found, "ops", op.encode(), packed, _answer)
        return found

    def _add(
        self, found: dict[str, Any], key: str, field: bytes, packed: bytes, decode: Callable[[str, bytes], Any]
    ) -> None:
        try:
            found[field.decode()] = decode(field.decode(), packed)
        except UNREADABLE:
            self.unreadable.append(f"{key}: {field.decode(errors='replace')}")

    async def sorted_set(self, key: str) -> AsyncIterator[tuple[bytes, int]]:
        [name] = self.keys.named(key)
        async for member, score in self.client.zscan_iter(name, count=self.chunk):
            yield member, int(score)

    async def ledger(self) -> AsyncIterator[Entry]:
        [name] = self.keys.named("ledger")
        start = "-"
        while rows := await self._entries(name, start):
            for id, fields in rows:
                try:
                    yield decode_entry(fields)
                except UNREADABLE:
                    self.unreadable.append(f"ledger: {id.decode()}")
            start = f"({rows[-1][0].decode()}"

    async def _entries(self, name: str, start: str) -> Any:
        return await self.client.xrange(name, start, "+", self.chunk)


async def is_in_force(client: Redis, seller: str, change: ConfigChange) -> bool:
    """Whether the compiled config in force is this change's version and has exactly its fields."""
    [config, owner] = SellerKeys(seller).named("config", "seller")
    names = [*change.fields, *change.removed]
    expected = [*change.fields.values(), *(None for _ in change.removed)]
    async with client.pipeline(transaction=True) as pipe:
        # Without a field to ask for, any one will do: nothing is expected of it.
        pipe.hmget(config, names or [""])
        pipe.hget(owner, "config")
        found, version = await pipe.execute()
    return bool(version == str(change.version).encode() and (not names or found == expected))


async def find_dependents(
    client: Redis, seller: str, *, locations: Collection[str] = (), channels: Collection[str] = (), chunk: int = 200
) -> dict[tuple[str, str], str]:
    """
    What still depends on places: ("location" or "channel", code) -> the first thing found, in words.

    A location is needed for units there or on their way, or for quotas; a channel for quotas, open holds and orders
    that are not done.
    """
    found: dict[tuple[str, str], str] = {}
    reader = _Dependents(client, SellerKeys(seller), chunk)
    wanted = {*(("location", code) for code in locations), *(("channel", code) for code in channels)}
    for walk in (reader.stock, reader.holds, reader.orders):
        async for place, why in walk():
            if place in wanted:
                found.setdefault(place, why)
            if len(found) == len(wanted):
                return found
    return found


class _Dependents(NamedTuple):
    """Walks a seller's stock, holds and orders, and says of each which places it needs."""

    client: Redis
    keys: SellerKeys
    chunk: int

    async def stock(self) -> AsyncIterator[tuple[tuple[str, str], str]]:
        async for sku, packed in self.records("stock"):
            for location, place in decode_state(packed).places.items():
                if is_used(place):
                    yield ("location", location), f"has units or quotas of {sku}"
                for channel, quota in place.quotas.items():
                    if quota.quota or quota.consumed != quota.spent:
                        yield ("channel", channel), f"has a quota of {sku} at {location}"

    async def holds(self) -> AsyncIterator[tuple[tuple[str, str], str]]:
        async for id, packed in self.records("holds"):
            hold = decode_hold(id, packed)
            if hold.state == "open":
                yield ("channel", hold.channel), f"has the open hold {id}"

    async def orders(self) -> AsyncIterator[tuple[tuple[str, str], str]]:
        async for id, packed in self.records("orders"):
            order = decode_order(packed).order
            if any(line.committed or line.backordered or line.conflict for line in order.lines):
                yield ("channel", order.channel), f"has the open order {id}"

    async def records(self, key: str) -> AsyncIterator[tuple[str, bytes]]:
        [name] = self.keys.named(key)
        async for field, packed in self.client.hscan_iter(name, count=self.chunk):
            yield field.decode(), packed


def is_used(place: Place) -> bool:
    """Whether there are units or quotas of a sku at a place."""
    units = place.on_hand or place.held or place.committed or place.deficit or place.unavailable or place.in_transit
    return bool(units) or any(quota.quota or quota.consumed != quota.spent for quota in place.quotas.values())
