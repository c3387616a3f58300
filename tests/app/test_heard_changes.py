"""What channels change about their orders, here: more, less, off, left and back."""

from dataclasses import replace

import pytest
import stamina

from allocator import Line, OrderRequest
from allocator.announced import expected_units
from app.sync.intake import take_waiting
from app.sync.pulling import pull
from channels.base import Parcel
from tests.app.heard_shop import There, connected
from tests.app.talk import new_op


@pytest.fixture(autouse=True)
def quick():
    stamina.set_testing(testing=True, attempts=2, cap=True)
    yield
    stamina.set_testing(testing=False)


@pytest.fixture
async def woo(app, client) -> There:
    return await connected(app, client, "woocommerce")


@pytest.fixture
async def shopify(app, client) -> There:
    return await connected(app, client, "shopify")


async def pulled(there: There) -> None:
    await there.set(pulled_ms=0, watermark_ms=there.clock.began_ms - 60_000)
    await there.run(pull, take_waiting)


async def edited(woo: There, id: str, units: int) -> None:
    """The shop's people change how many are wanted."""
    woo.pass_s()
    woo.sandbox.orders[int(id)]["line_items"][0]["quantity"] = units
    woo.sandbox._becomes(int(id), woo.sandbox.orders[int(id)]["status"])
    await pulled(woo)


async def ask(client, id: str, verb: str, **body) -> None:
    answer = await client.post(f"/v1/orders/amazon/{id}/{verb}", json=body, headers=new_op())
    assert answer.status_code == 200, answer.text


async def test_more_and_less_are_followed(woo):
    id = woo.buys(3)
    await pulled(woo)

    await edited(woo, id, 5)
    more = await woo.lines(id)
    await edited(woo, id, 2)

    assert more == {"ordered": 5, "committed": 5}
    assert await woo.lines(id) == {"ordered": 5, "committed": 2, "cancelled": 3}


async def test_a_line_that_is_new_is_taken_too(woo):
    id = woo.buys(1)
    await pulled(woo)
    lines = woo.sandbox.orders[int(id)]["line_items"]

    lines.append({**lines[0], "id": 9_999, "quantity": 2})
    await edited(woo, id, 1)

    order = await woo.order(id)
    assert {line.line: line.committed for line in order.lines} == {str(lines[0]["id"]): 1, "9999": 2}


async def test_a_line_that_is_gone_is_not_wanted_any_more(woo):
    id = woo.buys(1)
    lines = woo.sandbox.orders[int(id)]["line_items"]
    lines.append({**lines[0], "id": 9_999, "quantity": 2})
    await pulled(woo)

    del lines[1]
    await edited(woo, id, 1)

    order = await woo.order(id)
    assert {line.line: line.committed for line in order.lines} == {str(lines[0]["id"]): 1, "9999": 0}


async def test_units_whose_pick_has_started_are_put_away_when_they_are_off(woo, client):
    id = woo.buys(3)
    await pulled(woo)
    await ask(client, id, "pick")

    woo.pass_s()
    woo.sandbox.gives_up(int(id))
    await pulled(woo)

    assert await woo.lines(id) == {"ordered": 3, "cancelled": 3}
    [cup] = await woo.state.allocators["main"].stock(["CUP"])
    assert cup.places["oslo"].reasons == {"put_away": 3}


async def test_units_taken_off_before_they_left_are_free_again(shopify):
    id = shopify.buys(3)
    await pulled(shopify)

    shopify.pass_s()
    shopify.sandbox.takes_off(int(id), 1)
    await pulled(shopify)

    assert await shopify.lines(id) == {"ordered": 3, "committed": 2, "cancelled": 1}


async def test_units_taken_off_one_by_one_within_a_second_are_all_off(shopify):
    id = shopify.buys(3)
    await pulled(shopify)

    shopify.pass_s()
    for _ in range(2):
        shopify.sandbox.takes_off(int(id), 1)
        await pulled(shopify)

    assert await shopify.lines(id) == {"ordered": 3, "committed": 1, "cancelled": 2}


async def test_what_is_off_there_and_has_left_here_is_for_people(woo, client):
    id = woo.buys(3)
    await pulled(woo)
    await ask(client, id, "ship")

    woo.pass_s()
    woo.sandbox.gives_up(int(id))
    await pulled(woo)

    heard = await woo.heard(id)
    assert (heard.state, heard.code) == ("parked", "shipped_already")
    assert await woo.lines(id) == {"ordered": 3, "shipped": 3}


async def test_an_order_whose_payment_failed_and_came_again_lives_again(woo):
    id = woo.buys(3)
    await pulled(woo)
    for status in ("failed", "processing"):
        woo.pass_s()
        woo.sandbox._becomes(int(id), status)
        await pulled(woo)

    lines = await woo.lines(id)
    assert lines["committed"] == 3


@pytest.mark.parametrize("connector", ["amazon", "ebay"])
async def test_a_buyer_who_wants_it_cancelled_is_shown_to_people_and_the_units_stay(app, client, connector):
    there = await connected(app, client, connector)
    id = there.buys(2)
    await pulled(there)

    there.pass_s()
    there.sandbox.asks_to_cancel(id)
    await pulled(there)
    heard = await there.heard(id)
    there.pass_s()
    there.sandbox.gives_up(id)
    await pulled(there)

    assert (heard.state, heard.code, heard.taken) == ("parked", "cancel_requested", heard.revision)
    assert (await there.heard(id)).state == "taken"
    assert await there.lines(id) == {"ordered": 2, "cancelled": 2}


async def test_goods_that_come_back_are_announced_until_they_are_booked(woo, client):
    id = woo.buys(3)
    await pulled(woo)
    await ask(client, id, "ship")
    woo.pass_s()
    woo.sandbox._becomes(int(id), "completed")
    woo.pass_s()
    woo.sandbox.refunds_units(int(id), 2)
    await pulled(woo)
    heard, order = await woo.heard(id), await woo.order(id)

    line = order.lines[0].line
    back = {"line": line, "location": "oslo", "units": 2, "disposition": "restock"}
    await ask(client, id, "return", lines=[back])
    woo.pass_s()
    woo.sandbox._becomes(int(id), "completed")
    await pulled(woo)

    assert (heard.state, heard.code) == ("taken", "")
    assert expected_units(order.announced) == 2
    assert expected_units((await woo.order(id)).announced) == 0


async def test_a_refund_of_what_never_left_takes_it_off(woo):
    id = woo.buys(3)
    await pulled(woo)

    woo.pass_s()
    woo.sandbox._becomes(int(id), "refunded")
    await pulled(woo)

    assert await woo.lines(id) == {"ordered": 3, "cancelled": 3}


async def test_what_the_channel_ships_itself_takes_nothing(app, client):
    there = await connected(app, client, "amazon", fba=True)
    there.sandbox.sells("FBA", None)
    id = there.buys(2, listing="FBA")

    await pulled(there)

    heard = await there.heard(id)
    assert (heard.state, heard.code) == ("taken", "fulfilled_elsewhere")


async def test_what_left_as_a_whole_by_another_way_has_left_all_its_shelves(woo):
    woo.sandbox.products[733].stock = 20
    id = woo.buys(12)
    await pulled(woo)
    order = await woo.order(id)
    assert len(order.lines[0].takes) == 2

    woo.pass_s()
    woo.sandbox._becomes(int(id), "completed")
    await pulled(woo)

    assert await woo.lines(id) == {"ordered": 12, "shipped": 12}


async def test_what_left_in_part_of_several_shelves_is_for_people(shopify):
    [item] = [one for one in shopify.sandbox.items.values() if one.sku == "CUP"]
    item.available[shopify.sandbox.location] = 20
    id = shopify.buys(12)
    await pulled(shopify)
    [line] = (await shopify.order(id)).lines
    assert len(line.takes) == 2

    shopify.pass_s()
    parcel = Parcel("theirs", id, {line.line: 11}, is_last=False, carrier="UPS", tracking="1Z1")
    await shopify.work.line.engine.run(shopify.work.line.connector.ship(parcel))
    await pulled(shopify)

    heard = await shopify.heard(id)
    assert (heard.state, heard.code) == ("parked", "shipped_elsewhere")
    assert await shopify.lines(id) == {"ordered": 12, "committed": 12}


async def test_an_order_with_the_id_of_somebody_elses_is_for_people(woo):
    id = woo.buys(2)
    mine = OrderRequest(channel="amazon", external_id=id, lines=[Line("1", "CUP", 1)])
    await woo.state.allocators["main"].order(mine, "somebody")

    await pulled(woo)

    assert (await woo.heard(id)).code == "placed_by_others"
    assert await woo.lines(id) == {"ordered": 1, "committed": 1}


async def test_an_order_older_than_its_connection_is_taken_when_it_is_pulled(woo, client):
    id = woo.buys(2)
    woo.pass_s(60)
    created_ms = woo.clock.ms
    await woo.set(created_ms=created_ms, watermark_ms=created_ms + 1, pulled_ms=0)
    woo.work = replace(woo.work, facts=await woo.facts())
    await woo.run(pull, take_waiting)
    before = await woo.heard(id)

    answer = await client.post("/v1/connections/there/pull", json={"since_ms": woo.clock.began_ms - 1_000})
    await woo.run(pull, take_waiting)

    assert (answer.status_code, before.state, before.code) == (200, "taken", "placed_before")
    assert await woo.lines(id) == {"ordered": 2, "committed": 2}


async def test_an_order_that_is_refused_is_taken_when_it_is_replayed(app, client):
    there = await connected(app, client, "woocommerce")
    channel = await client.get("/v1/channels/amazon")
    body = {**channel.json()["item"], "demand": "promise", "split_limit": 1}
    await client.put("/v1/channels/amazon", json=body, headers={"If-Match": channel.headers["etag"]})
    there.sandbox.products[733].stock = 99
    id = there.buys(40)
    await pulled(there)
    before = await there.heard(id)

    stock = {"lines": [{"sku": "CUP", "location": "oslo", "units": 50}]}
    assert (await client.post("/v1/stock/receive", json=stock, headers=new_op())).status_code == 200
    await client.post("/v1/connections/there/orders/replay", json={"orders": [id]})
    await there.run(take_waiting)

    assert (before.state, before.code) == ("parked", "short")
    assert await there.lines(id) == {"ordered": 40, "committed": 40}


async def test_while_the_store_is_not_ready_orders_wait(woo, redis_of_service):
    id = woo.buys(2)
    epoch = await redis_of_service.hget("{main}:seller", "epoch")
    await redis_of_service.hset("{main}:seller", "epoch", "another")
    await pulled(woo)
    before = await woo.heard(id)

    await redis_of_service.hset("{main}:seller", "epoch", epoch)
    await woo.due_now(id)
    await woo.run(take_waiting)

    assert (before.state, before.attempts) == ("waiting", 1)
    assert "NotReady" in before.says
    assert await woo.lines(id) == {"ordered": 2, "committed": 2}
