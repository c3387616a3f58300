"""`allot keys` and `allot sellers`, as an operator runs them: while the service runs, and while it does not."""

import json
import time

import httpx
import pytest

from tests.app.commands import allot
from tests.app.process import Service
from tests.servers import ROOT

SEED = ROOT / "tests/app/shop.yaml"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("home"), "--seed", SEED).wait_until_ready()
    yield service
    service.end()


def keys(service: Service, *words: str) -> object:
    """What `allot keys ... --json` says."""
    done = allot(service.home, "keys", *words, "--json", "--data-dir", str(service.home / "data"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def status(service: Service, key: str, path: str = "/v1/me") -> int:
    with service.client(key) as client:
        return client.get(path).status_code


def test_a_key_made_at_the_terminal_opens_the_running_service(service):
    made = keys(service, "make", "--role", "pos", "--channel", "till", "--location", "oslo")

    assert status(service, made["secret"]) == 200
    assert (made["key"]["channels"], made["key"]["locations"]) == (["till"], ["oslo"])


def test_a_lost_first_key_is_replaced_by_an_admins_key(service):
    made = keys(service, "make", "--role", "admin", "--name", "instead of the first")

    assert status(service, made["secret"], "/v1/keys") == 200


def test_a_key_revoked_at_the_terminal_is_refused_when_the_command_ends(service):
    made = keys(service, "make", "--role", "pos")
    before = status(service, made["secret"])

    done = allot(service.home, "keys", "revoke", made["key"]["id"], "--data-dir", str(service.home / "data"))

    assert (before, status(service, made["secret"])) == (200, 401)
    assert "is revoked" in done.stdout
    assert done.stderr == ""


def test_a_key_rotated_at_the_terminal_has_a_follower(service):
    made = keys(service, "make", "--role", "pos")

    new = keys(service, "rotate", made["key"]["id"], "--overlap", "60")

    assert new["key"]["replaces"] == made["key"]["id"]
    assert [status(service, key["secret"]) for key in (made, new)] == [200, 200]
    again = allot(service.home, "keys", "rotate", made["key"]["id"], "--data-dir", str(service.home / "data"))
    assert (again.returncode, "is still good" in again.stderr) == (2, True)


def test_the_list_shows_every_key_and_no_secret(service):
    made = keys(service, "make", "--role", "analyst", "--name", "for the reports")
    done = allot(service.home, "keys", "list", "--data-dir", str(service.home / "data"))

    assert made["key"]["id"] in {key["id"] for key in keys(service, "list")}
    assert made["key"]["id"] in done.stdout
    assert made["secret"].split("_", 3)[3] not in done.stdout


def test_the_audit_names_who_was_at_the_terminal(service):
    made = keys(service, "make", "--role", "pos")

    with service.client() as client:
        found = client.get("/v1/audit", params={"action": "keys.make"}).json()["data"]

    assert found[0]["target"] == f"key:{made['key']['id']}"
    assert found[0]["actor"].startswith("cli:")


def test_a_seller_added_at_the_terminal_is_served_within_seconds(service):
    folder = ("--data-dir", str(service.home / "data"))
    added = allot(service.home, "sellers", "add", "second", "Second Shop", *folder)
    made = keys(service, "make", "--seller", "second", "--role", "admin")

    until = time.monotonic() + 6
    while (found := status(service, made["secret"])) == 503:
        assert time.monotonic() < until
        time.sleep(0.05)

    assert (added.returncode, found) == (0, 200)
    with service.client(made["secret"]) as client:
        assert client.get("/v1/me").json()["seller"] == {"code": "second", "name": "Second Shop"}
        assert client.get("/v1/availability/CUP").json() == {"levels": []}
    twice = allot(service.home, "sellers", "add", "second", "Again", *folder)
    assert (twice.returncode, twice.stderr) == (2, "allot: there is a seller second already\n")


def test_a_seller_is_renamed_and_listed(service):
    folder = ("--data-dir", str(service.home / "data"))
    allot(service.home, "sellers", "rename", "main", "The First Shop", *folder)

    listed = allot(service.home, "sellers", "list", "--json", *folder)

    assert {"code": "main", "name": "The First Shop"} in json.loads(listed.stdout)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("keys", "make", "--role", "king"), "allot: Invalid enum value 'king' - at `$.role`"),
        (("keys", "make", "--role", "pos", "--channel", "no code"), "- at `$.channels[0]`"),
        (("keys", "revoke", "000000000000"), "allot: there is no key 000000000000"),
        (("keys", "list", "--seller", "nobody"), "allot: there is no seller nobody"),
        (("sellers", "add", "no code", "x"), "allot: Expected `str`"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(service, words: tuple[str, ...], says: str):
    done = allot(service.home, *words, "--data-dir", str(service.home / "data"))

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_no_service_has_used_is_refused_and_left_alone(tmp_path):
    done = allot(tmp_path, "keys", "make", "--role", "admin", "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 2
    assert "run `allot serve` once" in done.stderr
    assert not (tmp_path / "data").exists()


def test_keys_are_made_and_revoked_while_the_service_is_stopped(tmp_path):
    service = Service(tmp_path, "--seed", SEED).wait_until_ready()
    first = service.key
    service.end()

    made = keys(service, "make", "--role", "admin")
    revoked = allot(tmp_path, "keys", "revoke", first.split("_")[2], "--data-dir", str(tmp_path / "data"))

    service = Service(tmp_path).wait_until_ready()
    try:
        assert [status(service, key) for key in (first, made["secret"])] == [401, 200]
        assert "a running service notices within 2 seconds" in revoked.stderr
        assert status(service, made["secret"], "/v1/keys") == httpx.codes.OK
    finally:
        service.end()
