"""What one line of a count comes to: pure functions of what is known of its place."""

from collections.abc import Collection
from typing import Final

from allocator import UNITS_MAX
from app.store.count_bookings import APPLYING, Decided
from app.store.counting import PlaceFacts

UNCHANGED, OLDER, REVIEW, REFUSED = "unchanged", "older", "review", "refused"

FUTURE_MS: Final = 60_000
"""How far ahead of ours a source's clock may be."""


def decide(place: PlaceFacts, locations: Collection[str], now_ms: int) -> Decided:
    """
    The line's difference, or why it has none.

    With `seen_up_to` or a time it is measured against what lay there then, by our own movements; without either against
    what its source said last. What is older than the last count of the place is ignored; what cannot be told is for a
    person to look at.
    """
    if why := _refused(place, locations, now_ms):
        return _decided(place, REFUSED, why)
    if _is_older(place):
        return _decided(place, OLDER)
    if (why := _doubtful(place)) and not place.settled:
        return _decided(place, REVIEW, why, measured(place))
    then = measured(place)
    difference = place.counted - then
    if abs(difference) > UNITS_MAX:
        return _decided(place, REFUSED, "over_limit", then)
    return _decided(place, APPLYING if difference else UNCHANGED, "", then, difference)


def measured(place: PlaceFacts) -> int:
    """The number that `counted` is compared with."""
    if place.version is not None:
        return place.now - place.unseen
    return place.now if place.shadow is None else place.shadow + place.own


def _refused(place: PlaceFacts, locations: Collection[str], now_ms: int) -> str:
    if place.sku_version is None:
        return "unknown_sku"
    if place.location not in locations:
        return "unknown_location"
    if place.seen_up_to is not None and place.seen_up_to > place.sku_version:
        return "not_happened"
    return "in_the_future" if place.as_of_ms is not None and place.as_of_ms > now_ms + FUTURE_MS else ""


def _is_older(place: PlaceFacts) -> bool:
    """Whether a count of a later moment was applied there already."""
    return _before(place.version, place.last_version) or _before(place.as_of_ms, place.last_as_of_ms)


def _before(mine: int | None, last: int | None) -> bool:
    return mine is not None and last is not None and mine < last


def _doubtful(place: PlaceFacts) -> str:
    if place.seen_up_to is not None:
        return ""
    if place.as_of_ms is not None:
        return "movements_near" if place.near else ""
    return "first_count" if place.shadow is None and place.touched else ""


def _decided(
    place: PlaceFacts, state: str, why: str = "", then: int | None = None, difference: int | None = None
) -> Decided:
    return Decided(
        number=place.number,
        sku=place.sku,
        location=place.location,
        counted=place.counted,
        as_of_ms=place.as_of_ms,
        state=state,
        why=why,
        measured=then,
        difference=difference,
        version=place.version,
        entry=place.entry,
    )
