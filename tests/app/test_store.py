import asyncio
import inspect
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy import inspect as look_into
from sqlalchemy.exc import DatabaseError, IntegrityError

from app.data_folder import PEPPER, DataFolder, FolderForeign
from app.store import config, config_changes, datasets, keys, sellers
from app.store.config_changes import STAGED, ChangeFacts, stage_change, standing
from app.store.database import (
    WRITES,
    Database,
    DatabaseAway,
    Session,
    async_url,
    migrate,
    prepare_sqlite,
    sqlite_url,
    sync_url,
)
from app.store.datasets import OtherDataset, ensure_dataset, next_generation
from app.store.keys import KeyFacts, key_id, list_keys, make_key, revoke_key, verify_key
from app.store.migrations import config as migrations_config
from app.store.migrations import differences, new_revision, upgrade
from app.store.revisions import newest_known
from app.store.sellers import SellerFacts, SellerUnknown, ensure_seller, list_sellers, require_seller
from app.store.tables import metadata
from tests.servers import ROOT

PEPPER_A = b"a" * 64
PEPPER_B = b"b" * 64
SAFE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as database:
        async with database.writing() as session:
            await ensure_seller(session, "main", "Main")
        yield database


@pytest.fixture
def empty_url(postgres_server, tmp_path) -> Iterator[str]:
    """The address of a database without any table."""
    if postgres_server is None:
        yield sqlite_url(tmp_path)
        return
    url = postgres_server.new()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def engine(empty_url) -> Iterator[Engine]:
    """Connections as migrations have them."""
    engine = create_engine(sync_url(empty_url))
    prepare_sqlite(engine, foreign_keys=False)
    yield engine.execution_options(**{WRITES: True})
    engine.dispose()


# --- migrations --------------------------------------------------------------------------------------------------


def test_the_newest_revision_has_exactly_the_tables_of_the_code(engine, empty_url):
    migrate(empty_url)

    with engine.begin() as connection:
        command.check(migrations_config(connection))
        assert differences(connection) == []
        assert set(look_into(connection).get_table_names()) == {"alembic_version", *metadata.tables}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE seller DROP COLUMN name",
        "DROP INDEX ix_rule_scope",
        "ALTER TABLE sku ADD COLUMN colour VARCHAR(20)",
        "DROP TABLE zone",
    ],
)
def test_a_difference_would_be_noticed(engine, empty_url, change: str):
    migrate(empty_url)

    with engine.begin() as connection:
        connection.execute(text(change))
        assert len(differences(connection)) == 1


def test_every_revision_can_be_undone_and_done_again(engine):
    with engine.begin() as connection:
        upgrade(connection)
        command.downgrade(migrations_config(connection), "base")
        assert look_into(connection).get_table_names() == ["alembic_version"]
    with engine.begin() as connection:
        upgrade(connection)
        assert differences(connection) == []


def test_sellers_and_keys_of_the_first_version_are_kept(engine):
    with engine.begin() as connection:
        command.upgrade(migrations_config(connection), "0001")
        connection.execute(text("INSERT INTO seller (code, name) VALUES ('main', 'Main')"))
        connection.execute(
            text(
                "INSERT INTO api_key (id, seller, name, secret_hmac, created_ms) VALUES ('0a', 'main', 'till', 'f', 7)"
            )
        )
        upgrade(connection)

        assert connection.execute(text("SELECT code, begun FROM seller")).all() == [("main", True)]
        assert connection.execute(text("SELECT id, role, channels FROM api_key")).all() == [("0a", "admin", None)]


async def test_a_migration_that_fails_leaves_nothing_of_itself(engine):
    with engine.begin() as connection:
        command.upgrade(migrations_config(connection), "0001")
        connection.execute(text("CREATE TABLE zone (area INTEGER)"))

    with pytest.raises(DatabaseError, match="zone"), engine.begin() as connection:
        upgrade(connection)

    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0001"
        assert "audit_entry" not in look_into(connection).get_table_names()


async def test_opening_again_keeps_what_is_there(empty_url):
    async with await Database.open(empty_url) as database, database.writing() as session:
        await ensure_seller(session, "main", "Main")

    async with await Database.open(empty_url) as database, database.reading() as session:
        assert await list_sellers(session) == [SellerFacts("main", "Main")]


def test_a_revision_is_written_from_the_difference(tmp_path, monkeypatch):
    written: list[str] = []
    monkeypatch.setattr("alembic.command.revision", lambda _, message, autogenerate: written.append(message))
    engine = create_engine("sqlite://")

    with engine.begin() as connection:
        upgrade(connection)
        new_revision(connection, "last used")

    assert written == ["last used"]
    engine.dispose()


def test_the_name_of_the_newest_file_is_the_newest_revision_of_alembic():
    with create_engine("sqlite://").connect() as connection:
        known = ScriptDirectory.from_config(migrations_config(connection))

    assert known.get_heads() == [newest_known()]


def test_every_revision_has_a_docstring_and_a_way_back():
    revisions = sorted((ROOT / "app/store/migrations/versions").glob("[0-9]*.py"))

    assert revisions
    for path in revisions:
        source = path.read_text()
        assert source.startswith('"""')
        assert "def downgrade() -> None:\n    pass" not in source


# --- transactions ------------------------------------------------------------------------------------------------


async def test_every_connection_to_sqlite_is_durable_checks_references_and_waits(tmp_path):
    async def pragmas(session: Session) -> dict[str, object]:
        connection = await session.connection()
        return {name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in SAFE}

    async with await Database.open(sqlite_url(tmp_path)) as database, AsyncExitStack() as stack:
        # More at once than the pool keeps: each has to make a connection of its own.
        readers = [await stack.enter_async_context(database.reading()) for _ in range(8)]
        writer = await stack.enter_async_context(database.writing())

        assert [await pragmas(session) for session in (*readers, writer)] == [SAFE] * 9


async def test_what_points_to_nothing_is_refused(database):
    with pytest.raises(IntegrityError):
        async with database.writing() as session:
            await session.exec(text("INSERT INTO zone (seller, area, version, zone) VALUES ('nobody', 'NO', 1, 'x')"))


async def test_who_reads_sees_one_state_of_the_database(database):
    async with database.reading() as reader:
        before = await list_sellers(reader)
        async with database.writing() as writer:
            await ensure_seller(writer, "second", "Second")
        after = await list_sellers(reader)

    assert after == before
    async with database.reading() as reader:
        assert len(await list_sellers(reader)) == 2


async def test_a_use_case_that_fails_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError):
        async with database.writing() as session:
            await ensure_seller(session, "second", "Second")
            _ = 1 / 0

    async with database.reading() as session:
        assert [seller.code for seller in await list_sellers(session)] == ["main"]


async def test_writers_that_read_first_wait_for_each_other(database):
    async def stage() -> int:
        async with database.writing() as session:
            await require_seller(session, "main", lock=True)
            version = (await standing(session, "main")).newest + 1
            change = ChangeFacts(version, version - 1, STAGED, "test", "", None, "", at_ms=1)
            await stage_change(session, "main", change, [])
            return version

    versions = await asyncio.gather(*(stage() for _ in range(12)))

    assert sorted(versions) == list(range(1, 13))


COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"


async def test_a_closed_database_leaves_no_statement_of_a_cancelled_use_case_running(tmp_path):
    database = await Database.open(sqlite_url(tmp_path))

    async def count() -> None:
        async with database.reading() as session:
            await session.exec(text(COUNTING))

    counting = asyncio.create_task(count())
    while not database._threads:
        await asyncio.sleep(0.01)
    threads = [*database._threads]
    await asyncio.sleep(0.1)
    counting.cancel()
    await asyncio.wait([counting])
    await database.close()

    assert not any(thread.is_alive() for thread in threads)


async def test_a_closed_database_has_waited_for_whoever_was_giving_his_connection_back(database):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async with database.reading() as session:
            await session.exec(text("SELECT 1"))
            begun.set()
            await go_on.wait()

    reading = asyncio.create_task(read())
    await begun.wait()
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0.05)
    still_open = not closing.done()
    go_on.set()
    await asyncio.gather(reading, closing)

    assert still_open
    assert not any(thread.is_alive() for thread in database._threads)


@pytest.mark.parametrize(
    ("given", "service", "migrations"),
    [
        ("sqlite:///a b/x.db", "sqlite+aiosqlite:///a b/x.db", "sqlite:///a b/x.db"),
        ("postgres://u:p%40@db/allot", "postgresql+psycopg://u:p%40@db/allot", "postgresql+psycopg://u:p%40@db/allot"),
        ("postgresql+asyncpg://db/x", "postgresql+asyncpg://db/x", "postgresql+asyncpg://db/x"),
    ],
)
def test_an_address_names_no_driver_unless_it_wants_to(given: str, service: str, migrations: str):
    assert async_url(given).render_as_string(hide_password=False) == service
    assert sync_url(given).render_as_string(hide_password=False) == migrations


async def test_a_server_that_is_away_and_a_file_that_is_none_are_told_without_the_password(tmp_path):
    for url in ("postgresql://allot:sesame@127.0.0.1:1/allot", f"sqlite:///{tmp_path}/no/such/folder.db"):
        with pytest.raises(DatabaseAway, match="cannot be reached or opened") as away:
            await Database.open(url)

        assert "sesame" not in str(away.value)


async def test_a_driver_that_is_missing_is_named(tmp_path):
    with pytest.raises(DatabaseAway, match=r"asyncpg is not installed; .* the extra `postgres`"):
        await Database.open("postgresql+asyncpg://allot@127.0.0.1:1/allot")


async def test_a_folder_with_odd_letters_holds_a_database(tmp_path):
    folder = tmp_path / "50% off? #1"
    folder.mkdir()

    async with await Database.open(sqlite_url(folder)):
        assert (folder / "allot.sqlite3").exists()


async def test_a_new_database_takes_the_folders_data_set_and_keeps_it(database):
    async with database.writing() as session:
        made = await ensure_dataset(session, id="cafe", now_ms=5)
    async with database.writing() as session:
        again = await ensure_dataset(session, now_ms=9)

    assert made == again
    assert (made.epoch, made.created_ms) == ("cafe-1", 5)


async def test_a_database_of_another_data_set_is_refused(database):
    async with database.writing() as session:
        await ensure_dataset(session, id="cafe", now_ms=5)
        with pytest.raises(OtherDataset, match=r"cafe.*beef"):
            await ensure_dataset(session, id="beef", now_ms=5)


async def test_a_rebuild_gets_an_epoch_of_its_own(database):
    async with database.writing() as session:
        before = await ensure_dataset(session, now_ms=5)
        after = await next_generation(session)

    assert (before.id, before.generation + 1) == (after.id, after.generation)
    assert before.epoch != after.epoch


async def test_a_key_is_known_by_its_plaintext_and_only_that(database):
    async with database.writing() as session:
        made = await make_key(session, seller="main", name="till 1", role="pos", pepper=PEPPER_A, now_ms=7)

    async with database.reading() as session:
        assert await verify_key(session, made.plaintext, pepper=PEPPER_A, now_ms=8) == KeyFacts(
            id=made.id, seller="main", name="till 1", role="pos", created_ms=7
        )
        other_letter = "A" if made.plaintext[-1] != "A" else "B"
        assert await verify_key(session, made.plaintext[:-1] + other_letter, pepper=PEPPER_A, now_ms=8) is None
        assert await verify_key(session, made.plaintext, pepper=PEPPER_B, now_ms=8) is None


@pytest.mark.parametrize(
    "nonsense",
    ["", "allot_live_", "Bearer x", "allot_live_0123456789ab_short", "allot_test_0123456789ab_" + "x" * 43, "ä" * 70],
)
async def test_nonsense_is_no_key(database, nonsense: str):
    async with database.reading() as session:
        assert await verify_key(session, nonsense, pepper=PEPPER_A, now_ms=8) is None


async def test_a_key_that_was_never_made_is_unknown(database):
    async with database.reading() as session:
        assert await verify_key(session, f"allot_live_{'0' * 12}_{'x' * 43}", pepper=PEPPER_A, now_ms=8) is None


async def test_the_secret_is_nowhere_in_the_database(database, tmp_path):
    async with database.writing() as session:
        made = await make_key(session, seller="main", name="till 1", role="pos", pepper=PEPPER_A, now_ms=7)
        rows = [row for table in metadata.sorted_tables for row in await session.exec(select(table))]
    await database.close()

    secret = made.plaintext.removeprefix(f"allot_live_{made.id}_")
    assert len(secret) == 43
    assert made.id in str(rows)
    assert secret not in str(rows)
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())


async def test_a_revoked_key_is_refused_for_ever_and_still_listed(database):
    async with database.writing() as session:
        made = await make_key(session, seller="main", name="till 1", role="pos", pepper=PEPPER_A, now_ms=7)
        first = await revoke_key(session, made.id, seller="main", now_ms=8)
        again = await revoke_key(session, made.id, seller="main", now_ms=9)

    async with database.reading() as session:
        assert (
            first == again == KeyFacts(id=made.id, seller="main", name="till 1", role="pos", created_ms=7, revoked_ms=8)
        )
        assert await verify_key(session, made.plaintext, pepper=PEPPER_A, now_ms=8) is None
        assert await list_keys(session, seller="main") == [first]


async def test_a_seller_neither_sees_nor_revokes_keys_of_another(database):
    async with database.writing() as session:
        await ensure_seller(session, "second", "Second")
        made = await make_key(session, seller="main", name="till 1", role="pos", pepper=PEPPER_A, now_ms=7)

        assert await list_keys(session, seller="second") == []
        assert await revoke_key(session, made.id, seller="second", now_ms=8) is None
        assert await verify_key(session, made.plaintext, pepper=PEPPER_A, now_ms=8)


async def test_there_is_no_key_without_a_seller(database):
    with pytest.raises(SellerUnknown):
        async with database.writing() as session:
            await make_key(session, seller="nobody", name="x", role="pos", pepper=PEPPER_A, now_ms=1)


def test_the_public_part_of_a_key_can_be_logged():
    assert key_id(f"allot_live_0123456789ab_{'_' * 43}") == "0123456789ab"


def test_a_database_that_the_first_version_filled_is_refused_with_what_to_do(engine, empty_url):
    with engine.begin() as connection:
        command.upgrade(migrations_config(connection), "0001")
        connection.execute(text("INSERT INTO seller (code, name) VALUES ('main', 'Main')"))
        connection.execute(text("INSERT INTO config_document VALUES ('main', 1, '{}', true, 0)"))

    with pytest.raises(OtherDataset, match="start with an empty data folder"):
        migrate(empty_url)


@pytest.mark.parametrize(
    "module", [config, config_changes, datasets, keys, sellers], ids=lambda module: module.__name__
)
def test_no_table_leaves_the_store(module):
    public = [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]

    assert public
    for function in public:
        assert "app.store.tables" not in str(function.__annotations__["return"]), function.__name__


def test_the_pepper_is_made_once_and_private(tmp_path):
    with DataFolder(tmp_path) as data:
        first, again = data.pepper(), data.pepper()

        assert first == again
        assert len(first) == 64
        assert stat.S_IMODE((tmp_path / PEPPER).stat().st_mode) == 0o600


@pytest.mark.parametrize("spoil", [lambda path: path.chmod(0o644), lambda path: path.write_bytes(b"")])
def test_a_pepper_others_may_read_or_that_was_cut_short_is_refused(tmp_path, spoil):
    with DataFolder(tmp_path) as data:
        data.pepper()
        spoil(tmp_path / PEPPER)

        with pytest.raises(FolderForeign, match="pepper"):
            data.pepper()
