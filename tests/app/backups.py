"""A shop to back up, buyers who keep it busy, and backups of it."""

import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.app.commands import allot
from tests.app.conftest import SHOP
from tests.app.process import Service
from tests.app.talk import new_op

PEPPER = "p" * 40


@pytest.fixture
def variables(postgres_url: str | None) -> dict[str, str]:
    """The settings of a service on this database."""
    if postgres_url is None:
        return {}
    unsafe = {"ALLOT_ALLOW_UNSAFE": "fsync-off"}
    return {"ALLOT_DATABASE_URL": postgres_url, "ALLOT_KEY_PEPPER": PEPPER, **unsafe}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def service(home: Path, variables: dict[str, str]) -> Iterator[Service]:
    """A running shop with enough cups for everybody."""
    service = Service(home, "--seed", SHOP, **variables).wait_until_ready()
    with service.client() as client:
        body = {"lines": [{"sku": "CUP", "location": "oslo", "units": 100_000}]}
        client.post("/v1/stock/receive", json=body, headers=new_op()).raise_for_status()
    yield service
    if service.process.poll() is None:
        service.end()


def place(client: httpx.Client, id: str) -> None:
    client.put(f"/v1/orders/shop/{id}", json={"lines": [{"sku": "CUP", "units": 1}]}).raise_for_status()


class Buyers:
    """Several who order all the time; `taken` is what they were told they have."""

    def __init__(self, service: Service) -> None:
        self.taken: list[str] = []
        self._service, self._numbers, self._stop = service, count(), threading.Event()
        self._threads = [threading.Thread(target=self._buy) for _ in range(3)]

    def _buy(self) -> None:
        with self._service.client() as client:
            while not self._stop.is_set():
                id = f"b{next(self._numbers)}"
                place(client, id)
                self.taken.append(id)
                time.sleep(0.02)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def backed_up(home: Path, variables: dict[str, str], *options: str) -> Path:
    """A backup of the service in this home."""
    folder = home.parent / "backup"
    done = allot(home, "backup", str(folder), "--data-dir", str(home / "data"), *options, **variables)
    assert done.returncode == 0, done.stderr
    return folder
