"""What `allot health` finds out about processes without a port."""

import json
import os
import subprocess
import sys
import time

import pytest

from app.pulse import AGE_SECONDS_MAX, Pulse, look
from app.server_process import ServerFailed


@pytest.fixture
def pulse(tmp_path) -> Pulse:
    pulse = Pulse(tmp_path / "run", "worker")
    pulse.open()
    return pulse


def test_a_process_that_beats_works(pulse, tmp_path):
    pulse.beat()

    assert look(tmp_path / "run", "worker") == (True, f"worker {os.getpid()}: works")


def test_a_process_that_says_what_is_wrong_is_not_healthy_and_is_quoted(pulse, tmp_path):
    pulse.beat("DatabaseAway: no route to host")

    assert look(tmp_path / "run", "worker") == (False, f"worker {os.getpid()}: DatabaseAway: no route to host")


def test_what_is_wrong_is_told_at_once_and_so_is_its_end(pulse, tmp_path):
    said = []

    for says in ("", "away", ""):
        pulse.beat(says)
        said.append(look(tmp_path / "run", "worker").is_good)

    assert said == [True, False, True]


def test_the_same_news_is_not_written_again_within_a_second(pulse, tmp_path):
    pulse.beat()
    [file] = (tmp_path / "run").iterdir()
    first = file.read_text()

    pulse.beat()

    assert file.read_text() == first


def test_a_process_that_hangs_is_not_healthy(pulse, tmp_path):
    pulse.beat()
    [file] = (tmp_path / "run").iterdir()
    file.write_text(json.dumps({"at": time.monotonic() - AGE_SECONDS_MAX - 5, "says": ""}))

    found = look(tmp_path / "run", "worker")

    assert found == (False, f"worker {os.getpid()} has shown no sign of life for 35 s")


def test_a_process_that_is_gone_counts_for_nothing_and_is_tidied_away(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"worker-{gone.pid}.json").write_text(json.dumps({"at": time.monotonic(), "says": ""}))

    found = look(tmp_path, "worker")
    Pulse(tmp_path, "scheduler").open()

    assert found == (False, "no worker runs here")
    assert list(tmp_path.iterdir()) == []


def test_of_several_the_one_that_is_not_well_counts(pulse, tmp_path):
    pulse.beat()
    other = tmp_path / "run" / f"worker-{os.getppid()}.json"
    other.write_text(json.dumps({"at": time.monotonic(), "says": "away"}))

    assert look(tmp_path / "run", "worker").is_good is False


def test_one_role_says_nothing_about_another(pulse, tmp_path):
    pulse.beat()

    assert look(tmp_path / "run", "scheduler") == (False, "no scheduler runs here")


def test_a_process_that_ended_in_order_leaves_nothing(pulse, tmp_path):
    pulse.beat()

    pulse.close()

    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_others_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)

    with pytest.raises(ServerFailed, match="others may write"):
        Pulse(tmp_path, "worker").open()


def test_a_folder_that_is_gone_ends_nobody(pulse, tmp_path):
    (tmp_path / "run").rmdir()

    pulse.beat()

    assert look(tmp_path / "run", "worker").is_good is False
