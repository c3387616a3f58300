"""One role a process, several processes a role: on one Valkey and one PostgreSQL they are one service."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.leading import LEASE_SECONDS
from tests.app.commands import allot
from tests.app.conftest import SHOP
from tests.app.process import Program
from tests.servers import Server, present

SOON_S = 10.0


class Deployment(NamedTuple):
    """Two processes that answer, two that schedule, one that drains; the settings they share, and who asks the two."""

    home: Path
    shared: dict[str, str]
    apis: list[Program]
    schedulers: list[Program]
    worker: Program
    clients: list[httpx.Client]


@pytest.fixture(scope="module")
def deployment(postgres, tmp_path_factory) -> Iterator[Deployment]:
    home, store, url = tmp_path_factory.mktemp("roles"), Server(present()[0]), postgres.new()
    shared = {
        "ALLOT_REDIS_URL": store.url,
        "ALLOT_DATABASE_URL": url,
        "ALLOT_KEY_PEPPER": "p" * 40,
        "ALLOT_ALLOW_UNSAFE": "fsync-off",
        "ALLOT_RUN_DIR": str(home / "run"),
        "ALLOT_WEBHOOKS_ALLOW_PRIVATE": "true",
    }
    started: list[Program] = []

    def start(*words: object, **more: str) -> Program:
        started.append(Program(home, *words, **shared, **more))
        return started[-1]

    try:
        first = start("api", "--port", "0", ALLOT_SEED_PATH=str(SHOP)).wait_until_ready()
        apis = [first, start("api", "--port", "0")]
        schedulers, worker = [start("scheduler") for _ in range(2)], start("worker")
        made = allot(home, "keys", "make", "--role", "admin", "--name", "first", **shared)
        assert made.returncode == 0, made.stderr
        apis[1].wait_until_ready()
        for scheduler in schedulers:
            scheduler.wait_until_logged("scheduler_started")
        key = made.stdout.split(": ")[1].strip()
        with apis[0].client(key) as one, apis[1].client(key) as another:
            yield Deployment(home, shared, apis, schedulers, worker, [one, another])
        assert {program.end() for program in started if program.process.poll() is None} == {0}
    finally:
        for program in started:
            if program.process.poll() is None:
                program.process.kill()
                program.wait()
        store.stop()
        postgres.drop(url)


@contextmanager
def somebody() -> Iterator[tuple[str, list[bytes]]]:
    """Somebody's server for webhooks: its address, and what it got."""
    got: list[bytes] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Taker) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", got
        finally:
            server.shutdown()
            thread.join()


def soon(happened: Callable[[], object], seconds: float = SOON_S) -> float:
    """How long it took until that happened."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def hold(client: httpx.Client, id: str, ttl_seconds: int = 1) -> None:
    body = {"channel": "shop", "lines": [{"sku": "CUP", "units": 1}], "ttl_seconds": ttl_seconds}
    client.put(f"/v1/holds/{id}", json=body).raise_for_status()


def has_ended(client: httpx.Client, id: str) -> bool:
    return bool(client.get(f"/v1/holds/{id}").json()["state"] == "expired")


def at_work(schedulers: list[Program]) -> list[Program]:
    return [each for each in schedulers if each.process.poll() is None and '"scheduler_works"' in each.logged]


def test_a_key_that_one_process_revokes_is_refused_by_the_other(deployment):
    one, another = deployment.clients
    made = one.post("/v1/keys", json={"name": "till", "role": "pos"}).json()
    theirs = {"Authorization": f"Bearer {made['secret']}"}
    assert another.get("/v1/me", headers=theirs).status_code == 200

    one.delete(f"/v1/keys/{made['key']['id']}").raise_for_status()

    soon(lambda: another.get("/v1/me", headers=theirs).status_code == 401, 3.0)
    assert another.get("/v1/me").status_code == 200


def test_a_rule_that_one_process_saves_is_in_force_for_the_other(deployment):
    one, another = deployment.clients
    rule = {"id": "keep", "kind": "buffer", "sku": "PLATE", "channel": "shop", "units": 2}
    question = "/v1/availability/PLATE?channel=shop"
    before = another.get(question).json()["levels"][0]["atp_now"]

    one.put("/v1/rules/keep", json=rule).raise_for_status()

    assert another.get(question).json()["levels"][0]["atp_now"] == before - 2


def test_a_hold_ends_although_no_process_that_answers_ends_it(deployment):
    [client, _] = deployment.clients

    hold(client, "cart-1")

    soon(lambda: has_ended(client, "cart-1"))


def test_what_one_process_takes_the_other_finds_in_sql(deployment):
    one, another = deployment.clients

    one.put("/v1/orders/shop/r-1", json={"lines": [{"sku": "CUP", "units": 1}]}).raise_for_status()

    soon(lambda: "r-1" in another.get("/v1/orders?channel=shop").text)


def test_of_two_schedulers_one_works(deployment):
    assert len(at_work(deployment.schedulers)) == 1


def test_what_the_scheduler_counts_every_process_that_answers_shows(deployment):
    for client in deployment.clients:
        soon(lambda client=client: 'allot_on_hand_units{seller="main"}' in client.get("/metrics").text, 25.0)

        text = client.get("/metrics").text
        assert 'allot_job_runs_total{name="expire_holds",outcome="done"}' in text
        assert "allot_scheduler_up 1.0" in text
        assert client.get("/readyz").json()["jobs"] == "ok"


@pytest.mark.parametrize("role", ["api", "worker", "scheduler"])
def test_every_role_says_that_it_works(deployment, role):
    port = str(deployment.apis[0].address[1])

    said = allot(deployment.home, "health", role, **deployment.shared, ALLOT_PORT=port)

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.strip().endswith("works")


@pytest.mark.parametrize(
    ("role", "says"), [("worker", "no worker runs here"), ("api", "the API does not answer: ConnectionRefusedError")]
)
def test_a_role_that_is_not_there_is_told_in_one_line(role, says, tmp_path):
    said = allot(tmp_path, "health", role, ALLOT_RUN_DIR=str(tmp_path / "run"), ALLOT_PORT="1")

    assert (said.returncode, said.stderr) == (1, f"{says}\n")


def test_an_event_of_one_process_is_sent_by_the_scheduler(deployment):
    [client, _] = deployment.clients
    with somebody() as (url, got):
        hook = {"url": url, "events": ["order.placed"]}
        client.post("/v1/webhooks", json=hook, headers={"Idempotency-Key": "hook"}).raise_for_status()

        client.put("/v1/orders/shop/r-2", json={"lines": [{"sku": "CUP", "units": 1}]}).raise_for_status()

        soon(lambda: any(b'"external_id":"r-2"' in body for body in got))


def test_holds_go_on_ending_when_the_scheduler_at_work_is_killed(deployment):
    [client, _] = deployment.clients
    [working] = at_work(deployment.schedulers)
    hold(client, "cart-2")
    working.end(signal.SIGKILL)
    hold(client, "cart-3")

    took = soon(lambda: has_ended(client, "cart-2") and has_ended(client, "cart-3"), LEASE_SECONDS + 6)

    assert took < LEASE_SECONDS + 4
    assert len(at_work(deployment.schedulers)) == 1
    assert client.get("/readyz").json()["jobs"] == "ok"


def test_a_scheduler_that_ends_in_order_is_followed_within_two_seconds(deployment):
    [client, _] = deployment.clients
    [working] = at_work(deployment.schedulers)
    waiting = Program(deployment.home, "scheduler", **deployment.shared).wait_until_logged("scheduler_started")
    try:
        code = working.end()
        hold(client, "cart-4")

        took = soon(lambda: has_ended(client, "cart-4"))
        assert (code, at_work([waiting])) == (0, [waiting])
        assert took < 5
    finally:
        assert waiting.end() == 0


@pytest.fixture
def alone(tmp_path, monkeypatch) -> Callable[..., tuple[int, str]]:
    """Runs a command in this process, with these settings alone; its exit code and what it complains of."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ALLOT_")]:
        monkeypatch.delenv(name)

    def run(*words: str, **settings: str) -> tuple[int, str]:
        found = CliRunner().invoke(app, words, env=settings)
        return found.exit_code, found.stderr

    return run


@pytest.mark.parametrize("role", ["api", "worker", "scheduler"])
def test_a_role_without_a_shared_store_says_what_it_needs_in_one_line(role, alone):
    code, says = alone(role)

    assert code == 1
    assert says == (
        f"allot {role} needs ALLOT_REDIS_URL, ALLOT_DATABASE_URL, ALLOT_KEY_PEPPER: it shares its work with other "
        "processes (`allot serve` needs nothing)\n"
    )


@pytest.mark.parametrize("role", ["api", "worker", "scheduler"])
def test_a_role_without_the_pepper_says_so_in_one_line_and_without_a_password(role, alone):
    url = "postgresql://allot:secret@db/allot"

    code, says = alone(role, ALLOT_REDIS_URL="redis://valkey", ALLOT_DATABASE_URL=url)

    assert code == 1
    assert says == f"allot {role}: a shared database needs ALLOT_KEY_PEPPER, the same for every process\n"
