import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from app.demo_burst import ORDERS, Verdict, make_wishes
from app.demo_lag import Lag, since
from app.fair import SKUS
from app.seed import DEMO_SHOP, load_seed
from channels.sandbox.market import NAMES
from tests.app.commands import allot, environment, processes_of

RIGHT = Verdict(
    shelf=100,
    committed=90,
    left=12,
    refused=50,
    backordered=48,
    deficit=2,
    conflict=0,
    free=0,
    oversold=0,
    lost=0,
    behind=0,
)


class Shown(NamedTuple):
    """A demo that has ended, and the port that it could not have."""

    done: subprocess.CompletedProcess[str]
    port: int


@contextmanager
def running(folder: Path, *words: str):
    """`allot demo` with its output in a file."""
    out = folder / "out"
    with out.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "demo", *words], cwd=folder, env=environment(), stdout=output, stderr=output
        )
    try:
        yield process, out
    finally:
        process.kill()
        process.wait()


def wait_for(out: Path, pattern: str, seconds: float = 90) -> re.Match[str]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = re.search(pattern, out.read_text())
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(out.read_text())


def test_the_burst_is_200_buyers_at_every_channel_who_want_more_than_there_is():
    wishes = make_wishes("a")

    assert len(wishes) == ORDERS == 200
    assert {wish.code for wish in wishes} == set(NAMES)
    assert all(bool(wish.till) == (wish.code == "pos") for wish in wishes)


def test_the_shop_lists_what_the_sandboxes_sell():
    found = {(one.channel, one.sku) for one in load_seed(DEMO_SHOP).listings}

    assert found == {(channel, sku) for channel in {*NAMES, "tills"} - {"pos"} for sku in SKUS}


def test_a_burst_that_adds_up_is_right():
    assert RIGHT.is_right
    assert RIGHT._replace(committed=88, deficit=0, conflict=2).is_right


@pytest.mark.parametrize(
    "fault",
    [
        {"oversold": 1},
        {"lost": 1},
        {"behind": 1},
        {"committed": 91, "refused": 49},
        {"refused": 49},
        {"free": 60, "committed": 30, "refused": 110},
    ],
)
def test_a_burst_that_does_not_is_wrong(fault):
    verdict = RIGHT._replace(**fault)

    assert not verdict.is_right
    assert verdict.lines()[-1] == "VERDICT: WRONG"


def test_half_of_what_was_counted_in_between_was_there_by_the_median():
    before = {"shop": Lag({1.0: 4.0, 2.0: 4.0, float("inf"): 4.0})}
    now = {"shop": Lag({1.0: 4.0, 2.0: 14.0, float("inf"): 15.0}), "new": Lag({1.0: 0.0, float("inf"): 0.0})}

    between = since(now, before)

    assert between["shop"].at(0.5) == pytest.approx(1.55)
    assert between["shop"].at(0.99) == 2.0
    assert between["new"].at(0.5) is None


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A folder for all demos that keep their data."""
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def shown(shop) -> Shown:
    """A demo to its end, with a data folder and a port that somebody else has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = allot(shop, "demo", "--once", "--port", f"{port}", "--data-dir", str(shop / "kept"))
    return Shown(done, port)


def test_the_circle_sells_the_last_hundred_once_and_leaves_nothing_behind(shop, shown):
    done = shown.done

    said = done.stdout
    committed, left, deficit = map(int, re.search(r"(\d+) \+ (\d+), of them (\d+) a deficit", said).groups())
    words = ("refused by channels", "backordered", "in conflict")
    refused, backordered, conflict = (int(re.search(rf"{word} +(\d+)", said)[1]) for word in words)
    rows = {row[0]: row[1:] for row in (re.findall(r"[^\s│┃]+", line) for line in said.splitlines()) if row}
    assert done.returncode == 0, said + done.stderr
    assert "VERDICT: right, no unit was sold twice and no order was lost" in said.splitlines()
    assert re.search(r"oversold +0\n", said)
    assert committed + left - deficit == 100
    assert committed + left + refused + backordered + conflict == 200
    for name in NAMES:
        pushed, shown_there, published, _, p99, asked, sold_out, orders, taken, _, calls = rows[name]
        assert pushed == shown_there == published == "0"
        assert float(p99) > 0
        assert int(asked) - int(sold_out) == int(orders) == int(taken) > 0
        assert int(calls) > 0
    assert rows["all"][-1] == "0"
    assert processes_of(shop) == []


def test_a_port_that_is_taken_is_told_and_another_one_is_used(shown):
    assert f"Port {shown.port} is taken; the service takes a free one." in shown.done.stdout


def test_a_kept_data_folder_is_stocked_up_and_without_once_the_shop_stays_open_until_it_is_told_to_stop(
    shop, shown, tmp_path
):
    assert f"data are kept in {shop / 'kept'}" in shown.done.stdout

    with running(tmp_path, "--port", "0", "--data-dir", str(shop / "kept")) as (process, out):
        url, key = wait_for(out, r"The API answers at (\S+) .* with the key (\S+)").groups()
        answer = httpx.get(f"{url}/v1/availability/CITY-28-BLACK", headers={"Authorization": f"Bearer {key}"})
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    said = out.read_text()
    assert answer.status_code == 200
    assert f'curl -H "Authorization: Bearer {key}" {url}/v1/availability/CITY-28-BLACK' in said
    assert code == 0, said
    assert "were delivered, so that there are 100 again" in said
    assert re.search(r"units on the shelf +100\n", said)
    assert said.endswith("The service has stopped.\n")
    assert processes_of(shop / "kept") == []


def test_a_demo_that_is_stopped_while_it_starts_leaves_nothing_behind(tmp_path):
    with running(tmp_path, "--port", "0") as (process, out):
        folder = Path(wait_for(out, r"data are in (\S+),")[1])
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert not folder.exists()
    assert processes_of(folder) == []
