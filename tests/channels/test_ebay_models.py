"""What we send to eBay, and what the sandbox answers, is what eBay's published models know."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from channels.base import Listing, Parcel
from tests.channels.contract import HOOK_URL, Bench, Breaking, orders_in
from tests.channels.ebay import new_bench
from tests.channels.test_ebay import HOUR
from tests.servers import shared_data

MODELS = (
    "sell_inventory_v1_oas3",
    "sell_fulfillment_v1_oas3",
    "commerce_notification_v1_oas3",
    "sell_account_v1_oas3",
    "cancellation_oas3",
)

TYPES = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}

MISPRINTED = ("deliveryConfig",)
"""The model of a destination calls it a string; the one that makes a destination, what it is."""


class Recording(Breaking):
    """Keeps what was asked and answered."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.exchanges: list[tuple[httpx.Request, int, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        self.exchanges.append((request, answer.status_code, await answer.aread()))
        return answer


def complaints(value: Any, schema: dict, model: dict, way: str) -> Iterator[str]:
    """What the model does not know, or knows as something else."""
    if "$ref" in schema:
        schema = model["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if way.endswith(MISPRINTED):
        return
    if schema.get("type") == "object" and isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{way}.{name} is unknown" for name in value.keys() - known.keys())
        for name in value.keys() & known.keys():
            yield from complaints(value[name], known[name], model, f"{way}.{name}")
    elif schema.get("type") == "array" and isinstance(value, list):
        for one in value:
            yield from complaints(one, schema["items"], model, way)
    elif type(value) not in _types(schema):
        yield f"{way} is {value!r} and not {schema.get('type')}"


def _types(schema: dict) -> tuple[type, ...]:
    types = TYPES.get(schema.get("type", ""), ())
    return types if isinstance(types, tuple) else (types,)


def operation_of(models: list[dict], method: str, path: str) -> tuple[dict, dict]:
    """The operation that answers this, and the model it is of."""
    for model in models:
        base = model["servers"][0]["variables"]["basePath"]["default"]
        for template, methods in model["paths"].items():
            wanted, given = (base + template).split("/"), path.split("/")
            alike = len(wanted) == len(given) and all(
                a == b or a[:1] == "{" for a, b in zip(wanted, given, strict=True)
            )
            if alike and method.lower() in methods:
                return methods[method.lower()], model
    raise AssertionError(f"eBay knows no {method} {path}")


def faults_of(models: list[dict], request: httpx.Request, status: int, answered: bytes) -> Iterator[str]:
    operation, model = operation_of(models, request.method, request.url.path)
    way = f"{request.method} {request.url.path}"
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    yield from (f"{way}?{name} is unknown" for name in request.url.params.keys() - known)
    sent = (operation.get("requestBody") or {}).get("content", {}).get("application/json")
    if sent:
        yield from complaints(json.loads(request.content), sent["schema"], model, way)
    said = operation["responses"].get("200" if status == 207 else str(status), {})
    content = said.get("content", {}).get("application/json")
    if content and answered:
        yield from complaints(json.loads(answered), content["schema"], model, f"{way} -> {status} ")


async def live(bench: Bench) -> None:
    """A day of an account: everything the connector does."""
    run, connector = bench.run, bench.connector
    await run(connector.subscribe(HOOK_URL))
    next(iter(bench.sandbox.board.destinations.values())).status = "MARKED_DOWN"
    next(iter(bench.sandbox.board.subscriptions.values())).status = "DISABLED"
    await run(connector.subscribe(HOOK_URL))
    bench.sandbox.faults.refuse.add("TEE")
    await run(connector.push([bench.level("CUP", 0, places={"oslo": 0}), bench.level("TEE", 3)]))
    await run(connector.push([bench.level("CUP", 9)]))
    await run(connector.read([Listing("CUP"), Listing("PEN")]))
    await run(connector.list_listings(""))
    first, second, third = (bench.sandbox.buys("CUP", 2) for _ in range(3))
    bench.sandbox.refunds(first, whole=False)
    bench.sandbox.asks_to_cancel(third)
    await bench.sandbox.deliver()
    await bench.hear(bench.inbox[-1])
    line = (await run(connector.order(first))).lines[0].line
    parcel = Parcel("s-1", first, {line: 1}, carrier="UPS", tracking="1Z9", shipped_ms=bench.clock())
    await run(connector.ship(parcel))
    await run(connector.ship(parcel))
    await run(connector.cancel(second, "out of stock"))
    await run(connector.cancel(third, "the buyer wants it"))
    await orders_in(bench, HOUR)


@pytest.mark.needs_shared
async def test_all_that_is_said_is_in_the_vendors_models():
    models = [json.loads(shared_data(f"channels/specs/ebay/{name}.json").read_text()) for name in MODELS]
    bench = new_bench()
    recording = Recording(bench.sandbox.app)
    bench.engine._means = bench.engine._means._replace(http=httpx.AsyncClient(transport=recording, trust_env=False))

    await live(bench)

    said = [one for one in recording.exchanges if not one[0].url.path.startswith("/identity/")]
    assert len({(request.method, request.url.path) for request, _, _ in said}) > 15
    assert [fault for one in said for fault in faults_of(models, *one)] == []
