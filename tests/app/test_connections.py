"""Connections as operators make them."""

import json
from dataclasses import replace

import pytest

from app.store.connections import find_connection, put_connection
from app.sync import desk
from tests.app.holders import bearer, make
from tests.app.talk import slug

HERE = "/v1/connections/myshop"
SHOPIFY = {
    "connector": "shopify",
    "channel": "shop",
    "settings": {"url": "https://myshop.myshopify.com", "location": "105"},
    "secrets": {"client_id": "id-canary", "client_secret": "secret-canary"},
    "locations": {"105": "oslo"},
}


async def test_a_connection_is_made_and_changed_whole(client):
    made = await client.put(HERE, json=SHOPIFY)
    changed = await client.put(HERE, json={**SHOPIFY, "counts": "gross", "locations": {}})

    assert (made.status_code, changed.status_code) == (201, 200)
    assert made.json() | {"created_ms": 0, "watermark_ms": 0} == {
        **{name: SHOPIFY[name] for name in ("connector", "channel", "settings", "locations")},
        "code": "myshop",
        "secrets": ["client_id", "client_secret"],
        "counts": "net",
        "paused": False,
        "version": 1,
        "created_ms": 0,
        "webhook_path": "/v1/hooks/main/myshop",
        "watermark_ms": 0,
        "pulled_ms": 0,
        "reconciled_ms": 0,
        "subscribed_ms": 0,
        "failing": "",
        "failing_since_ms": 0,
    }
    assert {name: changed.json()[name] for name in ("version", "counts", "locations")} == {
        "version": 2,
        "counts": "gross",
        "locations": {},
    }
    assert (await client.get("/v1/connections")).json() == {"data": [changed.json()]}


async def test_secrets_are_written_and_never_read(client, state):
    made = await client.put(HERE, json=SHOPIFY)
    shown = await client.get(HERE)
    audit = await client.get("/v1/audit")
    async with state.database.reading() as session:
        kept = await find_connection(session, "main", "myshop")

    assert "canary" not in made.text + shown.text + audit.text + repr(kept)
    assert "connection.put" in audit.text
    assert desk.secrets_of(kept, state.sealer) == SHOPIFY["secrets"]


async def test_secrets_that_are_left_out_stay_as_they_are(client, state):
    await client.put(HERE, json=SHOPIFY)

    changed = await client.put(HERE, json={**SHOPIFY, "secrets": None})

    assert changed.json()["secrets"] == ["client_id", "client_secret"]
    async with state.database.reading() as session:
        kept = await find_connection(session, "main", "myshop")
    assert desk.secrets_of(kept, state.sealer) == SHOPIFY["secrets"]


@pytest.mark.parametrize(
    ("change", "status", "problem", "where"),
    [
        ({"connector": "nowhere"}, 422, "unfit", "body /connector"),
        ({"settings": {"url": "https://myshop.myshopify.com"}}, 422, "unfit", "body /settings"),
        ({"settings": {"url": "myshop", "location": "1"}}, 422, "unfit", "body /settings/url"),
        ({"secrets": {"client_id": "x"}}, 422, "unfit", "body /secrets"),
        ({"channel": "unknown"}, 404, "unknown-channel", None),
        ({"locations": {"105": "nowhere"}}, 404, "unknown-location", None),
        ({"colour": "red"}, 422, "unfit", "body /"),
    ],
)
async def test_what_could_not_work_is_refused_with_its_place(client, change, status, problem, where):
    answer = await client.put(HERE, json={**SHOPIFY, **change})

    assert (answer.status_code, slug(answer), answer.json().get("where")) == (status, problem, where)
    assert "canary" not in answer.text
    assert (await client.get(HERE)).status_code == 404


async def test_a_connection_never_becomes_one_to_another_channel(client):
    await client.put(HERE, json=SHOPIFY)
    woo = {"connector": "woocommerce", "channel": "shop", "settings": {"url": "https://shop.example"}}

    answer = await client.put(HERE, json=woo)

    assert (answer.status_code, answer.json()["where"]) == (422, "body /connector")


async def test_a_connection_is_paused_and_resumed_once_however_often_it_is_said(client):
    await client.put(HERE, json=SHOPIFY)

    said = [(await client.post(f"{HERE}/{word}")).json() for word in ("pause", "pause", "resume", "resume")]

    assert [(one["paused"], one["version"]) for one in said] == [(True, 2), (True, 2), (False, 3), (False, 3)]


async def test_a_connection_that_is_removed_is_gone(client):
    await client.put(HERE, json=SHOPIFY)

    removed = await client.delete(HERE)

    assert removed.json()["code"] == "myshop"
    for answer in (await client.get(HERE), await client.delete(HERE), await client.post(f"{HERE}/pause")):
        assert (answer.status_code, slug(answer)) == (404, "unknown-connection")


async def test_there_is_a_most_of_connections(client, monkeypatch):
    monkeypatch.setattr(desk, "CONNECTIONS_MAX", 1)
    await client.put(HERE, json=SHOPIFY)

    again = await client.put(HERE, json=SHOPIFY)
    other = await client.put("/v1/connections/other", json=SHOPIFY)

    assert again.status_code == 200
    assert (other.status_code, slug(other)) == (409, "too-many-connections")


async def test_a_channel_has_one_connection(client):
    await client.put(HERE, json=SHOPIFY)
    made = await client.put("/v1/connections/other", json=SHOPIFY)
    await client.put("/v1/connections/other", json={**SHOPIFY, "channel": "till"})

    moved = await client.put("/v1/connections/other", json=SHOPIFY)

    for refused in (made, moved):
        assert (refused.status_code, slug(refused)) == (409, "channel-connected")
        assert (refused.json()["where"], "myshop" in refused.json()["detail"]) == ("body /channel", True)
    assert [one["channel"] for one in (await client.get("/v1/connections")).json()["data"]] == ["shop", "till"]


async def test_the_channel_of_a_connection_that_is_removed_is_free_again(client):
    await client.put(HERE, json=SHOPIFY)
    await client.delete(HERE)

    assert (await client.put("/v1/connections/other", json=SHOPIFY)).status_code == 201


async def test_one_of_two_connections_that_have_shared_a_channel_for_long_can_be_changed(client, state):
    await client.put(HERE, json=SHOPIFY)
    async with state.database.writing() as session:
        await put_connection(session, replace(await find_connection(session, "main", "myshop"), code="older"))

    assert (await client.put(HERE, json={**SHOPIFY, "counts": "gross"})).status_code == 200


async def test_a_test_says_what_is_wrong_and_changes_nothing(client):
    await client.put(HERE, json={**SHOPIFY, "settings": {"url": "https://127.0.0.1:9", "location": "105"}})

    tested = (await client.post(f"{HERE}/test")).json()

    assert not tested["ok"]
    assert [step["name"] for step in tested["steps"]] == ["listings"]
    assert "private address" in tested["steps"][0]["says"]


async def test_keys_without_the_scope_see_nothing(client, state):
    await client.put(HERE, json=SHOPIFY)
    till, analyst = await make(state, "pos"), await make(state, "analyst")

    assert (await client.get(HERE, headers=bearer(till))).status_code == 403
    assert (await client.get(HERE, headers=bearer(analyst))).status_code == 200
    assert (await client.put(HERE, json=SHOPIFY, headers=bearer(analyst))).status_code == 403


async def test_another_seller_has_connections_of_his_own(client, state):
    answer = await client.put(HERE, json=SHOPIFY)
    async with state.database.reading() as session:
        mine, others = [await find_connection(session, seller, "myshop") for seller in ("main", "other")]

    assert answer.status_code == 201
    assert (mine is None, others) == (False, None)
    assert json.dumps(mine.settings) == json.dumps(SHOPIFY["settings"])
