"""Two connections at once, as two processes have: on PostgreSQL, whose writers wait for rows and not for everything."""

import asyncio
from collections.abc import AsyncIterator
from itertools import chain

import pytest

from app.config.engine import Engine, Plan
from app.opening import make_first_key, open_service
from app.store.cursors import begin_at, read_cursor
from app.store.database import Database, migrate
from app.store.keys import CannotRotate, find_key, list_keys, make_key, revoke_key, rotate_key
from app.store.sellers import ensure_seller, rename_seller, require_seller
from app.store.webhooks import (
    DELIVERED,
    WAITING,
    EndpointFacts,
    NewDelivery,
    add_deliveries,
    add_endpoint,
    change_delivery,
    claim,
    delete_endpoint,
    find_delivery,
)
from tests.app.config_world import CUP, NOON_MS, SKUS, open_world, put, rule, shop

PEPPER = b"p" * 64
WAITS_S = 0.2


@pytest.fixture
def url(postgres):
    url = postgres.new_migrated()
    yield url
    postgres.drop(url)


@pytest.fixture
async def one(url) -> AsyncIterator[Database]:
    async with await Database.open(url) as database:
        async with database.writing() as session:
            await ensure_seller(session, "main", "Main")
        yield database


@pytest.fixture
async def other(url, one) -> AsyncIterator[Database]:
    """The same database, as another process sees it."""
    async with await Database.open(url) as database:
        yield database


async def waits(task: asyncio.Task) -> bool:
    done, _ = await asyncio.wait([task], timeout=WAITS_S)
    return not done


# --- transactions ------------------------------------------------------------------------------------------------


async def test_who_locks_a_seller_lets_the_next_one_see_what_he_did(one, other):
    async def next_one() -> str:
        async with other.writing() as session:
            return (await require_seller(session, "main", lock=True)).name

    async with one.writing() as session:
        await require_seller(session, "main", lock=True)
        waiting = asyncio.create_task(next_one())
        waited = await waits(waiting)
        await rename_seller(session, "main", "Renamed")

    assert (waited, await waiting) == (True, "Renamed")


async def test_a_lock_on_a_seller_keeps_no_reader_waiting(one, other):
    async with one.writing() as writer:
        await require_seller(writer, "main", lock=True)
        async with other.reading() as reader:
            found = await asyncio.wait_for(require_seller(reader, "main"), timeout=5)

    assert found.name == "Main"


async def test_who_reads_cannot_write(one):
    with pytest.raises(Exception, match="read-only transaction"):
        async with one.reading() as session:
            await ensure_seller(session, "second", "Second")


async def test_processes_that_start_together_migrate_once(postgres):
    url = postgres.new()

    await asyncio.gather(*(asyncio.to_thread(migrate, url) for _ in range(4)))

    async with await Database.open(url) as database, database.writing() as session:
        assert (await ensure_seller(session, "main", "Main")).code == "main"
    postgres.drop(url)


@pytest.mark.from_nothing
async def test_services_that_start_together_share_a_data_set_and_a_first_key(url, settings):
    settings = settings.model_copy(
        update={
            "database_url": url,
            "key_pepper": type(settings)(key_pepper="p" * 40).key_pepper,
            "allow_unsafe": frozenset({"fsync-off"}),
        }
    )

    async def start() -> tuple[str, str]:
        async with open_service(settings) as state:
            return state.epoch, await make_first_key(state, None)

    started = await asyncio.gather(*(start() for _ in range(4)))

    assert len({epoch for epoch, _ in started}) == 1
    assert len([key for _, key in started if key]) == 1


# --- config ------------------------------------------------------------------------------------------------------


async def test_processes_that_change_the_config_together_make_one_version_each(url, other, servers, redis_of_service):
    async with open_world(servers["valkey"], url, *shop()) as world:
        engines = [world.another(), Engine(other, world.another().allocator, world.client, now_ms=NOON_MS)]

        async def change(number: int) -> list[int | None]:
            plans = [Plan([put(rule(f"r-{number}", sku=SKUS[number], units=units))], "bob") for units in range(1, 6)]
            return [(await engines[number].change(plan)).version for plan in plans]

        versions = await asyncio.gather(change(0), change(1))

        assert sorted(chain(*versions)) == list(range(2, 12))
        assert {change.state for change in await world.history()} == {"active"}
        assert await world.fields() == await world.compiled_whole()


async def test_of_two_changes_at_the_same_moment_one_waits_and_sees_the_other(url, other, servers, redis_of_service):
    async with open_world(servers["valkey"], url, *shop()) as world:
        late = Engine(other, world.another().allocator, world.client, now_ms=NOON_MS)
        plan = Plan([put(rule("r", "cutoff", sku=CUP, units=3))], "bob")
        async with world.database.writing() as session:
            await require_seller(session, world.seller, lock=True)
            staging = asyncio.create_task(late.stage(plan))
            waited = await waits(staging)

        drawn = await staging
        assert (waited, drawn.verdict.version) == (True, 2)
        # Whoever comes now finds one half done and stages nothing beside it.
        assert await world.engine.stage(plan) is None


# --- keys --------------------------------------------------------------------------------------------------------


async def made(database: Database) -> str:
    async with database.writing() as session:
        return (await make_key(session, seller="main", name="till", role="pos", pepper=PEPPER, now_ms=1)).id


async def rotate(database: Database, id: str) -> str:
    async with database.writing() as session:
        await find_key(session, id, seller="main")
        try:
            new = await rotate_key(session, id, seller="main", pepper=PEPPER, now_ms=5, overlap_ms=100)
        except CannotRotate:
            return ""
        return new.id


async def test_of_rotations_at_the_same_moment_one_makes_a_key(one, other):
    id = await made(one)

    new = await asyncio.gather(*(rotate(database, id) for database in (one, other) * 3))

    async with one.reading() as session:
        assert sorted(key.id for key in await list_keys(session, seller="main")) == sorted({id, *new} - {""})
    assert len([id for id in new if id]) == 1


async def test_a_key_that_was_revoked_meanwhile_is_not_rotated(one, other):
    id = await made(one)
    async with one.writing() as rotating:
        seen = await find_key(rotating, id, seller="main")
        async with other.writing() as revoking:
            await revoke_key(revoking, id, seller="main", now_ms=4)

        with pytest.raises(CannotRotate, match="has ended"):
            await rotate_key(rotating, id, seller="main", pepper=PEPPER, now_ms=5, overlap_ms=100)

    assert seen.is_good(5)


async def test_a_key_is_revoked_once_whoever_looked_at_it_before(one, other):
    id = await made(one)
    async with one.writing() as late:
        await find_key(late, id, seller="main")
        async with other.writing() as first:
            await revoke_key(first, id, seller="main", now_ms=4)

        again = await revoke_key(late, id, seller="main", now_ms=9)

    assert again.revoked_ms == 4


# --- webhooks ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def endpoint(one) -> str:
    async with one.writing() as session:
        facts = EndpointFacts("wh_1", "main", "https://erp.example", [], None, [], True, "", None, 1)
        await add_endpoint(session, facts)
    return "wh_1"


def deliveries(endpoint: str, count: int = 30) -> list[NewDelivery]:
    return [NewDelivery(f"msg_{number:02}", endpoint, "main", "order.placed", "{}") for number in range(count)]


async def test_what_one_process_claims_another_neither_gets_nor_waits_for(one, other, endpoint):
    async with one.writing() as session:
        await add_deliveries(session, deliveries(endpoint), now_ms=10)

    async with one.writing() as first, other.writing() as second:
        mine = await claim(first, endpoint, now_ms=20, until_ms=90, limit=20)
        theirs = await asyncio.wait_for(claim(second, endpoint, now_ms=20, until_ms=90, limit=20), timeout=5)

    assert (len(mine), len(theirs)) == (20, 10)
    assert {delivery.id for delivery in mine}.isdisjoint(delivery.id for delivery in theirs)


async def test_claims_at_the_same_moment_share_the_work_out(one, other, endpoint):
    async with one.writing() as session:
        await add_deliveries(session, deliveries(endpoint), now_ms=10)

    async def claimed(database: Database) -> list[str]:
        async with database.writing() as session:
            return [row.id for row in await claim(session, endpoint, now_ms=20, until_ms=90, limit=7)]

    got = await asyncio.gather(*(claimed(database) for database in (one, other) * 3))

    ids = [id for some in got for id in some]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 7


async def test_a_delivery_that_was_looked_at_before_it_arrived_is_sent_again_all_the_same(one, other, endpoint):
    async with one.writing() as session:
        await add_deliveries(session, deliveries(endpoint, 1), now_ms=10)
    async with one.writing() as resending:
        await find_delivery(resending, "main", "msg_00")
        async with other.writing() as sending:
            await change_delivery(sending, "msg_00", state=DELIVERED, attempts=1)

        await change_delivery(resending, "msg_00", state=WAITING, attempts=0)

    async with one.reading() as session:
        found = await find_delivery(session, "main", "msg_00")
    assert (found.state, found.attempts) == (WAITING, 0)


async def test_events_for_an_endpoint_that_is_just_being_deleted_are_dropped(one, other, endpoint):
    async def write() -> None:
        async with other.writing() as session:
            await add_deliveries(session, deliveries(endpoint), now_ms=10)

    async with one.writing() as session:
        await delete_endpoint(session, endpoint)
        writing = asyncio.create_task(write())
        waited = await waits(writing)

    await writing
    assert waited
    async with one.reading() as session:
        assert await find_delivery(session, "main", "msg_00") is None


async def test_who_begins_a_cursor_at_the_same_moment_has_no_error(one, other):
    async def begin(position: str) -> None:
        async with other.writing() as session:
            await begin_at(session, "main", "webhooks", position)

    async with one.writing() as session:
        await begin_at(session, "main", "webhooks", "1-0")
        beginning = asyncio.create_task(begin("2-0"))
        waited = await waits(beginning)

    await beginning
    async with one.reading() as session:
        assert (waited, (await read_cursor(session, "main", "webhooks")).position) == (True, "2-0")
