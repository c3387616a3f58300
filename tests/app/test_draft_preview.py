"""A draft is tried on recent orders: what each would get now, with it and without it, and nothing is written."""

import asyncio
from time import perf_counter

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from app.config import foreseeing
from app.draining.drain import Drain
from app.store.statements import all_rows
from tests.allocator.fixtures import dump
from tests.app.talk import line, new_op, order, receive, slug

MANY = 1_000


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


async def channel_row(client, code: str, **changes) -> dict[str, object]:
    """A row of a draft: this channel with something changed."""
    item = (await client.get(f"/v1/channels/{code}")).json()["item"]
    return {"kind": "channels", "put": {**item, **changes}}


async def draft(client, *rows: dict[str, object], name: str = "winter") -> None:
    saved = await client.put(f"/v1/config/drafts/{name}", json={"rows": list(rows)})
    assert saved.status_code == 200, saved.text


async def preview(client, name: str = "winter", **asked: object) -> dict:
    answer = await client.post(f"/v1/config/drafts/{name}/preview", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def rome_first(client) -> dict[str, object]:
    return await channel_row(client, "shop", locations=[{"code": "rome"}, {"code": "oslo"}])


def kept_back(units: int, **scope: str) -> dict[str, object]:
    return {"kind": "rules", "put": {"id": "back", "kind": "safety_stock", "units": units, **scope}}


async def everything(state) -> tuple[object, ...]:
    """All that Valkey has of the seller, and all of SQL; what processes say of themselves in Valkey comes and goes."""
    async with state.database.reading() as session:
        tables = {table.name: await all_rows(session, select(table)) for table in SQLModel.metadata.sorted_tables}
    kept = {key: value for key, value in (await dump(state.pipe.client)).items() if key.startswith(b"{main}:")}
    return kept, {name: sorted(map(repr, rows)) for name, rows in tables.items()}


async def test_it_says_of_each_order_where_it_would_go_and_adds_up(client, drain):
    await order(client, "shop/1", line("CUP", 1))
    await order(client, "shop/2", line("CUP", 2), line("PLATE", 1))
    await drain.run()
    await draft(client, await rome_first(client))

    said = await preview(client)

    [changed] = said["orders"]
    totals = said["totals"]
    assert (said["found"], said["compared"], said["unsteady"]) == (2, 2, 0)
    assert (totals["changed"], totals["unchanged"]) == (1, 1)
    assert [changed["external_id"], changed["before"]["outcome"], changed["after"]["outcome"]] == ["1", *2 * ["placed"]]
    assert [(row["before"], row["after"]) for row in changed["lines"]] == [
        ({"locations": {"oslo": 1}, "missing": 0}, {"locations": {"rome": 1}, "missing": 0})
    ]
    assert [(row["location"], row["units_before"], row["units_after"]) for row in totals["locations"]] == [
        ("oslo", 4, 3),
        ("rome", 0, 1),
    ]
    assert (totals["parcels_before"], totals["parcels_after"]) == (2, 2)


async def test_what_it_says_is_what_orders_get_when_it_is_in_force(client, drain):
    for number, channel in enumerate(["shop", "amazon", "shop"]):
        await order(client, f"{channel}/{number}", line("CUP", 1 + number))
    await drain.run()
    await draft(client, await rome_first(client), kept_back(4, location="oslo"))
    said = await preview(client)

    await client.post("/v1/config/drafts/winter/activate", json={"version": 1})

    for one in said["orders"]:
        wanted = [line(row["sku"], sum(row["before"]["locations"].values())) for row in one["lines"]]
        got = (await client.post("/v1/preview", json={"channel": one["channel"], "lines": wanted})).json()
        takes = {take["location"]: take["units"] for row in got["lines"] for take in row["takes"]}
        assert takes == one["lines"][0]["after"]["locations"]
    assert len(said["orders"]) == 3


async def test_what_a_draft_leaves_short_or_serves_is_counted(client, drain):
    await order(client, "shop/1", line("CUP", 4))
    await order(client, "amazon/1", line("CUP", 2))
    await drain.run()
    await draft(client, kept_back(9, location="oslo"), kept_back(5, location="rome") | {"put": _rome_back()})

    said = await preview(client)
    await client.post("/v1/config/drafts/winter/activate", json={"version": 1})
    await draft(client, {"kind": "rules", "delete": "back"}, {"kind": "rules", "delete": "rome"}, name="spring")
    back = await preview(client, "spring")

    assert [(one["external_id"], one["after"]["outcome"]) for one in said["orders"]] == [("1", "short")]
    assert (said["totals"]["now_short"], said["totals"]["now_served"]) == (1, 0)
    assert (back["totals"]["now_short"], back["totals"]["now_served"]) == (0, 1)
    assert said["orders"][0]["lines"][0]["after"] == {"locations": {}, "missing": 4}


def _rome_back() -> dict[str, object]:
    return {"id": "rome", "kind": "safety_stock", "units": 5, "location": "rome"}


async def test_nothing_at_all_is_written(client, drain, state):
    for number in range(3):
        await order(client, f"shop/{number}", line("CUP", 2))
    await order(client, "amazon/1", line("PLATE", 9))
    await drain.run()
    await draft(client, await rome_first(client), kept_back(3, sku="CUP", location="oslo"))
    before = await everything(state)

    said = await preview(client)

    assert said["totals"]["changed"] > 0
    assert await everything(state) == before


async def test_the_newest_orders_of_a_channel_since_a_time_are_asked_for(client, drain, allocator):
    start = allocator._moment_ms()
    for number in range(4):
        allocator.now_ms = start + number
        await order(client, f"shop/{number}", line("CUP", 1))
    await order(client, "amazon/1", line("CUP", 1))
    await drain.run()
    allocator.now_ms = None
    await draft(client, await rome_first(client))

    of_shop = await preview(client, channel="shop", orders=3)
    late = await preview(client, channel="shop", since_ms=start + 2)
    amazon = await preview(client, channel="amazon")

    assert [one["external_id"] for one in of_shop["orders"]] == ["3", "2", "1"]
    assert [one["external_id"] for one in late["orders"]] == ["3", "2"]
    assert (amazon["compared"], amazon["orders"]) == (1, [])


async def test_goods_that_had_left_are_not_routed_and_make_room_for_others(client, drain):
    await order(client, "shop/1", line("CUP", 1))
    for number in range(3):
        await order(client, f"till/{number}", line("CUP", 1))
    await drain.run()
    await draft(client, await rome_first(client))

    said = await preview(client, orders=2)

    assert (said["found"], [one["external_id"] for one in said["orders"]]) == (1, ["1"])


async def test_how_an_order_leaves_is_asked_for_again(client, drain):
    place = await client.get("/v1/locations/rome")
    store = {**place.json()["item"], "pickup": True}
    await client.put("/v1/locations/rome", json=store, headers={"If-Match": place.headers["ETag"]})
    await order(client, "shop/1", line("CUP", 1), pickup="rome")
    await drain.run()
    await draft(client, await channel_row(client, "shop", locations=[{"code": "oslo"}]))

    [changed] = (await preview(client))["orders"]

    assert (changed["before"]["outcome"], changed["before"]["parcels"]) == ("placed", 1)
    assert changed["after"]["outcome"] == "invalid"


async def test_a_draft_that_could_not_be_put_in_force_is_refused_with_the_same_reason(client):
    await draft(client, {"kind": "skus", "delete": "NONE"})
    await draft(client, kept_back(1), name="done")
    await client.post("/v1/config/drafts/done/activate", json={"version": 1})

    refused, over, unknown = [
        await client.post(f"/v1/config/drafts/{name}/preview") for name in ("winter", "done", "nobodys")
    ]

    assert [slug(answer) for answer in (refused, over, unknown)] == ["unknown-item", "draft-over", "unknown-draft"]


async def test_it_asks_no_longer_than_its_time(client, drain, monkeypatch):
    for number in range(3):
        await order(client, f"shop/{number}", line("CUP", 1))
    await drain.run()
    await draft(client, await rome_first(client))
    monkeypatch.setattr(foreseeing, "LINES_AT_ONCE", 1)
    monkeypatch.setattr(foreseeing, "SECONDS_MAX", 0.0)

    said = await preview(client)

    assert (said["found"], said["compared"]) == (3, 0)


async def test_units_that_move_between_the_two_questions_are_no_difference(client, drain, allocator, monkeypatch):
    await order(client, "shop/1", line("CUP", 1))
    await drain.run()
    await draft(client, kept_back(2, sku="PLATE"))
    asked = 0
    place = allocator.order

    async def busy(*args, **told):
        nonlocal asked
        asked += 1
        if asked == 2:
            await client.post(
                "/v1/stock/unavailable",
                json={
                    "reason": "damaged",
                    "direction": "in",
                    "lines": [{"sku": "CUP", "location": "oslo", "units": 9}],
                },
                headers=new_op(),
            )
        return await place(*args, **told)

    monkeypatch.setattr(allocator, "order", busy)

    said = await preview(client)

    assert (asked, said["compared"], said["orders"]) == (5, 1, [])


async def test_a_thousand_orders_are_previewed_in_a_moment_and_others_hardly_wait(client, drain):
    await receive(client, "CUP", "oslo", 4 * MANY)
    for start in range(0, MANY, 100):
        rows = [
            {"channel": "shop", "external_id": str(number), "lines": [line("CUP", 1)]}
            for number in range(start, start + 100)
        ]
        await client.post("/v1/orders/bulk", json={"orders": rows})
    await receive(client, "CUP", "rome", MANY)
    await drain.run()
    await draft(client, await rome_first(client))

    begun, waits = perf_counter(), []
    asking = asyncio.create_task(preview(client, orders=MANY))
    while not asking.done():
        at = perf_counter()
        await client.get("/v1/availability/CUP", params={"channel": "shop"})
        waits.append(perf_counter() - at)
    said, took = await asking, perf_counter() - begun

    print(f"{MANY} orders previewed in {took:.2f} s, others waited {max(waits) * 1000:.0f} ms at most")
    assert (said["compared"], said["totals"]["changed"]) == (MANY, MANY)
    assert took < foreseeing.SECONDS_MAX
