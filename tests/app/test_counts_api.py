"""Counts over HTTP: a result for each line, pages of what was sent, and who may let what through."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from app.counts.service import is_drained
from app.working import work
from tests.app.holders import bearer, make
from tests.app.talk import atp, new_op, slug


@asynccontextmanager
async def at_work(state, settings):
    """A worker, which copies the ledger into SQL until the block ends; it ends whatever happens, within a minute."""
    stop = asyncio.Event()
    task = asyncio.create_task(work(settings, stop))
    try:
        while not await is_drained(state, "main"):
            await asyncio.sleep(0.01)
        yield
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await task


@pytest.fixture
async def worker(state, settings):
    async with at_work(state, settings):
        yield


def counted(units: int, sku: str = "CUP", location: str = "oslo", **more: object) -> dict[str, object]:
    return {"sku": sku, "location": location, "counted": units, **more}


async def count(client, *lines: dict[str, object], op: str = "", **head: object):
    headers = {"Idempotency-Key": op} if op else new_op()
    return await client.post("/v1/counts", json={"source": "erp", "lines": list(lines), **head}, headers=headers)


async def snapshot(client, id: str, *lines: dict[str, object], key: str | None = None):
    headers = bearer(key) if key else {}
    begun = {**headers, "Idempotency-Key": id}
    await client.post("/v1/counts/snapshots", json={"source": "erp"}, headers=begun)
    await client.put(f"/v1/counts/{id}/parts/1", json={"lines": list(lines)}, headers=headers)
    return await client.post(f"/v1/counts/{id}/close", json={"parts": 1}, headers=headers)


async def until_settled(client, id: str) -> dict:
    """The count, once the schedule has nothing to do with it any more."""
    for _ in range(100):
        found = (await client.get(f"/v1/counts/{id}")).json()
        if found["state"] in {"parked", "applied", "discarded"}:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def version(client, sku: str) -> int:
    return (await client.get(f"/v1/availability/{sku}")).json()["levels"][0]["version"]


async def test_a_count_is_answered_with_a_result_for_each_line(client, worker):
    seen = await version(client, "CUP")
    lines = [
        counted(8, seen_up_to=seen),
        counted(10, seen_up_to=seen + 9),
        counted(1, "POT"),
        counted(3, location="rome"),
    ]

    answer = await count(client, *lines)

    assert (answer.status_code, answer.headers["Allot-Acknowledged"]) == (200, "ledger")
    found = answer.json()
    assert [(row["line"], row["state"], row["why"], row["difference"]) for row in found["results"]] == [
        (1, "applied", "", -2),
        (2, "refused", "not_happened", None),
        (3, "refused", "unknown_sku", None),
        (4, "review", "first_count", None),
    ]
    assert found["count"]["tally"] == {"applied": 1, "refused": 2, "review": 1}
    assert (found["count"]["state"], await atp(client, "CUP")) == ("applied", 13)


async def test_a_count_sent_again_has_one_effect_and_another_one_under_its_key_none(client, worker):
    seen = await version(client, "CUP")
    first = await count(client, counted(8, seen_up_to=seen), op="night")

    again = await count(client, counted(8, seen_up_to=seen), op="night")
    other = await count(client, counted(9, seen_up_to=seen), op="night")

    assert (again.json()["replayed"], again.json()["results"]) == (True, first.json()["results"])
    assert (slug(other), await atp(client, "CUP")) == ("op-conflict", 13)


async def test_without_anybody_who_copies_the_ledger_a_count_waits_for_it(client, state, settings):
    seen = await version(client, "CUP")
    answer = await count(client, counted(8, seen_up_to=seen), op="night")
    between = answer.json()["count"]["state"], answer.json()["results"][0]["state"]

    async with at_work(state, settings):
        found = await until_settled(client, "night")

    assert between == ("applying", "waiting")
    assert (found["tally"], await atp(client, "CUP")) == ({"applied": 1}, 13)


async def test_lines_are_paged_and_chosen_by_their_state(client, worker):
    lines = [counted(1, f"POT-{number}") for number in range(3)]
    await count(client, *lines, counted(7, location="rome"), op="night")

    pages, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/counts/night/lines", params={"limit": 3, "cursor": cursor})).json()
        pages.append([row["line"] for row in page["data"]])
        cursor = page["next_cursor"]
    review = (await client.get("/v1/counts/night/lines", params={"state": "review"})).json()["data"]

    assert (pages, [row["line"] for row in review]) == ([[1, 2, 3], [4]], [4])


async def test_counts_are_listed_by_source_newest_first(client):
    for op in ("one", "two", "three"):
        await count(client, counted(1, "POT"), op=op, source="wms" if op == "two" else "erp")

    first = (await client.get("/v1/counts", params={"limit": 2})).json()
    rest = (await client.get("/v1/counts", params={"cursor": first["next_cursor"]})).json()
    wms = (await client.get("/v1/counts", params={"source": "wms", "state": "applying"})).json()

    assert [row["id"] for row in (*first["data"], *rest["data"])] == ["three", "two", "one"]
    assert [row["id"] for row in wms["data"]] == ["two"]


async def test_a_line_in_review_is_settled_by_an_operator_and_audited(client, state, worker):
    await count(client, counted(7, location="rome"), op="night")

    before = (await client.get("/v1/counts/night")).json()["tally"]
    answer = await client.post("/v1/counts/night/settle", json={"lines": [1], "action": "apply"})

    await state.audit.write(state.database)
    entries = (await client.get("/v1/audit", params={"action": "count.apply"})).json()["data"]
    assert (before, answer.json()["tally"], await atp(client, "CUP")) == ({"review": 1}, {"applied": 1}, 17)
    assert [(entry["target"], entry["detail"]["settled"]) for entry in entries] == [("count night", 1)]


async def test_a_parked_snapshot_is_released_by_another_key_alone(client, state, worker):
    operator = await make(state, "operator")
    seen = await version(client, "CUP")
    closed = await snapshot(client, "nightly", counted(0, seen_up_to=seen))
    parked = await until_settled(client, "nightly")

    own = await client.post("/v1/counts/nightly/release")
    other = await client.post("/v1/counts/nightly/release", headers=bearer(operator))
    done = await until_settled(client, "nightly")

    assert (closed.status_code, parked["state"], parked["figures"]["zeroed"]) == (200, "parked", 1)
    assert (own.status_code, slug(own), other.status_code) == (403, "second-person", 200)
    assert (done["state"], done["settled_by"], await atp(client, "CUP")) == ("applied", f"key:{operator.id}", 5)


async def test_a_key_of_one_place_counts_there_and_sees_lines_of_that_place(client, state, worker):
    till = bearer(await make(state, "pos", locations=["rome"]))
    await count(client, counted(1), counted(2, location="rome"), op="both")

    foreign = await client.post(
        "/v1/counts", json={"source": "till", "lines": [counted(1)]}, headers={**till, **new_op()}
    )
    lines = (await client.get("/v1/counts/both/lines", headers=till)).json()["data"]

    assert (foreign.status_code, slug(foreign)) == (403, "outside-limits")
    assert [row["location"] for row in lines] == ["rome"]


async def test_a_count_nobody_sent_is_unknown(client):
    for method, path in (("GET", ""), ("GET", "/lines"), ("POST", "/release"), ("POST", "/discard")):
        answer = await client.request(method, f"/v1/counts/none{path}")
        assert (answer.status_code, slug(answer)) == (404, "unknown-count")
