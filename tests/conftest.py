"""Real servers for every test, and a report that says which of them ran."""

import gc
import os
import shutil
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import stamina
import structlog
from redis.asyncio import Redis

from allocator.client import make_client
from channels.engine import ATTEMPTS_MAX
from tests import postgres as sql
from tests.servers import SHARED, Server, legs, present, shared_data

pytest_plugins = ["tests.faults.report"]

ORDERS = "data/online_retail_orders.csv.gz"

hypothesis.settings.register_profile("default", max_examples=30, stateful_step_count=30, deadline=None)
hypothesis.settings.register_profile(
    "ci", max_examples=30, stateful_step_count=40, deadline=None, print_blob=True, derandomize=True
)
hypothesis.settings.register_profile("deep", max_examples=3_000, stateful_step_count=80, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("ALLOT_HYPOTHESIS", "default"))


# Rich tracebacks take seconds each.
plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "from_nothing: its service has nothing yet, its seed is still to come")
    config.addinivalue_line("markers", "sqlite_only: not on PostgreSQL too, in a module that is")
    config.addinivalue_line("markers", "needs_shared: uses orders or vendors' models of `shared` beside the checkout")
    missing = _required_servers() - {leg.name for leg in present()} - ({sql.NAME} if sql.programs() else set())
    if missing:
        message = f"ALLOT_TEST_REQUIRE asks for {', '.join(sorted(missing))}. Present: {_servers_line()}"
        raise pytest.UsageError(message)
    if os.environ.get("ALLOT_TEST_SHARED") and shared_data(ORDERS) is None:
        message = f"ALLOT_TEST_SHARED is set, but {_orders_line()}"
        raise pytest.UsageError(message)


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it for garbage would be a twentieth of all work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _required_servers() -> set[str]:
    required = set(filter(None, os.environ.get("ALLOT_TEST_REQUIRE", "").split(",")))
    unknown = required - {leg.name for leg in legs()} - {sql.NAME}
    if unknown:
        message = f"ALLOT_TEST_REQUIRE knows no server called {', '.join(sorted(unknown))}"
        raise pytest.UsageError(message)
    return required


def _servers_line() -> str:
    return " · ".join([*(leg.says for leg in legs()), sql.says()])


def _orders_line() -> str:
    if shared_data(ORDERS) is None:
        missing = f"order data: ../{SHARED.name}/{ORDERS} is not there"
        return f"{missing}, so tests with real orders and vendors' models did not run"
    return f"order data: ../{SHARED.name}/{ORDERS}"


def _promtool_line() -> str:
    found = shutil.which("promtool")
    return f"promtool: {found or 'not installed, so it did not check and test ops/allot.rules.yml'}"


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"servers: {_servers_line()}", _orders_line(), _promtool_line()]


LONG = (
    *("tests/simulator/test_worlds", "tests/simulator/test_planted", "tests/faults", "tests/mutation"),
    *(
        "tests/app/test_replay",
        "tests/app/test_roles",
        "tests/app/test_demo",
        "tests/app/test_backup",
        "tests/loadtests",
    ),
)
"""What takes long begins first: otherwise one process would be at it alone when all others have finished."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    without = [item for item in items if _lacks_something(item)]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def _lacks_something(item: pytest.Item) -> bool:
    """Whether a test needs what is not here; the report says what that is."""
    if item.get_closest_marker("needs_shared") and shared_data(ORDERS) is None:
        return True
    return "postgres" in getattr(item, "fixturenames", ()) and sql.programs() is None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"servers: {_servers_line()}")
    terminalreporter.write_line(_orders_line())
    terminalreporter.write_line(_promtool_line())


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """Address of every present server by leg id, for tests that cannot use function fixtures (state machines)."""
    running: dict[str, Server] = {}
    try:
        for leg in present():
            running[leg.id] = Server(leg)
        yield {id: server.url for id, server in running.items()}
    finally:
        for server in running.values():
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[sql.Postgres]:
    """A PostgreSQL of this process; started when a test first needs it."""
    server = sql.Postgres()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session", params=[leg.id for leg in present()])
def server_url(request: pytest.FixtureRequest, servers: dict[str, str]) -> str:
    """A test that uses this runs once against each kind of server."""
    return servers[request.param]


@pytest.fixture
async def redis(server_url: str) -> AsyncIterator[Redis]:
    """A client of an empty server."""
    client = make_client(server_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def quick() -> Iterator[None]:
    """Whoever asks a channel again does it at once."""
    stamina.set_testing(testing=True, attempts=ATTEMPTS_MAX, cap=True)
    yield
    stamina.set_testing(testing=False)
