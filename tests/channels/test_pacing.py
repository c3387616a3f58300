"""Nobody asks a channel more often than it allows, however many ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.pacing import QUEUE_S_MAX, Learned, Level, OwnPaces, Rate, filled, taken

RATE = Rate(per_second=2.0, burst=5.0)


def test_after_a_rest_a_burst_goes_at_once_and_then_everybody_waits_his_turn():
    level, waits = None, []
    for _ in range(8):
        level, wait_s = taken(level, RATE, 1.0, now_ms=1_000.0)
        waits.append(wait_s)

    assert waits == [0.0] * 5 + [0.5, 1.0, 1.5]


def test_time_fills_the_bucket_and_no_more_than_to_the_brim():
    level, _ = taken(None, RATE, 5.0, now_ms=0.0)

    assert filled(level, RATE, 1_000.0) == 2.0
    assert filled(level, RATE, 60_000.0) == 5.0


@given(
    costs=st.lists(st.tuples(st.floats(0.0, 3_000.0), st.integers(1, 4)), max_size=60),
    per_second=st.floats(0.01, 50.0),
    burst=st.integers(4, 40),
)
def test_in_no_time_more_is_used_than_the_burst_and_what_that_time_allows(costs, per_second: float, burst: int):
    rate, level, now_ms, used = Rate(per_second, float(burst)), None, 0.0, []
    for gap_ms, cost in costs:
        now_ms += gap_ms
        level, wait_s = taken(level, rate, float(cost), now_ms)
        if wait_s <= QUEUE_S_MAX:
            used.append((now_ms + wait_s * 1_000, cost))

    for start, (began_ms, _) in enumerate(used):
        for end in range(start, len(used)):
            took_s = (used[end][0] - began_ms) / 1_000
            assert sum(cost for _, cost in used[start : end + 1]) <= burst + took_s * per_second + 1e-6


def test_whoever_would_wait_for_long_takes_no_place_and_the_next_one_does_not_wait_for_him():
    slow = Rate(per_second=0.01, burst=1.0)
    level, _ = taken(None, slow, 1.0, now_ms=0.0)

    waits = []
    for now_s in (0.0, 60.0, 95.0, 95.0):
        level, wait_s = taken(level, slow, 1.0, now_s * 1_000)
        waits.append(wait_s)

    assert waits == pytest.approx([100.0, 40.0, 5.0, 105.0])


def test_what_costs_more_than_a_full_bucket_waits_for_a_full_one():
    slow = Rate(per_second=0.1, burst=2.0)

    waits = [taken(Level(0.0, 0.0), slow, 4.0, now_s * 1_000)[1] for now_s in (0.0, 19.0, 20.0, 90.0)]

    assert waits == pytest.approx([20.0, 1.0, 0.0, 0.0])


def test_whoever_waits_without_a_place_lets_the_cheap_ones_go_first():
    points = Rate(per_second=100.0, burst=1_000.0)
    level, before = taken(Level(300.0, 0.0), points, 500.0, 0.0, queue_s=0.0)

    level, cheap = taken(level, points, 12.0, 0.0)
    _, after = taken(level, points, 500.0, 0.0, queue_s=0.0)

    assert (before, cheap, after) == (2.0, 0.0, 2.12)


async def test_a_channel_that_says_so_is_left_alone_for_that_long():
    now = [0.0]
    paces = OwnPaces(lambda: now[0])
    await paces.take("push", RATE, 1.0)

    await paces.slow("push", 3.0)

    assert await paces.take("push", RATE, 1.0) == 3.5
    now[0] = 60_000.0
    assert await paces.take("push", RATE, 1.0) == 0.0


async def test_the_limit_a_channel_names_counts_from_then_on():
    paces = OwnPaces(lambda: 0.0)
    await paces.learn("push", Learned(Rate(1.0, 1.0)))

    waits = [await paces.take("push", RATE, 1.0) for _ in range(3)]

    assert waits == [0.0, 1.0, 2.0]


def test_a_clock_that_goes_back_fills_nothing():
    level = Level(0.0, 10_000.0)

    assert filled(level, RATE, 5_000.0) == 0.0


async def test_what_a_channel_says_is_left_counts():
    paces = OwnPaces(lambda: 0.0)
    await paces.take("push", RATE, 1.0)

    await paces.learn("push", Learned(left=0.5))

    assert await paces.take("push", RATE, 1.0) == 0.25
