"""What is asked of SQL: shipments, holds, balances, and single records that Valkey does not have."""

import json
import re

import pytest

from app.draining.drain import Drain
from tests.app.holders import bearer, make, send
from tests.app.talk import hold, line, new_op, order, receive, slug


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


@pytest.fixture
async def shipped(client, drain):
    """Three orders that have left: one of two lines in two steps, one over the counter; and one that has not."""
    await order(client, "shop/1", line("CUP", 2), line("PLATE", 1))
    [cup, plate] = (await client.get("/v1/orders/shop/1")).json()["lines"]
    for row in (cup, plate):
        [take] = row["takes"]
        lines = [{"line": row["line"], "location": take["location"], "units": row["ordered"]}]
        await client.post("/v1/orders/shop/1/ship", json={"lines": lines}, headers=new_op())
    await order(client, "till/2", line("CUP", 3))
    await order(client, "amazon/3", line("PLATE", 2))
    await client.post("/v1/orders/amazon/3/ship", json={}, headers=new_op())
    await order(client, "shop/4", line("CUP", 1))
    await drain.run()


@pytest.fixture
async def held(client, drain):
    """Four holds: open, released, replaced by the next of the same owner, and that one."""
    await hold(client, "open", line("CUP", 2))
    await hold(client, "over", line("PLATE", 1))
    await client.delete("/v1/holds/over")
    await hold(client, "cart-1", line("CUP", 1), owner="anna")
    await hold(client, "cart-2", line("CUP", 3), owner="anna")
    await drain.run()


async def data(client, path: str, **asked) -> list[dict]:
    return (await client.get(path, params=asked)).json()["data"]


async def pages(client, path: str, **asked) -> list[dict]:
    """Everything, one row at a time."""
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get(path, params={**asked, "limit": 1, "cursor": cursor})).json()
        assert len(page["data"]) <= 1
        seen += page["data"]
        cursor = page["next_cursor"]
    return seen


# --- shipments -----------------------------------------------------------------------------------------------------


async def test_what_left_is_listed_with_its_lines_newest_first(client, shipped):
    found = await data(client, "/v1/shipments")

    said = [(f"{row['channel']}/{row['external_id']}", row["gone"], row["units"], row["lines"]) for row in found]
    assert said == [
        ("amazon/3", False, 2, [{"line": "1", "sku": "PLATE", "units": 2}]),
        ("till/2", True, 3, [{"line": "1", "sku": "CUP", "units": 3}]),
        ("shop/1", False, 1, [{"line": "2", "sku": "PLATE", "units": 1}]),
        ("shop/1", False, 2, [{"line": "1", "sku": "CUP", "units": 2}]),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"channel": "shop"}, ["shop/1", "shop/1"]),
        ({"channel": "shop", "external_id": "1"}, ["shop/1", "shop/1"]),
        ({"channel": "shop", "external_id": "4"}, []),
        ({"sku": "CUP"}, ["till/2", "shop/1"]),
        ({"sku": "CUP", "channel": "till"}, ["till/2"]),
        ({"until_ms": 1}, []),
        ({"from_ms": 1, "sku": "PLATE"}, ["amazon/3", "shop/1"]),
    ],
)
async def test_shipments_are_found_by_what_they_are(client, shipped, asked: dict, found: list[str]):
    rows = await data(client, "/v1/shipments", **asked)

    assert [f"{row['channel']}/{row['external_id']}" for row in rows] == found


@pytest.mark.parametrize("asked", [{}, {"sku": "CUP"}, {"location": "oslo"}])
async def test_pages_of_shipments_have_each_once(client, shipped, asked: dict):
    assert await pages(client, "/v1/shipments", **asked) == await data(client, "/v1/shipments", **asked) != []


async def test_shipments_of_all_locations_are_all_shipments(client, shipped):
    everything = await data(client, "/v1/shipments")

    parts = [await data(client, "/v1/shipments", location=code) for code in {row["location"] for row in everything}]

    assert sorted((row for part in parts for row in part), key=str) == sorted(everything, key=str)


async def test_orders_are_found_by_the_place_they_left_and_no_longer_by_where_they_waited(client, shipped):
    [gone] = await data(client, "/v1/shipments", channel="till")

    left = await data(client, "/v1/orders", shipped_from=gone["location"])
    waiting = [row for code in ("oslo", "rome") for row in await data(client, "/v1/orders", location=code)]

    assert "2" in {row["external_id"] for row in left}
    assert "4" not in {row["external_id"] for row in left}
    assert {row["external_id"] for row in waiting} == {"4"}


# --- holds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["cart-2", "cart-1", "over", "open"]),
        ({"state": "open"}, ["cart-2", "open"]),
        ({"state": "replaced"}, ["cart-1"]),
        ({"owner": "anna"}, ["cart-2", "cart-1"]),
        ({"sku": "PLATE"}, ["over"]),
        ({"sku": "CUP", "state": "open", "owner": "anna"}, ["cart-2"]),
        ({"channel": "amazon"}, []),
        ({"channel": "shop", "until_ms": 1}, []),
    ],
)
async def test_holds_are_found_by_what_they_are(client, held, asked: dict, found: list[str]):
    assert [row["hold_id"] for row in await data(client, "/v1/holds", **asked)] == found


async def test_an_ended_hold_still_says_what_it_was_made_of(client, held):
    [over] = await data(client, "/v1/holds", state="released")

    assert (over["takes"], [(part["sku"], part["units"]) for part in over["made_of"]]) == ([], [("PLATE", 1)])


@pytest.mark.parametrize("asked", [{}, {"sku": "CUP"}, {"location": "oslo"}, {"owner": "anna"}])
async def test_pages_of_holds_have_each_once(client, held, asked: dict):
    assert await pages(client, "/v1/holds", **asked) == await data(client, "/v1/holds", **asked) != []


async def test_when_a_hold_was_made_stays_when_it_is_extended_later(client, drain, held):
    [before] = await data(client, "/v1/holds", sku="CUP", owner="anna", state="open")
    await client.post("/v1/holds/cart-2/extend", json={"ttl_seconds": 500}, headers=new_op())
    await drain.run()

    [after] = await data(client, "/v1/holds", sku="CUP", owner="anna", state="open")

    assert after["made_ms"] == before["made_ms"]
    assert after["deadline_ms"] > before["deadline_ms"]


async def test_the_story_of_a_hold_is_told_from_the_beginning(client, held):
    story = (await client.get("/v1/holds/over/story")).json()

    assert [step["verb"] for step in story["steps"]] == ["hold", "release"]
    moves = [(move["bucket"], move["units"]) for step in story["steps"] for move in step["moves"]]
    assert [units for bucket, units in moves if bucket == "held"] == [1, -1]


async def test_a_hold_nobody_made_has_no_story(client):
    answer = await client.get("/v1/holds/nothing/story")

    assert (answer.status_code, slug(answer)) == (404, "unknown-hold")


async def test_a_limited_key_sees_no_hold_and_no_shipment_of_others(app, state, shipped, held):
    key = await make(state, "operator", channels=["amazon"])

    holds = await send(app, "GET", "/v1/holds", bearer(key))
    story = await send(app, "GET", "/v1/holds/over/story", bearer(key))
    shipments = await send(app, "GET", "/v1/shipments", bearer(key))
    other = await send(app, "GET", "/v1/holds?channel=shop", bearer(key))

    assert (json.loads(holds.body)["data"], story.slug, other.status) == ([], "unknown-hold", 403)
    assert {row["channel"] for row in json.loads(shipments.body)["data"]} == {"amazon"}


async def test_a_key_of_one_place_sees_orders_that_wait_there_or_left_from_there(app, state, client, shipped):
    [gone] = await data(client, "/v1/shipments", channel="till")
    [waiting] = (await client.get("/v1/orders/shop/4")).json()["lines"]
    wanted = {row["external_id"] for row in await data(client, "/v1/orders", shipped_from=gone["location"])}
    wanted |= {"4"} if waiting["takes"][0]["location"] == gone["location"] else set()
    key = await make(state, "warehouse", locations=[gone["location"]])

    found = await send(app, "GET", "/v1/orders", bearer(key))
    elsewhere = await send(app, "GET", "/v1/orders?shipped_from=elsewhere", bearer(key))

    assert {row["external_id"] for row in json.loads(found.body)["data"]} == wanted
    assert elsewhere.status == 403


# --- movements -----------------------------------------------------------------------------------------------------


async def test_movements_are_found_by_verb_and_time(client, shipped):
    everything = await data(client, "/v1/movements")
    middle = everything[len(everything) // 2]["at_ms"]

    ships = await data(client, "/v1/movements", verb="ship")
    since = await data(client, "/v1/movements", from_ms=middle)
    before = await data(client, "/v1/movements", until_ms=middle)
    of_cups = await data(client, "/v1/movements", sku="CUP", verb="ship", from_ms=1, until_ms=10**15)

    assert ships == [row for row in everything if row["verb"] == "ship"] != []
    assert since == [row for row in everything if row["at_ms"] >= middle] != []
    assert before == [row for row in everything if row["at_ms"] < middle] != []
    assert of_cups == [row for row in ships if row["sku"] == "CUP"] != []


async def test_pages_of_a_verb_have_each_movement_once(client, shipped):
    assert await pages(client, "/v1/movements", verb="order") == await data(client, "/v1/movements", verb="order") != []


# --- balances ------------------------------------------------------------------------------------------------------


async def test_balances_are_the_stock_once_all_is_drained(client, shipped, held):
    stock = await data(client, "/v1/stock")

    assert await data(client, "/v1/balances") == await pages(client, "/v1/balances") == stock != []
    [cup] = [row for row in stock if row["sku"] == "CUP"]
    assert (await client.get("/v1/balances/CUP")).json()["stock"] == cup


async def test_balances_of_a_location_are_the_skus_with_units_there(client, drain, shipped):
    await receive(client, "PLATE", "rome", 1)
    await drain.run()

    found = {
        code: {row["sku"] for row in await data(client, "/v1/balances", location=code)} for code in ("oslo", "rome")
    }

    stock = await data(client, "/v1/stock")
    there = {
        code: {row["sku"] for row in stock for place in row["places"] if place["location"] == code and place["on_hand"]}
        for code in ("oslo", "rome")
    }
    assert found == there


async def test_stock_can_be_asked_as_it_was_after_every_entry_and_at_every_time(client, drain):
    """From whichever end the movements are counted, and whatever was moved."""
    seen = []
    for number in range(6):
        await order(client, f"shop/{number}", line("CUP", 1))
        if number % 2:
            await client.post(f"/v1/orders/shop/{number}/ship", json={}, headers=new_op())
        await drain.run()
        seen.append((await client.get("/v1/balances/CUP")).json())

    [newest] = await data(client, "/v1/movements", sku="CUP", limit=1)
    for then in seen:
        asked = (await client.get("/v1/balances/CUP", params={"entry": then["entry"]})).json()
        assert (asked["stock"], asked["entry"]) == (then["stock"], then["entry"])
    now = (await client.get("/v1/balances/CUP", params={"at_ms": newest["at_ms"]})).json()
    never = (await client.get("/v1/balances/CUP", params={"at_ms": 1})).json()
    assert now["stock"] == seen[-1]["stock"]
    assert (never["stock"]["version"], never["stock"]["places"], never["entry"]) == (0, [], 0)


async def test_a_sku_without_a_balance_is_unknown_and_two_times_at_once_make_no_sense(client, shipped):
    unknown = await client.get("/v1/balances/SAUCER")
    both = await client.get("/v1/balances/CUP", params={"at_ms": 1, "entry": 1})

    assert (unknown.status_code, slug(unknown)) == (404, "unknown-sku")
    assert (both.status_code, both.json()["where"]) == (422, "query entry")


# --- records that Valkey does not have -----------------------------------------------------------------------------


async def test_an_order_that_has_left_valkey_is_read_from_sql_and_says_so(client, redis_of_service, shipped):
    before = await client.get("/v1/orders/shop/1")
    await redis_of_service.hdel("{main}:orders", "shop:1")

    after = await client.get("/v1/orders/shop/1")

    assert after.json() == before.json()
    assert "allot-position" not in before.headers
    assert re.fullmatch(r"\d+-\d+", after.headers["allot-position"])


async def test_a_hold_that_has_left_valkey_is_read_from_sql_by_those_who_may(
    app, state, client, redis_of_service, held
):
    before = await client.get("/v1/holds/over")
    await redis_of_service.hdel("{main}:holds", "over")
    foreign = await make(state, "operator", channels=["amazon"])

    after = await client.get("/v1/holds/over")
    theirs = await send(app, "GET", "/v1/holds/over", bearer(foreign))

    assert (after.json(), "allot-position" in after.headers) == (before.json(), True)
    assert theirs.slug == "unknown-hold"


@pytest.mark.parametrize("path", ["orders/shop/1", "holds/open"])
async def test_while_valkey_has_lost_everything_records_are_read_from_sql(
    client, redis_of_service, shipped, held, path: str
):
    before = await client.get(f"/v1/{path}")
    await redis_of_service.flushall()

    after = await client.get(f"/v1/{path}")
    unknown = await client.get(f"/v1/{path}-never")

    assert (after.status_code, after.json(), "allot-position" in after.headers) == (200, before.json(), True)
    assert (unknown.status_code, slug(unknown)) == (503, "not-ready")


async def test_an_answer_that_has_left_valkey_is_explained_from_sql(client, redis_of_service, shipped):
    before = (await client.get("/v1/orders/shop/1/explain")).json()
    await redis_of_service.hdel("{main}:ops", "order:shop:1:1")

    after = (await client.get("/v1/orders/shop/1/explain")).json()
    never = await client.get("/v1/orders/shop/1/explain", params={"attempt": 2})

    assert after == before
    assert (never.status_code, slug(never)) == (404, "unknown-order")


async def test_what_neither_has_is_unknown(client, drain):
    order_id, hold_id = await client.get("/v1/orders/shop/never"), await client.get("/v1/holds/never")

    assert (slug(order_id), slug(hold_id)) == ("unknown-order", "unknown-hold")
