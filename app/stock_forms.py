"""What callers send and get about what lies where."""

from typing import Annotated

import msgspec

from allocator import Code, SkuState
from allocator.explanation import Quota
from allocator.records import Place

from .requests import Asked, Text


class StockQuery(Asked, frozen=True, kw_only=True):
    """One page of skus in the order of their codes, of one category or of all."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    cursor: Annotated[str, msgspec.Meta(max_length=200, description="next_cursor of the page before.")] = ""
    category: Annotated[Text, msgspec.Meta(description="Only skus of this category.")] = ""


class Blocked(msgspec.Struct, frozen=True):
    """Units on hand that nobody may sell, for one reason."""

    reason: str
    units: int


class Coming(msgspec.Struct, frozen=True):
    """Units that a transfer has on their way."""

    transfer_id: str
    units: int


class Shelved(msgspec.Struct, frozen=True, kw_only=True):
    """
    One sku at one location, in units.

    available = on_hand - unavailable - held - committed, and can be negative; deficit is what is missing then.
    in_transit is on its way here: on no shelf, and in nobody's number.
    """

    location: Code
    on_hand: int
    unavailable: int
    held: int
    committed: int
    available: int
    deficit: int
    in_transit: int
    reasons: list[Blocked]
    quotas: list[Quota]
    transfers: list[Coming]


class Stocked(msgspec.Struct, frozen=True, kw_only=True):
    """
    One sku, in units: sums over all locations, what it owes to orders, and each location.

    owed = deficit + backordered + conflict. version rises by one with every effect.
    """

    sku: str
    version: int
    on_hand: int
    unavailable: int
    held: int
    committed: int
    available: int
    deficit: int
    in_transit: int
    backordered: int
    conflict: int
    owed: int
    places: list[Shelved]


class StockPage(msgspec.Struct, frozen=True):
    """Some skus; next_cursor is null on the last page."""

    data: list[Stocked]
    next_cursor: str | None


def stocked(sku: str, state: SkuState) -> Stocked:
    """What is kept of a sku, for callers."""
    places = [_shelved(location, place) for location, place in sorted(state.places.items())]
    deficit = sum(place.deficit for place in places)
    return Stocked(
        sku=sku,
        version=state.version,
        on_hand=sum(place.on_hand for place in places),
        unavailable=sum(place.unavailable for place in places),
        held=sum(place.held for place in places),
        committed=sum(place.committed for place in places),
        available=sum(place.available for place in places),
        deficit=deficit,
        in_transit=sum(place.in_transit for place in places),
        backordered=state.backordered,
        conflict=state.conflict,
        owed=deficit + state.backordered + state.conflict,
        places=places,
    )


def _shelved(location: str, place: Place) -> Shelved:
    return Shelved(
        location=location,
        on_hand=place.on_hand,
        unavailable=place.unavailable,
        held=place.held,
        committed=place.committed,
        available=place.on_hand - place.unavailable - place.held - place.committed,
        deficit=place.deficit,
        in_transit=place.in_transit,
        reasons=[Blocked(reason, units) for reason, units in sorted(place.reasons.items()) if units],
        quotas=[Quota(channel, use.quota, use.consumed, use.floor) for channel, use in sorted(place.quotas.items())],
        transfers=[Coming(transfer, units) for transfer, units in sorted(place.transit.items())],
    )
