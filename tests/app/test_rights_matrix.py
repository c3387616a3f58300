"""Every route of the service, as its document lists them, tried with every kind of key."""

import json
import re
import sqlite3
from itertools import count
from typing import Any, NamedTuple

import pytest

from app.opening import open_sellers
from app.reach import KINDS, WISHES
from app.rights import ROLES, SCOPES
from app.store.database import SQLITE_FILE
from app.store.sellers import ensure_seller
from tests.app.holders import Answer, bearer, make, send
from tests.app.talk import hold, line, order

NAMES = {
    "channel": "shop",
    "location": "oslo",
    "sku": "CUP",
    "external_id": "order-1",
    "hold_id": "cart-1",
    "part": "1",
}
"""What the variables of paths and queries are called that exist; others get X."""

X = "x1"

ELSEWHERE = {"shop": "shxp", "oslo": "oxlo", "CUP": "CXP", "order-1": "oxder-1", "cart-1": "cxrt-1"}
"""Names that nobody has, of the same length."""

_numbers = count(1)


class Operation(NamedTuple):
    id: str
    method: str
    path: str
    scope: str | None
    parameters: list[dict[str, Any]]
    body: Any
    kinds: frozenset[str]

    def url(self) -> str:
        path = re.sub(r"{(\w+)}", lambda found: NAMES.get(found[1], X), self.path)
        asked = [row for row in self.parameters if row["in"] == "query" and (row["required"] or row["name"] in KINDS)]
        query = "&".join(f"{row['name']}={NAMES.get(row['name'].removesuffix('s'), X)}" for row in asked)
        return f"{path}?{query}" if query else path

    def headers(self) -> dict[str, str]:
        return {"Idempotency-Key": f"matrix-{next(_numbers)}"}

    def raw(self) -> bytes:
        return json.dumps(self.body).encode() if self.body is not None else b""


def operations_of(document: dict[str, Any]) -> list[Operation]:
    found = []
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            content = said.get("requestBody", {}).get("content", {}).get("application/json")
            if "requestBody" in said:
                assert content, f"{said['operationId']} reads a body that is not JSON"
                assert "example" in content, f"{said['operationId']} has no example"
            parameters = said.get("parameters", [])
            schemas = document["components"]["schemas"]
            names = {row["name"] for row in parameters} | _properties(content["schema"] if content else {}, schemas)
            kinds = frozenset(KINDS[name] for name in names - WISHES if name in KINDS)
            example = content["example"] if content else None
            found.append(Operation(said["operationId"], method, path, said.get("x-scope"), parameters, example, kinds))
    return found


def _properties(schema: Any, schemas: dict[str, Any], seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of all properties below a schema."""
    if isinstance(schema, list):
        return {name for part in schema for name in _properties(part, schemas, seen)}
    if not isinstance(schema, dict):
        return set()
    reference = schema.get("$ref", "").rpartition("/")[2]
    if reference in seen:
        return set()
    below = [*schema.values(), schemas[reference]] if reference else list(schema.values())
    return set(schema.get("properties", {})) | _properties(below, schemas, seen | {reference} - {""})


@pytest.fixture
def guarded(app) -> list[Operation]:
    """Every operation below /v1 but the addresses of channels' webhooks, which prove themselves otherwise."""
    below = [operation for operation in operations_of(app.openapi()) if operation.path.startswith("/v1/")]
    return [operation for operation in below if not operation.path.startswith("/v1/hooks/")]


@pytest.fixture
async def busy(client) -> None:
    """A shop with an order and a hold."""
    assert (await order(client, "shop/order-1", line("CUP", 2))).status_code == 201
    assert (await hold(client, "cart-1", line("CUP", 1))).status_code == 201


async def ask(app, operation: Operation, key: Any) -> Answer:
    headers = {**operation.headers(), **(bearer(key) if key else {})}
    return await send(app, operation.method, operation.url(), headers, operation.raw())


def test_every_operation_says_which_scope_it_needs(guarded):
    assert len(guarded) > 25
    assert {operation.id for operation in guarded if operation.scope not in SCOPES} == set()


def test_every_scope_opens_something_once_its_routes_are_part_of_the_service(guarded):
    used = {operation.scope for operation in guarded}

    assert used <= SCOPES.keys()
    assert {"orders:write", "stock:write", "keys:write", "audit:read", "ops:write"} <= used


async def test_without_a_key_nothing_is_answered(app, busy, guarded):
    answers = {operation.id: await ask(app, operation, None) for operation in guarded}

    assert {id for id, answer in answers.items() if (answer.status, answer.slug) != (401, "no-key")} == set()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_what_its_scopes_say_and_nothing_else(app, state, busy, guarded, role: str):
    key = await make(state, role)

    wrong = {}
    for operation in guarded:
        answer = await ask(app, operation, key)
        is_right = answer.status not in {401, 403} if operation.scope in ROLES[role] else answer.slug == "scope-missing"
        if not is_right:
            wrong[operation.id] = (answer.status, answer.slug)

    assert wrong == {}


@pytest.mark.parametrize("kind", ["channel", "location"])
async def test_a_key_limited_to_others_never_succeeds_with_what_it_must_not_name(app, state, busy, guarded, kind: str):
    limits = {"channels": ["till"]} if kind == "channel" else {"locations": ["rome"]}
    key = await make(state, "admin", **limits)
    concerned = [operation for operation in guarded if kind in operation.kinds]

    answers = {operation.id: await ask(app, operation, key) for operation in concerned}

    assert len(answers) > 7
    assert {id: answer[0] for id, answer in answers.items() if answer.status not in {403, 404}} == {}


async def test_a_key_limited_to_one_channel_leaves_the_others_as_they_are(app, state, busy, guarded, redis_of_service):
    key = await make(state, "admin", channels=["till"], locations=["rome"])
    before = await books(redis_of_service)

    for operation in guarded:
        await ask(app, operation, key)

    assert await books(redis_of_service) == before


@pytest.fixture
async def other(state) -> Any:
    """An admin's key of a seller that has nothing yet."""
    async with state.database.writing() as session:
        await ensure_seller(session, "other", "Other")
    await open_sellers(state)
    return await make(state, "admin", seller="other")


async def books(redis) -> dict[str, Any]:
    """Everything the seller main has in the store, but its clock."""
    dumped = {key.decode(): await redis.dump(key) async for key in redis.scan_iter("{main}:*")}
    dumped.pop("{main}:seller")
    return dumped


def rows(state) -> dict[str, list[Any]]:
    """Everything the seller main has in SQL, but when its keys were used and what was audited."""
    found = {}
    with sqlite3.connect(state.settings.data_dir / SQLITE_FILE) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            names = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})").fetchall()]
            if "seller" in names and table != "audit_entry":
                shown = ", ".join(name for name in names if name not in {"last_used_ms", "lease", "lease_until_ms"})
                found[table] = database.execute(f"SELECT {shown} FROM {table} WHERE seller = 'main'").fetchall()
    return found


def _elsewhere(text: str) -> str:
    for name, another in ELSEWHERE.items():
        text = text.replace(name, another)
    return text


async def test_what_another_seller_has_looks_like_what_nobody_has(app, busy, other, guarded):
    differ = {}
    for operation in guarded:
        if operation.method != "get":
            continue
        theirs = await send(app, "get", operation.url(), bearer(other))
        nobodys = await send(app, "get", _elsewhere(operation.url()), bearer(other))
        if (theirs.status, theirs.slug) != (nobodys.status, nobodys.slug):
            differ[operation.id] = (theirs, nobodys)
        elif theirs.status == 200 and not theirs.headers["content-type"].startswith("text/event-stream"):
            # A key is used by being shown.
            assert_same(operation.id, _elsewhere(theirs.body.decode()), nobodys.body.decode())

    assert differ == {}


def assert_same(id: str, one: str, another: str) -> None:
    without = [re.sub(r'"last_used_ms":\d+|"id":\d+.*', "", text) for text in (one, another)]
    assert without[0] == without[1], id


@pytest.mark.usefixtures("busy")
async def test_whatever_another_seller_does_changes_nothing_here(app, state, other, guarded, redis_of_service):
    before = await books(redis_of_service), rows(state)

    statuses = {operation.id: (await ask(app, operation, other)).status for operation in guarded}

    assert (await books(redis_of_service), rows(state)) == before
    assert {id for id, status in statuses.items() if status in {401, 403}} == set()
