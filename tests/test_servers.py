import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT, Server, legs, present, shared_data

PROBE = """
import pytest

def test_runs_on(server_url):
    print(server_url)

@pytest.mark.needs_shared
def test_reads_orders():
    pass
"""

SQL_PROBE = """
def test_speaks_sql(postgres):
    assert postgres.query("SELECT 1") == [(1,)]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing beside it, two tests, and a PATH without redis-server."""
    folder = tmp_path / "checkout" / "tests"
    folder.mkdir(parents=True)
    for name in ("__init__.py", "conftest.py", "postgres.py", "servers.py"):
        shutil.copy(ROOT / "tests" / name, folder)
    (folder / "faults").mkdir()
    (folder / "faults" / "__init__.py").touch()
    for name in ("report.py", "compiler.py"):
        shutil.copy(ROOT / "tests" / "faults" / name, folder / "faults")
    (folder / "test_probe.py").write_text(PROBE)
    return folder.parent


def run(checkout: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a checkout as somebody without redis-server would; words go to pytest."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ALLOT_", "PYTEST_"))}
    known = ours | {"PATH": str(checkout), "PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:valkey", "-p", "no:locust", "-p", "no:cacheprovider"]
    return subprocess.run([*command, *words], cwd=checkout, env=known, capture_output=True, text=True, check=False)


def test_the_report_names_the_server_that_did_not_run(checkout):
    done = run(checkout)

    assert done.returncode == 0, done.stdout
    assert "test_runs_on[valkey] PASSED" in done.stdout
    assert "[redis" not in done.stdout
    assert done.stdout.count("Redis 7: did not run, no redis-server on PATH") == 2


def test_a_required_server_that_is_missing_fails_the_run(checkout):
    done = run(checkout, ALLOT_TEST_REQUIRE="valkey,redis")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ALLOT_TEST_REQUIRE asks for redis. " in done.stderr


def test_without_postgresql_its_tests_do_not_run_and_the_report_says_so(checkout):
    (checkout / "tests" / "test_sql.py").write_text(SQL_PROBE)

    done = run(checkout, ALLOT_TEST_POSTGRES_BIN=str(checkout))

    assert "test_speaks_sql" not in done.stdout
    assert "1 passed, 2 deselected" in done.stdout
    assert done.stdout.count("PostgreSQL: did not run, no server of version 15 or newer found") == 2


def test_a_required_postgresql_that_is_missing_fails_the_run(checkout):
    done = run(checkout, ALLOT_TEST_REQUIRE="valkey,postgres", ALLOT_TEST_POSTGRES_BIN=str(checkout))

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ALLOT_TEST_REQUIRE asks for postgres. Present: Valkey" in done.stderr


def test_a_misspelt_requirement_fails_the_run(checkout):
    done = run(checkout, ALLOT_TEST_REQUIRE="reddis")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "knows no server called reddis" in done.stderr


def test_the_report_says_when_tests_with_real_orders_did_not_run(checkout):
    done = run(checkout)

    assert "test_reads_orders" not in done.stdout
    assert "1 passed, 1 deselected" in done.stdout
    assert done.stdout.count("is not there, so tests with real orders and vendors' models did not run") == 2


def test_required_order_data_that_are_missing_fail_the_run(checkout):
    done = run(checkout, ALLOT_TEST_SHARED="1")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ALLOT_TEST_SHARED is set, but order data: " in done.stderr


def test_real_orders_are_read_where_they_are(checkout):
    orders = checkout.parent / "shared" / "data" / "online_retail_orders.csv.gz"
    orders.parent.mkdir(parents=True)
    orders.touch()

    assert "2 passed" in run(checkout).stdout


def test_valkey_is_always_there():
    assert [leg.name for leg in legs()] == ["valkey", "redis"]
    assert "valkey" in {leg.name for leg in present()}
    assert shared_data("no such file") is None


@pytest.mark.parametrize("leg", present(), ids=lambda leg: leg.id)
def test_a_server_that_was_killed_starts_again(leg):
    server = Server(leg)
    try:
        server.kill()
        server.start()
        assert server.process.poll() is None
    finally:
        server.stop()

    assert not server.folder.exists()


@pytest.mark.parametrize("leg", present(), ids=lambda leg: leg.id)
def test_a_server_that_cannot_start_shows_its_log(leg):
    with pytest.raises(RuntimeError, match=r"did not start:\n(.|\n)*no-such-setting"):
        Server(leg, settings={"no-such-setting": "1"})
