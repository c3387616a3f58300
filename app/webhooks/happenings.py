"""
What ledger entries mean to the outside: events, each with the channel it belongs to and a body of less than 20 kB.

Nothing of a buyer is in the ledger, so nothing of one is in an event.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from allocator import Hold, Level, Order
from allocator.ledger import Row, holds_of, orders_of
from allocator.records import Entry
from allocator.shipments import placed_order
from app.events.touched import Touched
from app.store.webhooks import EndpointFacts, NewDelivery

ROWS_BYTES_MAX: Final = 18_000
"""Of the rows of one event; a whole event has less than 20 kB, as the standard advises."""

LEVELS_MAX: Final = 100

_encode = msgspec.json.Encoder().encode


class Happening(NamedTuple):
    """
    One event; `body` is the whole of what is sent.

    subject: tells it from others of its type at the same position. channels: whom it concerns, None for everybody and
    none at all for what belongs to a location.
    """

    type: str
    position: str
    subject: str
    channels: frozenset[str] | None
    body: str


def happenings_of(rows: Iterable[Row]) -> Iterator[Happening]:
    """What happened to orders, holds and shelves, in order."""
    for id, entry in rows:
        for order in orders_of(entry):
            yield _order(id, entry, order)
        for hold in holds_of(entry):
            if hold.state != "open":
                yield _hold(id, entry, hold)
        yield from _deficits(id, entry)


def _order(id: str, entry: Entry, order: Order) -> Happening:
    type = "order.placed" if placed_order(entry) == f"{order.channel}:{order.external_id}" else "order.changed"
    lines = [{name: getattr(line, name) for name in LINE} for line in order.lines]
    data = {
        "channel": order.channel,
        "external_id": order.external_id,
        "kind": order.kind,
        "state": order.state,
        "placed_ms": order.placed_ms,
        "change": entry.verb,
        "lines_total": len(lines),
        "lines": next(parts_of(lines), []),
    }
    subject = f"{order.channel}:{order.external_id}"
    return Happening(type, id, subject, frozenset({order.channel}), body(type, entry.at_ms, data))


LINE: Final = (
    "line",
    "sku",
    "ordered",
    "committed",
    "shipped",
    "backordered",
    "conflict",
    "cancelled",
    "returned",
)
"""What an event says of an order's line. Where its units lie is the seller's own business."""


def _hold(id: str, entry: Entry, hold: Hold) -> Happening:
    data = {"hold_id": hold.hold_id, "channel": hold.channel, "state": hold.state}
    return Happening("hold.ended", id, hold.hold_id, frozenset({hold.channel}), body("hold.ended", entry.at_ms, data))


def _deficits(id: str, entry: Entry) -> Iterator[Happening]:
    for change in entry.changes:
        for location, bucket, _, units in change.moves:
            if bucket == "deficit" and units > 0:
                data = {"sku": change.sku, "location": location, "units": units, "version": change.version}
                subject = f"{location}:{change.sku}"
                yield Happening("stock.deficit", id, subject, frozenset(), body("stock.deficit", entry.at_ms, data))


def config_changed(position: str, at_ms: int, touched: Touched, version: int, seen: list[str] | None) -> Happening:
    """
    The config is another one, for who sees these channels, or all.

    `reload`: the numbers of the `channels` named, or of all when none is, are to be asked again. What touched skus
    alone is told in numbers.
    """
    whole = bool(touched.everything)
    named = touched.channels if seen is None else touched.channels.intersection(seen)
    data = {
        "version": version,
        "channels": [] if whole else sorted(named),
        "reload": whole or bool(named),
        "skus": touched.by_config,
    }
    return Happening("config.changed", position, "", None, body("config.changed", at_ms, data))


def lost(position: str, at_ms: int, after: str) -> Happening:
    """Events between two positions cannot be told any more; whoever follows has to ask for everything again."""
    data = {"after": after, "until": position}
    return Happening("events.lost", position, "", None, body("events.lost", at_ms, data))


def availability(position: str, at_ms: int, levels: Sequence[Level]) -> list[Happening]:
    """Numbers that changed, as many events as their size asks for."""
    type = "availability.changed"
    return [
        Happening(type, position, str(number), None, body(type, at_ms, {"levels": part}))
        for number, part in enumerate(parts_of(levels, LEVELS_MAX))
    ]


def body(type: str, at_ms: int, data: Any) -> str:
    """The body as the standard wants it."""
    timestamp = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return _encode({"type": type, "timestamp": timestamp, "data": data}).decode()


def parts_of(rows: Sequence[Any], count: int = 1_000) -> Iterator[list[Any]]:
    """The rows in parts that are small enough for one event."""
    part: list[Any] = []
    size = 0
    for row in rows:
        length = len(_encode(row)) + 1
        if part and (size + length > ROWS_BYTES_MAX or len(part) == count):
            yield part
            part, size = [], 0
        part.append(row)
        size += length
    if part:
        yield part


def delivery(endpoint: EndpointFacts, happening: Happening) -> NewDelivery:
    """The event for this endpoint. The same event has the same id, whoever makes it and how often."""
    named = f"{endpoint.id}\0{happening.position}\0{happening.type}\0{happening.subject}"
    id = f"msg_{blake2b(named.encode(), digest_size=16).hexdigest()}"
    return NewDelivery(id, endpoint.id, endpoint.seller, happening.type, happening.body)
