"""Transfers over HTTP: sent under an id of the caller's own, arriving in parts, listed from SQL."""

import json
from urllib.parse import quote

import pytest

from app.draining.drain import Drain
from tests.app.holders import bearer, make, send
from tests.app.talk import atp, line, new_op, slug


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


async def go(client, id: str, *lines: dict, way: tuple[str, str] = ("oslo", "rome"), **more: object):
    body = {"from_location": way[0], "to_location": way[1], "lines": list(lines), **more}
    return await client.put(f"/v1/transfers/{quote(id, safe='')}", json=body)


async def arrive(client, id: str, *, location: str = "rome", headers: dict | None = None, **lines: object):
    body = {"location": location, "lines": [{"sku": "CUP", **lines}]}
    return await client.post(f"/v1/transfers/{id}/arrive", json=body, headers=headers or new_op())


@pytest.fixture
async def travelling(client, drain):
    """One that is on its way, one that arrived in part, one that is done, and one that went the other way."""
    await go(client, "T/1", line("CUP", 2), why="Rome sells more")
    await go(client, "T2", line("CUP", 3), line("PLATE", 1))
    await arrive(client, "T2", arrived=1)
    await go(client, "T3", line("CUP", 2))
    await arrive(client, "T3", arrived=1, lost=1)
    await go(client, "T4", line("CUP", 1), way=("rome", "oslo"))
    await drain.run()


async def ids(client, **asked: object) -> list[str]:
    return [row["transfer_id"] for row in (await client.get("/v1/transfers", params=asked)).json()["data"]]


async def test_units_on_their_way_are_shown_where_they_go_and_promised_to_nobody(client):
    before = await atp(client, "CUP")

    answer = await go(client, "T1", line("CUP", 3))

    stock = (await client.get("/v1/stock/CUP")).json()
    [rome] = [place for place in stock["places"] if place["location"] == "rome"]
    assert (answer.status_code, answer.json()["replayed"]) == (201, False)
    assert await atp(client, "CUP") == before - 3
    assert (rome["in_transit"], rome["transfers"]) == (3, [{"transfer_id": "T1", "units": 3}])
    assert stock["in_transit"] == 3


async def test_a_transfer_is_sent_once_and_another_under_its_id_is_a_conflict(client):
    first = await go(client, "T1", line("CUP", 3))
    again = await go(client, "T1", line("CUP", 3))
    other = await go(client, "T1", line("CUP", 4))

    assert (first.status_code, again.status_code, again.json()) == (201, 200, {**first.json(), "replayed": True})
    assert (other.status_code, slug(other)) == (422, "op-conflict")


async def test_an_arrival_sent_twice_is_booked_once(client):
    before = await atp(client, "CUP")
    await go(client, "T1", line("CUP", 3))
    op = new_op()

    first = await arrive(client, "T1", headers=op, arrived=2)
    again = await arrive(client, "T1", headers=op, arrived=2)

    assert again.json() == {**first.json(), "replayed": True}
    assert await atp(client, "CUP") == before - 1


async def test_what_is_not_there_is_not_sent_and_does_not_arrive(client):
    much = await go(client, "T1", line("CUP", 1_000))
    never = await arrive(client, "T9", arrived=1)

    assert (much.status_code, slug(much), much.json()["facts"]["units"]) == (409, "not-enough", 10)
    assert (never.status_code, slug(never), never.json()["facts"]["units"]) == (409, "not-enough", 0)


async def test_a_transfer_that_does_not_fit_says_where(client):
    nowhere = await client.put("/v1/transfers/T1", json={"from_location": "oslo", "lines": [line("CUP", 1)]})
    nothing = await go(client, "T1", line("CUP", 0))

    assert [slug(answer) for answer in (nowhere, nothing)] == ["unfit", "unfit"]
    assert [answer.json()["where"] for answer in (nowhere, nothing)] == ["body /", "body /lines/0/units"]


async def test_one_transfer_is_shown_with_everything_that_arrived(client, travelling):
    await arrive(client, "T2", arrived=1)

    shown = (await client.get("/v1/transfers/T2")).json()

    transfer, [arrival] = shown["transfer"], shown["arrivals"]
    assert (transfer["from_location"], transfer["to_location"], transfer["state"]) == ("oslo", "rome", "partly")
    assert transfer["lines"] == [
        {"sku": "CUP", "sent": 3, "arrived": 1, "lost": 0, "in_transit": 2},
        {"sku": "PLATE", "sent": 1, "arrived": 0, "lost": 0, "in_transit": 1},
    ]
    assert (arrival["sku"], arrival["location"], arrival["arrived"], arrival["lost"]) == ("CUP", "rome", 1, 0)
    assert arrival["actor"] == transfer["actor"] != ""


async def test_an_id_may_have_a_slash_and_the_reason_is_kept(client, travelling):
    shown = (await client.get("/v1/transfers/T%2F1")).json()["transfer"]

    assert (shown["transfer_id"], shown["why"], shown["state"], shown["in_transit"]) == (
        "T/1",
        "Rome sells more",
        "open",
        2,
    )


async def test_a_transfer_nobody_sent_is_unknown(client):
    answer = await client.get("/v1/transfers/never")

    assert (answer.status_code, slug(answer)) == (404, "unknown-transfer")


LISTS = [
    ({}, ["T4", "T3", "T2", "T/1"]),
    ({"state": "open"}, ["T4", "T/1"]),
    ({"state": "partly"}, ["T2"]),
    ({"state": "closed", "from_location": "oslo"}, ["T3"]),
    ({"to_location": "oslo"}, ["T4"]),
    ({"location": "oslo", "state": "open"}, ["T4", "T/1"]),
    ({"location": "elsewhere"}, []),
    ({"sku": "PLATE"}, ["T2"]),
    ({"sku": "CUP", "state": "closed"}, ["T3"]),
    ({"until_ms": 1}, []),
    ({"from_ms": 1, "from_location": "rome"}, ["T4"]),
]


async def test_transfers_are_found_by_what_they_are_on_one_page_or_on_many(client, travelling):
    for asked, found in LISTS:
        seen, cursor = [], ""
        while cursor is not None:
            page = (await client.get("/v1/transfers", params={**asked, "limit": 1, "cursor": cursor})).json()
            seen += [row["transfer_id"] for row in page["data"]]
            cursor = page["next_cursor"]
        assert await ids(client, **asked) == seen == found, asked


async def test_balances_show_what_is_on_its_way_and_what_was(client, travelling):
    stock = (await client.get("/v1/stock/CUP")).json()
    [sent, *_] = (await client.get("/v1/movements", params={"verb": "transfer_out", "sku": "CUP"})).json()["data"][-2:]

    now = (await client.get("/v1/balances/CUP")).json()["stock"]
    then = (await client.get("/v1/balances/CUP", params={"entry": sent["entry"]})).json()["stock"]

    assert now == stock
    assert (now["in_transit"], then["in_transit"], sent["of"], sent["units"]) == (5, 2, "T/1", 2)


async def test_a_limited_key_sees_and_books_what_concerns_its_place(app, state, client, travelling):
    rome, lima = await make(state, "warehouse", locations=["rome"]), await make(state, "warehouse", locations=["lima"])
    body = {"location": "rome", "at": "rome", "lines": [{"sku": "CUP", "arrived": 1}]}

    booked = await send(app, "POST", "/v1/transfers/T2/arrive", {**bearer(rome), **new_op()}, json.dumps(body).encode())
    others = await send(app, "POST", "/v1/transfers/T2/arrive", {**bearer(lima), **new_op()}, json.dumps(body).encode())
    seen = [await send(app, "GET", "/v1/transfers", bearer(key)) for key in (rome, lima)]
    one = [await send(app, "GET", "/v1/transfers/T2", bearer(key)) for key in (rome, lima)]

    assert (booked.status, others.slug) == (200, "outside-limits")
    assert [len(json.loads(page.body)["data"]) for page in seen] == [4, 0]
    assert [answer.status for answer in one] == [200, 404]
