"""A channel that does not answer is let be, for longer each time."""

import pytest

from channels.breaker import FAILURES_MAX, FINE, REST_MAX_S, OwnBreaker, after
from channels.errors import Down


def failing(times: int):
    standing = FINE
    for _ in range(times):
        standing = after(standing, 0, well=False)
    return standing


def test_some_failures_are_nothing_special():
    assert failing(FAILURES_MAX - 1).until_ms == 0


def test_every_further_failure_doubles_the_rest_up_to_a_limit():
    rests = [failing(FAILURES_MAX + more).until_ms for more in range(9)]

    assert rests[:4] == [5_000, 10_000, 20_000, 40_000]
    assert rests[-1] == REST_MAX_S * 1_000


def test_one_answer_and_all_is_forgotten():
    assert after(failing(20), 0, well=True) == FINE


async def test_nobody_asks_during_the_rest_and_one_after_it():
    now = [0]
    breaker = OwnBreaker(lambda: now[0])
    for _ in range(FAILURES_MAX):
        await breaker.heard(well=False)

    with pytest.raises(Down, match="left alone"):
        await breaker.check()
    now[0] = 5_001
    await breaker.check()

    with pytest.raises(Down):
        await breaker.check()
    await breaker.heard(well=True)
    await breaker.check()
