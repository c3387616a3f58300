"""What happens in the shop, as receivers are told it."""

import asyncio

import pytest

from app.webhooks.happenings import ROWS_BYTES_MAX, body, parts_of
from tests.app.receiver import HOOKS, deliveries, hears, made
from tests.app.talk import hold, line, new_op, order, receive


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"webhooks_allow_private": True})


async def test_a_placed_order_is_told_with_its_lines(client, receiver):
    await made(client, receiver, "order.placed")

    await order(client, "shop/1001", line("CUP", 2), line("PLATE", 1))

    [told] = await hears(receiver, "order.placed")
    assert (told["channel"], told["external_id"], told["kind"], told["state"]) == (
        "shop",
        "1001",
        "promise",
        "committed",
    )
    assert (told["change"], told["lines_total"]) == ("order", 2)
    assert [(row["sku"], row["ordered"], row["committed"]) for row in told["lines"]] == [("CUP", 2, 2), ("PLATE", 1, 1)]
    assert "takes" not in told["lines"][0]


async def test_every_later_change_of_an_order_is_told(client, receiver):
    await made(client, receiver, "order.changed")
    await order(client, "shop/1001", line("CUP", 2))

    await client.post("/v1/orders/shop/1001/pick", json={}, headers=new_op())
    await client.post("/v1/orders/shop/1001/ship", json={}, headers=new_op())

    told = await hears(receiver, "order.changed", 2)
    assert {(row["change"], row["state"]) for row in told} == {("pick", "picking"), ("ship", "shipped")}


async def test_of_an_exchange_one_order_is_placed_and_the_other_changed(client, receiver):
    await made(client, receiver, "order.placed", "order.changed")
    await order(client, "till/1", line("CUP", 1), at="oslo")
    back = {"line": "1", "location": "oslo", "units": 1, "disposition": "restock"}
    new = {"channel": "till", "external_id": "2", "lines": [line("PLATE", 1)], "at": "oslo"}

    await client.post("/v1/orders/till/1/exchange", json={"lines": [back], "order": new}, headers=new_op())

    placed, changed = await hears(receiver, "order.placed", 2), await hears(receiver, "order.changed")
    assert {row["external_id"] for row in placed} == {"1", "2"}
    assert [(row["external_id"], row["change"], row["state"]) for row in changed] == [("1", "exchange", "returned")]


async def test_a_refused_order_is_no_event(client, receiver, state):
    id = await made(client, receiver, "order.placed")

    await order(client, "shop/1", line("CUP", 99))
    await order(client, "shop/2", line("CUP", 1))

    [told] = await hears(receiver, "order.placed")
    assert told["external_id"] == "2"
    assert len(await deliveries(state, id)) == 1


async def test_the_end_of_a_hold_is_told_and_its_beginning_is_not(client, receiver):
    await made(client, receiver, "hold.ended")
    await hold(client, "cart-1", line("CUP", 1), owner="ann")
    await hold(client, "cart-2", line("CUP", 1))
    await client.delete("/v1/holds/cart-1")

    await order(client, "shop/1", line("CUP", 1), hold="cart-2")

    told = await hears(receiver, "hold.ended", 2)
    assert sorted(row["hold_id"] + " " + row["state"] for row in told) == ["cart-1 released", "cart-2 ordered"]
    assert set(told[0]) == {"hold_id", "channel", "state"}


async def test_a_deficit_is_told_where_it_appears(client, receiver):
    await made(client, receiver, "stock.deficit")
    await order(client, "shop/1", line("A/4", 1))

    await order(client, "till/1", line("A/4", 1))

    [told] = await hears(receiver, "stock.deficit")
    assert (told["sku"], told["location"], told["units"]) == ("A/4", "oslo", 1)


async def test_many_changes_of_a_number_are_told_in_few_events_and_the_last_is_true(client, receiver):
    await made(client, receiver, "availability.changed", channels=["shop"])

    for _ in range(40):
        await receive(client, "CUP", "oslo", 1)

    async with asyncio.timeout(10):
        while not receiver.got or receiver.of("availability.changed")[-1]["levels"][0]["published"] != 55:
            await asyncio.sleep(0.02)
    told = [level for data in receiver.of("availability.changed") for level in data["levels"]]
    assert len(told) < 10
    assert {(level["sku"], level["channel"]) for level in told} == {("CUP", "shop")}
    assert [level["version"] for level in told] == sorted(level["version"] for level in told)


async def test_a_published_number_that_stays_is_no_event(client, receiver, state):
    id = await made(client, receiver, "availability.changed", channels=["till"])
    await receive(client, "CUP", "oslo", 1)
    await hears(receiver, "availability.changed")

    await receive(client, "CUP", "rome", 1)
    await receive(client, "PLATE", "oslo", 1)

    told = await hears(receiver, "availability.changed", 2)
    assert [level["sku"] for level in told[1]["levels"]] == ["PLATE"]
    assert len(await deliveries(state, id)) == 2


async def test_a_receiver_hears_of_its_channels_alone(client, receiver):
    await made(client, receiver, "order.placed", "availability.changed", "hold.ended", channels=["amazon"])

    await order(client, "shop/1", line("CUP", 1))
    await order(client, "amazon/1", line("CUP", 1))

    [told] = await hears(receiver, "order.placed")
    assert told["channel"] == "amazon"
    levels = [level for data in await hears(receiver, "availability.changed") for level in data["levels"]]
    assert {level["channel"] for level in levels} == {"amazon"}


async def test_a_change_of_config_is_told_with_what_to_read_again(client, receiver):
    await made(client, receiver, "config.changed")
    rule = {"id": "keep-one", "kind": "buffer", "units": 1}

    answer = await client.put("/v1/rules/keep-one", json=rule)

    assert answer.status_code < 300, answer.text
    [told] = await hears(receiver, "config.changed")
    assert (told["reload"], told["channels"]) == (True, [])
    assert told["version"] > 0


async def test_a_rule_for_a_sku_is_told_as_its_numbers(client, receiver):
    await made(client, receiver, "availability.changed", channels=["shop"])

    answer = await client.put(
        "/v1/rules/cups", json={"id": "cups", "kind": "buffer", "sku": "CUP", "channel": "shop", "units": 5}
    )

    assert answer.status_code < 300, answer.text
    [told] = await hears(receiver, "availability.changed")
    assert [(level["sku"], level["published"]) for level in told["levels"]] == [("CUP", 10)]


async def test_what_happened_before_a_webhook_was_made_is_not_told(client, receiver, state):
    await order(client, "shop/1", line("CUP", 1))
    id = await made(client, receiver, "order.placed")

    await order(client, "shop/2", line("CUP", 1))

    await hears(receiver, "order.placed")
    assert [row["external_id"] for row in receiver.of("order.placed")] == ["2"]
    assert len(await deliveries(state, id)) == 1


async def test_what_happens_right_after_the_answer_is_told(client, receiver):
    for number in range(5):
        id = await made(client, receiver, "order.placed")
        await order(client, f"shop/{number}", line("CUP", 1))
        await hears(receiver, "order.placed", number + 1)
        await client.delete(f"{HOOKS}/{id}")

    assert [row["external_id"] for row in receiver.of("order.placed")] == ["0", "1", "2", "3", "4"]


async def test_what_happens_while_the_only_webhook_is_disabled_is_not_told_later(client, receiver, state):
    id = await made(client, receiver, "order.placed")
    body = {"url": receiver.url, "events": ["order.placed"]}
    await client.put(f"{HOOKS}/{id}", json={**body, "active": False})
    await order(client, "shop/1", line("CUP", 1))

    await client.put(f"{HOOKS}/{id}", json=body)
    await order(client, "shop/2", line("CUP", 1))

    [told] = await hears(receiver, "order.placed")
    assert told["external_id"] == "2"


# --- size --------------------------------------------------------------------------------------------------------


async def test_an_order_of_many_lines_is_one_event_of_less_than_20_kb(client, receiver):
    await made(client, receiver, "order.placed")
    for _ in range(3):
        await receive(client, "CUP", "oslo", 500)

    await order(client, "shop/big", *(line("CUP", 1, line=f"line {number} {'x' * 60}") for number in range(400)))

    [got] = await receiver.gets(1)
    told = got.event["data"]
    assert len(got.body) < 20_000
    assert told["lines_total"] == 400
    assert 50 < len(told["lines"]) < 400


def test_rows_are_parted_by_size_and_by_count():
    wide = [{"sku": "ü" * 64, "channel": "c" * 64, "n": number} for number in range(300)]

    parts = list(parts_of(wide, 100))

    assert [row for part in parts for row in part] == wide
    assert all(len(body("availability.changed", 0, {"levels": part}).encode()) < 20_000 for part in parts)
    assert all(len(part) <= 100 for part in parts)
    assert ROWS_BYTES_MAX < 20_000


def test_no_rows_are_no_parts():
    assert list(parts_of([])) == []
