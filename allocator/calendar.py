"""
What a location can promise about time: pure functions of its calendar and a moment, in its own time zone.

A day is worked on when it is one of the working days and not closed. An order that comes on a worked day before the
cut-off belongs to that day, any other to the next worked day; `handling_days` worked days later it is handed over.
A moment is whole milliseconds since 1970 UTC.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from .config import WEEK, Location, Weekday

OPTIONS_MAX: Final = 5
"""So many days a location with a limit a day is offered for: when one is full, the next is promised."""

_DAY: Final = timedelta(days=1)
_LAST_SECOND: Final = time(23, 59, 59)


class WorkDays(NamedTuple):
    """Which days somebody works: weekdays (Monday is 0) without the closed days. There is always one to come."""

    weekdays: frozenset[int]
    closed: frozenset[date]

    def has(self, day: date) -> bool:
        """Whether somebody works on this day."""
        return day.weekday() in self.weekdays and day not in self.closed

    def at_or_after(self, day: date) -> date:
        """This day, or the first one behind it that is worked on."""
        while not self.has(day):
            day += _DAY
        return day

    def after(self, day: date, count: int) -> date:
        """The `count`th worked day behind this day; for 0 this day, or the first worked one behind it."""
        if count == 0:
            return self.at_or_after(day)
        for _ in range(count):
            day = self.at_or_after(day + _DAY)
        return day


def work_days(weekdays: Collection[Weekday], closed: Collection[date]) -> WorkDays:
    """The days as a config says them."""
    return _work_days(tuple(weekdays), tuple(closed))


@lru_cache(maxsize=10_000)
def _work_days(weekdays: tuple[Weekday, ...], closed: tuple[date, ...]) -> WorkDays:
    return WorkDays(frozenset(WEEK.index(day) for day in weekdays), frozenset(closed))


def promises(location: Location) -> bool:
    """Whether the location says anything from which a day can be promised; its days are those of UTC without a zone."""
    says = (location.time_zone, location.handling_days, location.closed_on, location.working_days != WEEK)
    return any(says) or location.daily_orders is not None


def ship_days(location: Location, at_ms: int, count: int = 1) -> list[date]:
    """The first `count` days on which the location can hand over an order of this moment."""
    days = work_days(location.working_days, location.closed_on)
    today = local_date(location, at_ms)
    is_late = days.has(today) and at_ms >= _cut_off_ms(location, today)
    begun = days.at_or_after(today + _DAY if is_late else today)
    found = [days.after(begun, location.handling_days)]
    while len(found) < count:
        found.append(days.after(found[-1], 1))
    return found


def ship_by_ms(location: Location, day: date) -> int:
    """When an order of a day is handed over at the latest: at the cut-off, or in the last second of the day."""
    return _moment(location, day, _cut_off(location) or _LAST_SECOND)


def deliver_by_ms(location: Location, day: date) -> int:
    """The last second of a day of delivery, as the location's clocks show it: those of the buyer nobody knows."""
    return _moment(location, day, _LAST_SECOND)


def local_date(location: Location, at_ms: int) -> date:
    """Which day it is there."""
    return datetime.fromtimestamp(at_ms / 1000, _zone(location)).date()


def next_change_ms(locations: Sequence[Location], at_ms: int) -> int:
    """The first moment behind this one at which one of them may promise another day: a cut-off, or midnight."""
    return min(_next_change_ms(location, at_ms) for location in locations)


def _next_change_ms(location: Location, at_ms: int) -> int:
    today = local_date(location, at_ms)
    moments = [_cut_off_ms(location, today), _moment(location, today + _DAY, time())]
    # A clock that is set back may show midnight twice; the date has not changed before the second.
    return min((moment for moment in moments if moment > at_ms), default=at_ms + 1)


def _cut_off(location: Location) -> time | None:
    return time.fromisoformat(location.cut_off) if location.cut_off else None


def _cut_off_ms(location: Location, day: date) -> int:
    """The moment from which an order of this day comes too late; without a cut-off the next midnight."""
    cut_off = _cut_off(location)
    return _moment(location, day, cut_off) if cut_off else _moment(location, day + _DAY, time())


def _moment(location: Location, day: date, at: time) -> int:
    """A time that does not exist on a day when clocks are put forward counts as the one as long after the gap."""
    return round(datetime.combine(day, at, _zone(location)).timestamp() * 1000)


def _zone(location: Location) -> tzinfo:
    return ZoneInfo(location.time_zone) if location.time_zone else UTC
