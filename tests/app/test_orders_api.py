import asyncio
from collections import Counter

import pytest

from tests.app.talk import atp, line, new_op, order, receive, slug


async def change(client, verb: str, body: object = None, place: str = "shop/1"):
    return await client.post(f"/v1/orders/{place}/{verb}", json=body or {}, headers=new_op())


async def test_an_order_takes_its_units_and_says_where_they_ship_from(client):
    answer = await order(client, "shop/1", line("CUP", 4))

    assert answer.status_code == 201
    placed = answer.json()
    assert (placed["channel"], placed["external_id"], placed["kind"]) == ("shop", "1", "promise")
    assert [(take["location"], take["units"]) for take in placed["lines"][0]["takes"]] == [("oslo", 4)]
    assert await atp(client, "CUP") == 11


async def test_an_order_sent_twice_is_one_order(client):
    first = await order(client, "shop/1", line("CUP", 4))

    again = await order(client, "shop/1", line("CUP", 4))

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == {**first.json(), "replayed": True}
    assert await atp(client, "CUP") == 11


async def test_the_same_order_id_with_other_lines_is_a_conflict(client):
    await order(client, "shop/1", line("CUP", 4))

    other = await order(client, "shop/1", line("CUP", 1))

    assert (other.status_code, slug(other)) == (422, "op-conflict")


async def test_the_same_id_of_another_channel_is_another_order(client):
    await order(client, "shop/1", line("CUP", 4))

    other = await order(client, "amazon/1", line("CUP", 1))

    assert (other.status_code, other.json()["kind"]) == (201, "firm")


async def test_more_than_may_be_promised_is_refused_line_by_line(client):
    answer = await order(client, "shop/1", line("CUP", 16), line("PLATE", 1))

    assert (answer.status_code, slug(answer)) == (409, "short")
    assert answer.json()["outcome"] == "not_applied"
    assert answer.json()["facts"]["lines"] == [
        {"line": "1", "sku": "CUP", "units": 16, "atp_now": 15},
        {"line": "2", "sku": "PLATE", "units": 1, "atp_now": 4},
    ]


async def test_enough_units_at_places_that_may_not_be_combined_are_unroutable(client):
    answer = await order(client, "shop/1", line("CUP", 12))

    assert (answer.status_code, slug(answer)) == (409, "unroutable")
    assert answer.json()["facts"]["split_limit"] == 1
    assert {traced["location"] for traced in answer.json()["facts"]["trace"]} == {"oslo", "rome"}


async def test_a_refusal_is_final_for_its_attempt_and_the_next_one_is_free(client):
    await order(client, "shop/1", line("PLATE", 6))
    await receive(client, "PLATE", "oslo", 10)

    same = await order(client, "shop/1", line("PLATE", 6))
    second = await order(client, "shop/1", line("PLATE", 6), attempt=2)

    assert (same.status_code, same.headers["idempotency-replayed"]) == (409, "true")
    assert second.status_code == 201


async def test_an_order_a_marketplace_has_sold_is_never_refused(client):
    answer = await order(client, "amazon/1", line("PLATE", 6))

    [row] = answer.json()["lines"]
    assert (answer.status_code, row["committed"], row["backordered"]) == (201, 4, 2)


async def test_a_sale_over_the_counter_says_where_the_goods_left(client):
    answer = await order(client, "till/1", line("CUP", 1), at="oslo")

    assert (answer.status_code, answer.json()["kind"]) == (201, "gone")
    assert await atp(client, "CUP") == 14


async def test_a_preview_answers_as_the_order_would_and_takes_nothing(client):
    body = {"channel": "shop", "lines": [line("CUP", 4)]}

    answer = await client.post("/v1/preview", json=body)

    assert (answer.status_code, answer.json()["lines"][0]["committed"]) == (200, 4)
    assert await atp(client, "CUP") == 15


async def test_an_order_can_be_read_and_an_unknown_one_is_not_there(client):
    await order(client, "shop/1", line("CUP", 4))

    found = await client.get("/v1/orders/shop/1")
    missing = await client.get("/v1/orders/shop/2")

    assert (found.status_code, found.json()["lines"][0]["committed"]) == (200, 4)
    assert (missing.status_code, slug(missing)) == (404, "unknown-order")


async def test_an_order_is_picked_shipped_and_comes_back(client):
    await order(client, "shop/1", line("CUP", 4))

    picked = await change(client, "pick", {"location": "oslo"})
    shipped = await change(client, "ship", {"lines": [{"line": "1", "location": "oslo", "units": 3}]})
    rest = await change(client, "ship")
    returned = await change(
        client, "return", {"lines": [{"line": "1", "location": "rome", "units": 1, "disposition": "restock"}]}
    )

    assert [answer.status_code for answer in (picked, shipped, rest, returned)] == [200, 200, 200, 200]
    assert picked.json()["lines"][0]["takes"][0]["picking"] is True
    assert (shipped.json()["lines"][0]["shipped"], rest.json()["lines"][0]["shipped"]) == (3, 4)
    assert returned.json()["lines"][0]["returned"] == 1
    assert await atp(client, "CUP") == 12


async def test_a_cancelled_order_gives_its_units_back(client):
    await order(client, "shop/1", line("CUP", 4))

    some = await change(client, "cancel", {"lines": [{"line": "1", "units": 1}], "why": "too many"})
    rest = await change(client, "cancel")

    assert (some.json()["lines"][0]["cancelled"], rest.json()["lines"][0]["cancelled"]) == (1, 4)
    assert await atp(client, "CUP") == 15


async def test_a_change_may_come_without_a_body(client):
    await order(client, "shop/1", line("CUP", 4))

    answer = await client.post("/v1/orders/shop/1/ship", headers=new_op())

    assert answer.json()["lines"][0]["shipped"] == 4


async def test_a_change_sent_twice_happens_once(client):
    await order(client, "shop/1", line("CUP", 4))
    body, op = {"lines": [{"line": "1", "location": "oslo", "units": 1}]}, new_op()

    first = await client.post("/v1/orders/shop/1/ship", json=body, headers=op)
    again = await client.post("/v1/orders/shop/1/ship", json=body, headers=op)

    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (await client.get("/v1/orders/shop/1")).json()["lines"][0]["shipped"] == 1


@pytest.mark.parametrize("verb", ["pick", "ship", "cancel", "edit", "exchange", "return"])
async def test_a_change_needs_a_name(client, verb: str):
    await order(client, "shop/1", line("CUP", 4))

    answer = await client.post(f"/v1/orders/shop/1/{verb}", json={})

    assert (answer.status_code, slug(answer)) == (400, "idempotency-key-missing")


@pytest.mark.parametrize(
    ("verb", "body", "expected"),
    [
        ("ship", {"lines": [{"line": "1", "location": "rome", "units": 1}]}, (409, "not-committed")),
        ("ship", {"lines": [{"line": "9", "location": "oslo", "units": 1}]}, (404, "unknown-line")),
        ("cancel", {"lines": [{"line": "1", "units": 9}]}, (409, "not-committed")),
        (
            "return",
            {"lines": [{"line": "1", "location": "oslo", "units": 1, "disposition": "scrap"}]},
            (409, "not-shipped"),
        ),
    ],
)
async def test_what_cannot_be_changed_is_refused(client, verb: str, body: object, expected: tuple[int, str]):
    await order(client, "shop/1", line("CUP", 4))

    answer = await change(client, verb, body)

    assert (answer.status_code, slug(answer)) == expected


async def test_units_that_are_being_picked_are_not_cancelled(client):
    await order(client, "shop/1", line("CUP", 4))
    await change(client, "pick")

    answer = await change(client, "cancel")

    assert (answer.status_code, slug(answer)) == (409, "pick-started")


async def test_units_in_totes_are_cancelled_when_it_is_said_and_sold_when_they_are_put_away(client):
    await order(client, "shop/1", line("CUP", 4))
    await change(client, "pick")

    answer = await change(client, "cancel", {"picked": True, "why": "the customer called"})
    between = await atp(client, "CUP")
    away = {"lines": [{"sku": "CUP", "location": "oslo", "units": 4}], "reason": "put_away", "direction": "out"}
    await client.post("/v1/stock/unavailable", json=away, headers=new_op())

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert (between, await atp(client, "CUP")) == (11, 15)


async def test_an_edited_order_has_other_units_lines_and_another_way_in_one_step(client):
    await order(client, "shop/1", line("CUP", 4))
    lines = [{"line": "1", "sku": "CUP", "units": 3}, {"line": "plates", "sku": "PLATE", "units": 2}]

    answer = await change(client, "edit", {"lines": lines, "ship_to": {"country": "NO"}, "replan": True})

    rows = {row["line"]: (row["ordered"], row["committed"], row["cancelled"]) for row in answer.json()["lines"]}
    assert (answer.status_code, rows) == (200, {"1": (4, 3, 1), "plates": (2, 2, 0)})
    assert await atp(client, "CUP") == 12


@pytest.mark.parametrize(
    ("place", "asked", "expected"),
    [
        ("shop/1", {"line": "1", "sku": "PLATE", "units": 1}, (409, "other-sku")),
        ("shop/1", {"line": "1", "sku": "CUP", "units": 99}, (409, "short")),
        ("till/1", {"line": "1", "sku": "CUP", "units": 9}, (409, "has-left")),
        ("shop/9", {"line": "1", "sku": "CUP", "units": 1}, (404, "unknown-order")),
    ],
)
async def test_what_cannot_be_edited_is_refused(client, place: str, asked: object, expected: tuple[int, str]):
    await order(client, "shop/1", line("CUP", 4))
    await order(client, "till/1", line("CUP", 1), at="oslo")

    answer = await change(client, "edit", {"lines": [asked]}, place)

    assert (answer.status_code, slug(answer)) == expected


async def test_goods_are_exchanged_in_one_step(client):
    await order(client, "shop/1", line("CUP", 4))
    await change(client, "ship")
    back = {"line": "1", "location": "oslo", "units": 4, "disposition": "restock"}
    body = {"lines": [back], "order": {"channel": "shop", "external_id": "1-B", "lines": [line("PLATE", 2)]}}

    answer = await change(client, "exchange", {**body, "why": "plates instead"})

    said = answer.json()
    assert (answer.status_code, said["returned"]["state"], said["placed"]["state"]) == (200, "returned", "committed")
    assert (await atp(client, "CUP"), await atp(client, "PLATE")) == (15, 2)


async def test_an_exchange_that_cannot_be_served_takes_nothing_back(client):
    await order(client, "shop/1", line("CUP", 4))
    await change(client, "ship")
    back = {"line": "1", "location": "oslo", "units": 4, "disposition": "restock"}
    body = {"lines": [back], "order": {"channel": "shop", "external_id": "1-B", "lines": [line("PLATE", 99)]}}

    answer = await change(client, "exchange", body)

    assert (answer.status_code, slug(answer)) == (409, "short")
    assert (await client.get("/v1/orders/shop/1")).json()["lines"][0]["returned"] == 0


@pytest.mark.parametrize(
    ("body", "where", "allowed"),
    [
        ({"lines": []}, "body /lines", []),
        ({}, "body /", None),
        ({"lines": [{"sku": "CUP", "units": 0}]}, "body /lines/0/units", []),
        ({"lines": [{"sku": "CUP", "units": "2"}]}, "body /lines/0/units", []),
        ({"lines": [{"sku": "CUP", "unit": 2}]}, "body /lines/0", ["sku", "units", "line"]),
        ({"lines": [{"sku": "CUP", "units": 1}], "kind": "maybe"}, "body /kind", ["firm", "gone", "promise"]),
        ({"lines": [{"sku": "CUP", "units": 1}], "ship_to": {"street": "x"}}, "body /ship_to", None),
        ({"lines": [{"sku": "CUP", "units": 1}], "seller": "other"}, "body /", None),
        ({"lines": [{"sku": "a\nb", "units": 1}]}, "body /lines/0/sku", []),
        ([], "body /", None),
    ],
)
async def test_a_body_that_does_not_fit_says_where_and_what_would(client, body, where: str, allowed: list[str] | None):
    answer = await client.put("/v1/orders/shop/1", json=body)

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "unfit", where)
    if allowed is not None:
        assert answer.json().get("allowed", []) == allowed


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"lines=1", b'{"lines": [}', b"\xff\xfe", b'{"lines":[{"sku":"\xff","units":1}]}']
)
async def test_a_body_that_is_not_json_is_malformed(client, raw: bytes):
    answer = await client.put("/v1/orders/shop/1", content=raw)

    assert (answer.status_code, slug(answer)) == (400, "malformed")


async def test_two_lines_of_one_name_are_refused(client):
    answer = await order(client, "shop/1", line("CUP", 1, line="a"), line("PLATE", 1, line="a"))

    assert (answer.status_code, slug(answer)) == (422, "invalid")


@pytest.mark.parametrize("path", ["a%20b/1", "shop/a%0Ab", "shop/" + "x" * 129, "%2Fshop/1"])
async def test_ids_that_cannot_be_ids_are_refused(client, path: str):
    answer = await client.put(f"/v1/orders/{path}", json={"lines": [line("CUP", 1)]})

    assert (answer.status_code, slug(answer)) == (422, "unfit")
    assert answer.json()["where"].startswith("path ")


async def test_two_hundred_orders_at_once_sell_each_unit_once(client):
    answers = await asyncio.gather(*(order(client, f"amazon/{n}", line("CUP", 1)) for n in range(200)))

    rows = [answer.json()["lines"][0] for answer in answers]
    assert Counter(answer.status_code for answer in answers) == {201: 200}
    assert (sum(row["committed"] for row in rows), sum(row["backordered"] for row in rows)) == (15, 185)


async def test_two_hundred_promises_at_once_are_kept_or_refused(client):
    answers = await asyncio.gather(*(order(client, f"shop/{n}", line("CUP", 1)) for n in range(200)))

    assert Counter(answer.status_code for answer in answers) == {201: 15, 409: 185}
    assert await atp(client, "CUP") == 0
