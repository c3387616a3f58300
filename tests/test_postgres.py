import os

import psycopg
import pytest

from tests import postgres as sql
from tests.postgres import Postgres, newest, programs


@pytest.fixture
def installed(tmp_path):
    """Makes folders with programs that say they are a PostgreSQL of this version."""

    def install(version: str, *, with_initdb: bool = True):
        folder = tmp_path / version.replace(" ", "_")
        folder.mkdir()
        (folder / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / "postgres").chmod(0o755)
        if with_initdb:
            (folder / "initdb").touch()
        return folder

    return install


def test_the_newest_that_is_new_enough_is_taken(installed):
    folders = [installed(version) for version in ("14.9", "16.3", "15.18 (Debian 15.18-0+deb12u1)")]

    found = newest(folders)

    assert (found.version, found.major) == ("16.3", 16)


def test_what_is_too_old_or_not_whole_is_none(installed, tmp_path):
    assert newest([installed("14.9"), installed("17.1", with_initdb=False), tmp_path / "nothing"]) is None


def test_the_report_says_that_there_is_none(monkeypatch):
    monkeypatch.setattr(sql, "programs", lambda: None)

    assert sql.says() == "PostgreSQL: did not run, no server of version 15 or newer found"


def test_databases_are_empty_and_apart(postgres):
    one, other = postgres.new(), postgres.new()

    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE cup (units integer)")

    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT to_regclass('cup')").fetchone() == (None,)
    for url in (one, other):
        postgres.drop(url)


def test_it_sorts_as_people_do_and_not_by_bytes(postgres):
    found = postgres.query("SELECT word FROM (VALUES ('b'), ('A'), ('a'), ('B')) AS words (word) ORDER BY word")

    assert [word for (word,) in found] == ["a", "A", "b", "B"]


def test_a_database_is_dropped_whoever_is_connected(postgres):
    url = postgres.new()
    connection = psycopg.connect(url)

    postgres.drop(url)

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    connection.close()


def test_nothing_is_left_of_a_server_that_was_stopped(postgres):
    server = Postgres()
    pid = server.process.pid

    server.stop()

    assert not server.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_cannot_start_shows_its_log(postgres):
    with pytest.raises(RuntimeError, match=r"did not start:\n(.|\n)*no_such_setting"):
        Postgres({"no_such_setting": "1"})


def test_it_is_as_new_as_the_service_asks_for(postgres):
    [(version,)] = postgres.query("SHOW server_version_num")

    assert int(version) // 10_000 == programs().major >= 15


def test_what_was_committed_is_there_after_it_was_killed():
    server = Postgres({"fsync": "on"})
    try:
        server.query("CREATE TABLE cup (units integer)")
        server.query("INSERT INTO cup VALUES (3)")

        server.kill()
        server.start()

        assert server.query("SELECT units FROM cup") == [(3,)]
    finally:
        server.stop()
