"""What must be true after a load test, whatever its speed was: the users' book against the stock."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from redis.asyncio import Redis

from allocator import Allocator
from allocator.check import Report, check

from .book import Book, Wave
from .fill import SELLER
from .shop import HOT_STOCK

CHUNK: Final = 100
"""Skus of one question to the allocator."""


class Shelves(NamedTuple):
    """Units of all skus together."""

    on_hand: int
    committed: int


@dataclass
class Check:
    """One promise: what was found, and whether it was kept."""

    what: str
    found: str
    kept: bool


async def read_shelves(allocator: Allocator, skus: list[str]) -> Shelves:
    """Count all units. Raises what the allocator raises."""
    on_hand = committed = 0
    for start in range(0, len(skus), CHUNK):
        for state in await allocator.stock(skus[start : start + CHUNK]):
            places = state.places.values() if state else ()
            on_hand += sum(place.on_hand for place in places)
            committed += sum(place.committed for place in places)
    return Shelves(on_hand, committed)


async def read_report(client: Redis) -> Report:
    """The store's own records, checked."""
    return await check(client, SELLER)


def judge(book: Book, before: Shelves, after: Shelves, report: Report) -> list[Check]:
    """Every promise."""
    taken = (before.on_hand - after.on_hand) + (after.committed - before.committed)
    wanted = book.accepted_units - book.cancelled_units
    left = before.on_hand - after.on_hand
    return [
        Check("units oversold", str(report.oversold), report.oversold == 0),
        Check("accepted units = units taken from stock", f"{wanted:,} = {taken:,}", wanted == taken),
        Check(
            "shipped units = units that left the shelves",
            f"{book.shipped_units:,} = {left:,}",
            book.shipped_units == left,
        ),
        _none("faults in the store's records", len(report.violations), map(str, report.violations)),
        _none("repetitions answered otherwise than the first time", book.differing, book.samples),
        _none("answers the API does not document", book.unexpected, book.samples),
        _none("requests that were never answered", book.unanswered, ()),
        _none("errors in the users' own code", book.errors, book.samples),
        *_of_waves(book.waves),
    ]


def _none(what: str, found: int, samples: Iterable[str]) -> Check:
    first = next(iter(samples), "") if found else ""
    return Check(what, f"{found}: {first}" if first else str(found), found == 0)


def _of_waves(waves: dict[str, Wave]) -> list[Check]:
    """Every wave of a burst sold as many units as there were orders, and no more than there were units."""
    if not waves:
        return []
    exact = sum(wave.accepted == min(wave.sent, HOT_STOCK) for wave in waves.values())
    return [Check(f"waves that sold min(orders, {HOT_STOCK}) units", f"{exact} of {len(waves)}", exact == len(waves))]
