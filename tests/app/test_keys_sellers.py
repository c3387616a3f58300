"""Sellers that are made while the service runs or is down."""

import pytest

from allocator import errors
from app.main import create_app
from app.opening import make_first_key, open_sellers, open_service
from app.store.sellers import ensure_seller, list_sellers
from tests.app.holders import bearer, make, send


@pytest.fixture
async def state(settings):
    """The service's state without a schedule: these tests open sellers themselves."""
    async with open_service(settings) as state:
        yield state


async def add(database, code: str) -> None:
    async with database.writing() as session:
        await ensure_seller(session, code, code.title())


async def begun(database) -> dict[str, bool]:
    async with database.reading() as session:
        return {seller.code: seller.begun for seller in await list_sellers(session)}


async def test_a_new_seller_begins_and_is_open(state, redis_of_service):
    await add(state.database, "second")

    await open_sellers(state)

    assert await begun(state.database) == {"main": True, "second": True}
    assert await redis_of_service.hget("{second}:seller", "epoch") == state.epoch.encode()
    assert state.allocators["second"].seller == "second"


async def test_a_key_of_a_seller_that_is_not_open_yet_is_told_to_wait(settings, state):
    app = create_app(settings)
    app.service = state
    await add(state.database, "second")
    made = await make(state, seller="second")

    before = await send(app, "GET", "/v1/me", bearer(made))
    await open_sellers(state)
    after = await send(app, "GET", "/v1/me", bearer(made))

    assert (before.status, before.slug, after.status) == (503, "keys-unknown", 200)


async def test_no_seller_begins_in_a_store_that_is_another_one(state, redis_of_service):
    await add(state.database, "second")
    await redis_of_service.hset("{main}:seller", "epoch", "someone")

    with pytest.raises(errors.NotReady):
        await open_sellers(state)

    assert await begun(state.database) == {"main": True, "second": False}
    assert await redis_of_service.exists("{second}:seller") == 0


async def test_a_seller_that_cannot_begin_does_not_hold_up_the_others(state, redis_of_service):
    for code in ("second", "third"):
        await add(state.database, code)
    await redis_of_service.hset("{second}:seller", "epoch", "someone")

    with pytest.raises(errors.NotReady):
        await open_sellers(state)

    assert await begun(state.database) == {"main": True, "second": False, "third": True}
    assert "second" not in state.allocators


async def test_a_seller_made_while_the_service_was_down_is_opened_by_its_schedule(settings):
    async with open_service(settings) as state:
        await add(state.database, "second")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        made = await make(app.service, seller="second")
        answer = await send(app, "GET", "/v1/me", bearer(made))
        while answer.status == 503:
            answer = await send(app, "GET", "/v1/me", bearer(made))

    assert answer.status == 200


async def test_a_seller_that_had_begun_and_is_empty_is_a_loss_and_no_beginning(settings, redis_of_service):
    async with open_service(settings) as state:
        await add(state.database, "second")
        await open_sellers(state)
    await redis_of_service.delete("{second}:seller")

    async with open_service(settings) as state:
        await make_first_key(state, None)
        with pytest.raises(errors.NotReady):
            await state.allocators["second"].reload()

    assert await redis_of_service.exists("{second}:seller") == 0
