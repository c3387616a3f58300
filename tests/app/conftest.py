"""
The service in this process, on a real Valkey, filled with the shop of shop.yaml.

Tests that are about SQL run once on SQLite and once on PostgreSQL, where that is installed; all others on SQLite.
"""

import inspect
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from sqlalchemy import URL, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from allocator import Allocator, make_client
from app import main
from app.data_folder import DataFolder
from app.deps import State
from app.main import create_app
from app.opening import make_first_key
from app.schedule import look_at_stores, read_reject_rates
from app.settings import Settings
from app.store import database as databases
from app.store.database import SQLITE_FILE, Database, migrate, sqlite_url
from tests.app.checked import Books
from tests.app.receiver import Receiver, receiving
from tests.app.seeded import Seeded
from tests.postgres import Postgres, programs

SHOP = Path(__file__).with_name("shop.yaml")

ON_BOTH_DATABASES = {
    "test_audit",
    "test_backup",
    "test_check_sql",
    "test_channel_means",
    "test_connections",
    "test_config_engine",
    "test_config_in_flight",
    "test_config_rollback",
    "test_config_windows",
    "test_counts_sql",
    "test_draining",
    "test_draining_again",
    "test_heard_errands",
    "test_heard_sql",
    "test_history_api",
    "test_forgetting",
    "test_import_service",
    "test_keys_api",
    "test_keys_processes",
    "test_keys_sellers",
    "test_leading",
    "test_levels_ledger",
    "test_odd_questions",
    "test_past_api",
    "test_pos_counts",
    "test_seeding",
    "test_store",
    "test_sync_bulk",
    "test_sync_following",
    "test_sync_meanwhile",
    "test_sync_pushing",
    "test_sync_reconciling",
    "test_sync_running",
    "test_running_check",
    "test_verifying",
    "test_webhooks_api",
    "test_webhooks_leases",
    "test_recounts",
    "test_returns_api",
    "test_webhooks_sending",
}
"""The modules whose subject is what SQL does."""

LOOKS = (look_at_stores, read_reject_rates)

WITH_A_SCHEDULE = {
    "test_count_command",
    "test_counts_api",
    "test_pos_events",
    "test_replay_end_to_end",
    "test_replay_mishaps",
    "test_replay_real_orders",
    "test_sql_away",
    "test_webhooks_api",
    "test_webhooks_leases",
    "test_webhooks_reading",
    "test_webhooks_sending",
}
"""The modules about what a service does by itself; in all others it would cost a fifth of their time."""


def has_a_look(module: ModuleType) -> bool:
    """Whether a module's tests read what a service finds out by itself when it starts: a third of their time."""
    return re.search(r"\b(metrics|surveys?|(refresh|reject)_rates?)\b", inspect.getsource(module)) is not None


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Let one engine compile for all: every service has the same statements, which would be a fifth of all work."""
    engines: dict[str, list[Engine]] = {}
    create = databases.create_async_engine

    def sharing(url: URL, **options: Any) -> AsyncEngine:
        made = create(url, **options)
        engine, others = made.sync_engine, engines.setdefault(url.drivername, [])
        if ready := next((other for other in others if getattr(other.dialect, "server_version_info", None)), None):
            engine.dialect = engine.pool._dialect = ready.dialect
            engine._compiled_cache = ready._compiled_cache
        else:
            others.append(engine)
        return made

    with patch.object(databases, "create_async_engine", sharing):
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the tests of those modules run on every database there is, unless they say that one is enough."""
    found, module = programs(), metafunc.module.__name__.rpartition(".")[2]
    if metafunc.definition.get_closest_marker("sqlite_only"):
        return
    if found and module in ON_BOTH_DATABASES and "postgres_server" in metafunc.fixturenames:
        ids = ["sqlite", f"postgres{found.major}"]
        metafunc.parametrize("postgres_server", [None, "postgres"], ids=ids, indirect=True)


@pytest.fixture
def postgres_server(request) -> Postgres | None:
    """The PostgreSQL of a test that runs on it; None on SQLite."""
    return request.getfixturevalue("postgres") if getattr(request, "param", None) else None


@pytest.fixture(scope="session")
def seeded(tmp_path_factory) -> Seeded:
    """Copies of a service that was filled from shop.yaml."""
    return Seeded(tmp_path_factory.mktemp("seeded") / "data")


def is_seeded(request) -> bool:
    """Whether a test's service finds all of its seed; `from_nothing` marks those about a service's beginning."""
    return "settings" in request.fixturenames and not request.node.get_closest_marker("from_nothing")


@pytest.fixture
def postgres_url(postgres_server, seeded, request) -> Iterator[str | None]:
    """The address of a PostgreSQL database with nothing in its tables but a seed; None in a test on SQLite."""
    if postgres_server is None:
        yield None
        return
    url = seeded.database(postgres_server) if is_seeded(request) else postgres_server.new_migrated()
    yield url
    postgres_server.drop(url)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """An SQLite file with today's tables and nothing in them: to copy it is much quicker than to make it."""
    folder = tmp_path_factory.mktemp("migrated")
    migrate(sqlite_url(folder))
    return folder / SQLITE_FILE


@pytest.fixture
def database_url(postgres_url, tmp_path, migrated) -> str:
    """The address of a database for tests without a service."""
    if postgres_url is None:
        shutil.copy(migrated, tmp_path)
    return postgres_url or sqlite_url(tmp_path)


@pytest.fixture
async def database(database_url) -> AsyncIterator[Database]:
    """A database with nothing in its tables, for tests without a service."""
    async with await Database.open(database_url) as database:
        yield database


@pytest.fixture
async def books(redis_of_service, database) -> AsyncIterator[Books]:
    """A small shop whose books are in Valkey and in SQL."""
    books = await Books(redis_of_service, database).open()
    yield books
    await books.pipe.close()


@pytest.fixture
async def redis_of_service(servers) -> AsyncIterator[Redis]:
    """A client of the service's own store, which is empty at first."""
    client = make_client(servers["valkey"])
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def settings(bare, redis_of_service, postgres_server, seeded, request) -> Settings:
    """Settings of a service that was filled from its seed and stopped; of a new one `from_nothing`."""
    if is_seeded(request):
        await seeded.fill(bare, redis_of_service, postgres_server)
    return bare


@pytest.fixture
def bare(tmp_path, servers, redis_of_service, postgres_url, migrated) -> Settings:
    """Settings of a service with an empty store and empty tables."""
    if postgres_url is None:
        with DataFolder(tmp_path / "data") as folder:
            shutil.copy(migrated, folder.path)
    return Settings(
        _env_file=None,
        redis_url=servers["valkey"],
        database_url=postgres_url,
        data_dir=tmp_path / "data",
        key_pepper="p" * 40 if postgres_url else None,
        # The tests' own server has nothing to lose.
        allow_unsafe={"fsync-off"} if postgres_url else frozenset(),
        seed_path=SHOP,
        body_bytes_max=60_000,
        hold_seconds=60,
        hold_seconds_max=600,
        log_level="info",
    )


@pytest.fixture
async def app(settings, request) -> AsyncIterator[FastAPI]:
    schedules = request.module.__name__.rpartition(".")[2] in WITH_A_SCHEDULE
    app = create_app(settings, schedules=schedules)
    looks = schedules or has_a_look(request.module)
    own = main.OWN_JOBS if looks else tuple(job for job in main.OWN_JOBS if job.run not in LOOKS)
    with patch.object(main, "OWN_JOBS", own):
        async with app.router.lifespan_context(app):
            yield app


@pytest.fixture
def state(app) -> State:
    return app.service


@pytest.fixture
def allocator(state) -> Allocator:
    return state.allocators["main"]


@pytest.fixture
async def key(state) -> str:
    return await make_first_key(state, None)


@pytest.fixture
async def stranger(app) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://allot") as client:
        yield client


@pytest.fixture
async def client(app, key) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with the first key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://allot", headers=headers
    ) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Somebody's server for webhooks, beside us."""
    async with receiving() as receiver:
        yield receiver
