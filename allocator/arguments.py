"""What scripts are sent: lists of arguments, and the fingerprint that tells one request from another."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain

import msgspec

from .model import Line

Argument = str | int | bytes

_encode = msgspec.json.Encoder(order="deterministic").encode


def fingerprint(request: object) -> bytes:
    """16 characters that tell one request from another: the same request has the same, in any process."""
    return blake2b(_encode(request), digest_size=8).hexdigest().encode()


def flat(rows: Sequence[Sequence[Argument]]) -> list[Argument]:
    """How many rows there are, then all their values."""
    return [len(rows), *chain.from_iterable(rows)]


def ranking(candidates: Sequence[tuple[str, int]]) -> str:
    """Locations with their ties, best first, as one argument."""
    return _encode(list(chain.from_iterable(candidates))).decode()


def demand_rows(lines: Sequence[Line]) -> list[Argument]:
    """The lines of a hold or an order."""
    return flat([(line.line, line.sku, line.units) for line in lines])
