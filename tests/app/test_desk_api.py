"""Orders that lose their location, over HTTP: refused, moved, rescued, in conflict."""

import asyncio
import json

import pytest

from app.draining.drain import Drain
from app.rescuing import rescue_all
from tests.app.holders import bearer, make, send
from tests.app.talk import line, new_op, order, receive, slug


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


async def change(client, verb: str, body: dict, id: str = "shop/1"):
    return await client.post(f"/v1/orders/{id}/{verb}", json=body, headers=new_op())


async def conflicts(client, **asked) -> list[tuple[str, int, dict[str, int]]]:
    """External id, units, and where they could come from."""
    page = (await client.get("/v1/conflicts", params=asked)).json()
    return [
        (row["external_id"], row["units"], {one["location"]: one["available"] for one in row["locations"]})
        for row in page["data"]
    ]


@pytest.fixture
async def rejected(client, drain) -> str:
    """An order of two whose location has lost its cups; that location."""
    answer = await order(client, "shop/1", line("CUP", 2))
    [take] = answer.json()["lines"][0]["takes"]
    body = {"location": take["location"], "reason": "not_found", "rejects_max": 1}
    await change(client, "reject", body)
    await drain.run()
    return take["location"]


async def test_the_reason_says_what_is_still_there(client, rejected):
    stock = (await client.get("/v1/stock/CUP")).json()

    assert [one["on_hand"] for one in stock["places"] if one["location"] == rejected] in ([], [0])


async def test_a_conflict_is_listed_with_where_it_could_come_from(client, rejected):
    await receive(client, "CUP", "oslo", 7)

    [(id, units, places)] = await conflicts(client)

    assert (id, units) == ("1", 2)
    assert places["oslo"] >= 7
    assert await conflicts(client, sku="PLATE") == []
    assert await conflicts(client, channel="amazon") == []


async def test_somebody_moves_it_and_it_is_no_conflict_any_more(client, rejected, drain):
    await receive(client, "CUP", "oslo", 7)

    moved = await change(client, "move", {"to_location": "oslo", "why": "it came back"})
    await drain.run()

    assert (moved.status_code, moved.json()["state"]) == (200, "committed")
    assert await conflicts(client) == []
    steps = (await client.get("/v1/orders/shop/1/story")).json()["steps"]
    assert [step["verb"] for step in steps] == ["order", "reject", "move"]
    assert (steps[1]["why"], steps[2]["why"]) == (f"{rejected} not_found recount", "it came back")


async def test_pages_have_every_conflict_once_oldest_first(client, drain):
    for id in ("1", "2", "3"):
        answer = await order(client, f"shop/{id}", line("PLATE", 1))
        location = answer.json()["lines"][0]["takes"][0]["location"]
        await change(client, "reject", {"location": location, "reason": "too_busy", "rejects_max": 1}, f"shop/{id}")
    await drain.run()

    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/conflicts", params={"limit": 1, "cursor": cursor})).json()
        seen += [row["external_id"] for row in page["data"]]
        cursor = page["next_cursor"]

    assert seen == ["1", "2", "3"]


async def test_what_is_missing_leaves_the_newest_order_of_the_lowest_rank(client, state, drain):
    stock = (await client.get("/v1/stock/PLATE")).json()
    [place, *_] = [one for one in stock["places"] if one["available"]]
    at, there = place["location"], place["available"]
    await receive(client, "PLATE", at, 4)
    for id, units in (("1", 2), ("2", 2)):
        await order(client, f"shop/{id}", line("PLATE", units), prefer=[at])
        # What is placed within the same millisecond is equally new.
        await asyncio.sleep(0.002)
    gone = {"lines": [{"sku": "PLATE", "location": at, "units": 1 - there - 4}], "why": "count"}
    await client.post("/v1/stock/adjust", json=gone, headers=new_op())
    await drain.run()

    await rescue_all(state)
    await drain.run()

    left = {id: (await client.get(f"/v1/orders/shop/{id}")).json()["lines"][0] for id in ("1", "2")}
    assert [take["location"] for take in left["2"]["takes"]] != [at]
    assert (left["1"]["committed"] + left["1"]["conflict"], left["2"]["committed"] + left["2"]["conflict"]) == (2, 2)
    after = (await client.get("/v1/stock/PLATE")).json()
    assert after["deficit"] == 0


async def test_a_move_of_what_is_not_there_is_refused(client):
    await order(client, "shop/1", line("CUP", 1))

    answer = await change(client, "move", {"to_location": "nowhere"})

    assert slug(answer) == "unknown-location"


async def test_a_key_of_one_location_sees_no_conflict(app, state, rejected):
    holder = await make(state, "warehouse", locations=["oslo"])

    answer = await send(app, "GET", "/v1/conflicts", bearer(holder))

    assert (answer.status, json.loads(answer.body)["data"]) == (200, [])
