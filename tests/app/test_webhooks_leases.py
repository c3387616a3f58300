"""One reader for many processes."""

import asyncio

import pytest

from allocator import ledger
from app.opening import open_sellers
from app.seed import load_seed
from app.store.cursors import Lease, begin_at, move, read_cursor, take_lease
from app.store.sellers import ensure_seller
from app.store.webhooks import EndpointFacts, add_endpoint
from app.times import now_ms
from app.webhooks import reader as reading
from app.webhooks.jobs import Webhooks
from app.webhooks.reader import READER, Reader
from tests.app.conftest import SHOP
from tests.app.receiver import EVERYTHING, LEDGER, deliveries, made
from tests.app.talk import hold, line, new_op, order, receive


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"webhooks_allow_private": True})


# --- one reader for many processes -------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def resting(monkeypatch):
    """The service's own reader does nothing, from before it starts: one under way would read beside the test's."""

    async def nothing(*_) -> None:
        """The test reads."""

    monkeypatch.setattr(Webhooks, "read_for_webhooks", nothing)


def reader_of(state) -> Reader:
    return Reader(state.database, state.allocators, state.pipe.client, lambda: None)


async def cursor(state):
    async with state.database.reading() as session:
        return await read_cursor(session, "main", READER)


async def expire_lease(state) -> None:
    async with state.database.writing() as session:
        before = await read_cursor(session, "main", READER)
        await take_lease(session, "main", READER, owner=before.lease, now_ms=now_ms(), until_ms=now_ms() - 1)


async def test_while_one_process_reads_another_does_not(client, receiver, state):
    id = await made(client, receiver, "order.placed")
    one, other = reader_of(state), reader_of(state)
    await one.run()
    await order(client, "shop/1", line("CUP", 1))

    await other.run()
    before = len(await deliveries(state, id))
    await one.run()

    assert (before, len(await deliveries(state, id))) == (0, 1)


async def test_a_reader_that_stops_is_followed_at_once(client, receiver, state):
    id = await made(client, receiver, "order.placed")
    one, other = reader_of(state), reader_of(state)
    await one.run()
    await order(client, "shop/1", line("CUP", 1))

    await one.stop()
    await other.run()

    assert len(await deliveries(state, id)) == 1


async def test_a_reader_that_dies_before_its_transaction_leaves_the_work_to_the_next(
    client, receiver, state, monkeypatch
):
    id = await made(client, receiver, "order.placed")
    await order(client, "shop/1", line("CUP", 1))

    async def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(reading, "add_deliveries", dies)
        with pytest.raises(KeyboardInterrupt):
            await reader_of(state).run()
    nothing = await deliveries(state, id)
    await expire_lease(state)
    await reader_of(state).run()

    assert nothing == []
    assert len(await deliveries(state, id)) == 1


async def test_readers_that_race_without_a_lease_write_every_event_once(client, receiver, state, monkeypatch):
    monkeypatch.setattr(reading, "LEASE_MS", -1)
    id = await made(client, receiver, "order.placed", "availability.changed")
    readers = [reader_of(state) for _ in range(4)]

    async def sell() -> None:
        for number in range(30):
            await receive(client, "CUP", "oslo", 1)
            await order(client, f"shop/{number}", line("CUP", 1))

    async def read(reader: Reader) -> None:
        for _ in range(15):
            await reader.run()

    await asyncio.gather(sell(), *map(read, readers))
    await readers[0].run()

    found = [row.payload for row in await deliveries(state, id) if row.event == "order.placed"]
    assert len(found) == len(set(found)) == 30
    assert (await cursor(state)).position == await ledger.last_id(state.pipe.client, "main")


async def test_a_cursor_moves_for_who_has_the_lease_and_only_from_where_it_was(state):
    async with state.database.writing() as session:
        await begin_at(session, "main", READER, "1-0")
        lease = {"now_ms": 1_000, "until_ms": 2_000}
        taken = await take_lease(session, "main", READER, owner="ann", **lease)
        refused = await take_lease(session, "main", READER, owner="bob", **lease)
        moves = [
            await move(session, "main", READER, Lease(owner, 2_000), before=before, after="2-0")
            for owner, before in (("bob", "1-0"), ("ann", "0-5"), ("ann", "1-0"), ("ann", "1-0"))
        ]
        late = await take_lease(session, "main", READER, owner="bob", now_ms=2_000, until_ms=3_000)

    assert taken is not None
    assert refused is None
    assert moves == [False, False, True, False]
    assert (late.position, late.lease) == ("2-0", "ann")


async def test_reading_the_same_entries_again_makes_the_same_deliveries(client, receiver, state):
    id = await made(client, receiver, "order.placed", "hold.ended")
    start = (await cursor(state)).position
    await hold(client, "cart-1", line("CUP", 1))
    await order(client, "shop/1", line("CUP", 1), hold="cart-1")
    await reader_of(state).run()
    first = await deliveries(state, id)

    async with state.database.writing() as session:
        await begin_at(session, "main", READER, start)
    await expire_lease(state)
    await reader_of(state).run()

    assert len(first) == 2
    assert await deliveries(state, id) == first


async def test_a_number_told_by_another_process_meanwhile_is_told_again(client, receiver, state):
    id = await made(client, receiver, "availability.changed", channels=["shop"])
    one, other = reader_of(state), reader_of(state)
    await receive(client, "A/4", "oslo", 1)
    await one.run()
    await one.stop()
    await receive(client, "A/4", "oslo", 1)
    await other.run()
    await other.stop()
    adjust = {"lines": [{"sku": "A/4", "location": "oslo", "units": -1}], "why": "counted"}
    await client.post("/v1/stock/adjust", json=adjust, headers=new_op())

    await one.run()

    assert len(await deliveries(state, id)) == 3


async def test_events_that_are_trimmed_away_are_told_as_lost_to_everybody(client, receiver, state, redis_of_service):
    id = await made(client, receiver, "hold.ended")
    after = (await cursor(state)).position
    for _ in range(3):
        await receive(client, "CUP", "oslo", 1)
    await redis_of_service.xtrim(LEDGER, maxlen=1, approximate=False)

    await reader_of(state).run()

    [found] = await deliveries(state, id)
    assert found.event == "events.lost"
    assert f'"after":"{after}"' in found.payload
    assert (await cursor(state)).position == await ledger.last_id(redis_of_service, "main")


async def test_another_seller_hears_of_nothing_here(client, receiver, state):
    async with state.database.writing() as session:
        await ensure_seller(session, "other", "Other")
        theirs = EndpointFacts("wh_other", "other", receiver.url, EVERYTHING, None, [], True, "", None, 1)
        await add_endpoint(session, theirs)
    await open_sellers(state)
    reader = reader_of(state)
    await reader.run()

    await order(client, "shop/1", line("CUP", 1))
    await state.allocators["other"].configure_all(load_seed(SHOP).config())
    await reader.run()

    assert {row.event for row in await deliveries(state, "wh_other")} == {"config.changed", "availability.changed"}
