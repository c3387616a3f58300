"""
Counts what a seller has, a few hundred records at a time, beside the running service.

A round walks every sku and every order; its parts are of slightly different moments, and a record that moves while
the server rebuilds a table may be seen twice. That is good enough to watch a shop by, and not to settle its books:
`check.py` does that.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from . import answers
from .keys import SellerKeys
from .ledger import START
from .records import UNREADABLE, decode_entry

OPEN_STATES: Final = frozenset({"conflict", "backordered", "picking", "partly_shipped", "committed"})
"""States of orders of which something has yet to be shipped (lua/shared/orders.lua)."""

SHIPPING_VERBS: Final = frozenset({"ship", "order", "exchange"})
"""Verbs by which units leave a shelf for a customer; an order does when its goods are gone already."""


class StockTotals(msgspec.Struct):
    """
    Sums over skus, in units unless said otherwise.

    skus, low and sold_out are numbers of skus; a sku is low or sold out by what is free of it: the available units of
    all locations less what is owed. oversold: units promised above on_hand without a recorded deficit; always 0.
    """

    skus: int = 0
    low: int = 0
    sold_out: int = 0
    on_hand: int = 0
    unavailable: int = 0
    held: int = 0
    committed: int = 0
    deficit: int = 0
    in_transit: int = 0
    backordered: int = 0
    conflict: int = 0
    oversold: int = 0
    unreadable: int = 0

    def add(self, packed: bytes, low_units: int) -> None:
        """Count one sku, as lua/shared/stock.lua packs it; `low_units` or fewer free ones are low."""
        # Not decode_state, and sums in local names: a million skus are added up, and types would triple the time.
        _version, debts, *row = answers.unpack(packed)
        free = owed = 0
        for on_hand, held, committed, extra in zip(row[1::5], row[2::5], row[3::5], row[4::5], strict=True):
            available = on_hand - held - committed
            if extra:
                available -= self._add_extra(extra)
            if available < 0:
                owed -= available
                self.oversold += max(0, -available - (max(0, extra[0]) if extra else 0))
            else:
                free += available
        if debts:
            owed += sum(debts)
            self.backordered += debts[0]
            self.conflict += debts[1]
        self._add_sums(row, free - owed, low_units)

    def _add_extra(self, extra: list[Any]) -> int:
        """The unavailable units of a place."""
        unavailable: int = sum(extra[1][1::2])
        self.deficit += extra[0]
        self.unavailable += unavailable
        self.in_transit += sum(extra[3][1::2]) if len(extra) > 3 else 0
        return unavailable

    def _add_sums(self, row: list[Any], free: int, low_units: int) -> None:
        self.skus += 1
        self.on_hand += sum(row[1::5])
        self.held += sum(row[2::5])
        self.committed += sum(row[3::5])
        self.low += free <= low_units
        self.sold_out += free <= 0


class OrderTotals(msgspec.Struct):
    """
    Numbers of orders, and the units they have committed by where those came from.

    open: something has yet to be shipped. late: open, and placed before the time the round asks about.
    """

    orders: int = 0
    open: int = 0
    late: int = 0
    units: dict[str, int] = {}
    unreadable: int = 0

    def add(self, packed: bytes, late_ms: int) -> None:
        """Count one order, as lua/shared/orders.lua packs it; placed before `late_ms` it is late."""
        order = _read_order(packed)
        self.orders += 1
        if order.state in OPEN_STATES:
            self.open += 1
            self.late += order.placed_ms < late_ms
            self._add_lines(answers.unpack(order.lines))

    def _add_lines(self, lines: list[Any]) -> None:
        for line in lines:
            for take in answers.takes(line[1], line[9]):
                for part in take.parts:
                    self.units[part.source] = self.units.get(part.source, 0) + part.units


class _OrderHead(msgspec.Struct, array_like=True):
    """The packed order with the parts that are not asked for left as they are: most orders are closed."""

    channel: msgspec.Raw
    external_id: msgspec.Raw
    kind: msgspec.Raw
    op: msgspec.Raw
    fingerprint: msgspec.Raw
    placed_ms: int
    rank: msgspec.Raw
    candidates: msgspec.Raw
    lines: msgspec.Raw
    state: str


_read_order = msgspec.msgpack.Decoder(_OrderHead).decode


async def count_stock(
    client: Redis, seller: str, totals: StockTotals, *, cursor: int, count: int, low_units: int
) -> int:
    """Add about `count` skus from `cursor` (0 at first) to `totals`; the next cursor, 0 at the end."""
    return await _count(client, seller, "stock", totals, cursor, count, low_units)


async def count_orders(
    client: Redis, seller: str, totals: OrderTotals, *, cursor: int, count: int, late_ms: int
) -> int:
    """Add about `count` orders from `cursor` (0 at first) to `totals`; the next cursor, 0 at the end."""
    return await _count(client, seller, "orders", totals, cursor, count, late_ms)


async def _count(  # noqa: PLR0917 one line under two of its own kind
    client: Redis, seller: str, key: str, totals: StockTotals | OrderTotals, cursor: int, count: int, bound: int
) -> int:
    [name] = SellerKeys(seller).named(key)
    found: Any = await client.hscan(name, cursor, count=count)
    for packed in found[1].values():
        try:
            totals.add(packed, bound)
        except UNREADABLE:
            totals.unreadable += 1
    return int(found[0])


class Standing(NamedTuple):
    """What is known of a seller without counting; epoch names the data set, config is the version in force."""

    epoch: str
    config: int
    skus: int
    orders: int
    open_holds: int
    backordered_lines: int
    ledger_entries: int


async def standing(client: Redis, seller: str) -> Standing:
    """What the store keeps anyway, in one round trip. Raises what redis-py raises."""
    keys = SellerKeys(seller)
    seller_key, stock, orders, deadlines, waiting, ledger = keys.named(
        "seller", "stock", "orders", "deadlines", "waiting", "ledger"
    )
    pipe: Any
    async with client.pipeline(transaction=False) as pipe:
        pipe.hmget(seller_key, "epoch", "config")
        pipe.hlen(stock).hlen(orders).zcard(deadlines).zcard(waiting).xlen(ledger)
        (epoch, config), *numbers = await pipe.execute()
    return Standing((epoch or b"").decode(), int(config or 0), *numbers)


class Shipped(NamedTuple):
    """Units that left for customers in some entries of the ledger; `last` is the last of them, `read` how many."""

    last: str
    read: int
    units: int


async def last_entry(client: Redis, seller: str) -> str:
    """The id of the newest ledger entry kept, or START."""
    [name] = SellerKeys(seller).named("ledger")
    found: Any = await client.xrevrange(name, count=1)
    return str(found[0][0].decode()) if found else START


async def shipped_after(client: Redis, seller: str, after: str, count: int) -> Shipped:
    """Units shipped, or gone over the counter, in at most `count` ledger entries after this one."""
    [name] = SellerKeys(seller).named("ledger")
    found: Any = await client.xrange(name, f"({after}", "+", count)
    # Most entries move nothing off a shelf; the bytes show it without reading them.
    moving = [fields for _, fields in found if b"on_hand" in fields.get(b"entry", b"")]
    last = found[-1][0].decode() if found else after
    return Shipped(last, len(found), sum(map(_shipped_by, moving)))


def _shipped_by(fields: Mapping[bytes, bytes]) -> int:
    try:
        entry = decode_entry(fields)
    except UNREADABLE:
        return 0
    if entry.verb not in SHIPPING_VERBS:
        return 0
    moves = [move for change in entry.changes for move in change.moves]
    return sum(-units for _, bucket, _, units in moves if bucket == "on_hand" and units < 0)
