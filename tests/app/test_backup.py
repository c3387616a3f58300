"""What was acknowledged before a backup is in it, and a restored service goes on from there."""

import json
import os
import time

import pytest

from app.recovery.backups import EPOCHS_BEGAN_S
from tests.app.backups import Buyers, backed_up, home, place, service, variables
from tests.app.commands import allot, processes_of
from tests.app.conftest import SHOP
from tests.app.process import Service

__all__ = ["home", "service", "variables"]


@pytest.fixture
def empty(variables, postgres_server) -> dict[str, str]:
    """The settings of a service that is yet to be: on SQLite the same, on PostgreSQL an empty database."""
    return {**variables, "ALLOT_DATABASE_URL": postgres_server.new()} if postgres_server else variables


def test_what_was_acknowledged_before_a_backup_under_load_is_there_after_restore(home, service, variables, empty):
    with Buyers(service) as buyers:
        while len(buyers.taken) < 30:
            assert service.process.poll() is None
            time.sleep(0.02)
        before = list(buyers.taken)
        folder = backed_up(home, variables, "--with-pepper")
    key, later = service.key, home.parent / "later"
    later.mkdir()
    data = ("--data-dir", str(later / "data"))

    restored = allot(later, "restore", str(folder), "--json", *data, **empty)
    checked = allot(later, "check", *data, **empty)

    assert (restored.returncode, checked.returncode) == (0, 0), restored.stderr + checked.stdout + checked.stderr
    said = json.loads(restored.stdout)
    assert int(said["epoch"].rpartition("-")[2]) > 1_790_000_000 - EPOCHS_BEGAN_S
    assert said["complete_until_ms"]["main"] > 0
    assert "main: released" in allot(later, "release", *data, **empty).stdout
    again = Service(later, **empty).wait_until_ready()
    with again.client(key) as client:
        states = {client.get(f"/v1/orders/shop/{id}").json()["state"] for id in before}
        place(client, "new")
        place(client, before[0])
    assert again.end() == 0
    assert states == {"committed"}


def test_a_drill_shows_that_a_backup_is_good_and_leaves_nothing_behind(home, service, variables, postgres_server):
    folder, scratch = backed_up(home, variables), home.parent / "scratch"
    scratch.mkdir()
    databases = postgres_server.query("SELECT datname FROM pg_database") if postgres_server else []

    done = allot(home, "restore", str(folder), "--drill", **variables, TMPDIR=str(scratch))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "main: 3 skus" in done.stdout
    assert "nothing is wrong" in done.stdout
    assert "DRILL: this backup can be restored" in done.stdout
    assert list(scratch.iterdir()) == []
    assert processes_of(scratch) == []
    assert (postgres_server.query("SELECT datname FROM pg_database") if postgres_server else []) == databases


def test_what_only_valkey_has_is_drained_before_the_copy(home, variables):
    service = Service(home, "--seed", SHOP, ALLOT_DRAIN="false", **variables).wait_until_ready()
    with service.client() as client:
        place(client, "1")
    service.end()

    folder = backed_up(home, variables)

    [main] = json.loads((folder / "manifest.json").read_text())["sellers"]
    assert main["position"] != "0-0"
    assert main["entries"] >= 2


def test_a_database_that_is_not_empty_is_left_alone(home, service, variables, postgres_server):
    """On PostgreSQL; a SQLite lies in the folder."""
    folder, new = backed_up(home, variables), ("--data-dir", str(home.parent / "later"))

    done = allot(home, "restore", str(folder), *new, **variables)

    if postgres_server is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2
        assert "tables already" in done.stderr
        assert not (home.parent / "later").exists()


def test_missing_programs_of_postgresql_are_named(home, service, variables, postgres_server):
    target = home.parent / "backup"

    done = allot(home, "backup", str(target), "--data-dir", str(home / "data"), **variables, PATH=os.devnull)

    if postgres_server is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2
        assert "pg_dump is not on PATH" in done.stderr
        assert not target.exists()
