"""Requests of a replay to a running service, repeated with the same id when nobody knows what became of them."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import httpx
import msgspec

from .tally import Tally

TRIES_MAX: Final = 8
WAIT_SECONDS_MAX: Final = 2.0
TIMEOUT_SECONDS: Final = 30.0
UNAVAILABLE: Final = 503
TLS: Final = httpx.create_ssl_context()
"""Reading the certificates takes a while; once is enough."""


class Unreachable(Exception):
    """The service did not answer, however often it was asked."""


class Answer(NamedTuple):
    """What the service said; `replayed` when it said so before."""

    status: int
    body: dict[str, Any]
    replayed: bool

    @property
    def type(self) -> str:
        """The type of the problem, or ''."""
        return str(self.body.get("type", ""))

    def same_as(self, other: "Answer") -> bool:
        """Whether both say the same, apart from that one of them is a repetition."""
        return _content(self.body) == _content(other.body)


def _content(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"replayed", "request_id"}}


class Caller:
    """
    Speaks HTTP with one service, over at most `connections` connections; every answer is timed.

    Each connection is a client of its own: one pool of all would look through all of them at every request, and that
    would be measured as the service's time.
    """

    def __init__(self, url: str, key: str, tally: Tally, connections: int) -> None:
        self._tally = tally
        self._clients = [_client(url, key) for _ in range(connections)]
        self._free = asyncio.LifoQueue[httpx.AsyncClient]()
        for client in self._clients:
            self._free.put_nowait(client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            await client.aclose()

    async def place(self, channel: str, order: str, asked: dict[str, Any]) -> Answer:
        """Place an order under its own id."""
        return await self._call("order", "PUT", _order_path(channel, order), asked)

    async def ship(self, channel: str, order: str, op: str) -> Answer:
        """Ship what is committed of an order."""
        return await self._call("ship", "POST", f"{_order_path(channel, order)}/ship", {}, op)

    async def change(self, channel: str, order: str, verb: str, asked: dict[str, Any], op: str) -> Answer:
        """Another verb of an order: edit, pick, cancel, reject."""
        return await self._call(verb, "POST", f"{_order_path(channel, order)}/{verb}", asked, op)

    async def unavailable(self, asked: dict[str, Any], op: str) -> Answer:
        """Take units out of sale, or put them back."""
        return await self._call("unavailable", "POST", "/v1/stock/unavailable", asked, op)

    async def count(self, asked: dict[str, Any], op: str) -> Answer:
        """Say what lies on some shelves."""
        return await self._call("count", "POST", "/v1/counts", asked, op)

    async def find_count(self, count: str) -> Answer:
        """A count and how far it is."""
        return await self._call("find count", "GET", _count_path(count))

    async def count_lines(self, count: str) -> list[dict[str, Any]]:
        """What became of the lines of a count."""
        said = await self._call("count lines", "GET", f"{_count_path(count)}/lines?limit=1000")
        return list(said.body.get("data", []))

    async def stock(self, sku: str) -> Answer:
        """What lies where of an article."""
        return await self._call("stock", "GET", f"/v1/stock/{quote(sku, safe='')}")

    async def conflicts(self) -> int:
        """Units that are listed as being in conflict."""
        units, cursor = 0, ""
        while True:
            path = f"/v1/conflicts?limit=1000&cursor={quote(cursor, safe='')}"
            page = (await self._call("conflicts", "GET", path)).body
            units += sum(int(row["units"]) for row in page["data"])
            if not page["next_cursor"]:
                return units
            cursor = page["next_cursor"]

    async def receive(self, lines: list[dict[str, Any]], op: str) -> Answer:
        """Put units on shelves."""
        return await self._call("receive", "POST", "/v1/stock/receive", {"lines": lines, "why": "replay"}, op)

    async def take_back(self, lines: list[dict[str, Any]], op: str) -> Answer:
        """Book a return without an order."""
        return await self._call("return", "POST", "/v1/stock/return", {"lines": lines, "why": "replay"}, op)

    async def explain(self, sku: str, channel: str) -> Answer:
        """Every shelf of an article, as a channel sees it."""
        return await self._call("explain", "GET", f"/v1/availability/{quote(sku, safe='')}/explain?channel={channel}")

    async def levels(self, skus: Iterable[str], channels: Iterable[str]) -> Answer:
        """What channels may promise of many articles."""
        asked = {"skus": list(skus), "channels": list(channels)}
        return await self._call("availability", "POST", "/v1/availability", asked)

    async def ask(self, what: str, method: str, path: str, asked: dict[str, Any] | None = None) -> Answer:
        """Anything else; `what` is the name that its time goes by. Raises Unreachable."""
        return await self._call(what, method, path, asked)

    async def _call(
        self, verb: str, method: str, path: str, asked: dict[str, Any] | None = None, op: str = ""
    ) -> Answer:
        content = None if asked is None else msgspec.json.encode(asked)
        client = await self._free.get()
        try:
            request = client.build_request(
                method, path, content=content, headers={"Idempotency-Key": op} if op else None
            )
            began = time.perf_counter()
            response = await self._ask(client, request)
            self._tally.timed(verb, time.perf_counter() - began)
        finally:
            self._free.put_nowait(client)
        return Answer(response.status_code, _body(response), "Idempotency-Replayed" in response.headers)

    async def _ask(self, client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        """Send; again with the same id while the outcome is unknown. Raises Unreachable."""
        said = ""
        for attempt in range(TRIES_MAX):
            if attempt:
                self._tally.retries += 1
                await asyncio.sleep(min(WAIT_SECONDS_MAX, 0.05 * 2**attempt))
            try:
                response = await client.send(request)
            except httpx.TransportError as error:
                said = repr(error)
                continue
            if response.status_code != UNAVAILABLE:
                return response
            said = response.text
        raise Unreachable(f"{request.method} {request.url} was tried {TRIES_MAX} times: {said}")


def _client(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        limits=httpx.Limits(max_connections=1),
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
        verify=TLS,
    )


def _order_path(channel: str, order: str) -> str:
    return f"/v1/orders/{channel}/{quote(order, safe='')}"


def _count_path(count: str) -> str:
    return f"/v1/counts/{quote(count, safe='')}"


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(response.content, type=dict[str, Any])
    except ValueError:
        return {"type": "", "detail": response.text[:200]}
