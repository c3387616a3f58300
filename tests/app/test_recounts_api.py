"""Reasons, recounts and rates of rejects over HTTP."""

from datetime import datetime

import pytest

from allocator import AdjustLine
from app.draining.drain import Drain
from app.exchange.jobs import ExportJob, run_export
from app.opening import open_service
from app.reject_rates import refresh_rates
from app.store.database import DatabaseAway
from tests.app.away import sql_away
from tests.app.exchanging import QUIET, read_csv, read_xlsx
from tests.app.holders import bearer, make, send
from tests.app.talk import line, new_op, order, receive, slug


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


async def reject(client, id: str, reason: str, location: str = "oslo"):
    body = {"location": location, "reason": reason}
    return await client.post(f"/v1/orders/shop/{id}/reject", json=body, headers=new_op())


async def refused(client, *ids: str, units: int = 1) -> None:
    """Orders of cups from Oslo that were not there."""
    for id in ids:
        await order(client, f"shop/{id}", line("CUP", units), prefer=["oslo"])
        assert (await reject(client, id, "mismatch")).status_code == 200


async def test_the_reasons_that_a_reject_may_name_are_the_default_ones_and_the_sellers_own(client):
    await client.put("/v1/reasons/no_staff", json={"code": "no_staff", "name": "Nobody there"})
    await client.put("/v1/reasons/damaged", json={"code": "damaged", "effect": "less"})

    said = (await client.get("/v1/reject-reasons")).json()

    found = {row["code"]: (row["effect"], row["recount"], row["default"]) for row in said["reasons"]}
    assert found == {
        "closed": ("none", False, True),
        "damaged": ("less", False, False),
        "mismatch": ("less", True, True),
        "no_staff": ("none", False, False),
        "not_found": ("zero", True, True),
        "other": ("none", False, True),
        "too_busy": ("none", False, True),
    }


async def test_an_unknown_reason_is_refused_with_those_that_there_are(client):
    await order(client, "shop/1", line("CUP", 1), prefer=["oslo"])

    answer = await reject(client, "1", "lost")

    assert (answer.status_code, slug(answer)) == (404, "unknown-reason")
    assert answer.json()["facts"]["allowed"] == ["closed", "damaged", "mismatch", "not_found", "other", "too_busy"]


async def test_the_caller_does_not_say_what_a_reason_means(client):
    await order(client, "shop/1", line("CUP", 1), prefer=["oslo"])
    body = {"location": "oslo", "reason": "too_busy", "effect": "zero"}

    answer = await client.post("/v1/orders/shop/1/reject", json=body, headers=new_op())

    assert (answer.status_code, slug(answer)) == (422, "unfit")


async def test_what_is_to_be_counted_is_listed_until_a_count_closes_it(client, state, drain):
    await refused(client, "1", "2")
    await drain.run()

    before = (await client.get("/v1/recounts", params={"state": "open", "location": "oslo"})).json()["data"]
    counted = [AdjustLine("CUP", "oslo", 2)]
    await state.allocators["main"].count(counted, op="shelf-17", source="erp", why="they lay behind", actor="key:erp")
    await drain.run()
    [task] = (await client.get("/v1/recounts", params={"sku": "CUP"})).json()["data"]

    assert [(row["sku"], row["reason"], row["rejects"], row["units"], row["counted"]) for row in before] == [
        ("CUP", "mismatch", 2, 2, None)
    ]
    told = {name: task["counted"][name] for name in ("op", "actor", "confirmed", "difference")}
    assert told == {"op": "count:shelf-17", "actor": "key:erp", "confirmed": False, "difference": 2}
    assert (await client.get("/v1/recounts", params={"state": "open"})).json()["data"] == []


async def test_pages_have_every_task_once(client, drain):
    for sku in ("CUP", "PLATE"):
        await receive(client, sku, "oslo", 3)
        await order(client, f"shop/{sku}", line(sku, 1), prefer=["oslo"])
        await reject(client, sku, "mismatch")
    await drain.run()

    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/recounts", params={"limit": 1, "cursor": cursor})).json()
        seen += [row["sku"] for row in page["data"]]
        cursor = page["next_cursor"]

    assert seen == ["CUP", "PLATE"]


async def test_a_key_of_another_location_sees_neither_tasks_nor_rates(app, client, state, drain):
    await refused(client, "1")
    await drain.run()
    key = await make(state, "warehouse", locations=["rome"])

    tasks = await send(app, "GET", "/v1/recounts", bearer(key))
    rates = await send(app, "GET", "/v1/reject-rates", bearer(key))
    asked = await send(app, "GET", "/v1/recounts?location=oslo", bearer(key))

    assert (tasks.status, rates.status, asked.status) == (200, 200, 403)
    assert (await client.get("/v1/recounts")).json()["data"] != []


async def test_the_rate_of_rejects_lowers_a_location_where_the_routing_asks_for_it(client, state, drain):
    await receive(client, "CUP", "oslo", 30)
    await receive(client, "CUP", "rome", 30)
    shop = (await client.get("/v1/channels/shop")).json()
    routed = {**shop["item"], "routing": ["reject_rate", "channel_rank"]}
    await client.put("/v1/channels/shop", json=routed, headers={"If-Match": str(shop["version"])})
    await order(client, "shop/1", line("CUP", 21), prefer=["oslo"])
    await refused(client, "2", units=3)
    await drain.run()

    before = (await client.get("/v1/reject-rates")).json()
    await refresh_rates(state)
    after = (await client.get("/v1/reject-rates")).json()
    explained = (await client.get("/v1/orders/shop/1/explain")).json()

    [oslo] = [row for row in before["rates"] if row["location"] == "oslo"]
    assert (oslo["taken"], oslo["rejected"], oslo["percent"], oslo["counts"]) == (24, 3, 12, True)
    assert [row["ranks_as"] for row in after["rates"] if row["location"] == "oslo"] == [10]
    ranked = {row["location"]: row for row in explained["locations"]}
    assert ranked["oslo"]["tie"] > ranked["rome"]["tie"]
    assert {"ranking": "reject_rate", "value": 10} in ranked["oslo"]["rankings"]


async def test_too_few_units_lower_nothing(client, state, drain):
    await refused(client, "1")
    await drain.run()

    await refresh_rates(state)

    [oslo] = [row for row in (await client.get("/v1/reject-rates")).json()["rates"] if row["location"] == "oslo"]
    assert (oslo["taken"], oslo["percent"], oslo["counts"]) == (1, 100, False)
    assert state.allocators["main"].rates == {}


# Connections that could not be opened: see tests/app/away.py.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_without_sql_the_last_known_rates_stay(settings):
    async with open_service(settings) as state:
        state.allocators["main"].rank_with({"oslo": 40})

        async with sql_away(state):
            with pytest.raises(DatabaseAway):
                await refresh_rates(state)

        assert state.allocators["main"].rates == {"oslo": 40}


async def test_what_is_to_be_counted_is_exported_as_a_table(client, state, drain, tmp_path):
    await refused(client, "1", "2")
    await drain.run()
    await receive(client, "CUP", "rome", 9)
    await order(client, "shop/3", line("CUP", 1), prefer=["rome"])
    assert (await reject(client, "3", "mismatch", "rome")).status_code == 200
    await drain.run()
    counted = [AdjustLine("CUP", "oslo", 2)]
    await state.allocators["main"].count(counted, op="shelf-17", source="erp", why="behind", actor="key:erp")
    await drain.run()
    listed = (await client.get("/v1/recounts")).json()["data"]

    every, still_open = tmp_path / "all.csv", tmp_path / "open.xlsx"
    await run_export(ExportJob("recounts", every), client, QUIET)
    await run_export(ExportJob("recounts", still_open, {"state": "open"}), client, QUIET)

    header, *rows = read_csv(every)
    shown = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["sku"], row["location"], row["units"], row["external_id"]) for row in shown] == [
        (row["sku"], row["location"], str(row["units"]), row["external_id"]) for row in listed
    ]
    assert [row["counted_by"] for row in shown] == [row["counted"]["actor"] if row["counted"] else "" for row in listed]
    assert [datetime.fromisoformat(row["since"]).timestamp() for row in shown] == [
        row["at_ms"] // 1000 for row in listed
    ]
    assert len(read_xlsx(still_open)) == 1 + sum(row["counted"] is None for row in listed)
    assert [row["counted_by"] for row in shown] == ["key:erp", ""]
    assert header[:2] == ["sku", "location"]
