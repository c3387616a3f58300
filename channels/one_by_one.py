"""Reads the orders of a page each for itself: what is odd about one must not hide the others."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from .base import Odd, Order
from .errors import Nonsense
from .wire import Steps

T = TypeVar("T")


class Understood(NamedTuple):
    """The orders of a page, and those of them that cannot be understood."""

    orders: list[Order]
    odd: list[Odd]


def each(
    rows: Sequence[Any], id_of: Callable[[Any], Any], translate: Callable[[Any], Steps[Order]]
) -> Steps[Understood]:
    """Translate each row. Raises Nonsense for one that does not even say which order it is."""
    orders: list[Order] = []
    odd: list[Odd] = []
    for row in rows:
        try:
            orders.append((yield from translate(row)))
        except Nonsense as error:
            id = id_of(row) if isinstance(row, dict) else None
            if not id:
                raise
            odd.append(Odd(str(id), str(error)))
    return Understood(orders, odd)


def read_as(said: Any, type: type[T]) -> T:
    """What was decoded already, as this type. Raises Nonsense."""
    try:
        return msgspec.convert(said, type, strict=False)
    except msgspec.ValidationError as error:
        raise Nonsense(str(error)) from error
