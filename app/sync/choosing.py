"""
Which numbers go first, and which are worth one of the few revisions a listing has a day. Pure functions.

First what is sold out and is still on sale there. Then by the risk that the channel sells what is not there: how many
more it shows than there are, and how many more are likely gone since it was told, both against how few there are.
"""

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

HOUR_MS: Final = 3_600_000

HALF_LIFE_H: Final = 6.0
"""After so many hours a loss of units counts half for how fast a listing sells."""

AGE_MAX_H: Final = 24.0
"""From a push that old on, age makes no difference."""

LOW: Final = 3
"""So few units are told for one of the last revisions, should there have been more."""

RESERVE: Final = 10
"""The last tenth of a day's revisions is kept for numbers that are nearly or wholly sold out."""


class Wish(NamedTuple):
    """
    A number to be told, in units of the listing.

    shown: what the channel shows, as far as anybody knows, None for not known. told_ms: when it was told last.
    falling: units an hour that it loses.
    """

    listing: str
    wanted: int
    shown: int | None
    told_ms: int
    falling: float


def in_order(wishes: list[Wish], now_ms: int) -> list[Wish]:
    """The wishes, most urgent first."""
    return sorted(wishes, key=lambda wish: _urgency(wish, now_ms))


def sells_out(wish: Wish) -> bool:
    """Whether it is sold out and may still be on sale there."""
    return wish.wanted == 0 and wish.shown != 0


def _urgency(wish: Wish, now_ms: int) -> tuple[bool, float, int, str]:
    age_h = min(AGE_MAX_H, max(0, now_ms - wish.told_ms) / HOUR_MS)
    too_many = 1 if wish.shown is None else max(0, wish.shown - wish.wanted)
    risk = (too_many + wish.falling * age_h) / (wish.wanted + 1)
    return not sells_out(wish), -risk, wish.told_ms, wish.listing


def is_worth(wish: Wish, left: int, most: int) -> bool:
    """
    Whether a change is worth one of the `left` revisions, of the day's `most`.

    Until half of them are spent every change is; from there on it must be the greater the fewer are left. Of the last
    tenth, half is for falls to a few units, the rest for what is sold out.
    """
    if left <= 0:
        return False
    if wish.wanted == 0 or wish.shown is None:
        return True
    reserve = max(1, most // RESERVE)
    if wish.wanted < wish.shown and wish.wanted <= LOW:
        return left > max(1, reserve // 2)
    if left <= reserve:
        return False
    least = max(0.0, 1.0 - 2.0 * left / most)
    return abs(wish.wanted - wish.shown) / max(1, wish.shown) >= least


def fell(falling: float, falling_ms: int, units: int, now_ms: int) -> float:
    """How many units an hour a listing loses, after it has lost so many more."""
    age_h = max(0, now_ms - falling_ms) / HOUR_MS
    kept = falling * math.pow(0.5, age_h / HALF_LIFE_H)
    return kept + max(0, units) * math.log(2) / HALF_LIFE_H


def day_of(now_ms: int, zone: str) -> int:
    """Which day it is where the channel's days begin at midnight, since 1970."""
    return (_date(now_ms, zone) - date(1970, 1, 1)).days


def day_ends_ms(now_ms: int, zone: str) -> int:
    """When that day is over."""
    midnight = datetime.combine(_date(now_ms, zone) + timedelta(days=1), time(), ZoneInfo(zone))
    return round(midnight.timestamp() * 1_000)


def _date(now_ms: int, zone: str) -> date:
    return datetime.fromtimestamp(now_ms / 1_000, UTC).astimezone(ZoneInfo(zone)).date()
