"""Every privileged act and every refusal: who, what, why, and never a secret."""

import asyncio
from types import SimpleNamespace

import pytest
from fastapi import Request
from sqlmodel import delete
from structlog.testing import capture_logs

from app.audit import WAITING_MAX, Audit
from app.errors import NoKey
from app.main import create_app
from app.opening import database_url, make_first_key
from app.store.audit import Entry, Wanted, add_entries, list_entries
from app.store.database import Database
from app.store.tables import AuditEntry
from tests.app.holders import bearer, make, send
from tests.app.talk import line, new_op, order, receive

WRONG = "allot_live_" + "0" * 12 + "_" + "x" * 43


async def entries(client, state, **wanted) -> list[dict]:
    """What the audit has once everything is written, newest first."""
    await state.audit.write(state.database)
    return (await client.get("/v1/audit", params=wanted)).json()["data"]


@pytest.fixture
async def state(state):
    """The service's, without what the seed has put into the audit."""
    async with state.database.writing() as session:
        await session.exec(delete(AuditEntry))
    return state


# --- acts ------------------------------------------------------------------------------------------------------


async def test_a_correction_of_stock_is_noted_with_its_reason(client, state, key):
    body = {"lines": [line("CUP", -1, location="oslo")], "why": "broken at the shelf"}

    await client.post("/v1/stock/adjust", json=body, headers={"Idempotency-Key": "count-1", "X-Request-Id": "req-1"})

    [entry] = await entries(client, state)
    assert (entry["actor"], entry["action"], entry["target"]) == (
        f"key:{key.split('_')[2]}",
        "stock.adjust",
        "op count-1",
    )
    assert (entry["outcome"], entry["request_id"]) == ("done", "req-1")
    assert entry["detail"] == {
        "why": "broken at the shelf",
        "lines": [{"sku": "CUP", "location": "oslo", "units": -1}],
        "lines_total": 1,
    }


async def test_what_is_answered_again_is_not_noted_again(client, state):
    body, op = {"lines": [line("CUP", 1, location="oslo")], "why": "found"}, new_op()

    for _ in range(3):
        await client.post("/v1/stock/adjust", json=body, headers=op)

    assert len(await entries(client, state, action="stock.adjust")) == 1


async def test_what_was_refused_by_the_stock_is_no_act(client, state):
    body = {"lines": [line("CUP", -1_000, location="oslo")], "why": "a typing mistake"}

    answer = await client.post("/v1/stock/adjust", json=body, headers=new_op())

    assert answer.status_code == 409
    assert await entries(client, state) == []


async def test_a_long_correction_is_shown_in_part(client, state):
    body = {"lines": [line("CUP", 1, location="oslo")] * 25, "why": "counted"}

    await client.post("/v1/stock/adjust", json=body, headers=new_op())

    [entry] = await entries(client, state)
    assert (len(entry["detail"]["lines"]), entry["detail"]["lines_total"]) == (20, 25)


@pytest.mark.parametrize(
    ("path", "body", "action"),
    [
        (
            "stock/unavailable",
            {"lines": [line("CUP", 1, location="oslo")], "reason": "damaged", "direction": "in"},
            "stock.unavailable",
        ),
        ("quotas/set", {"sku": "CUP", "location": "oslo", "channel": "shop", "quota": 3}, "quota.set"),
        (
            "quotas/move",
            {"sku": "PLATE", "location": "oslo", "from_channel": "shop", "to_channel": "amazon", "units": 1},
            "quota.move",
        ),
        ("clock/accept", None, "clock.accept"),
        ("keys", {"name": "till", "role": "pos"}, "keys.make"),
    ],
)
async def test_every_privileged_act_is_noted(client, state, path: str, body: dict, action: str):
    answer = await client.post(f"/v1/{path}", json=body, headers=new_op())

    assert answer.status_code == 200
    assert [entry["action"] for entry in await entries(client, state)] == [action]


async def test_the_life_of_a_key_can_be_read(client, state):
    made = (await client.post("/v1/keys", json={"name": "till", "role": "pos", "channels": ["shop"]})).json()["key"]
    rotated = (await client.post(f"/v1/keys/{made['id']}/rotate")).json()["key"]
    for _ in range(2):
        await client.delete(f"/v1/keys/{made['id']}")

    told = [(entry["action"], entry["target"], entry["detail"]) for entry in await entries(client, state)]

    rights = {"name": "till", "role": "pos", "channels": ["shop"], "locations": None, "requests_per_minute": None}
    assert told[0] == ("keys.revoke", f"key:{made['id']}", {"before": rights})
    assert told[1][:2] == ("keys.rotate", f"key:{made['id']}")
    assert told[1][2]["new"] == rotated["id"]
    assert told[2] == ("keys.make", f"key:{made['id']}", {"after": rights})
    assert len(told) == 3


async def test_what_was_not_committed_was_not_done_and_is_not_noted(state):
    entry = Entry(seller="main", at_ms=1, actor="key:x", action="keys.make", target="key:y")

    with pytest.raises(ZeroDivisionError):
        async with state.database.writing() as session:
            await add_entries(session, [entry])
            raise ZeroDivisionError

    async with state.database.reading() as session:
        assert await list_entries(session, seller="main", wanted=Wanted(), limit=10) == []


# --- refusals --------------------------------------------------------------------------------------------------


async def test_a_refused_request_is_noted_with_its_key_route_and_reason(app, client, state):
    made = await make(state, "storefront")

    await send(app, "POST", "/v1/stock/receive", {**bearer(made), "X-Request-Id": "req-7"}, client="10.1.2.3")

    [entry] = await entries(client, state)
    assert (entry["actor"], entry["action"], entry["outcome"]) == (f"key:{made.id}", "receive_stock", "scope-missing")
    assert (entry["target"], entry["request_id"]) == ("POST /v1/stock/receive", "req-7")
    assert (entry["detail"]["where"], entry["detail"]["client"]) == ("scope stock:write", "10.1.2.3")


async def test_the_same_refusal_is_one_entry_with_a_count(stranger, client, state):
    stranger.headers.update(bearer(await make(state, "pos", channels=["till"])))

    for number in range(5):
        await order(stranger, f"shop/{number}", line("CUP", 1))

    [entry] = await entries(client, state)
    assert (entry["outcome"], entry["detail"]["count"]) == ("outside-limits", 5)
    assert entry["detail"]["first_ms"] <= entry["at_ms"]


async def test_a_wrong_key_is_noted_by_the_id_it_claims_and_never_by_its_secret(stranger, client, state):
    await stranger.get("/v1/me", headers=bearer(WRONG))
    await stranger.get("/v1/me")

    told = await entries(client, state, outcome="no-key")

    assert {entry["actor"] for entry in told} == {"unknown", f"unknown:{'0' * 12}"}
    assert "xxxx" not in str(told)


async def test_too_many_requests_are_noted(stranger, client, state):
    stranger.headers.update(bearer(await make(state, "pos", requests_per_minute=6)))

    for _ in range(4):
        await stranger.get("/v1/availability/CUP")

    [entry] = await entries(client, state, outcome="rate-limited")
    assert entry["detail"]["count"] == 3


async def test_what_is_only_wrong_is_no_refusal(client, state):
    await client.get("/v1/orders/shop/none")
    await client.put("/v1/orders/shop/1", json={"lines": []})
    await receive(client, "NO-CUP", "oslo", 1)

    assert await entries(client, state) == []


async def test_a_refusal_is_written_without_anybody_asking(client, stranger):
    await stranger.get("/v1/me", headers=bearer(WRONG))

    for _ in range(40):
        found = (await client.get("/v1/audit")).json()["data"]
        if found:
            break
        await asyncio.sleep(0.1)

    assert [entry["outcome"] for entry in found] == ["no-key"]


async def test_what_happened_last_is_written_when_the_service_ends(settings):
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        key = await make_first_key(app.service, None)
        await asyncio.sleep(0.2)
        await send(app, "GET", "/v1/keys", bearer(key))
        await send(app, "GET", "/v1/me", bearer(WRONG))

    async with await Database.open(database_url(settings)) as database, database.reading() as session:
        found = await list_entries(session, seller="main", wanted=Wanted(), limit=10)
    assert [entry.outcome for entry in found if entry.action != "config.change"] == ["no-key"]


# --- when there is too much ------------------------------------------------------------------------------------


def request(client: str) -> Request:
    route = SimpleNamespace(name="get_me", path="/v1/me")
    return Request({"type": "http", "method": "GET", "headers": [], "route": route, "client": (client, 1)})


async def test_more_refusals_than_are_kept_are_counted(state):
    audit = Audit()
    with capture_logs() as logs:
        for number in range(WAITING_MAX + 7):
            audit.refused(request(f"10.0.{number // 256}.{number % 256}"), NoKey())
        audit.refused(request("10.0.0.0"), NoKey())

        await audit.write(state.database)

    async with state.database.reading() as session:
        [newest, *_] = found = await list_entries(session, seller="main", wanted=Wanted(), limit=20_000)
    assert (newest.action, newest.detail) == ("audit.overflow", {"count": 7})
    assert len(found) == WAITING_MAX + 1
    assert [log["event"] for log in logs] == ["audit_overflow"]


async def test_what_could_not_be_written_waits_and_is_merged_with_what_comes(state, monkeypatch):
    audit = Audit()
    audit.refused(request("10.0.0.1"), NoKey())
    with monkeypatch.context() as broken:
        broken.setattr(state.database, "writing", None)
        with pytest.raises(TypeError):
            await audit.write(state.database)
    audit.refused(request("10.0.0.1"), NoKey())
    audit.refused(request("10.0.0.2"), NoKey())

    await audit.write(state.database)

    async with state.database.reading() as session:
        found = await list_entries(session, seller="main", wanted=Wanted(), limit=10)
    assert sorted((entry.detail["client"], entry.detail["count"]) for entry in found) == [
        ("10.0.0.1", 2),
        ("10.0.0.2", 1),
    ]


# --- reading it ------------------------------------------------------------------------------------------------


async def fill(state, count: int, seller: str = "main") -> None:
    async with state.database.writing() as session:
        await add_entries(
            session,
            [
                Entry(seller=seller, at_ms=number, actor=f"key:{number % 2}", action="act", target=str(number))
                for number in range(count)
            ],
        )


async def test_entries_are_read_page_by_page_newest_first(client, state):
    await fill(state, 5)

    first = (await client.get("/v1/audit", params={"limit": 2})).json()
    second = (await client.get("/v1/audit", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    third = (await client.get("/v1/audit", params={"limit": 2, "cursor": second["next_cursor"]})).json()

    assert [[entry["target"] for entry in page["data"]] for page in (first, second, third)] == [
        ["4", "3"],
        ["2", "1"],
        ["0"],
    ]
    assert third["next_cursor"] is None


@pytest.mark.parametrize(
    ("wanted", "targets"),
    [({"actor": "key:1"}, ["3", "1"]), ({"since_ms": 3}, ["4", "3"]), ({"action": "none"}, []), ({"outcome": "x"}, [])],
)
async def test_entries_are_chosen(client, state, wanted: dict, targets: list[str]):
    await fill(state, 5)

    found = (await client.get("/v1/audit", params=wanted)).json()["data"]

    assert [entry["target"] for entry in found] == targets


async def test_nobody_reads_what_another_seller_did(client, state):
    await fill(state, 3, seller="other")

    assert (await client.get("/v1/audit")).json() == {"data": [], "next_cursor": None}


async def test_a_text_longer_than_its_column_does_not_stop_the_others(client, state):
    async with state.database.writing() as session:
        await add_entries(session, [Entry(seller="main", at_ms=1, actor="a" * 500, action="x" * 500, target="t" * 500)])

    [entry] = (await client.get("/v1/audit")).json()["data"]

    assert [len(entry[name]) for name in ("actor", "action", "target")] == [128, 64, 300]


async def test_a_change_of_config_is_an_act(client, state, key):
    before = (await client.get("/v1/config")).json()["version"]

    put = await client.put("/v1/rules/tight", json={"id": "tight", "kind": "buffer", "channel": "shop", "units": 1})

    assert put.status_code == 201, put.text
    [entry, *_] = await entries(client, state, action="config.change")
    assert (entry["actor"], entry["target"]) == (f"key:{key.split('_')[2]}", f"version {before + 1}")
