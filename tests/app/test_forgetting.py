"""What is old and in SQL leaves Valkey, and callers notice nothing: every request gets the answer it would have got."""

import pytest
from sqlmodel import select, text

from allocator.errors import NotReady
from app.draining import forgetting as walking
from app.draining.drain import Drain
from app.draining.forgetting import Forgetting
from app.store.datasets import next_generation
from app.store.ledger_tables import OpAnswerRow
from app.times import DAY_MS, now_ms
from tests.app.talk import atp, hold, line, new_op, order, slug

OPS, HOLDS, ORDERS, FILTER = "{main}:ops", "{main}:holds", "{main}:orders", "{main}:forgotten"


@pytest.fixture
async def drain(state):
    drain = Drain(state.database, state.pipe.client)
    yield drain
    await drain.stop()


def forgetting(state, *, later_days: float) -> Forgetting:
    """What a worker has so many days from now."""
    later_ms = int(later_days * DAY_MS)
    return Forgetting(state.database, state.pipe.client, days=7, clock=lambda: now_ms() + later_ms)


async def walk(state, *, later_days: float = 8) -> int:
    """One walk over everything; how much left."""
    walker, removed = forgetting(state, later_days=later_days), 0
    more = True
    while more:
        forgot = await walker.run()
        removed, more = removed + forgot.removed, forgot.more
    await walker.stop()
    return removed


async def post(client, path: str, body: object = None, op: dict[str, str] | None = None):
    return await client.post(path, json=body or {}, headers=op or new_op())


@pytest.fixture
async def past(client, state, drain):
    """An order that was shipped, one that was refused, a hold that was released; all of it long ago."""
    first = {
        "order": await order(client, "shop/1", line("CUP", 4)),
        "refused": await order(client, "shop/2", line("CUP", 99)),
        "hold": await hold(client, "h", line("CUP", 1)),
        "released": await client.delete("/v1/holds/h"),
        "shipped": await post(client, "/v1/orders/shop/1/ship", op={"Idempotency-Key": "parcel"}),
    }
    await drain.run()
    assert await walk(state) > len(first)
    return first


async def has(state, key: str, field: str) -> bool:
    return await state.pipe.client.hexists(key, field)


# --- the same answers ------------------------------------------------------------------------------------------


async def test_requests_of_long_ago_get_their_answers_again(client, state, past):
    again = {
        "order": await order(client, "shop/1", line("CUP", 4)),
        "hold": await hold(client, "h", line("CUP", 1)),
        "released": await client.delete("/v1/holds/h"),
        "shipped": await post(client, "/v1/orders/shop/1/ship", op={"Idempotency-Key": "parcel"}),
    }

    assert await state.pipe.client.hlen(OPS) == 0
    for name, answer in again.items():
        assert (name, answer.status_code, answer.json()) == (name, 200, {**past[name].json(), "replayed": True})
    assert await atp(client, "CUP") == 11


async def test_a_no_of_long_ago_is_still_no_with_its_facts(client, past):
    again = await order(client, "shop/2", line("CUP", 99))

    assert (again.status_code, again.json()["facts"]) == (409, past["refused"].json()["facts"])


async def test_another_request_under_an_id_of_long_ago_is_a_conflict(client, past):
    other = await order(client, "shop/1", line("CUP", 1))
    ship = await post(client, "/v1/orders/shop/1/ship", {"lines": []}, op={"Idempotency-Key": "parcel"})
    moved = await post(
        client,
        "/v1/orders/shop/1/ship",
        {"lines": [{"line": "1", "location": "oslo", "units": 1}]},
        op={"Idempotency-Key": "parcel"},
    )

    assert (other.status_code, slug(other)) == (422, "op-conflict")
    assert ship.status_code == 200
    assert (moved.status_code, slug(moved)) == (422, "op-conflict")


async def test_an_acceptance_of_long_ago_is_final_for_the_id(client, past):
    again = await order(client, "shop/1", line("CUP", 4), attempt=2)

    assert (again.status_code, again.json()["replayed"]) == (200, True)
    assert await atp(client, "CUP") == 11


async def test_goods_of_an_order_of_long_ago_come_back(client, state, drain, past):
    goods = {"lines": [{"line": "1", "location": "oslo", "units": 3, "disposition": "restock"}]}
    assert not await has(state, ORDERS, "shop:1")

    back = await post(client, "/v1/orders/shop/1/return", goods)

    assert (back.status_code, back.json()["lines"][0]["returned"]) == (200, 3)
    assert await atp(client, "CUP") == 14
    await drain.run()
    await walk(state, later_days=16)
    assert not await has(state, ORDERS, "shop:1")
    assert (await client.get("/v1/orders/shop/1")).json()["lines"][0]["returned"] == 3


async def test_orders_and_holds_of_long_ago_are_read_and_explained(client, past):
    found = await client.get("/v1/orders/shop/1")
    held = await client.get("/v1/holds/h")
    explained = await client.get("/v1/orders/shop/1/explain")
    refused = await client.get("/v1/orders/shop/2/explain")

    assert (found.status_code, found.json()["state"]) == (200, "shipped")
    assert (held.status_code, held.json()["state"]) == (200, "released")
    assert (explained.json()["outcome"], refused.json()["outcome"]) == ("accepted", "short")


async def test_what_never_was_is_unknown(client, past):
    answers = [
        await client.get("/v1/orders/shop/none"),
        await client.get("/v1/holds/none"),
        await post(client, "/v1/orders/shop/none/ship"),
        await client.delete("/v1/holds/none"),
    ]

    assert [slug(answer) for answer in answers] == ["unknown-order", "unknown-hold", "unknown-order", "unknown-hold"]


# --- what may leave --------------------------------------------------------------------------------------------


async def test_what_is_not_old_enough_stays(client, state, drain):
    await order(client, "shop/1", line("CUP", 4))
    await post(client, "/v1/orders/shop/1/ship")
    await order(client, "shop/2", line("CUP", 99))
    await drain.run()

    assert await walk(state, later_days=6.9) == 0
    assert not await state.pipe.client.exists(FILTER)


async def test_what_is_not_in_sql_stays_and_a_no_is_written_there_first(client, state):
    await order(client, "shop/1", line("CUP", 4))
    await post(client, "/v1/orders/shop/1/ship")
    await order(client, "shop/2", line("CUP", 99))

    removed = await walk(state)

    async with state.database.reading() as session:
        kept = [row.op for row in (await session.exec(select(OpAnswerRow))).all()]
    assert (removed, kept) == (1, ["order:shop:2:1"])
    assert await has(state, ORDERS, "shop:1")
    assert await has(state, OPS, "order:shop:1:1")


async def test_what_has_changed_since_it_was_drained_stays(client, state, drain):
    await order(client, "shop/1", line("CUP", 4))
    await post(client, "/v1/orders/shop/1/ship")
    await drain.run()
    goods = {"lines": [{"line": "1", "location": "oslo", "units": 3, "disposition": "restock"}]}
    await post(client, "/v1/orders/shop/1/return", goods)

    await walk(state)

    assert await has(state, ORDERS, "shop:1")


async def test_what_is_open_stays_and_goes_on_when_its_answer_has_left(client, state, drain):
    await order(client, "shop/1", line("CUP", 4))
    await hold(client, "h", line("CUP", 1))
    await drain.run()
    await walk(state)

    shipped = await post(client, "/v1/orders/shop/1/ship")

    assert (shipped.status_code, shipped.json()["state"]) == (200, "shipped")
    assert (await state.pipe.client.hlen(OPS), await has(state, HOLDS, "h")) == (1, True)
    assert (await order(client, "shop/1", line("CUP", 4))).status_code == 200


async def test_page_by_page_everything_leaves(client, state, drain, monkeypatch):
    monkeypatch.setattr(walking, "PAGES", {kind: (key, 3) for kind, (key, _) in walking.PAGES.items()})
    monkeypatch.setattr(walking, "CALL", 2)
    monkeypatch.setattr(walking.remembered, "ASK_MAX", 2)
    for number in range(150):
        await order(client, f"amazon/{number}", line("PLATE", 1))
        await post(client, f"/v1/orders/amazon/{number}/cancel")
    await drain.run()

    removed = await walk(state)

    assert removed >= 450
    assert (await state.pipe.client.hlen(OPS), await state.pipe.client.hlen(ORDERS)) == (0, 0)


async def test_a_record_that_cannot_be_read_stays_and_keeps_nothing_else(client, state, drain):
    await order(client, "shop/1", line("CUP", 4))
    await post(client, "/v1/orders/shop/1/ship")
    await drain.run()
    for key in (OPS, ORDERS, HOLDS):
        await state.pipe.client.hset(key, "broken", b"1600000000000" + b"f" * 16 + b"cut off")

    await walk(state)

    assert await state.pipe.client.hkeys(OPS) == await state.pipe.client.hkeys(ORDERS) == [b"broken"]


async def test_one_walks_for_all(client, state, drain):
    await order(client, "shop/1", line("CUP", 4))
    await drain.run()
    one, other = forgetting(state, later_days=8), forgetting(state, later_days=8)

    first, second = await one.run(), await other.run()
    await one.stop()
    third = await other.run()
    await other.stop()

    assert (first.seen > 0, second.seen, third.seen > 0 or third.more) == (True, 0, True)


async def test_after_a_walk_there_is_a_rest(client, state):
    walker = forgetting(state, later_days=8)

    runs = [await walker.run() for _ in range(5)]
    await walker.stop()

    assert [run.more for run in runs] == [True, True, False, False, False]
    assert [run.seen for run in runs[3:]] == [0, 0]


async def test_of_another_data_set_nothing_leaves(client, state, drain):
    await order(client, "shop/1", line("CUP", 4))
    await drain.run()
    async with state.database.writing() as session:
        await next_generation(session)

    with pytest.raises(NotReady):
        await walk(state)
    assert await has(state, OPS, "order:shop:1:1")


# --- SQL is away -----------------------------------------------------------------------------------------------


async def test_without_sql_old_requests_wait_and_new_ones_go_on(client, state, past):
    async with state.database.writing() as session:
        await session.exec(text("ALTER TABLE op_answer RENAME TO op_answer_elsewhere"))

    old = await order(client, "shop/1", line("CUP", 4))
    new = await order(client, "shop/3", line("CUP", 4))

    assert (old.status_code, slug(old), old.json()["outcome"]) == (503, "history-away", "not_applied")
    assert new.status_code == 201
    assert await atp(client, "CUP") == 7
