"""Many orders in one request: each is answered as if it had come alone."""

from .talk import atp, line, order, receive, slug


def wanted(external_id: str, *lines: dict[str, object], channel: str = "shop", **more: object) -> dict[str, object]:
    return {"channel": channel, "external_id": external_id, "lines": list(lines), **more}


async def bulk(client, *orders: dict[str, object]):
    answer = await client.post("/v1/orders/bulk", json={"orders": list(orders)})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


async def test_each_order_is_answered_with_the_status_it_would_have_had_alone(client):
    await order(client, "shop/old", line("CUP", 1))

    results = await bulk(
        client,
        wanted("new", line("CUP", 2)),
        wanted("old", line("CUP", 1)),
        wanted("huge", line("CUP", 999_999)),
        wanted("odd", line("SAUCER", 1)),
        wanted("lost", line("CUP", 1), channel="nowhere"),
    )

    assert [(row["external_id"], row["status"]) for row in results] == [
        ("new", 201),
        ("old", 200),
        ("huge", 409),
        ("odd", 404),
        ("lost", 404),
    ]
    assert results[0]["order"]["lines"][0]["committed"] == 2
    assert results[1]["order"]["replayed"]
    assert [row["problem"]["type"].rpartition("/")[2] for row in results[2:]] == [
        "short",
        "unknown-sku",
        "unknown-channel",
    ]


async def test_orders_of_one_request_never_share_a_unit_and_the_first_come_first(client):
    there = await atp(client, "PLATE")

    results = await bulk(client, *(wanted(f"p{number}", line("PLATE", 1)) for number in range(there + 3)))

    assert [row["status"] for row in results] == [201] * there + [409] * 3
    assert await atp(client, "PLATE") == 0


async def test_the_whole_request_sent_again_has_no_second_effect(client):
    await receive(client, "PLATE", "oslo", 50)
    orders = [wanted(f"b{number}", line("PLATE", 2)) for number in range(5)]
    first = await bulk(client, *orders)
    left = await atp(client, "PLATE")

    again = await bulk(client, *orders)

    assert [row["status"] for row in again] == [200] * 5
    assert [row["order"]["lines"] for row in again] == [row["order"]["lines"] for row in first]
    assert await atp(client, "PLATE") == left


async def test_an_order_that_is_no_order_spoils_the_request_and_nothing_is_done(client):
    left = await atp(client, "CUP")
    body = {"orders": [wanted("fine", line("CUP", 1)), wanted("bad", line("CUP", 0))]}

    answer = await client.post("/v1/orders/bulk", json=body)

    assert (slug(answer), answer.json()["where"]) == ("unfit", "body /orders/1/lines/0/units")
    assert await atp(client, "CUP") == left


async def test_more_than_a_hundred_orders_are_refused(client):
    body = {"orders": [wanted(str(number), line("CUP", 1)) for number in range(101)]}

    answer = await client.post("/v1/orders/bulk", json=body)

    assert (slug(answer), answer.json()["where"]) == ("unfit", "body /orders")
