import json
import signal
import subprocess
import sys
import time
from uuid import uuid4

import httpx
import pytest

from app.service_process import own_service
from tests.app.commands import allot, environment, processes_of
from tests.app.order_files import generated, write

CUP = "85123A"


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    done = allot(folder, "replay", str(generated(folder / "orders.csv")), "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_replay_of_a_healthy_service_keeps_every_promise(played):
    assert {check["name"]: check["kept"] for check in played["checks"]} == dict.fromkeys(
        (check["name"] for check in played["checks"]), True
    )
    assert len(played["checks"]) == 8


def test_every_order_and_every_unit_of_the_file_is_in_the_report(played):
    demand, channels = played["demand"], played["channels"]

    assert (demand["orders"], demand["returns"]) == (180, 21)
    assert sum(channel["orders"] for channel in channels) == demand["orders"]
    assert sum(channel["units_asked"] for channel in channels) == demand["units"]
    assert played["returns_booked"] == demand["returns"]
    assert len(played["times"]) == 6
    for channel in channels:
        answered = sum(channel[name] for name in ("in_full", "partly", "short", "unroutable"))
        units = sum(channel[f"units_{name}"] for name in ("taken", "backordered", "forgone", "refused"))
        assert (answered, units) == (channel["orders"], channel["units_asked"])


def test_too_little_stock_makes_each_kind_of_demand_end_in_its_own_way(played):
    shop, amazon, ebay, tills = played["channels"]

    assert shop["short"] > 0
    assert amazon["units_backordered"] + ebay["units_backordered"] > 0
    assert tills["units_taken"] == tills["units_asked"]
    assert tills["units_deficit"] > 0
    assert (shop["units_backordered"], amazon["units_refused"], ebay["units_refused"]) == (0, 0, 0)


def test_units_leave_and_what_left_is_no_longer_on_a_shelf(played):
    units = played["units"]

    assert units["shipped"] > 0
    assert units["received"] + units["returned_kept"] - units["shipped"] == units["on_hand_end"]


def test_the_report_says_what_it_ran_on(played):
    machine = played["machine"]

    assert machine["cores"] > 0
    assert machine["server"].startswith("Valkey ")
    assert machine["python"] == ".".join(map(str, sys.version_info[:3]))


def test_a_report_for_people_ends_with_the_verdict(tmp_path):
    done = allot(tmp_path, "replay", str(generated(tmp_path / "orders.csv", 30)), "--stocked", "1.5")

    assert done.returncode == 0, done.stderr
    assert "Every promise was kept." in done.stdout.splitlines()
    assert "fill rate" in done.stdout


def test_units_that_vanish_while_it_plays_are_found_and_end_it_with_code_1(tmp_path):
    file = generated(tmp_path / "orders.csv", 40)
    shop = tmp_path / "shop.yaml"
    assert allot(tmp_path, "replay", str(file), "--shop-file", str(shop)).returncode == 0

    with own_service(tmp_path / "service", shop) as service:
        words = ["replay", str(file), "--url", service.url, "--key", service.key, "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *words], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
        )
        with process, httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.key}"}) as thief:
            take_away(thief, units=1)
            said, _ = process.communicate(timeout=60)

    [found] = [check for check in json.loads(said)["checks"] if check["kept"] is False]
    assert process.returncode == 1
    assert (found["name"], found["found"]) == ("units unaccounted for", f"1: {CUP} -1")


def take_away(thief: httpx.Client, *, units: int) -> None:
    """Take units as soon as there are some, behind the replay's back."""
    theft = {"lines": [{"sku": CUP, "location": "warehouse-1", "units": -units}], "why": "theft"}
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if thief.post("/v1/stock/adjust", json=theft, headers={"Idempotency-Key": uuid4().hex}).status_code == 200:
            return
        time.sleep(0.002)
    raise AssertionError("there was nothing to take")


def test_a_service_with_stock_of_its_own_is_not_played_against(tmp_path):
    file = generated(tmp_path / "orders.csv", 5)
    shop = tmp_path / "shop.yaml"
    allot(tmp_path, "replay", str(file), "--shop-file", str(shop))

    with own_service(tmp_path / "service", shop) as service:
        stock = {"lines": [{"sku": CUP, "location": "store-1", "units": 1}]}
        headers = {"Authorization": f"Bearer {service.key}", "Idempotency-Key": "1"}
        httpx.post(f"{service.url}/v1/stock/receive", json=stock, headers=headers).raise_for_status()
        done = allot(tmp_path, "replay", str(file), "--url", service.url, "--key", service.key)

    assert done.returncode == 2
    assert "has stock or orders already" in done.stderr


def test_a_file_with_a_mistake_is_refused_before_anything_starts(tmp_path):
    file = write(tmp_path / "orders.csv", "1,2010-12-01,Norway,CUP,none")

    done = allot(tmp_path, "replay", str(file))

    assert done.returncode == 2
    assert "line 2: quantity must be a whole number" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_replay_that_is_stopped_leaves_nothing_behind(tmp_path, number):
    file = generated(tmp_path / "orders.csv", 200)
    names = {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()

    words = [sys.executable, "-m", "app", "replay", str(file)]
    with subprocess.Popen(words, cwd=tmp_path, env={**environment(), **names}, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 30
        while not list((tmp_path / "tmp").glob("*/service/api-key")) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(number)
        code = process.wait(30)

    assert code == 128 + number
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes_of(tmp_path / "tmp") == []
