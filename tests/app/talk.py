"""Short ways to say what many tests say."""

from itertools import count

import httpx

_numbers = count(1)


def line(sku: str, units: int, **more: object) -> dict[str, object]:
    return {"sku": sku, "units": units, **more}


def new_op() -> dict[str, str]:
    """A header with an idempotency key nobody used before."""
    return {"Idempotency-Key": f"op-{next(_numbers)}"}


async def atp(client: httpx.AsyncClient, sku: str, channel: str = "shop") -> int:
    answer = await client.get(f"/v1/availability/{sku}", params={"channel": channel})
    return answer.json()["levels"][0]["atp_now"]


async def order(client: httpx.AsyncClient, place: str, *lines: dict[str, object], **more: object) -> httpx.Response:
    return await client.put(f"/v1/orders/{place}", json={"lines": list(lines), **more})


async def hold(client: httpx.AsyncClient, id: str, *lines: dict[str, object], **more: object) -> httpx.Response:
    return await client.put(f"/v1/holds/{id}", json={"channel": "shop", "lines": list(lines), **more})


async def receive(client: httpx.AsyncClient, sku: str, location: str, units: int) -> httpx.Response:
    body = {"lines": [{"sku": sku, "location": location, "units": units}]}
    return await client.post("/v1/stock/receive", json=body, headers=new_op())


def slug(answer: httpx.Response) -> str:
    """The problem's slug, of an answer that is a problem in every respect."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return problem["type"].removeprefix("/problems/")
