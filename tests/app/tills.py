"""Tills of the small shop: their connection, what they send, and where a moment of the day lies."""

import itertools
from typing import Any, Final

import httpx
import msgspec

from app.times import moment_of, now_ms
from channels.pos.signing import HEADER, signature
from tests.app.talk import new_op

SECRET: Final = "whsec-canary"
HERE: Final = "/v1/connections/tills"
EVENTS: Final = "/v1/pos/tills/events"
STOCK: Final = "/v1/pos/tills/stock"
CONNECTION: Final = {
    "connector": "pos",
    "channel": "till",
    "settings": {},
    "secrets": {"signing_secret": SECRET},
    "locations": {"STORE1": "oslo"},
}
MINUTE_MS: Final = 60_000

_ids = itertools.count(1)


def event(type: str, *lines: tuple[str, str], ago_ms: int = 0, at_ms: int | None = None, **more: Any) -> dict[str, Any]:
    """Something that happened in the store at Oslo, so long ago or at a moment."""
    occurred_ms = now_ms() - ago_ms if at_ms is None else at_ms
    return {
        "event_id": f"e-{next(_ids)}",
        "type": type,
        "occurred_at": moment_of(occurred_ms).isoformat(),
        "location": "STORE1",
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        **more,
    }


async def send(client: httpx.AsyncClient, *events: dict[str, Any], path: str = EVENTS, **signed: Any) -> httpx.Response:
    """These events as a till sends them."""
    body = msgspec.json.encode({"events": events})
    return await client.post(path, content=body, headers=signature_of(body, **signed))


def signature_of(body: bytes, *, secret: str = SECRET, at_s: int | None = None) -> dict[str, str]:
    return {HEADER: signature([secret], body, now_ms() // 1_000 if at_s is None else at_s)}


async def results(client: httpx.AsyncClient, *events: dict[str, Any]) -> list[tuple[str, str]]:
    """(status, code) of each event, of a request that went well."""
    answer = await send(client, *events)
    assert answer.status_code == 200, answer.text
    return [(row["status"], row["code"]) for row in answer.json()["results"]]


async def on_hand(client: httpx.AsyncClient, sku: str = "CUP", location: str = "oslo") -> int:
    found = (await client.get(f"/v1/stock/{sku}")).json()["places"]
    return next((place["on_hand"] for place in found if place["location"] == location), 0)


async def add_sku(client: httpx.AsyncClient, sku: str, **more: Any) -> None:
    answer = await client.put(f"/v1/skus/{sku}", json={"sku": sku, **more})
    assert answer.status_code == 201, answer.text


async def adjust(client: httpx.AsyncClient, sku: str, units: int, location: str = "oslo") -> None:
    line = {"sku": sku, "location": location, "units": units}
    answer = await client.post("/v1/stock/adjust", json={"lines": [line], "why": "test"}, headers=new_op())
    assert answer.status_code == 200, answer.text
