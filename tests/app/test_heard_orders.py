"""Orders from channels become ours, whatever way and in whatever order they are told."""

from dataclasses import replace

import pytest
import stamina

from allocator import Line, OrderRequest
from app.store.heard import page_heard
from app.sync.intake import SETTLED_MS, take_waiting, wake_lost_orders, wake_unmapped
from app.sync.pulling import pull
from channels.base import Parcel
from tests.app.heard_shop import There, connected, listed

CHANNELS = ("shopify", "woocommerce", "amazon", "ebay")


@pytest.fixture(autouse=True)
def quick():
    stamina.set_testing(testing=True, attempts=2, cap=True)
    yield
    stamina.set_testing(testing=False)


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"public_url": "https://allot.test"})


@pytest.fixture(params=CHANNELS)
async def there(request, app, client) -> There:
    return await connected(app, client, request.param)


@pytest.fixture
async def woo(app, client) -> There:
    return await connected(app, client, "woocommerce")


async def pulled(there: There) -> None:
    """Look for orders now, and take what is found."""
    await there.set(pulled_ms=0, watermark_ms=there.clock.began_ms - 60_000)
    await there.run(pull, take_waiting)


async def keep_for(client, minutes: int) -> None:
    """Orders of the channel may wait for their payment."""
    channel = await client.get("/v1/channels/amazon")
    body = {**channel.json()["item"], "pending_minutes": minutes}
    answer = await client.put("/v1/channels/amazon", json=body, headers={"If-Match": channel.headers["etag"]})
    assert answer.status_code == 200, answer.text


# --- each state of every channel ------------------------------------------------------------------------------------


async def test_an_order_that_is_paid_is_ours(there):
    id = there.buys(2)

    await pulled(there)

    assert await there.lines(id) == {"ordered": 2, "committed": 2}
    heard = await there.heard(id)
    assert (heard.state, heard.code, heard.via, heard.taken) == ("taken", "", "poll", heard.revision)
    assert not {"order", "Order", "getOrder"} & {*there.sandbox.calls}


async def test_an_order_that_is_not_paid_is_held_until_it_is(there, client):
    await keep_for(client, 30)
    id = there.buys(2, paid=False)
    await pulled(there)
    kept, held = await there.heard(id), await there.state.allocators["main"].find_pending("amazon", id)

    there.pass_s()
    there.sandbox.pays(there.id(id))
    await pulled(there)

    assert (kept.state, kept.code, held.state) == ("taken", "pending", "pending")
    assert await there.lines(id) == {"ordered": 2, "committed": 2}


async def test_an_order_that_is_not_paid_is_only_known_where_nothing_is_held(there):
    id = there.buys(2, paid=False)

    await pulled(there)

    heard = await there.heard(id)
    assert (heard.state, heard.code) == ("taken", "not_held")


async def test_an_order_that_is_given_up_is_cancelled_here(there):
    id = there.buys(2)
    await pulled(there)

    there.pass_s()
    there.sandbox.gives_up(there.id(id))
    await pulled(there)

    assert await there.lines(id) == {"ordered": 2, "cancelled": 2}


async def test_what_was_held_is_let_go_when_nobody_pays(there, client):
    await keep_for(client, 30)
    id = there.buys(2, paid=False)
    await pulled(there)

    there.pass_s()
    there.sandbox.gives_up(there.id(id))
    await pulled(there)

    assert (await there.heard(id)).code == "let_go"
    assert (await there.state.allocators["main"].find_hold(f"pending:amazon:{id}:1")).state == "released"


async def test_an_order_that_was_off_before_we_heard_of_it_takes_nothing(there):
    id = there.buys(2)
    there.pass_s()
    there.sandbox.gives_up(there.id(id))

    await pulled(there)

    heard = await there.heard(id)
    assert (heard.state, heard.code) == ("taken", "never_taken")


async def test_what_has_left_by_another_way_is_shipped_here_too(there):
    id = there.buys(2)
    await pulled(there)

    there.pass_s()
    await shipped_there(there, id)
    await pulled(there)

    assert await there.lines(id) == {"ordered": 2, "shipped": 2}
    assert (await there.heard(id)).code == ""


async def shipped_there(there: There, id: str) -> None:
    """Somebody ships the order by the channel's own means."""
    order = await there.work.line.engine.run(there.work.line.connector.order(id))
    parcel = Parcel("theirs", id, {order.lines[0].line: order.lines[0].units}, carrier="UPS", tracking="1Z1")
    await there.work.line.engine.run(there.work.line.connector.ship(parcel))


# --- what is wrong with an order ------------------------------------------------------------------------------------


async def test_an_order_of_a_listing_nobody_has_mapped_is_parked_until_it_is(there, client):
    id = there.buys(2, listing=there.tee)
    await pulled(there)
    before = await there.heard(id)

    await listed(client, there.tee, "PLATE")
    await there.run(wake_unmapped, take_waiting)

    assert (before.state, before.code) == ("parked", "unknown_listing")
    assert there.tee in before.says
    assert await there.lines(id) == {"ordered": 2, "committed": 2}


async def test_an_order_that_cannot_be_filled_waits_for_units(there):
    allocator = there.state.allocators["main"]
    await allocator.order(_big_order(), "test")
    id = there.buys(3)

    await pulled(there)

    assert await there.lines(id) == {"ordered": 3, "backordered": 3}


def _big_order() -> OrderRequest:
    return OrderRequest(channel="amazon", external_id="big", lines=[Line("1", "CUP", 15)])


async def test_an_odd_order_is_parked_alone(woo):
    ids = [woo.buys(1) for _ in range(3)]
    woo.sandbox.orders[int(ids[1])]["line_items"][0]["quantity"] = "two"

    await pulled(woo)

    states = {id: (await woo.heard(id)).state for id in ids}
    assert states == {ids[0]: "taken", ids[1]: "parked", ids[2]: "taken"}
    assert (await woo.heard(ids[1])).code == "odd"


async def test_a_listing_of_several_takes_as_many_units(app, client):
    there = await connected(app, client, "ebay", pack_size=3)

    id = there.buys(2)
    await pulled(there)

    assert await there.lines(id) == {"ordered": 6, "committed": 6}


# --- polling --------------------------------------------------------------------------------------------------------


async def test_a_look_that_fails_begins_again_where_it_did(woo):
    id = woo.buys(1)
    woo.sandbox.faults.outage["orders"] = 10
    before = await woo.run_and_facts(pull)

    woo.sandbox.faults.outage.clear()
    await pulled(woo)

    assert before.watermark_ms == woo.work.facts.watermark_ms
    assert (await woo.heard(id)).state == "taken"


async def test_what_was_told_twice_is_one_order(woo):
    id = woo.buys(1)
    for _ in range(3):
        await pulled(woo)

    async with woo.state.database.reading() as session:
        every = await page_heard(session, "main", "there", state="", before=None, limit=9)
    assert [(one.external_id, one.state) for one in every] == [(id, "taken")]
    assert await woo.lines(id) == {"ordered": 1, "committed": 1}


# --- what a store lost ----------------------------------------------------------------------------------------------


async def test_an_order_that_a_lost_store_had_alone_is_taken_again(woo, redis_of_service, monkeypatch):
    id = woo.buys(2)
    await pulled(woo)
    await redis_of_service.hdel("{main}:orders", f"amazon:{id}")
    await redis_of_service.hdel("{main}:ops", f"order:amazon:{id}:1")
    monkeypatch.setattr("app.sync.intake.SETTLED_MS", -SETTLED_MS)

    await woo.run(wake_lost_orders, take_waiting)

    assert await woo.lines(id) == {"ordered": 2, "committed": 2}


async def test_an_order_that_sql_has_is_left_alone(woo, monkeypatch):
    id = woo.buys(2)
    await pulled(woo)
    await woo.drain.run()
    monkeypatch.setattr("app.sync.intake.SETTLED_MS", -SETTLED_MS)

    await woo.run(wake_lost_orders)

    assert (await woo.heard(id)).state == "taken"


async def test_a_look_goes_back_behind_the_last_one(woo):
    id = woo.buys(1)
    overlap_ms = 1_000 * woo.work.line.connector.facts.overlap_s

    await woo.set(pulled_ms=0, watermark_ms=woo.clock.ms + overlap_ms - 60_000)
    await woo.run(pull)

    assert (await woo.heard(id)).state == "waiting"


async def test_a_look_that_fails_at_its_second_page_keeps_the_first_and_begins_again(woo):
    woo.sandbox.products[733].stock = 200
    ids = [woo.buys(1) for _ in range(101)]

    def after_the_first_page() -> bool:
        woo.sandbox.faults.outage["orders"] = 9
        return True

    woo.work = replace(woo.work, still_ours=after_the_first_page)
    before = await woo.run_and_facts(pull)
    first = await known(woo)
    woo.sandbox.faults.outage.clear()
    woo.work = replace(woo.work, still_ours=lambda: True)
    await woo.set(pulled_ms=0)
    await woo.run(pull)

    assert before.watermark_ms == woo.work.facts.watermark_ms
    assert (len(first), first < set(ids), await known(woo)) == (100, True, set(ids))
    assert (await woo.facts()).watermark_ms > before.watermark_ms


async def known(there: There) -> set[str]:
    async with there.state.database.reading() as session:
        return {one.external_id for one in await page_heard(session, "main", "there", state="", before=None, limit=999)}


async def test_a_worker_that_lost_the_connection_writes_nothing_more(woo):
    woo.buys(1)
    woo.work = replace(woo.work, still_ours=lambda: False)

    await pulled(woo)

    assert await known(woo) == set()
