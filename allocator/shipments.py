"""What of an order has left the shelves, read from the ledger: by shipping it, or because the goods were gone."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from . import answers
from .ledger import Damaged
from .model import Order, OrderLine
from .records import Entry, decode_order


class Left(NamedTuple):
    """Units of one line of an order that left one location."""

    order: Order
    line: str
    sku: str
    location: str
    units: int


def placed_order(entry: Entry) -> str:
    """The id of the order that the entry placed, or ''; an exchange names it after the one that was returned."""
    if entry.verb not in {"order", "exchange"}:
        return ""
    return [name.removeprefix("order:") for name in entry.records if name.startswith("order:")][-1]


def is_gone(entry: Entry) -> bool:
    """Whether the entry is an order for goods that had left before."""
    if entry.verb == "exchange":
        return decode_order(entry.records[f"order:{placed_order(entry)}"]).order.kind == "gone"
    return entry.verb == "order" and entry.why == "gone"


def shipped_order(entry: Entry) -> str:
    """The id of the order whose units the entry shipped, or ''; what left is told by the order before it."""
    if entry.verb != "ship":
        return ""
    return next(name.removeprefix("order:") for name in entry.records if name.startswith("order:"))


def left_by(entry: Entry, before: bytes | None) -> list[Left]:
    """
    What left with this entry. `before` is the packed order as it was, needed where `shipped_order` names one.

    Raises Damaged for a shipment of an order that nobody placed.
    """
    if is_gone(entry):
        return list(_gone(entry))
    id = shipped_order(entry)
    if not id:
        return []
    if before is None:
        raise Damaged(f"the order {id} was shipped, but nothing before that says it was placed")
    return list(_shipped(decode_order(before).order, decode_order(entry.records[f"order:{id}"]).order))


def _gone(entry: Entry) -> Iterator[Left]:
    """The answer has the takes as they were when the goods left; the order has none any more."""
    order = decode_order(entry.records[f"order:{placed_order(entry)}"]).order
    for line in _answered_lines(entry):
        for location, units in sorted(_waiting(line).items()):
            yield Left(order, line.line, line.sku, location, units)


def _answered_lines(entry: Entry) -> list[OrderLine]:
    if entry.verb == "exchange":
        return answers.exchanged(("", ""), ("", ""), entry.answer, replayed=False).placed.lines
    return answers.placed("", "", entry.answer, replayed=False).lines


def _shipped(before: Order, after: Order) -> Iterator[Left]:
    now = {line.line: line for line in after.lines}
    for line in before.lines:
        for location, units in sorted((_waiting(line) - _waiting(now[line.line])).items()):
            yield Left(after, line.line, line.sku, location, units)


def _waiting(line: OrderLine) -> Counter[str]:
    units: Counter[str] = Counter()
    for take in line.takes:
        units[take.location] += take.units
    return units
