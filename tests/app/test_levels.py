"""Every answer to a change names the level it has, and never more than is true."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from structlog.testing import capture_logs

from allocator import make_client
from app import arrivals
from app.api import bulk_orders, clock, desk, edits, holds, orders, pay, quotas, returns, stock, tills, transfers
from app.errors import LevelUnreachable
from app.main import create_app
from app.opening import make_first_key, open_service
from app.settings import Settings
from tests.app.talk import atp, hold, line, new_op, order, slug
from tests.app.tills import CONNECTION, EVENTS, HERE, event
from tests.postgres import Postgres
from tests.replicas import Pair, pair, tell
from tests.servers import Server, present

pytestmark = pytest.mark.from_nothing

ASK, TOLD = "Allot-Acknowledge", "Allot-Acknowledged"
VALKEY = present()[0]

OTHERS = (
    desk.orders,
    edits.router,
    returns.orders,
    pay.router,
    bulk_orders.router,
    holds.router,
    stock.router,
    quotas.router,
    transfers.router,
    clock.router,
    tills.router,
)
ROUTERS = (orders.router, *OTHERS)


async def everything(client: httpx.AsyncClient, **headers: str) -> dict[str, httpx.Response]:
    """One answer of every operation that changes what the store has."""
    cup = {"sku": "CUP", "location": "oslo", "units": 1}
    quota = {"sku": "CUP", "location": "oslo", "channel": "shop", "quota": 1}
    share = {"sku": "CUP", "location": "oslo", "from_channel": "shop", "to_channel": "amazon", "units": 1}
    bulk = {"orders": [{"channel": "shop", "external_id": "b", "lines": [line("CUP", 1)]}]}
    way = {"from_location": "oslo", "to_location": "rome"}
    back = {"lines": [{"line": "1", "location": "oslo", "units": 1, "disposition": "restock"}]}
    announced = {"revision": 1, "lines": [{"line": "1", "units": 1}]}
    new = {"channel": "shop", "external_id": "1-B", "lines": [line("CUP", 1)]}
    asked = [
        ("put_order", "PUT", "/v1/orders/shop/1", {"lines": [line("CUP", 1)]}),
        ("edit_order", "POST", "/v1/orders/shop/1/edit", {"lines": [{"line": "1", "sku": "CUP", "units": 2}]}),
        ("move_order", "POST", "/v1/orders/shop/1/move", {"from_location": "oslo", "to_location": "rome"}),
        ("reject_order", "POST", "/v1/orders/shop/1/reject", {"location": "rome", "reason": "too_busy"}),
        ("pick_order", "POST", "/v1/orders/shop/1/pick", {}),
        ("pay_order", "POST", "/v1/orders/shop/1/pay", None),
        ("ship_order", "POST", "/v1/orders/shop/1/ship", {}),
        ("announce_return", "PUT", "/v1/orders/shop/1/returns/R1", announced),
        ("return_order", "POST", "/v1/orders/shop/1/return", back),
        ("exchange_order", "POST", "/v1/orders/shop/1/exchange", {**back, "order": new}),
        ("cancel_order", "POST", "/v1/orders/shop/2/cancel", {}),
        ("bulk_orders", "POST", "/v1/orders/bulk", bulk),
        ("put_hold", "PUT", "/v1/holds/h", {"channel": "shop", "lines": [line("CUP", 1)]}),
        ("extend_hold", "POST", "/v1/holds/h/extend", {"ttl_seconds": 90}),
        ("release_hold", "DELETE", "/v1/holds/h", None),
        ("receive_stock", "POST", "/v1/stock/receive", {"lines": [cup]}),
        ("adjust_stock", "POST", "/v1/stock/adjust", {"lines": [cup], "why": "count"}),
        ("set_unavailable", "POST", "/v1/stock/unavailable", {"lines": [cup], "reason": "dirt", "direction": "in"}),
        ("return_stock", "POST", "/v1/stock/return", {"lines": [{**cup, "disposition": "restock"}]}),
        ("set_quota", "POST", "/v1/quotas/set", quota),
        ("move_quota", "POST", "/v1/quotas/move", share),
        ("put_transfer", "PUT", "/v1/transfers/t", {**way, "lines": [line("CUP", 1)]}),
        (
            "arrive_transfer",
            "POST",
            "/v1/transfers/t/arrive",
            {"location": "rome", "lines": [{"sku": "CUP", "lost": 1}]},
        ),
        ("accept_clock", "POST", "/v1/clock/accept", None),
        ("take_till_events", "POST", EVENTS, {"events": [event("sale", ("CUP", "1"))]}),
    ]
    await client.put(HERE, json={**CONNECTION, "secrets": {}})
    await client.put("/v1/orders/shop/2", json={"lines": [line("CUP", 1)]})
    said = {}
    for name, method, path, body in asked:
        said[name] = await client.request(method, path, json=body, headers={**headers, **new_op()})
    return said


async def test_every_change_names_its_level(client):
    said = await everything(client)

    assert {name: (one.status_code // 100, one.headers.get(TOLD)) for name, one in said.items()} == dict.fromkeys(
        said, (2, "fsynced")
    )


async def test_every_operation_that_changes_the_store_is_one_of_these(client, app):
    documented = {
        operation["operationId"]
        for methods in app.openapi()["paths"].values()
        for operation in methods.values()
        if ASK in {row["name"] for row in operation.get("parameters", [])}
    }
    wrapped = {route.name for router in ROUTERS for route in router.routes if hasattr(route.endpoint, "__wrapped__")}

    assert documented == wrapped == (await everything(client)).keys()


async def test_the_level_of_yes_and_no_is_documented(app):
    responses = app.openapi()["paths"]["/v1/orders/{channel}/{external_id}"]["put"]["responses"]

    assert {status for status, said in responses.items() if TOLD in said.get("headers", {})} >= {"200", "201", "409"}
    assert TOLD not in responses["503"].get("headers", {})


async def test_a_remembered_no_has_a_level_and_no_other_no_has(client):
    short = await order(client, "shop/1", line("CUP", 10_000))
    foreign = await order(client, "nowhere/1", line("CUP", 1))
    conflict = await order(client, "shop/1", line("CUP", 1))
    unfit = await client.put("/v1/orders/shop/2", json={"lines": []})
    preview = await client.post("/v1/preview", json={"channel": "shop", "lines": [line("CUP", 10_000)]})
    invalid = await order(client, "shop/3", line("CUP", 1), line("CUP", 1, line="1"))

    assert [slug(one) for one in (short, foreign, conflict)] == ["short", "unknown-channel", "op-conflict"]
    assert {one.headers.get(TOLD) for one in (short, foreign, conflict)} == {"fsynced"}
    assert [slug(one) for one in (unfit, preview, invalid)] == ["unfit", "short", "invalid"]
    assert {one.headers.get(TOLD) for one in (unfit, preview, invalid)} == {None}


async def test_what_sql_is_the_master_of_is_in_sql_when_it_is_answered(client):
    said = [
        await client.put("/v1/zones/NO", json={"area": "NO", "zone": "north"}),
        await client.post("/v1/keys", json={"name": "till", "role": "pos"}),
        await client.put("/v1/seller", json={"name": "Cups"}),
    ]

    assert {(one.is_success, one.headers[TOLD]) for one in said} == {(True, "ledger")}


async def test_questions_name_no_level(client):
    await hold(client, "h", line("CUP", 1))

    said = [await client.get(path, headers={ASK: "ledger"}) for path in ("/v1/holds/h", "/v1/stock/CUP")]

    assert {(one.status_code, TOLD in one.headers) for one in said} == {(200, False)}


@pytest.mark.parametrize("nonsense", ["", "memory", "LEDGER", "ledger, replicated", "2", "\xff"])
async def test_a_level_nobody_knows_is_refused_and_nothing_is_done(client, nonsense: str):
    left = await atp(client, "CUP")

    answer = await client.put(
        "/v1/orders/shop/1", json={"lines": [line("CUP", 1)]}, headers=[(ASK.encode(), nonsense.encode("latin-1"))]
    )

    problem = answer.json()
    assert (slug(answer), problem["where"]) == ("unfit", f"header {ASK}")
    assert problem["allowed"] == ["fsynced", "replicated", "ledger"]
    assert await atp(client, "CUP") == left


async def test_without_a_replica_replicated_is_refused_before_anything_is_done(client):
    left = await atp(client, "CUP")

    said = await everything(client, **{ASK: "replicated"})

    assert {slug(one) for one in said.values()} == {"level-unreachable"}
    assert "0 of 1 replicas" in said["put_order"].json()["detail"]
    assert await atp(client, "CUP") == left - 1  # the order that `everything` begins with


# --- with a replica ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    with pair(VALKEY) as both:
        yield both


@pytest.fixture
async def replicated(both, settings) -> AsyncIterator[httpx.AsyncClient]:
    """A service on a server with a replica."""
    client = make_client(both.primary.url)
    await client.flushall()
    await client.aclose()
    async with service(settings.model_copy(update={"redis_url": both.primary.url})) as client:
        yield client
    both.replica.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A service, and somebody with its first key."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        headers = {"Authorization": f"Bearer {await make_first_key(app.service, None)}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://allot", headers=headers) as client:
            yield client


async def test_every_change_can_be_replicated(replicated, both):
    said = await everything(replicated, **{ASK: "replicated"})

    assert {name: (one.status_code // 100, one.headers.get(TOLD)) for name, one in said.items()} == dict.fromkeys(
        said, (2, "replicated")
    )
    assert tell(both.replica, "HLEN", "{main}:ops") == tell(both.primary, "HLEN", "{main}:ops")


async def test_a_frozen_replica_makes_the_outcome_unknown_and_the_same_id_gets_it_after_the_thaw(replicated, both):
    left = await atp(replicated, "CUP")
    both.replica.process.send_signal(signal.SIGSTOP)
    body, ask = {"lines": [line("CUP", 1)]}, {ASK: "replicated"}

    frozen = await replicated.put("/v1/orders/shop/1", json=body, headers=ask)
    plain = await order(replicated, "shop/2", line("CUP", 1))
    both.replica.process.send_signal(signal.SIGCONT)
    again = await replicated.put("/v1/orders/shop/1", json=body, headers=ask)

    assert (slug(frozen), frozen.json()["outcome"], TOLD in frozen.headers) == ("unanswered", "unknown", False)
    assert "0 of 1 replicas have it" in frozen.json()["detail"]
    assert plain.headers[TOLD] == "fsynced"
    assert (again.status_code, again.headers[TOLD]) == (200, "replicated")
    assert await atp(replicated, "CUP") == left - 2


async def test_a_replica_that_may_forget_is_named_in_the_log(both, settings):
    tell(both.primary, "FLUSHALL")
    tell(both.replica, "CONFIG", "SET", "appendfsync", "everysec")
    try:
        with capture_logs() as logs:
            async with open_service(settings.model_copy(update={"redis_url": both.primary.url})) as state:
                await state.levels.look()
                await state.levels.look()
    finally:
        tell(both.replica, "CONFIG", "SET", "appendfsync", "always")

    [warning] = [entry for entry in logs if entry["event"] == "replica_unsafe"]
    assert warning["says"].startswith("appendfsync is everysec")


# --- stores that may forget --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forgetful() -> Iterator[Server]:
    server = Server(VALKEY, settings={"appendfsync": "everysec"})
    yield server
    server.stop()


def with_forgetful(settings: Settings, server: Server, **changes: object) -> Settings:
    tell(server, "FLUSHALL")
    return settings.model_copy(
        update={"redis_url": server.url, "allow_unsafe": frozenset({"appendfsync-everysec"}), **changes}
    )


async def test_a_server_that_does_not_fsync_never_makes_an_answer_say_more_than_memory(settings, forgetful):
    async with service(with_forgetful(settings, forgetful)) as client:
        plain = await everything(client)
        asked = await everything(client, **{ASK: "fsynced"})
        more = await everything(client, **{ASK: "replicated"})

    assert {one.headers[TOLD] for one in (*plain.values(), *asked.values())} == {"memory"}
    assert {slug(one) for one in more.values()} == {"level-unreachable"}
    assert "power cut" in more["put_order"].json()["detail"]


async def test_a_level_that_a_store_cannot_keep_keeps_the_service_from_starting(settings, forgetful):
    with pytest.raises(LevelUnreachable, match="appendfsync is everysec"):
        async with service(with_forgetful(settings, forgetful, acknowledge="replicated")):
            pass


async def test_a_database_that_may_forget_cannot_be_a_ledger(settings, postgres):
    url = postgres.new_migrated()
    pepper = Settings(_env_file=None, key_pepper="p" * 40).key_pepper
    shared = settings.model_copy(
        update={"database_url": url, "key_pepper": pepper, "allow_unsafe": frozenset({"fsync-off"})}
    )
    async with service(shared) as client:
        answer = await client.put("/v1/orders/shop/1", json={"lines": [line("CUP", 1)]}, headers={ASK: "ledger"})
        zone = await client.put("/v1/zones/NO", json={"area": "NO", "zone": "north"})
    postgres.drop(url)

    assert zone.headers[TOLD] == "memory"
    assert (slug(answer), answer.json()["outcome"]) == ("level-unreachable", "not_applied")
    assert "fsync is off" in answer.json()["detail"]


async def test_a_database_that_is_away_is_named_and_the_outcome_is_unknown(settings, postgres, monkeypatch):
    monkeypatch.setattr(arrivals, "SECONDS_MAX", 0.3)
    server = Postgres({"fsync": "on"})
    pepper = Settings(_env_file=None, key_pepper="p" * 40).key_pepper
    try:
        shared = settings.model_copy(update={"database_url": server.new_migrated(), "key_pepper": pepper})
        async with service(shared) as client:
            left = await atp(client, "CUP")
            server.stop()

            answer = await client.put("/v1/orders/shop/1", json={"lines": [line("CUP", 1)]}, headers={ASK: "ledger"})

            assert (slug(answer), answer.json()["outcome"]) == ("not-in-ledger", "unknown")
            assert "the database does not answer" in answer.json()["detail"]
            assert await atp(client, "CUP") == left - 1
    finally:
        server.stop()


async def test_a_server_whose_settings_are_changed_is_found_out(settings, forgetful):
    try:
        async with service(with_forgetful(settings, forgetful)) as client:
            state = client._transport.app.service
            before = await order(client, "shop/1", line("CUP", 1))
            tell(forgetful, "CONFIG", "SET", "appendfsync", "always")
            await state.levels.look()
            after = await order(client, "shop/2", line("CUP", 1))
    finally:
        tell(forgetful, "CONFIG", "SET", "appendfsync", "everysec")

    assert (before.headers[TOLD], after.headers[TOLD]) == ("memory", "fsynced")
