"""What happened, asked over HTTP: orders by what they are, movements, the story of an order."""

import asyncio
import json

import pytest

from app import history
from app.draining.drain import Drain
from app.store.history import WantedMoves, list_moves, story_of
from app.store.past_orders import WantedOrders, list_orders
from tests.app.holders import bearer, make, send
from tests.app.talk import line, new_op, order, receive


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


@pytest.fixture
async def sold(client, drain):
    """Three orders: two of the shop, of which one has left, and one of Amazon."""
    await order(client, "shop/1", line("CUP", 2))
    await order(client, "shop/2", line("PLATE", 1))
    await order(client, "amazon/1", line("CUP", 1))
    await client.post("/v1/orders/shop/2/ship", json={}, headers=new_op())
    await drain.run()


async def ids(client, **asked) -> list[str]:
    page = (await client.get("/v1/orders", params=asked)).json()
    return [f"{row['channel']}/{row['external_id']}" for row in page["data"]]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"shop/1", "shop/2", "amazon/1"}),
        ({"channel": "shop"}, {"shop/1", "shop/2"}),
        ({"state": "shipped"}, {"shop/2"}),
        ({"sku": "CUP"}, {"shop/1", "amazon/1"}),
        ({"sku": "CUP", "channel": "amazon"}, {"amazon/1"}),
        ({"location": "oslo", "state": "shipped"}, set()),
        ({"until_ms": 1}, set()),
        ({"from_ms": 1}, {"shop/1", "shop/2", "amazon/1"}),
        ({"sku": "NOTHING"}, set()),
    ],
)
async def test_orders_are_found_by_what_they_are(client, sold, asked: dict, found: set[str]):
    assert set(await ids(client, **asked)) == found


async def test_an_order_in_a_list_is_as_it_is_by_its_id(client, sold):
    [listed] = (await client.get("/v1/orders", params={"channel": "amazon"})).json()["data"]

    assert listed == (await client.get("/v1/orders/amazon/1")).json()


async def test_pages_have_every_order_once_newest_first(client, sold):
    seen, cursor = [], ""
    for _ in range(5):
        page = (await client.get("/v1/orders", params={"limit": 1, "cursor": cursor})).json()
        seen += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    keys = [(row["placed_ms"], row["channel"], row["external_id"]) for row in seen]
    assert len(keys) == 3
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize("cursor", ["nonsense", "e30", "WzFd", "%"])
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/movements"])
async def test_a_cursor_of_somebody_else_is_refused(client, path: str, cursor: str):
    answer = await client.get(path, params={"cursor": cursor})

    assert (answer.status_code, answer.json()["where"]) == (422, "query cursor")


async def test_movements_say_who_moved_what_and_why(client, sold):
    page = (await client.get("/v1/movements", params={"sku": "PLATE", "bucket": "on_hand"})).json()

    newest, *_ = page["data"]
    assert (newest["verb"], newest["units"], newest["location"] != "") == ("ship", -1, True)
    assert newest["actor"].startswith("key:")


async def test_movements_page_by_page_are_all_movements(client, sold):
    everything = (await client.get("/v1/movements", params={"limit": 1000})).json()["data"]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/movements", params={"limit": 3, "cursor": cursor})).json()
        seen += page["data"]
        cursor = page["next_cursor"]

    assert seen == everything
    assert len(seen) > 6


async def test_the_story_of_an_order_is_told_from_the_beginning(client, sold):
    story = (await client.get("/v1/orders/shop/2/story")).json()

    assert [step["verb"] for step in story["steps"]] == ["order", "ship"]
    assert ("committed", 1) in [(move["bucket"], move["units"]) for move in story["steps"][0]["moves"]]


async def test_an_order_nobody_placed_has_no_story(client):
    answer = await client.get("/v1/orders/shop/nothing/story")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-order")


async def test_a_list_waits_for_what_it_must_be_as_new_as(client, state, drain):
    await order(client, "shop/1", line("CUP", 1))
    newest = (await state.pipe.client.xrevrange("{main}:ledger", count=1))[0][0].decode()

    waiting = asyncio.create_task(ids(client, after=newest))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await drain.run()

    assert await waiting == ["shop/1"]


async def test_what_takes_too_long_to_arrive_is_said(client, drain, monkeypatch):
    monkeypatch.setattr(history, "AFTER_SECONDS", 0.1)
    await drain.run()

    answer = await client.get("/v1/orders", params={"after": "99999999999999-0"})

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/behind")
    assert answer.headers["retry-after"] == "2"


async def test_a_limited_key_sees_its_channels_and_locations_only(app, state, client, sold):
    await receive(client, "CUP", "rome", 1)
    await Drain(state.database, state.pipe.client).run()
    key = await make(state, "operator", channels=["amazon"], locations=["rome"])

    orders = await send(app, "GET", "/v1/orders", bearer(key))
    moves = await send(app, "GET", "/v1/movements", bearer(key))
    other = await send(app, "GET", "/v1/orders?channel=shop", bearer(key))

    assert {row["channel"] for row in json.loads(orders.body)["data"]} <= {"amazon"}
    assert {row["location"] for row in json.loads(moves.body)["data"]} == {"rome"}
    assert other.status == 403


async def test_another_seller_sees_nothing_of_it(app, state, client, sold):
    async with state.database.reading() as session:
        assert await list_orders(session, "other", WantedOrders(), 10) == []
        assert await list_moves(session, "other", WantedMoves(), 10) == []
        assert await story_of(session, "other", "order", "shop:1") == []


async def test_edited_and_exchanged_orders_are_in_sql_as_they_are(client, sold, drain):
    edit = {
        "lines": [{"line": "1", "sku": "CUP", "units": 1}, {"line": "new", "sku": "PLATE", "units": 1}],
        "why": "call",
    }
    back = {"line": "1", "location": "oslo", "units": 1, "disposition": "restock"}
    new = {"channel": "till", "external_id": "T1", "lines": [line("CUP", 1)], "at": "oslo"}
    await client.post("/v1/orders/shop/1/edit", json=edit, headers=new_op())
    swap = await client.post("/v1/orders/shop/2/exchange", json={"lines": [back], "order": new}, headers=new_op())
    await drain.run()

    steps = [(await client.get(f"/v1/orders/{id}/story")).json()["steps"][-1] for id in ("shop/1", "till/T1")]
    [listed] = (await client.get("/v1/orders", params={"channel": "shop", "sku": "CUP"})).json()["data"]
    shipments = (await client.get("/v1/shipments", params={"channel": "till"})).json()["data"]

    assert swap.status_code == 200
    assert [(step["verb"], step["why"]) for step in steps] == [("edit", "call"), ("exchange", "")]
    assert listed == (await client.get("/v1/orders/shop/1")).json()
    assert [(row["external_id"], row["gone"], row["units"]) for row in shipments] == [("T1", True, 1)]
