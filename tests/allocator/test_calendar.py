"""What a location can promise about time, against a model that walks day by day."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator import Carrier, Location, Rate, ShipTo
from allocator.calendar import WorkDays, deliver_by_ms, local_date, next_change_ms, ship_by_ms, ship_days
from allocator.carriers import Carriers
from allocator.config import WEEK

DAY_MS = 86_400_000
YEAR_MS = 1_767_225_600_000  # 2026 begins
days_of_2026 = st.integers(0, 364).map(lambda day: date(2026, 1, 1) + timedelta(day))
moments = st.integers(YEAR_MS, YEAR_MS + 364 * DAY_MS)
weeks = st.lists(st.sampled_from(WEEK), min_size=1, unique=True).map(tuple)
locations = st.builds(
    Location,
    code=st.just("oslo"),
    cut_off=st.sampled_from(["", "00:00", "09:30", "16:30", "23:59"]),
    time_zone=st.sampled_from(["Europe/Oslo", "America/New_York", "Asia/Kolkata", "UTC"]),
    handling_days=st.integers(0, 4),
    working_days=weeks,
    closed_on=st.lists(days_of_2026, max_size=20).map(tuple),
)


def ms(text: str, zone: str = "Europe/Oslo") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def works(location: Location, day: date) -> bool:
    return WEEK[day.weekday()] in location.working_days and day not in location.closed_on


def naive(location: Location, at_ms: int) -> date:
    """One day after the other: from the first that is worked on and not too late, so many more."""
    local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(location.time_zone))
    late = bool(location.cut_off) and f"{local:%H:%M}" >= location.cut_off
    day, more = local.date(), location.handling_days
    while not works(location, day) or (day == local.date() and late) or more:
        more -= works(location, day) and not (day == local.date() and late)
        day += timedelta(1)
    return day


@given(locations, moments)
def test_the_day_is_that_of_walking_day_by_day(location, at_ms):
    assert ship_days(location, at_ms) == [naive(location, at_ms)]


@given(locations, moments)
def test_later_options_are_the_next_days_that_are_worked_on(location, at_ms):
    first, *more = ship_days(location, at_ms, 5)

    between = [first + timedelta(n) for n in range(1, (more[-1] - first).days + 1)]
    assert more == [day for day in between if works(location, day)]


@given(locations, moments, st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_the_next_change(location, at_ms, share):
    until = next_change_ms([location], at_ms)

    within = at_ms + int((until - at_ms) * share)
    said = [(ship_days(location, moment, 3), local_date(location, moment)) for moment in (at_ms, within)]
    assert at_ms < until <= at_ms + DAY_MS + 3_600_000
    assert said[0] == said[1]


@given(weeks, st.lists(days_of_2026, max_size=9), days_of_2026, st.integers(0, 6))
def test_transit_counts_the_carriers_days(week, closed, shipped, transit):
    carrier = Carrier(
        code="c",
        zones={"NO": "z"},
        rates=[Rate(zone="z", cost=1, transit_days=transit)],
        working_days=week,
        closed_on=tuple(closed),
    )

    way = Carriers([carrier]).cheapest(Location(code="oslo", carriers=("c",)), ShipTo(country="NO"))

    arrives = way.arrives(shipped)
    days = [shipped + timedelta(n) for n in range(1, (arrives - shipped).days + 1)]
    worked = [day for day in days if WEEK[day.weekday()] in week and day not in closed]
    assert len(worked) == transit or (transit == 0 and worked in ([], [arrives]))
    assert WEEK[arrives.weekday()] in week
    assert arrives not in closed


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-03-27 16:29:59", "2026-03-27"),
        ("2026-03-27 16:30", "2026-03-30"),
        ("2026-03-30 16:29:59", "2026-03-30"),
        ("2026-03-30 16:30", "2026-03-31"),
        ("2026-10-26 16:29:59", "2026-10-26"),
        ("2026-10-26 16:30", "2026-10-27"),
    ],
)
def test_a_cut_off_is_local_time_before_and_after_the_clocks_change(at, day):
    oslo = Location(code="oslo", cut_off="16:30", time_zone="Europe/Oslo", working_days=WEEK[:5])

    assert ship_days(oslo, ms(at)) == [date.fromisoformat(day)]


def test_goods_are_handed_over_at_the_cut_off_and_delivered_by_the_end_of_a_day():
    oslo = Location(code="oslo", cut_off="16:30", time_zone="Europe/Oslo")
    depot = Location(code="depot", daily_orders=3)

    assert ship_by_ms(oslo, date(2026, 7, 1)) == ms("2026-07-01 16:30")
    assert deliver_by_ms(oslo, date(2026, 7, 1)) == ms("2026-07-01 23:59:59")
    assert ship_by_ms(depot, date(2026, 7, 1)) == ms("2026-07-01 23:59:59", "UTC")


def test_a_cut_off_in_an_hour_that_does_not_exist_counts_from_after_the_gap():
    oslo = Location(code="oslo", cut_off="02:30", time_zone="Europe/Oslo")

    assert ship_days(oslo, ms("2026-03-29 03:29")) == [date(2026, 3, 29)]
    assert ship_days(oslo, ms("2026-03-29 03:30")) == [date(2026, 3, 30)]


def test_a_cut_off_in_an_hour_that_comes_twice_counts_the_first_time():
    oslo = Location(code="oslo", cut_off="02:30", time_zone="Europe/Oslo")
    again = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15 for the second time

    assert ship_days(oslo, round(again.timestamp() * 1000)) == [date(2026, 10, 26)]


def test_days_are_worked_on_or_found():
    days = WorkDays(frozenset({0}), frozenset({date(2026, 1, 5)}))

    assert [days.after(date(2026, 1, 1), count) for count in (0, 1, 2)] == [
        date(2026, 1, 12),
        date(2026, 1, 12),
        date(2026, 1, 19),
    ]
