import pytest

from tests.app.talk import atp, line, new_op, order, receive, slug


async def move(client, path: str, **body: object):
    return await client.post(f"/v1/{path}", json=body, headers=new_op())


def at(units: int, sku: str = "CUP", location: str = "oslo", **more: object) -> dict[str, object]:
    return {"sku": sku, "location": location, "units": units, **more}


async def test_units_that_arrive_may_be_promised(client):
    answer = await receive(client, "CUP", "oslo", 5)

    assert (answer.status_code, answer.json()["replayed"]) == (200, False)
    assert [row["sku"] for row in answer.json()["versions"]] == ["CUP"]
    assert await atp(client, "CUP") == 20


async def test_a_correction_goes_up_or_down(client):
    answer = await move(client, "stock/adjust", lines=[at(-3), at(1, "PLATE")], why="counted")

    assert answer.status_code == 200
    assert (await atp(client, "CUP"), await atp(client, "PLATE")) == (12, 5)


async def test_a_correction_below_what_is_promised_is_owed(client):
    await order(client, "shop/1", line("CUP", 10))

    await move(client, "stock/adjust", lines=[at(-4)], why="water damage")

    assert await atp(client, "CUP") == 1


async def test_nobody_takes_away_what_is_not_there(client):
    answer = await move(client, "stock/adjust", lines=[at(-11)], why="counted")

    assert (answer.status_code, slug(answer)) == (409, "not-enough")
    assert answer.json()["facts"] == {"sku": "CUP", "location": "oslo", "units": 10}


async def test_units_go_out_of_sale_and_back(client):
    out = await move(client, "stock/unavailable", lines=[at(4)], reason="damaged", direction="in")
    between = await atp(client, "CUP")
    back = await move(client, "stock/unavailable", lines=[at(3)], reason="damaged", direction="out")

    assert (out.status_code, between, back.status_code) == (200, 11, 200)
    assert await atp(client, "CUP") == 14


async def test_goods_without_an_order_come_back_by_sku(client):
    lines = [at(1, disposition="restock"), at(1, disposition="quarantine"), at(1, disposition="scrap")]

    answer = await move(client, "stock/return", lines=lines, why="at the door")

    assert (answer.status_code, "state" in answer.json()) == (200, False)
    assert await atp(client, "CUP") == 16


async def test_a_movement_is_all_lines_or_none(client):
    answer = await move(client, "stock/receive", lines=[at(5), at(5, "SAUCER"), at(5, "SPOON")])

    assert (answer.status_code, slug(answer)) == (404, "unknown-sku")
    assert answer.json()["facts"] == {"skus": ["SAUCER", "SPOON"]}
    assert await atp(client, "CUP") == 15


async def test_a_location_nobody_knows_is_refused(client):
    answer = await move(client, "stock/receive", lines=[at(5, location="paris")])

    assert (answer.status_code, slug(answer)) == (404, "unknown-location")


async def test_a_movement_sent_twice_happens_once(client):
    body, op = {"lines": [at(5)]}, new_op()

    first = await client.post("/v1/stock/receive", json=body, headers=op)
    again = await client.post("/v1/stock/receive", json=body, headers=op)

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**first.json(), "replayed": True}
    assert await atp(client, "CUP") == 20


async def test_a_quoted_key_is_the_same_key(client):
    body = {"lines": [at(5)]}

    await client.post("/v1/stock/receive", json=body, headers={"Idempotency-Key": "truck-9"})
    again = await client.post("/v1/stock/receive", json=body, headers={"Idempotency-Key": '"truck-9"'})

    assert again.json()["replayed"] is True


async def test_one_key_for_two_movements_is_a_conflict(client):
    op = new_op()
    await client.post("/v1/stock/receive", json={"lines": [at(5)]}, headers=op)

    answer = await client.post("/v1/stock/receive", json={"lines": [at(6)]}, headers=op)

    assert (answer.status_code, slug(answer)) == (422, "op-conflict")


@pytest.mark.parametrize("name", ["", "x" * 129, "a\tb"])
async def test_a_key_that_cannot_be_a_name_is_refused(client, name: str):
    answer = await client.post("/v1/stock/receive", json={"lines": [at(5)]}, headers={"Idempotency-Key": name})

    assert (answer.status_code, slug(answer)) == (422, "unfit")
    assert answer.json()["where"] == "header Idempotency-Key"


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("stock/adjust", {"lines": [at(1)]}, "body /"),
        ("stock/adjust", {"lines": [at(1)], "why": ""}, "body /why"),
        ("stock/unavailable", {"lines": [at(1)], "reason": "damaged", "direction": "up"}, "body /direction"),
        ("stock/return", {"lines": [at(1, disposition="burn")]}, "body /lines/0/disposition"),
        ("stock/receive", {"lines": [at(1)] * 501}, "body /lines"),
        ("quotas/set", {"sku": "CUP", "location": "oslo", "channel": "shop", "quota": -1}, "body /quota"),
    ],
)
async def test_a_movement_that_does_not_fit_says_where(client, path: str, body: dict[str, object], where: str):
    answer = await move(client, path, **body)

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "unfit", where)


async def test_a_correction_by_nothing_makes_no_sense(client):
    answer = await move(client, "stock/adjust", lines=[at(0)], why="counted")

    assert (answer.status_code, slug(answer)) == (422, "invalid")


async def test_a_quota_keeps_units_for_one_channel(client):
    answer = await move(client, "quotas/set", sku="CUP", location="oslo", channel="shop", quota=6, floor=2)

    assert answer.status_code == 200
    assert (await atp(client, "CUP"), await atp(client, "CUP", "amazon")) == (15, 9)


async def test_a_quota_moves_to_another_channel(client):
    await move(client, "quotas/set", sku="CUP", location="oslo", channel="till", quota=6)

    way = {"from_channel": "till", "to_channel": "amazon"}
    answer = await move(client, "quotas/move", sku="CUP", location="oslo", units=4, **way)

    assert answer.status_code == 200
    assert await atp(client, "CUP", "amazon") == 13


async def test_more_of_a_quota_than_there_is_does_not_move(client):
    way = {"from_channel": "shop", "to_channel": "amazon"}

    answer = await move(client, "quotas/move", sku="PLATE", location="oslo", units=4, **way)

    assert (answer.status_code, slug(answer)) == (409, "not-enough")
