"""The worker beside the service: what happened is in SQL soon, whoever was killed in between."""

import asyncio
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from allocator import SellerKeys, make_client
from allocator.records import Remembered, encode_answer
from app.embedded import EmbeddedValkey
from app.server_process import ask
from app.service_process import OwnService, own_service
from tests.app.commands import processes_of
from tests.app.conftest import SHOP

SECONDS_MAX = 20


@pytest.fixture
def service(tmp_path: Path):
    with own_service(tmp_path, SHOP) as service:
        yield service


def soon(happened: Callable[[], object]) -> object:
    """What it says as soon as it says something, or what it says in the end."""
    end = time.monotonic() + SECONDS_MAX
    while not (found := happened()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def drained(folder: Path) -> set[str]:
    """The orders that are in SQL."""
    with sqlite3.connect(f"file:{folder / 'data' / 'allot.sqlite3'}?mode=ro", uri=True) as database:
        return {row[0] for row in database.execute("SELECT external_id FROM order_record")}


def worker(folder: Path) -> int | None:
    """The process id of the folder's worker."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if "worker" in words and str(folder / "data") in words:
            return int(process.name)
    return None


def valkey(folder: Path) -> int:
    """The process id of the folder's Valkey."""
    info = ask(EmbeddedValkey(folder / "data").socket, "INFO", "server")
    found = re.search(rb"process_id:(\d+)", bytes(info))
    assert found
    return int(found[1])


def place(service: OwnService, *ids: str) -> None:
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.key}"}) as client:
        for id in ids:
            body = {"lines": [{"sku": "CUP", "units": 1}]}
            client.put(f"/v1/orders/shop/{id}", json=body).raise_for_status()


def is_placed(service: OwnService, id: str) -> bool:
    """Whether an order was taken; for a moment nobody may be able to say."""
    try:
        place(service, id)
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise
        return False
    return True


def test_an_order_is_in_sql_soon(service, tmp_path):
    place(service, "1", "2")

    assert soon(lambda: drained(tmp_path) == {"1", "2"})


def test_a_worker_that_is_killed_is_replaced_and_goes_on(service, tmp_path):
    place(service, "1")
    first = soon(lambda: worker(tmp_path))
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    place(service, "2")

    assert soon(lambda: drained(tmp_path) == {"1", "2"})
    assert worker(tmp_path) != first


def test_the_worker_goes_on_when_valkey_was_killed_and_started_again(service, tmp_path):
    place(service, "1")
    assert soon(lambda: drained(tmp_path) == {"1"})
    os.kill(valkey(tmp_path), signal.SIGKILL)

    assert soon(lambda: is_placed(service, "2"))

    assert soon(lambda: drained(tmp_path) == {"1", "2"})


def old_answer_in_valkey(folder: Path) -> Callable[[], bool]:
    """Give the store an answer of years ago; tells whether it is still there."""
    url, [ops] = EmbeddedValkey(folder / "data").url, SellerKeys("main").named("ops")

    async def ask(*words: str) -> Any:
        client = make_client(url)
        try:
            return await client.execute_command(*words)
        finally:
            await client.aclose()

    said = Remembered(1_500_000_000_000, "f" * 16, "unknown_sku", b"\x91\xa3POT")
    asyncio.run(ask("HSET", ops, "receive:old", encode_answer(said)))
    return lambda: asyncio.run(ask("HEXISTS", ops, "receive:old")) == 1


def test_the_worker_lets_old_answers_leave_valkey_for_sql(service, tmp_path):
    is_there = old_answer_in_valkey(tmp_path)
    first = soon(lambda: worker(tmp_path))
    assert isinstance(first, int)
    # One that begins anew walks at once; between two walks there is a rest.
    os.kill(first, signal.SIGKILL)

    assert soon(lambda: not is_there())
    with sqlite3.connect(f"file:{tmp_path / 'data' / 'allot.sqlite3'}?mode=ro", uri=True) as database:
        found = database.execute("SELECT at_ms FROM op_answer WHERE op = 'receive:old'").fetchall()
    assert found == [(1_500_000_000_000,)]


def test_the_worker_ends_with_the_service(tmp_path):
    with own_service(tmp_path, SHOP) as service:
        place(service, "1")
        assert soon(lambda: worker(tmp_path))

    assert soon(lambda: not processes_of(tmp_path))


def test_the_worker_ends_when_the_service_is_killed(tmp_path):
    with own_service(tmp_path, SHOP) as service:
        assert soon(lambda: worker(tmp_path))
        os.kill(service.pid, signal.SIGKILL)

        assert soon(lambda: worker(tmp_path) is None)


def test_orders_make_the_worker_wait_and_not_the_other_way_round(service, tmp_path):
    found = soon(lambda: worker(tmp_path))

    stat = Path(f"/proc/{found}/stat").read_text()
    nice = int(re.sub(r"^.*\) ", "", stat).split()[16])
    assert nice == os.nice(0) + 10
