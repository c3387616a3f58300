"""API keys in two processes on one Valkey and one database: what one does the other knows."""

import asyncio
import time

import pytest

from app.main import create_app
from app.opening import make_first_key
from app.store.keys import revoke_key
from app.times import now_ms
from tests.app.holders import bearer, make, send

pytestmark = pytest.mark.from_nothing


@pytest.fixture
async def two_apps(settings):
    """Two services side by side, as two API processes are; and the first key."""
    settings = settings.model_copy(
        update={
            "key_pepper": type(settings)(key_pepper="p" * 32).key_pepper,
            "database_url": settings.database_url or f"sqlite:///{settings.data_dir}.sqlite3",
        }
    )
    one, another = create_app(settings), create_app(settings)
    async with one.router.lifespan_context(one), another.router.lifespan_context(another):
        yield one, another, await make_first_key(one.service, None)


async def me(app, key) -> int:
    return (await send(app, "GET", "/v1/me", bearer(key))).status


async def until_denied(app, key, seconds_max: float) -> float:
    started = time.monotonic()
    while await me(app, key) == 200:
        assert time.monotonic() - started < seconds_max
        await asyncio.sleep(0.005)
    return time.monotonic() - started


async def test_a_key_revoked_by_one_process_is_refused_by_the_other_within_milliseconds(two_apps):
    one, another, admin = two_apps
    made = await make(one.service, "pos")
    assert [await me(app, made) for app in two_apps[:2]] == [200, 200]

    await send(one, "DELETE", f"/v1/keys/{made.id}", bearer(admin))

    assert await me(one, made) == 401
    assert await until_denied(another, made, 0.5) < 0.5


async def test_a_rotation_by_one_process_is_known_to_the_other(two_apps):
    one, another, admin = two_apps
    made = await make(one.service, "pos")
    assert await me(another, made) == 200

    await send(one, "POST", f"/v1/keys/{made.id}/rotate", bearer(admin), b'{"overlap_seconds": 0}')

    assert await until_denied(another, made, 0.5) < 0.5


async def test_a_process_that_hears_nothing_asks_sql_within_two_seconds(two_apps):
    one, another, admin = two_apps
    made = await make(one.service, "pos")
    assert [await me(app, key) for app in two_apps[:2] for key in (made, admin)] == [200] * 4
    async with one.service.database.writing() as session:
        await revoke_key(session, made.id, seller="main", now_ms=now_ms())

    await until_denied(another, made, 3.0)

    assert await me(another, admin) == 200


async def test_a_process_whose_connection_broke_listens_again(two_apps, redis_of_service):
    one, another, admin = two_apps
    made = await make(one.service, "pos")
    assert await me(another, made) == 200
    await redis_of_service.client_kill_filter(_type="pubsub")
    until = time.monotonic() + 5
    while (await redis_of_service.pubsub_numsub("allot:keys"))[0][1] < 2:
        assert time.monotonic() < until
        await asyncio.sleep(0.02)

    await send(one, "DELETE", f"/v1/keys/{made.id}", bearer(admin))

    assert await until_denied(another, made, 0.5) < 0.5
