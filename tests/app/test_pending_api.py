"""Orders whose payment or fraud check is pending, over HTTP: kept, shown, paid, cancelled, told."""

import pytest

from app.draining.drain import Drain
from tests.app.talk import atp, hold, line, new_op, order, slug

KEPT = {"pending": "payment"}


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


@pytest.fixture(autouse=True)
async def shop(client):
    """The shop keeps its orders for ten minutes until they are paid; the marketplace claims nothing before."""
    for code, terms in {"shop": {}, "amazon": {"lowers_at": "payment"}}.items():
        found = await client.get(f"/v1/channels/{code}")
        item = {**found.json()["item"], "pending_minutes": 10, **terms}
        changed = await client.put(f"/v1/channels/{code}", json=item, headers={"If-Match": found.headers["ETag"]})
        assert changed.status_code == 200


async def pay(client, place: str):
    return await client.post(f"/v1/orders/{place}/pay")


async def verbs_of(client, place: str) -> list[str]:
    return [step["verb"] for step in (await client.get(f"/v1/orders/{place}/story")).json()["steps"]]


async def test_a_pending_order_is_kept_shown_and_paid(client, drain):
    kept = await order(client, "shop/1", line("CUP", 2), **KEPT)
    again = await order(client, "shop/1", line("CUP", 2), **KEPT)
    shown = (await client.get("/v1/orders/shop/1")).json()
    held = (await client.get("/v1/holds/pending:shop:1:1")).json()
    units = await atp(client, "CUP")
    paid, twice = await pay(client, "shop/1"), await pay(client, "shop/1")
    late = await order(client, "shop/1", line("CUP", 2), attempt=2, **KEPT)
    await drain.run()

    assert [answer.status_code for answer in (kept, again, paid, twice, late)] == [202, 200, 201, 200, 200]
    assert kept.headers["Allot-Acknowledged"] == paid.headers["Allot-Acknowledged"]
    assert (shown["state"], shown["reason"], shown["deadline_ms"]) == ("pending", "payment", kept.json()["deadline_ms"])
    assert shown["lines"] == [{"line": "1", "sku": "CUP", "units": 2, "held": 2}]
    assert held["order"]["external_id"] == "1"
    assert (paid.json()["hold"], paid.json()["state"], late.json()["state"]) == ("used", "committed", "committed")
    assert units == await atp(client, "CUP") == 13
    assert await verbs_of(client, "shop/1") == ["hold", "order"]


async def test_what_is_not_paid_in_time_lapses_and_may_be_paid_still(client, allocator, drain):
    await order(client, "shop/1", line("CUP", 2), **KEPT)
    allocator.now_ms = (await client.get("/v1/orders/shop/1")).json()["deadline_ms"]
    await allocator.expire(elapsed_ms=None, accept_clock=True)
    await drain.run()

    lapsed = (await client.get("/v1/orders/shop/1")).json()
    listed = (await client.get("/v1/holds", params={"pending": "true"})).json()["data"]
    paid = (await pay(client, "shop/1")).json()
    await drain.run()

    assert (lapsed["state"], lapsed["lines"][0]["held"], lapsed["takes"]) == ("lapsed", 0, [])
    assert [(row["hold_id"], row["order"]["reason"]) for row in listed] == [("pending:shop:1:1", "payment")]
    assert (paid["hold"], paid["state"]) == ("expired", "committed")
    assert await verbs_of(client, "shop/1") == ["hold", "expire", "order"]


async def test_a_pending_order_that_is_cancelled_lets_its_units_go(client, drain):
    await hold(client, "cart-1", line("CUP", 10))
    kept = await order(client, "shop/1", line("CUP", 10), hold="cart-1", **KEPT)

    cancelled = await client.post("/v1/orders/shop/1/cancel", json={"why": "no money"}, headers=new_op())
    await drain.run()
    told = (await client.get("/v1/orders/shop/1")).json()
    story = (await client.get("/v1/orders/shop/1/story")).json()["steps"]

    assert kept.json()["replaced"] == "cart-1"
    assert (cancelled.status_code, cancelled.json()["state"], told["state"]) == (200, "cancelled", "cancelled")
    assert cancelled.json()["lines"][0]["cancelled"] == 10
    assert await atp(client, "CUP") == 15
    assert [(step["verb"], step["why"]) for step in story] == [("hold", ""), ("cancel", "no money")]
    assert all(step["actor"].startswith("key:") for step in story)


async def test_a_channel_that_lowers_its_stock_at_the_payment_claims_nothing_before(client):
    before = await atp(client, "CUP", "amazon")
    kept = await order(client, "amazon/1", line("CUP", 2), pending="fraud_check")
    pending = await atp(client, "CUP", "amazon")
    paid = await pay(client, "amazon/1")

    assert (kept.json()["lines"][0]["held"], pending) == (0, before)
    assert (paid.json()["state"], await atp(client, "CUP", "amazon")) == ("committed", before - 2)


async def test_what_cannot_be_pending_is_refused(client):
    never = await order(client, "till/1", line("CUP", 1), **KEPT)
    gone = await order(client, "shop/1", line("CUP", 1), kind="gone", at="oslo", **KEPT)
    reserved = await hold(client, "pending:shop:1:1", line("CUP", 1))
    owner = await hold(client, "cart-1", line("CUP", 1), owner="pending:shop:1")
    short = await order(client, "shop/1", line("CUP", 99), **KEPT)
    unknown = await pay(client, "shop/none")

    assert [slug(answer) for answer in (never, gone, reserved, owner)] == ["invalid", "invalid", "unfit", "unfit"]
    assert (slug(short), slug(unknown)) == ("short", "unknown-order")


async def test_an_order_that_was_never_pending_is_paid_already(client):
    await order(client, "shop/1", line("CUP", 2))

    paid = await pay(client, "shop/1")

    assert (paid.status_code, paid.json()["state"]) == (200, "committed")


async def test_orders_that_are_not_paid_come_in_bulk_too_each_as_if_alone(client):
    await order(client, "shop/paid", line("CUP", 1))
    rows = [
        {"external_id": "1", "lines": [line("CUP", 2)], "pending": "payment"},
        {"external_id": "2", "lines": [line("CUP", 3)]},
        {"external_id": "3", "lines": [line("CUP", 99)], "pending": "payment"},
        {"external_id": "paid", "lines": [line("CUP", 1)], "pending": "fraud_check"},
        {"external_id": "never", "channel": "till", "lines": [line("CUP", 1)], "pending": "payment"},
    ]
    asked = {"orders": [{"channel": "shop", **row} for row in rows]}

    first = (await client.post("/v1/orders/bulk", json=asked)).json()["results"]
    again = (await client.post("/v1/orders/bulk", json=asked)).json()["results"]
    paid = await pay(client, "shop/1")

    assert [row["status"] for row in first] == [202, 201, 409, 200, 422]
    assert [row["status"] for row in again] == [200, 200, 409, 200, 422]
    assert [set(row) - {"channel", "external_id", "status"} for row in first] == [
        {word} for word in ("kept", "order", "problem", "found", "problem")
    ]
    assert (first[0]["kept"]["state"], first[3]["found"]["state"]) == ("pending", "committed")
    assert (paid.status_code, await atp(client, "CUP")) == (201, 9)
