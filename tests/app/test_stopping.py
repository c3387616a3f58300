import os
import signal

import pytest

from app.stopping import Stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_where_it_is_asked_about_and_nowhere_else(number):
    with Stop() as stop:
        stop.leave_if_asked()
        os.kill(os.getpid(), number)

        with pytest.raises(SystemExit) as left:
            stop.leave_if_asked()

    assert left.value.code == 128 + number


def test_whoever_is_told_hears_of_a_signal_that_came_before():
    told = []
    with Stop() as stop:
        os.kill(os.getpid(), signal.SIGTERM)

        with stop.telling(lambda: told.append("then")):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    assert told == ["then", "then"]


def test_afterwards_signals_mean_what_they_meant_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with Stop():
        pass

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
