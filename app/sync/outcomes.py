"""
What a listing's row becomes by what a channel said. Pure: fields to be changed, by name, and `changes` to be added.

Accepted is not shown: `settled` rises with what was accepted, `outcome` is `applied` only once the channel shows it.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.store.shown import BUDGET, UNLISTED, ShownFacts
from channels.base import Facts, Pushed, Shown

from .choosing import day_ends_ms, day_of, fell
from .numbers import Number

ATTEMPTS_MAX: Final = 30
"""After so many failures in a row somebody has to look: about a day."""

STALE_MAX: Final = 5
"""How often in a row a number is compared anew at once."""

BACKOFF_MS: Final = 5_000
BACKOFF_MAX_MS: Final = 3_600_000
UNTELLABLE_MS: Final = 60_000
"""How long a number waits that cannot be told."""

BEHIND_MS: Final = 1_000

UNCLEAR: Final = "unclear"
"""The code of a push of which nobody knows whether it arrived: the channel is looked at before the next one."""

ALONE: Final = "alone"
"""The code of a listing that a bulk push left out: it goes by itself."""

SHOWS_NONE: Final = "shows-none"
DRIFT: Final = "drift"

Fields = dict[str, Any]


def is_told(row: ShownFacts, number: Number) -> bool:
    """Whether the channel shows this number as far as anybody knows: as it was seen last, or told since then."""
    if row.shown_ms >= row.told_ms and row.shown is not None:
        return row.shown == number.units and (not number.places or _same(row.shown_places, number.places))
    return row.told == number.units and (not number.places or dict(row.told_places) == dict(number.places))


def _same(shown: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    """Whether these places show what is wanted; a channel that was read as a whole says nothing of places."""
    return not shown or all(shown.get(place, 0) == units for place, units in wanted.items())


def nothing_to_tell(row: ShownFacts, number: Number) -> Fields:
    """The channel shows it already."""
    seen = row.shown_ms >= row.told_ms and row.shown is not None
    fields: Fields = {"settled": row.changes, "attempts": 0, "code": "", "says": "", "version": number.version}
    if seen:
        fields |= {"told": number.units, "told_places": dict(number.places)}
        # A webhook may have said since it was seen that it is another one: that is still to be looked into.
        fields |= {} if row.outcome == "accepted" else {"outcome": "applied"}
    elif row.outcome not in {"accepted", "applied"}:
        fields["outcome"] = "accepted"
    return fields


def cannot_be_told(row: ShownFacts, why: str, now_ms: int, *, wait_ms: int = UNTELLABLE_MS) -> Fields:
    """Something about the number itself keeps it from being told."""
    return {"outcome": "failed", "code": why, "says": "", "due_ms": now_ms + wait_ms, "attempts": row.attempts}


def held_back(facts: Facts, left: int, now_ms: int) -> Fields:
    """The day's revisions are kept for more urgent changes."""
    says = f"{left} of {facts.revisions_per_day} revisions are left today"
    return {"code": BUDGET, "says": says, "due_ms": day_ends_ms(now_ms, facts.day_zone)}


def on_its_way(now_ms: int) -> Fields:
    """From here on nobody knows what the channel shows, whatever was told or seen before."""
    return {"told": None, "told_ms": now_ms}


def left_today(row: ShownFacts, facts: Facts, now_ms: int) -> int:
    """How many revisions the channel's day still has for a listing."""
    assert facts.revisions_per_day is not None
    today = row.revisions if row.revisions_day == day_of(now_ms, facts.day_zone) else 0
    return facts.revisions_per_day - today


def pushed(row: ShownFacts, number: Number, said: Pushed, facts: Facts, now_ms: int) -> Fields:
    """What became of a push of this number, which had seen `row.changes` changes."""
    fields: Fields = {"version": number.version, "code": said.code, "says": said.says}
    fields |= {"refs": {**row.refs, **said.refs}} if said.refs else {}
    if said.shown is not None:
        fields |= _seen(said.shown, said.places, now_ms)
    elif said.places:
        fields["shown_places"] = {**row.shown_places, **said.places}
    if said.outcome == "accepted":
        return fields | _accepted(row, number, said, facts, now_ms)
    if said.outcome == "stale":
        return fields | {"code": "stale", "attempts": row.attempts + 1, "due_ms": now_ms + _patience(row, number, said)}
    if said.outcome == "refused":
        return fields | {"outcome": "dead", "attempts": row.attempts + 1}
    return fields | failed(row, said.code, said.says, now_ms)


def _accepted(row: ShownFacts, number: Number, said: Pushed, facts: Facts, now_ms: int) -> Fields:
    before = row.told if row.told is not None else row.shown
    applied = said.applied or (said.shown == number.units and not number.places)
    fields: Fields = {
        "settled": row.changes,
        "outcome": "applied" if applied else "accepted",
        "ticket": "",
        "told": number.units,
        "told_places": dict(number.places),
        "told_ms": now_ms,
        "code": "",
        "says": said.says,
        "falling": fell(row.falling, row.falling_ms, (before or 0) - number.units, now_ms),
        "falling_ms": now_ms,
    }
    if applied:
        shown = number.units if said.shown is None else said.shown
        fields |= {"attempts": 0, **_seen(shown, said.places or number.places, now_ms)}
    if facts.revisions_per_day is not None:
        day = day_of(now_ms, facts.day_zone)
        fields |= {"revisions": (row.revisions if row.revisions_day == day else 0) + 1, "revisions_day": day}
    return fields


def _patience(row: ShownFacts, number: Number, said: Pushed) -> int:
    """
    How long to wait with a number that was compared with another one than is shown.

    Fewer are shown: the channel has sold some, of which we shall hear, and a higher number would sell them again.
    """
    is_higher = said.shown is not None and number.units > said.shown
    return backoff_ms(row.attempts) if is_higher or row.attempts >= STALE_MAX else 0


def failed(row: ShownFacts, code: str, says: str, now_ms: int) -> Fields:
    """It may work later, until it has failed too often."""
    attempts = row.attempts + 1
    outcome = "dead" if attempts >= ATTEMPTS_MAX else "failed"
    return {
        "outcome": outcome,
        "attempts": attempts,
        "code": code,
        "says": says,
        "due_ms": now_ms + backoff_ms(row.attempts),
    }


def backoff_ms(attempts: int) -> int:
    """How long to wait after so many failures."""
    return int(min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** min(attempts, 16)))


def _seen(shown: int | None, places: Mapping[str, int], now_ms: int) -> Fields:
    return {"shown": shown, "shown_places": dict(places), "shown_ms": now_ms}


def looked(said: Shown, now_ms: int) -> Fields:
    """What a channel shows after a push of which nobody knows whether it arrived."""
    return {**_seen(said.units, said.places, now_ms), "code": ""}


def _in_all(row: ShownFacts, units: int, places: Mapping[str, int]) -> tuple[int, Mapping[str, int]]:
    """
    What is shown in all, where only some of the places were looked at: the others count as they were told.

    Of all of them the channel's own sum counts: eBay takes what it sells off the sum alone.
    """
    there = {place: units for place, units in places.items() if place in row.told_places}
    if not there or places.keys() == row.told_places.keys():
        return units, places
    together = {**row.told_places, **there}
    return sum(together.values()), together


# --- what is seen on the channel -----------------------------------------------------------------------------------


def seen(row: ShownFacts, said: Shown, facts: Facts, now_ms: int) -> Fields:
    """
    What a channel shows for what it was told; another number is drift, and pushed again.

    Fewer than it was told are mostly sold, and we shall hear of that: it is corrected when there was time for it.
    """
    fields: Fields = {"refs": {**row.refs, **said.refs}} if said.refs else {}
    if said.units is None:
        says = "the channel shows no number for it"
        return fields | {"outcome": "dead", "code": SHOWS_NONE, "says": says, "shown": None, "shown_ms": now_ms}
    units, places = _in_all(row, said.units, said.places)
    fields |= _seen(units, places, now_ms)
    if row.told is None:
        return fields
    if units == row.told and _same(places, row.told_places):
        return fields | {"outcome": "applied", "attempts": 0}
    if row.attempts >= ATTEMPTS_MAX:
        says = f"it shows {units}, however often it is told {row.told}"
        return fields | {"outcome": "dead", "changes": 1, "code": DRIFT, "says": says}
    wait_ms = backoff_ms(row.attempts)
    if units < row.told and facts.counts == "net":
        wait_ms = max(wait_ms, 1_000 * (facts.poll_s + facts.told_after_s))
    changes = {"changes": 1, "changed_ms": now_ms, "due_ms": now_ms + wait_ms}
    return fields | changes | {"attempts": row.attempts + 1, "code": DRIFT, "says": f"it shows {units}"}


def listed(row: ShownFacts, said: Shown, now_ms: int) -> Fields:
    """
    What a channel says by the way that it shows. What differs from what was told has to be asked for again.

    Only what is asked for by itself is believed to be drift: lists and webhooks may be late or leave offers out.
    """
    fields = {"named": said.sku[:128]} if said.sku else {}
    if row.sku == UNLISTED or row.told is None or row.outcome == "dead":
        # Of what was given up it decides whether it is tried again.
        again = {"due_ms": now_ms} if row.outcome == "dead" and row.shown != said.units else {}
        return fields | again | _seen(said.units, said.places, now_ms)
    if said.units is None:
        return fields | ({"outcome": "accepted"} if row.outcome == "applied" else {})
    units, places = _in_all(row, said.units, said.places)
    if units == row.told and _same(places, row.told_places):
        proved = {"outcome": "applied", "attempts": 0} if row.outcome == "accepted" else {}
        return fields | proved | _seen(units, places, now_ms)
    return fields | ({"outcome": "accepted"} if row.outcome == "applied" else {})
