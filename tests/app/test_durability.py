"""A PostgreSQL that would lose what was committed is refused when the service starts."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from app.opening import open_service
from app.settings import Settings
from app.store.database import Database
from app.store.durability import RISKS, UNSAFE_NAMES, UnsafeDatabase, unsafe_reasons
from tests.postgres import Postgres

pytestmark = pytest.mark.from_nothing


@pytest.fixture(scope="module")
def durable(postgres) -> Iterator[Postgres]:
    """A server as people should have it."""
    server = Postgres({"fsync": "on"})
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def url(durable) -> Iterator[str]:
    url = durable.new_migrated()
    yield url
    durable.drop(url)


def shared(settings: Settings, url: str, *allowed: str) -> Settings:
    """Settings of a service on this database, all reasons of refusing it allowed that are named."""
    pepper = Settings(_env_file=None, key_pepper="p" * 40).key_pepper
    return settings.model_copy(
        update={"database_url": url, "key_pepper": pepper, "allow_unsafe": frozenset(allowed)},
    )


async def is_refused(settings: Settings) -> UnsafeDatabase:
    with pytest.raises(UnsafeDatabase) as refused:
        async with open_service(settings):
            pass
    return refused.value


async def test_a_server_that_waits_for_its_disk_is_safe(settings, url):
    async with open_service(shared(settings, url)) as state, state.database.reading() as session:
        assert await unsafe_reasons(session) == []


async def test_a_server_without_fsync_is_refused_by_name(settings, postgres):
    url = postgres.new_migrated()

    refused = await is_refused(shared(settings, url, "synchronous-commit-off", "appendfsync-no"))

    postgres.drop(url)
    assert [reason.name for reason in refused.reasons] == ["fsync-off"]
    assert "may lose what was committed. To start anyway: ALLOT_ALLOW_UNSAFE=fsync-off\n  fsync-off: " in str(refused)


async def test_transactions_that_are_not_waited_for_are_refused_wherever_that_was_set(settings, url, durable):
    durable.query(f"ALTER DATABASE {url.partition('?')[0].rpartition('/')[2]} SET synchronous_commit = off")

    refused = await is_refused(shared(settings, url, "fsync-off"))

    assert [reason.name for reason in refused.reasons] == ["synchronous-commit-off"]


@pytest.mark.parametrize("level", ["local", "remote_write", "remote_apply"])
async def test_every_level_that_waits_for_the_own_disk_is_safe(url, level: str):
    url = f"{url}&options=-csynchronous_commit%3D{level}"

    async with await Database.open(url) as database, database.reading() as session:
        assert await unsafe_reasons(session) == []


async def test_a_risk_that_is_allowed_by_name_is_told(settings, url):
    allowed = shared(settings, f"{url}&options=-csynchronous_commit%3Doff", "synchronous-commit-off")

    with capture_logs() as said:
        async with open_service(allowed):
            pass

    assert [line["reason"] for line in said if line["event"] == "unsafe_database_allowed"] == ["synchronous-commit-off"]


async def test_sqlite_of_our_own_is_safe(database_url):
    async with await Database.open(database_url) as database, database.reading() as session:
        assert await unsafe_reasons(session) == []


def test_every_reason_can_be_allowed_in_the_settings():
    assert len(UNSAFE_NAMES) == len(RISKS)
    assert Settings(_env_file=None, allow_unsafe=",".join(UNSAFE_NAMES)).allow_unsafe == UNSAFE_NAMES
