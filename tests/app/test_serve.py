"""The whole process, from its first start to its last word."""

import re
import signal
import stat
import time

import pytest

from tests.app.conftest import SHOP
from tests.app.process import Service, is_alive
from tests.servers import Server, present

CUP = {"lines": [{"sku": "CUP", "units": 1}]}


@pytest.fixture
def serve(tmp_path):
    """Starts services, one after another on the same folder; ends what a failed test leaves."""
    started: list[Service] = []

    def start(*options: object, ready: bool = True, **variables: str) -> Service:
        service = Service(tmp_path, *options, **variables)
        started.append(service)
        return service.wait_until_ready() if ready else service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.process.kill()
            service.wait()


@pytest.fixture
def own_server():
    """Starts Valkey servers of one's own with settings of one's own."""
    started: list[Server] = []

    def start(**settings: str) -> Server:
        started.append(
            Server(present()[0], settings={name.replace("_", "-"): value for name, value in settings.items()})
        )
        return started[-1]

    yield start
    for server in started:
        server.stop()


def gone_soon(pid: int) -> bool:
    until = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def test_needs_no_setting_and_shows_the_first_key_once(serve):
    first = serve("--seed", SHOP)
    with first.client() as client:
        placed = client.put("/v1/orders/shop/1", json=CUP)
    first_code = first.end()

    second = serve()
    with second.client(first.key) as client:
        found = client.get("/v1/orders/shop/1")

    assert (placed.status_code, first_code) == (201, 0)
    assert second.key is None
    assert (found.status_code, found.json()["lines"]) == (200, placed.json()["lines"])


def test_the_first_key_can_be_written_to_a_file_for_its_owner_alone(serve, tmp_path):
    file = tmp_path / "key"

    service = serve("--key-file", file)

    assert service.key is None
    assert "allot_live_" not in service.said + service.logged
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with service.client(file.read_text().strip()) as client:
        assert client.get("/v1/orders/shop/1").status_code == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_and_its_valkey(serve, number: signal.Signals):
    service = serve()
    valkey = service.valkey_pid()
    assert is_alive(valkey)

    code = service.end(number)

    assert code == 0
    assert not is_alive(valkey)
    assert "Traceback" not in service.logged


def test_a_request_that_has_begun_is_answered_before_the_service_ends(serve):
    service = serve("--seed", SHOP)
    body = b'{"lines":[{"sku":"CUP","units":1}]}'
    head = f"PUT /v1/orders/shop/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
    with service.connect() as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)

        connection.sendall(body[10:])

        assert connection.recv(65_536).startswith(b"HTTP/1.1 201 Created")
    assert service.wait() == 0


def test_a_signal_while_it_starts_ends_it_too(serve):
    service = serve(ready=False)
    until = time.monotonic() + 20
    while "valkey_started" not in service.logged and time.monotonic() < until:
        time.sleep(0.005)

    code = service.end()

    assert code == 0
    assert not is_alive(service.valkey_pid())


def test_nothing_is_orphaned_or_lost_when_the_service_is_killed(serve):
    first = serve("--seed", SHOP)
    with first.client() as client:
        client.put("/v1/orders/shop/1", json=CUP)

    first.end(signal.SIGKILL)
    second = serve("--seed", SHOP)

    assert gone_soon(first.valkey_pid()) or first.valkey_pid() == second.valkey_pid()
    with second.client(first.key) as client:
        assert client.get("/v1/orders/shop/1").status_code == 200
        assert client.get("/v1/availability/CUP?channel=shop").json()["levels"][0]["atp_now"] == 14


def test_a_second_service_on_one_folder_is_refused_in_one_line(serve):
    serve()

    second = serve(ready=False)

    assert second.wait() == 1
    assert re.fullmatch(r"allot cannot serve: .* is in use by process \d+\..*\n", second.logged)


def test_an_address_that_is_taken_is_refused_before_anything_is_started(serve, tmp_path):
    first = serve()

    second = serve("--port", first.address[1], "--data-dir", tmp_path / "other", ready=False)

    assert second.wait() == 1
    assert f"127.0.0.1:{first.address[1]}" in second.logged
    assert not (tmp_path / "other").exists()


def test_a_seed_that_is_wrong_is_refused_before_anything_is_started(serve, tmp_path):
    (tmp_path / "seed.yaml").write_text("locations: [{ code: oslo, prio: 1 }]")

    service = serve("--seed", tmp_path / "seed.yaml", ready=False)

    assert service.wait() == 1
    assert "locations[0]: Object contains unknown field `prio`" in service.logged
    assert not (tmp_path / "data").exists()


def test_a_server_that_may_lose_orders_is_refused_unless_it_is_allowed_by_name(serve, own_server):
    server = own_server(appendfsync="everysec")

    refused = serve(ALLOT_REDIS_URL=server.url, ready=False)
    code = refused.wait()
    allowed = serve(ALLOT_REDIS_URL=server.url, ALLOT_ALLOW_UNSAFE="appendfsync-everysec")

    assert code == 1
    assert "ALLOT_ALLOW_UNSAFE=appendfsync-everysec" in refused.logged
    assert '"unsafe_server_allowed"' in allowed.logged


def test_a_server_that_is_away_is_told_in_one_line(serve, tmp_path):
    service = serve(ALLOT_REDIS_URL=f"unix://{tmp_path}/nothing.sock", ready=False)

    assert service.wait() == 1
    assert len(service.logged.splitlines()) == 1


def test_a_store_that_was_flushed_is_not_ready_and_never_begun_anew(serve, own_server):
    server = own_server()
    first = serve("--seed", SHOP, ALLOT_REDIS_URL=server.url)
    first.end()
    server.stop()
    empty = own_server()

    second = serve("--seed", SHOP, ALLOT_REDIS_URL=empty.url)

    with second.client(first.key) as client:
        ready, asked = client.get("/readyz"), client.get("/v1/availability/CUP")
        placed = client.put("/v1/orders/shop/1", json=CUP)
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert [(answer.status_code, answer.json()["type"]) for answer in (asked, placed)] == [
        (503, "/problems/not-ready"),
        (503, "/problems/not-ready"),
    ]
    assert '"store_not_ready"' in second.logged


def test_the_store_of_another_database_is_not_taken_over_by_a_new_one(serve, own_server, tmp_path):
    server = own_server()
    serve("--seed", SHOP, ALLOT_REDIS_URL=server.url).end()

    other = serve("--data-dir", tmp_path / "new", ALLOT_REDIS_URL=server.url, ready=False)

    assert other.wait() == 1
    assert "the database is new, but the store holds data set" in other.logged


def test_nobody_finds_a_key_in_the_log(serve):
    service = serve("--seed", SHOP, ALLOT_LOG_LEVEL="debug")
    secret = f"allot_live_{'0' * 12}_{'s' * 43}"
    with service.client() as client:
        client.put("/v1/orders/shop/1", json=CUP)
    with service.client(secret) as client:
        client.put("/v1/orders/shop/2", json=CUP)
    service.end()

    lines = service.logged.splitlines()
    requests = [line for line in lines if '"event": "request"' in line and "/readyz" not in line]
    assert len(requests) == 2
    assert '"path": "/v1/orders/{channel}/{external_id}"' in requests[0]
    assert '"status": 201' in requests[0]
    assert not any(hidden in service.logged for hidden in (secret, str(service.key), "CUP"))
