import msgspec
import pytest

from tests.app.talk import atp, hold, line, new_op, order, slug


async def test_a_hold_takes_units_out_of_what_may_be_promised(client):
    answer = await hold(client, "cart-1", line("CUP", 4))

    assert answer.status_code == 201
    held = answer.json()
    assert (held["hold_id"], held["lines"]) == ("cart-1", [{"line": "1", "sku": "CUP", "units": 4, "held": 4}])
    assert await atp(client, "CUP") == 11


async def test_the_same_hold_again_is_the_same_answer(client):
    first = await hold(client, "cart-1", line("CUP", 4))

    again = await hold(client, "cart-1", line("CUP", 4))

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == {**first.json(), "replayed": True}
    assert await atp(client, "CUP") == 11


async def test_the_same_id_for_something_else_is_a_conflict(client):
    await hold(client, "cart-1", line("CUP", 4))

    other = await hold(client, "cart-1", line("CUP", 5))

    assert (other.status_code, slug(other)) == (422, "op-conflict")
    assert await atp(client, "CUP") == 11


async def test_more_than_there_is_is_refused_with_the_numbers(client):
    answer = await hold(client, "cart-1", line("CUP", 1), line("PLATE", 9, line="b"))

    assert (answer.status_code, slug(answer)) == (409, "short")
    assert answer.json()["facts"]["lines"] == [
        {"line": "1", "sku": "CUP", "units": 1, "atp_now": 15},
        {"line": "b", "sku": "PLATE", "units": 9, "atp_now": 4},
    ]


async def test_a_refusal_stays_a_refusal(client):
    await hold(client, "cart-1", line("PLATE", 9))
    await client.post(
        "/v1/stock/receive",
        json={"lines": [{"sku": "PLATE", "location": "oslo", "units": 100}]},
        headers=new_op(),
    )

    again = await hold(client, "cart-1", line("PLATE", 9))

    assert (again.status_code, again.headers["idempotency-replayed"]) == (409, "true")


async def test_a_partial_hold_takes_what_there_is(client):
    answer = await hold(client, "cart-1", line("PLATE", 9), partial=True)

    assert answer.json()["lines"] == [{"line": "1", "sku": "PLATE", "units": 9, "held": 4}]


async def test_lasts_as_long_as_the_settings_say_unless_asked_otherwise(client, allocator):
    allocator.now_ms = 4_000_000_000_000

    usual = await hold(client, "cart-1", line("CUP", 1))
    short = await hold(client, "cart-2", line("CUP", 1), ttl_seconds=5)

    assert usual.json()["deadline_ms"] == 4_000_000_060_000
    assert short.json()["deadline_ms"] == 4_000_000_005_000


@pytest.mark.parametrize("seconds", [0, 601, "5", 1.5])
async def test_nobody_may_hold_for_longer_than_the_settings_allow(client, seconds: object):
    answer = await hold(client, "cart-1", line("CUP", 1), ttl_seconds=seconds)

    assert (answer.status_code, slug(answer)) == (422, "unfit")
    assert answer.json()["where"] == "body /ttl_seconds"


async def test_a_hold_can_be_read(client):
    await hold(client, "cart-1", line("CUP", 4), owner="ann")

    found = (await client.get("/v1/holds/cart-1")).json()

    assert (found["channel"], found["owner"], found["state"]) == ("shop", "ann", "open")
    assert [(take["location"], take["units"]) for take in found["takes"]] == [("oslo", 4)]


async def test_a_hold_nobody_made_is_unknown(client):
    answer = await client.get("/v1/holds/cart-1")

    assert (answer.status_code, slug(answer)) == (404, "unknown-hold")
    assert answer.json()["facts"] == {"hold": "cart-1"}


async def test_a_released_hold_gives_its_units_back_once(client):
    await hold(client, "cart-1", line("CUP", 4))

    first = await client.delete("/v1/holds/cart-1")
    again = await client.delete("/v1/holds/cart-1")

    assert (first.status_code, first.json()["replayed"]) == (200, False)
    assert (again.status_code, again.json()["replayed"]) == (200, True)
    assert await atp(client, "CUP") == 15


async def test_an_ended_hold_cannot_be_extended(client):
    await hold(client, "cart-1", line("CUP", 4))
    await client.delete("/v1/holds/cart-1")

    answer = await client.post("/v1/holds/cart-1/extend", json={"ttl_seconds": 60}, headers=new_op())

    assert (answer.status_code, slug(answer)) == (409, "hold-ended")
    assert answer.json()["facts"] == {"hold": "cart-1", "state": "released"}


async def test_an_extended_hold_lives_longer(client, allocator):
    allocator.now_ms = 4_000_000_000_000
    await hold(client, "cart-1", line("CUP", 4))

    answer = await client.post("/v1/holds/cart-1/extend", json={"ttl_seconds": 90}, headers=new_op())

    assert answer.json() == {"hold_id": "cart-1", "deadline_ms": 4_000_000_090_000, "replayed": False}


async def test_an_extension_needs_a_name(client):
    await hold(client, "cart-1", line("CUP", 4))

    answer = await client.post("/v1/holds/cart-1/extend", json={"ttl_seconds": 90})

    assert (answer.status_code, slug(answer)) == (400, "idempotency-key-missing")
    assert answer.json()["where"] == "header Idempotency-Key"


async def test_an_order_takes_a_hold_over(client):
    await hold(client, "cart-1", line("CUP", 4))

    placed = await order(client, "shop/1", line("CUP", 4), hold="cart-1")

    assert (placed.status_code, placed.json()["hold"]) == (201, "used")
    assert await atp(client, "CUP") == 11


async def test_an_id_may_have_a_slash_and_anything_else_people_write(client):
    made = await hold(client, "gid:%2F%2Fshop%2FCart%20%C3%A5", line("CUP", 1))
    found = await client.get("/v1/holds/gid:%2f%2fshop%2fCart%20%C3%A5")

    assert made.json()["hold_id"] == found.json()["hold_id"] == "gid://shop/Cart å"


async def test_the_ledger_names_the_key_that_held(client, key, redis_of_service):
    await hold(client, "cart-1", line("CUP", 1))

    [(_, entry)] = await redis_of_service.xrevrange("{main}:ledger", count=1)

    verb, op, _, _, actor, *_ = msgspec.msgpack.decode(entry[b"entry"])
    assert (verb, op, actor) == ("hold", "hold:cart-1", f"key:{key.split('_')[2]}")
