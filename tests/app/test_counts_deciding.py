"""What a line of a count comes to, from what is known of its place; and which snapshots do not go by themselves."""

from typing import Any

import pytest

from app.counts.deciding import FUTURE_MS, decide
from app.counts.plausibility import Brakes, Figures, is_tenfold
from app.store.counting import PlaceFacts

NOW, T = 1_000_000_000, 500_000_000
BILLION = 1_000_000_000


def place(**known: Any) -> PlaceFacts:
    """A place with 10 units that nobody has counted yet, in a count of 8."""
    facts = {"number": 1, "sku": "CUP", "location": "oslo", "counted": 8, "as_of_ms": None, "seen_up_to": None}
    facts |= {"settled": False, "sku_version": 5, "touched": True, "now": 10, "unseen": 0, "near": False}
    facts |= {"version": None, "last_version": None, "last_as_of_ms": None, "shadow": None, "own": 0, "entry": 99}
    return PlaceFacts(**{**facts, **known})


def seen(version: int, **known: Any) -> PlaceFacts:
    return place(seen_up_to=version, version=version, **known)


def timed(as_of_ms: int, **known: Any) -> PlaceFacts:
    return place(as_of_ms=as_of_ms, **{"version": 3, **known})


@pytest.mark.parametrize(
    ("facts", "state", "why", "difference"),
    [
        (seen(3, unseen=-4), "applying", "", -6),
        (seen(3, unseen=2), "unchanged", "", 0),
        (seen(0, now=0, counted=-3), "applying", "", -3),
        (seen(3, near=True), "applying", "", -2),
        (seen(3, last_version=3), "applying", "", -2),
        (seen(3, last_version=4), "older", "", None),
        (seen(3, as_of_ms=T, last_as_of_ms=T + 1), "older", "", None),
        (seen(5), "applying", "", -2),
        (seen(6), "refused", "not_happened", None),
        (seen(3, counted=BILLION, now=-1), "refused", "over_limit", None),
        (seen(3, counted=BILLION, now=0), "applying", "", BILLION),
        (timed(T, unseen=1), "applying", "", -1),
        (timed(T, near=True), "review", "movements_near", None),
        (timed(T, near=True, settled=True), "applying", "", -2),
        (timed(T, last_as_of_ms=T), "applying", "", -2),
        (timed(T, last_as_of_ms=T + 1), "older", "", None),
        (timed(T, last_version=4), "older", "", None),
        (timed(NOW + FUTURE_MS), "applying", "", -2),
        (timed(NOW + FUTURE_MS + 1), "refused", "in_the_future", None),
        (place(), "review", "first_count", None),
        (place(settled=True, version=5, unseen=3), "applying", "", 1),
        (place(touched=False, now=0), "applying", "", 8),
        (place(shadow=7), "applying", "", 1),
        (place(shadow=7, own=1), "unchanged", "", 0),
        (place(shadow=7, last_version=4, last_as_of_ms=T), "applying", "", 1),
        (place(sku_version=None), "refused", "unknown_sku", None),
        (place(location="atlantis"), "refused", "unknown_location", None),
    ],
)
def test_a_line_is_decided_by_what_is_known_of_its_place(
    facts: PlaceFacts, state: str, why: str, difference: int | None
):
    decided = decide(facts, {"oslo"}, NOW)

    assert (decided.state, decided.why, decided.difference) == (state, why, difference)


def test_what_was_decided_carries_what_the_next_count_of_the_place_needs():
    decided = decide(seen(3, as_of_ms=T), {"oslo"}, NOW)

    assert (decided.version, decided.as_of_ms, decided.counted, decided.entry, decided.measured) == (3, T, 8, 99, 10)


@pytest.mark.parametrize(
    ("ours", "counted", "tenfold"),
    [(1, 10, True), (10, 1, True), (1, 9, False), (0, 10, False), (10, 0, False), (-1, 10, False), (7, 7, False)],
)
def test_ten_times_or_a_tenth_is_a_mistake_of_units(ours: int, counted: int, tenfold: bool):
    assert is_tenfold(ours, counted) == tenfold


def snapshot(places: int, *, zeroed: int = 0, tenfold: int = 0, changed: int = 0) -> Figures:
    """What the figures are of a snapshot of so many places, of which so many are empty, tenfold, or one more."""
    counts = [0] * zeroed + [100] * tenfold + [11] * changed
    counts += [10] * (places - len(counts))
    known = [seen(3, counted=units) for units in counts]
    half = len(known) // 2
    return Figures().plus(known[:half]).plus(known[half:]).judged(places, Brakes(10, 50, 1))


def test_figures_are_counted_over_all_parts_of_a_snapshot():
    found = snapshot(100, zeroed=3, tenfold=1, changed=5)

    assert (found.rows, found.zeroed, found.tenfold, found.changed) == (100, 3, 1, 9)
    assert found.parked == []


@pytest.mark.parametrize(
    ("figures", "parked"),
    [
        (snapshot(100, zeroed=10), []),
        (snapshot(100, zeroed=11), ["zeroed"]),
        (snapshot(1, zeroed=1), ["zeroed"]),
        (snapshot(100, changed=50), []),
        (snapshot(100, changed=51), ["changed"]),
        (snapshot(9, changed=9), []),
        (snapshot(1_000, tenfold=10), []),
        (snapshot(1_000, tenfold=11), ["tenfold"]),
        (snapshot(100, zeroed=20, tenfold=40), ["zeroed", "changed", "tenfold"]),
    ],
)
def test_a_snapshot_is_parked_for_each_share_that_is_too_large(figures: Figures, parked: list[str]):
    assert figures.parked == parked


def test_places_where_nothing_ever_was_are_no_part_of_the_figures():
    found = Figures().plus([place(touched=False, now=0, counted=500)])

    assert found == Figures()
