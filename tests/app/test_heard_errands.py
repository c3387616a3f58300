"""What becomes of channels' orders here, told back to them."""

import pytest
import stamina

from app.store.errands import DEAD, ErrandFacts, change_errand, page_errands
from app.sync.errands import make_errands, run_errands
from app.sync.intake import take_waiting
from app.sync.pulling import pull
from channels.base import Parcel
from tests.app.heard_shop import There, connected
from tests.app.talk import new_op

CHANNELS = ("shopify", "woocommerce", "amazon", "ebay")
WAY = {"carrier": "UPS", "tracking": "1Z999"}


@pytest.fixture(autouse=True)
def quick():
    stamina.set_testing(testing=True, attempts=2, cap=True)
    yield
    stamina.set_testing(testing=False)


@pytest.fixture(params=CHANNELS)
async def there(request, app, client) -> There:
    return await connected(app, client, request.param)


@pytest.fixture
async def woo(app, client) -> There:
    return await connected(app, client, "woocommerce")


async def pulled(there: There) -> None:
    await there.set(pulled_ms=0, watermark_ms=there.clock.began_ms - 60_000)
    await there.run(pull, take_waiting)


async def told_back(there: There) -> list[ErrandFacts]:
    """All that happened is in SQL, and told; every errand there is."""
    await there.drain.run()
    await there.run(make_errands, run_errands)
    async with there.state.database.reading() as session:
        return await page_errands(session, "main", "there", state="", before=None, limit=99)


async def ship(client, id: str, **asked) -> None:
    answer = await client.post(f"/v1/orders/amazon/{id}/ship", json={**WAY, **asked}, headers=new_op())
    assert answer.status_code == 200, answer.text


def parcels(there: There, id: str) -> list:
    match there.connector:
        case "shopify":
            return there.sandbox.orders[int(id)].parcels
        case "woocommerce":
            return there.sandbox.notes.get(int(id), [])
        case "amazon":
            return list(there.sandbox.orders[id].packages.values())
        case _:
            return there.sandbox.orders[id].parcels


async def test_goods_that_left_are_told_once_with_their_number(there, client):
    await told_back(there)
    id = there.buys(2)
    await pulled(there)
    await ship(client, id)

    for _ in range(3):
        [errand] = await told_back(there)

    assert (errand.kind, errand.state, errand.external_id) == ("ship", "done", id)
    assert len(parcels(there, id)) == 1
    assert "1Z999" in str(parcels(there, id))


async def test_goods_whose_answer_was_lost_are_told_once_all_the_same(there, client):
    id = there.buys(2)
    await pulled(there)
    await ship(client, id)
    there.sandbox.faults.lose["other" if there.connector == "shopify" else "ship"] = 2
    [before] = await told_back(there)
    there.sandbox.faults.lose.clear()

    await due_now(there)
    [after] = await told_back(there)

    assert after.state == "done", before
    assert len(parcels(there, id)) == 1


async def due_now(there: There) -> None:
    async with there.state.database.reading() as session:
        every = await page_errands(session, "main", "there", state="", before=None, limit=99)
    async with there.state.database.writing() as session:
        for errand in every:
            await change_errand(session, "main", "there", errand.key, due_ms=0)


async def test_what_the_channel_has_told_us_it_is_never_told(there):
    id = there.buys(2)
    await pulled(there)
    there.pass_s()
    line = (await there.order(id)).lines[0].line
    parcel = Parcel("theirs", id, {line: 2}, carrier="UPS", tracking="1Z1")
    await there.work.line.engine.run(there.work.line.connector.ship(parcel))
    await pulled(there)
    other = there.buys(1)
    await pulled(there)
    there.pass_s()
    there.sandbox.gives_up(there.id(other))
    await pulled(there)

    assert await told_back(there) == []
    assert await there.lines(id) == {"ordered": 2, "shipped": 2}
    assert await there.lines(other) == {"ordered": 1, "cancelled": 1}


async def test_an_order_that_we_cancel_is_cancelled_there_where_that_can_be_done(there, client):
    id = there.buys(2)
    await pulled(there)
    answer = await client.post(f"/v1/orders/amazon/{id}/cancel", json={}, headers=new_op())

    [errand] = await told_back(there)

    assert answer.status_code == 200
    if there.connector == "amazon":
        assert (errand.state, errand.code) == ("dead", "by_hand")
    else:
        assert (errand.kind, errand.state) == ("cancel", "done")
        there.pass_s()
        await pulled(there)
        assert (await there.heard(id)).code == ""
        assert await there.lines(id) == {"ordered": 2, "cancelled": 2}


async def in_part(there: There, client) -> tuple[str, ErrandFacts]:
    """An order of three of which one is cancelled here, and what its channel is to be told of that."""
    id = there.buys(3)
    await pulled(there)
    line = (await there.order(id)).lines[0].line
    lines = [{"line": line, "units": 1}]
    await client.post(f"/v1/orders/amazon/{id}/cancel", json={"lines": lines}, headers=new_op())
    [errand] = await told_back(there)
    return id, errand


async def test_an_order_that_is_cancelled_in_part_is_left_to_people(woo, client):
    id, errand = await in_part(woo, client)

    line = (await woo.order(id)).lines[0].line
    assert (errand.state, errand.code) == ("dead", "in_part")
    assert f"line {line}: 1 of 3" in errand.says


async def edited(there: There, client, id: str, line: str, units: int) -> list[ErrandFacts]:
    """What the channel is to be told once a line of its order is to have so many units."""
    body = {"lines": [{"line": line, "sku": "CUP", "units": units}]}
    answer = await client.post(f"/v1/orders/amazon/{id}/edit", json=body, headers=new_op())
    assert answer.status_code == 200, answer.text
    return await told_back(there)


async def test_an_order_that_is_edited_to_fewer_units_is_left_to_people_too_and_no_other_edit_is(woo, client):
    id = woo.buys(3)
    await pulled(woo)
    line = (await woo.order(id)).lines[0].line

    [fewer] = await edited(woo, client, id, line, 2)
    still = await edited(woo, client, id, line, 4)

    assert (fewer.state, fewer.code, still) == ("dead", "in_part", [fewer])
    assert f"line {line}: 1 of 3" in fewer.says


async def test_when_people_have_cancelled_a_part_they_say_so_by_its_key(woo, client):
    id, errand = await in_part(woo, client)

    of_all = await client.post("/v1/connections/there/errands/replay", json={})
    [still] = await told_back(woo)
    woken = await client.post("/v1/connections/there/errands/replay", json={"keys": [errand.key]})
    [done] = await told_back(woo)

    assert (of_all.json(), still.state, woken.json()) == ({"woken": 0}, "dead", {"woken": 1})
    assert (done.state, woo.sandbox.orders[int(id)]["status"]) == ("done", "processing")


async def test_what_people_refund_there_because_of_it_is_not_taken_off_twice(woo, client):
    id, _ = await in_part(woo, client)
    woo.pass_s()

    woo.sandbox.refunds_units(int(id), 1)
    await pulled(woo)

    assert await woo.lines(id) == {"ordered": 3, "committed": 2, "cancelled": 1}


async def test_what_we_have_cancelled_does_not_come_back_with_the_next_picture(woo, client):
    id = woo.buys(3)
    await pulled(woo)
    await client.post(f"/v1/orders/amazon/{id}/cancel", json={}, headers=new_op())
    woo.pass_s()
    woo.sandbox._becomes(int(id), "processing")

    await pulled(woo)

    assert await woo.lines(id) == {"ordered": 3, "cancelled": 3}


async def test_parcels_from_two_places_are_two_and_the_last_one_ends_the_order(woo, client):
    id = woo.buys(9)
    woo.sandbox.products[733].stock = 20
    id = woo.buys(12)
    await pulled(woo)
    order = await woo.order(id)
    places = {take.location: take.units for take in order.lines[0].takes}
    assert len(places) == 2 or order.lines[0].backordered

    for place, units in places.items():
        await ship(client, id, lines=[{"line": order.lines[0].line, "location": place, "units": units}])
    errands = await told_back(woo)

    assert len(errands) == len(places)
    assert {one.state for one in errands} == {"done"}


async def test_units_of_a_listing_are_told_when_they_are_whole(app, client):
    there = await connected(app, client, "ebay", pack_size=3)
    id = there.buys(2)
    await pulled(there)
    line = (await there.order(id)).lines[0].line
    for units, number in ((2, "A1"), (4, "A2")):
        lines = [{"line": line, "location": "oslo", "units": units}]
        await ship(client, id, lines=lines, tracking=number)

    [errand] = await told_back(there)

    assert errand.state == "done"
    [parcel] = parcels(there, id)
    assert (parcel["lineItems"][0]["quantity"], parcel["shipmentTrackingNumber"]) == (2, "A2")


async def test_what_a_channel_refuses_is_dead_until_somebody_lets_it_be_told_again(app, client):
    there = await connected(app, client, "amazon")
    id = there.buys(2)
    await pulled(there)
    answer = await client.post(f"/v1/orders/amazon/{id}/ship", headers=new_op())
    [dead] = await told_back(there)
    shown = (await client.get("/v1/connections/there/errands", params={"state": "dead"})).json()

    woken = await client.post("/v1/connections/there/errands/replay", json={"keys": [dead.key]})
    [again] = await told_back(there)

    assert answer.status_code == 200
    assert (dead.state, [one["key"] for one in shown["data"]]) == (DEAD, [dead.key])
    assert (woken.json(), again.state) == ({"woken": 1}, DEAD)
