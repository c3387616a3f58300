"""`allot rebuild`: an embedded service that lost its Valkey sells again, what it had sold stays sold."""

import json
import shutil
import time
from pathlib import Path

import httpx
import pytest

from app.service_process import OwnService, own_service
from tests.app.commands import allot
from tests.app.conftest import SHOP
from tests.app.process import Service
from tests.app.test_worker import drained, place, soon


def asked(service: OwnService, path: str) -> httpx.Response:
    return httpx.get(f"{service.url}{path}", headers={"Authorization": f"Bearer {service.key}"})


def atp(service: OwnService) -> int:
    return asked(service, "/v1/availability/CUP?channel=shop").json()["levels"][0]["atp_now"]


@pytest.fixture
def lost(tmp_path: Path) -> int:
    """A service that sold two cups and was stopped; then its Valkey's files went. What it may promise before that."""
    with own_service(tmp_path, SHOP) as service:
        place(service, "1", "2")
        before = atp(service)
        assert soon(lambda: drained(tmp_path) == {"1", "2"})
    [files] = [path for path in (tmp_path / "data").iterdir() if (path / "valkey.log").exists()]
    for path in files.glob("appendonly*"):
        shutil.rmtree(path)
    return before


def test_a_rebuilt_store_sells_what_is_left_and_knows_what_was_sold(lost, tmp_path):
    done = allot(tmp_path, "rebuild", "--release", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 0, done.stderr
    assert "complete until" in done.stdout
    with own_service(tmp_path, SHOP) as service:
        assert atp(service) == lost
        assert asked(service, "/v1/orders/shop/1").json()["state"] == "committed"
        place(service, "1", "3")  # again, and a new one
        assert atp(service) == lost - 1
        assert soon(lambda: drained(tmp_path) == {"1", "2", "3"})


def test_a_rebuilt_store_sells_nothing_until_somebody_releases_it(lost, tmp_path):
    allot(tmp_path, "rebuild", "--data-dir", str(tmp_path / "data"))
    service = Service(tmp_path).wait_until_ready()
    with service.client((tmp_path / "api-key").read_text().strip()) as client:
        ready, asked = client.get("/readyz"), client.get("/v1/availability/CUP?channel=shop")
        assert (ready.status_code, asked.status_code) == (503, 503)
        assert "complete until" in ready.json()["store"]
        assert "complete until" in asked.json()["facts"]["why"]

        done = allot(tmp_path, "release", "--data-dir", str(tmp_path / "data"))

        assert "main: released" in done.stdout, done.stderr
        assert soon(lambda: client.get("/v1/availability/CUP?channel=shop").status_code == 200)
        assert client.get("/v1/availability/CUP?channel=shop").json()["levels"][0]["atp_now"] == lost
        [released] = client.get("/v1/audit?action=store.release").json()["data"]
    assert service.end() == 0
    assert "complete until" in released["detail"]["why_shut"]


def test_what_is_open_needs_no_release(tmp_path):
    with own_service(tmp_path, SHOP):
        done = allot(tmp_path, "release", "--data-dir", str(tmp_path / "data"))

    assert done.stdout == "Nothing was shut.\n"


def test_a_store_that_is_whole_is_left_alone(tmp_path):
    with own_service(tmp_path, SHOP) as service:
        place(service, "1")

    done = allot(tmp_path, "rebuild", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert "nothing is lost" in done.stderr


def test_while_the_service_runs_it_is_refused(tmp_path):
    with own_service(tmp_path, SHOP):
        done = allot(tmp_path, "rebuild", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert "stop the service first" in done.stderr


def test_machines_get_json(lost, tmp_path):
    done = allot(tmp_path, "rebuild", "--json", "--data-dir", str(tmp_path / "data"))

    said = json.loads(done.stdout)
    [seller] = said["sellers"]
    assert (seller["seller"], seller["records"]["orders"]) == ("main", 2)
    assert abs(seller["complete_until_ms"] / 1000 - time.time()) < 60
    assert said["epoch"].endswith("-2")
