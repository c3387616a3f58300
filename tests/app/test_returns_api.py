"""Returns over HTTP: announced under the caller's own id, listed from SQL, taken off when the goods come."""

import json

import pytest

from app.draining.drain import Drain
from tests.app.holders import bearer, make, send
from tests.app.talk import atp, line, new_op, order, slug


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


@pytest.fixture
async def shipped(client):
    """Two orders of the shop, of three cups each, that have left."""
    for id in ("1", "2"):
        await order(client, f"shop/{id}", line("CUP", 3))
        await client.post(f"/v1/orders/shop/{id}/ship", json={}, headers=new_op())


async def announce(client, id: str = "R1", units: int = 2, *, order: str = "1", revision: int = 1, **more: object):
    lines = [{"line": "1", "units": units}] if units else []
    body = {"revision": revision, "lines": lines, **more}
    return await client.put(f"/v1/orders/shop/{order}/returns/{id}", json=body)


async def come_back(client, units: int, return_id: str = "", *, order: str = "1"):
    body = {"lines": [{"line": "1", "location": "oslo", "units": units, "disposition": "restock"}]}
    body |= {"return_id": return_id} if return_id else {}
    return await client.post(f"/v1/orders/shop/{order}/return", json=body, headers=new_op())


async def expected(client, **asked: object) -> list[tuple[str, str, int]]:
    """(order, return, units expected) of every line in the list."""
    found = (await client.get("/v1/returns/announced", params=asked)).json()["data"]
    return [(row["external_id"], row["return_id"], row["expected"]) for row in found]


async def test_an_announced_return_is_told_with_the_order_and_promised_to_nobody(client, shipped):
    before = await atp(client, "CUP")

    answer = await announce(client, location="rome", due_ms=5_000, why="too small")

    told = {
        "return_id": "R1",
        "revision": 1,
        "due_ms": 5_000,
        "location": "rome",
        "why": "too small",
        "lines": [{"line": "1", "sku": "CUP", "units": 2, "arrived": 0, "expected": 2}],
    }
    assert answer.status_code == 201
    assert answer.json() == {"channel": "shop", "external_id": "1", "announced": told, "replayed": False}
    assert (await client.get("/v1/orders/shop/1")).json()["announced"] == [told]
    assert await atp(client, "CUP") == before


async def test_an_announcement_has_one_effect_and_its_revision_one_meaning(client, shipped):
    first = await announce(client)
    again = await announce(client)
    other = await announce(client, units=1)

    assert (first.status_code, again.status_code, again.json()) == (201, 200, {**first.json(), "replayed": True})
    assert (other.status_code, slug(other)) == (422, "op-conflict")


async def test_a_late_message_and_one_that_says_too_much_are_refused_with_the_facts(client, shipped):
    await announce(client, revision=4)

    late = await announce(client, revision=3)
    much = await announce(client, id="R2", units=2)

    assert (late.status_code, slug(late), late.json()["facts"]) == (
        409,
        "superseded",
        {"return_id": "R1", "revision": 4},
    )
    assert (much.status_code, slug(much)) == (409, "too-many-returns")
    assert much.json()["facts"] == {"lines": [{"line": "1", "expected": 4, "returnable": 3}]}


@pytest.mark.parametrize(
    ("id", "body", "refused"),
    [
        ("9", {"revision": 1, "lines": []}, (404, "unknown-order")),
        ("1", {"revision": 1, "lines": [{"line": "7", "units": 1}]}, (404, "unknown-line")),
        ("1", {"revision": 1, "lines": [], "location": "narvik"}, (404, "unknown-location")),
        ("1", {"revision": 0, "lines": []}, (422, "unfit")),
        ("1", {"revision": 1, "lines": [{"line": "1", "units": -1}]}, (422, "unfit")),
        ("1", {"lines": []}, (422, "unfit")),
    ],
)
async def test_what_makes_no_sense_is_not_announced(client, shipped, id, body, refused):
    answer = await client.put(f"/v1/orders/shop/{id}/returns/R1", json=body)

    assert (answer.status_code, slug(answer)) == refused


async def test_goods_that_come_with_the_return_are_no_longer_expected(client, shipped, drain):
    await announce(client, units=3)

    named = await come_back(client, 2, "R1")
    unnamed = await come_back(client, 1)
    await drain.run()

    [row] = named.json()["announced"]["lines"]
    assert (row["units"], row["arrived"], row["expected"]) == (3, 2, 1)
    assert "announced" not in unnamed.json()
    assert await expected(client) == []


async def test_the_story_of_an_order_tells_what_was_announced_and_what_came(client, shipped, drain):
    await announce(client, why="too small")
    await come_back(client, 1, "R1")
    await come_back(client, 1)
    await drain.run()

    steps = (await client.get("/v1/orders/shop/1/story")).json()["steps"][-3:]

    told = [step["announced"] and step["announced"]["lines"][0]["expected"] for step in steps]
    assert [(step["verb"], step["why"]) for step in steps] == [
        ("announce_return", "too small"),
        ("return", ""),
        ("return", ""),
    ]
    assert told == [2, 1, None]


async def test_what_is_expected_is_listed_soonest_first_by_place_sku_channel_and_time(client, shipped, drain):
    await announce(client, "R1", 1, due_ms=9_000, location="oslo")
    await announce(client, "R2", 1, due_ms=5_000, location="rome")
    await announce(client, "R3", 1, order="2")
    await announce(client, "R4", 1, order="2", due_ms=7_000)
    await announce(client, "R4", 0, order="2", revision=2)
    await drain.run()

    soonest, second, third = ("2", "R3", 1), ("1", "R2", 1), ("1", "R1", 1)
    assert await expected(client) == [soonest, second, third]
    assert await expected(client, location="oslo") == [third]
    assert await expected(client, due_before_ms=9_000) == [second]
    assert (await expected(client, sku="PLATE"), await expected(client, channel="amazon")) == ([], [])
    assert await expected(client, channel="shop", sku="CUP", location="rome") == [second]


async def test_the_list_comes_in_pages_and_says_how_new_it_is(client, shipped, drain):
    for number in range(3):
        await announce(client, f"R{number}", 1)
    await drain.run()

    first = (await client.get("/v1/returns/announced", params={"limit": 2})).json()
    rest = (await client.get("/v1/returns/announced", params={"cursor": first["next_cursor"]})).json()
    behind = await client.get("/v1/returns/announced", params={"after": first["position"]["id"]})

    assert [row["return_id"] for row in (*first["data"], *rest["data"])] == ["R0", "R1", "R2"]
    assert (rest["next_cursor"], behind.status_code) == (None, 200)
    assert slug(await client.get("/v1/returns/announced", params={"cursor": "nonsense"})) == "unfit"


async def test_a_limited_key_sees_and_announces_only_what_is_its_own(app, client, state, shipped, drain):
    await announce(client, "R1", 1, location="oslo")
    await announce(client, "R2", 1)
    await drain.run()
    rome, other = await make(state, "warehouse", locations=["rome"]), await make(state, "channel", channels=["amazon"])
    body = b'{"revision": 9, "lines": [], "location": "oslo"}'

    for key in (rome, other):
        listed = await send(app, "GET", "/v1/returns/announced?limit=9", bearer(key))
        assert (listed.status, json.loads(listed.body)["data"]) == (200, [])
        refused = await send(app, "PUT", "/v1/orders/shop/1/returns/R1", bearer(key), body)
        assert (refused.status, refused.slug) == (403, "outside-limits")
    everything = await make(state, "channel")
    done = await send(app, "PUT", "/v1/orders/shop/1/returns/R1", bearer(everything), body)
    assert done.status == 201
