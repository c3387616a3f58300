"""Somebody's server that webhooks are sent to: it can fail, hang, send away, and keeps everything it got."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
from standardwebhooks.webhooks import Webhook as Checker

from app.store.webhooks import list_deliveries
from tests.app.listener import WAIT_SECONDS, reachable, until
from tests.app.talk import new_op

HOOKS = "/v1/webhooks"
LEDGER = "{main}:ledger"
EVERYTHING = [
    "availability.changed",
    "order.placed",
    "order.changed",
    "hold.ended",
    "stock.deficit",
    "config.changed",
]
ERP = "https://erp.example/allot"


class Got(NamedTuple):
    """One request; `event` is its body, read."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """
    An ASGI application.

    statuses: what it answers next, in order; 200 when there is nothing left. hangs: it takes a request and never
    answers. endless: it never stops answering.
    """

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.statuses: list[int] = []
        self.hangs = False
        self.endless = False
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        self.got.append(Got(scope["path"] + (f"?{query}" if query else ""), headers, body))
        if self.hangs:
            await receive()
            return
        status = self.statuses.pop(0) if self.statuses else 200
        location = [(b"location", self.url.encode() + b"/elsewhere")] if 300 <= status < 400 else []
        await send({"type": "http.response.start", "status": status, "headers": location})
        while self.endless:
            await send({"type": "http.response.body", "body": b"x" * 1024, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": f"status {status}".encode()})

    def of(self, type: str) -> list[Any]:
        """The data of the events of one type, in the order they came."""
        return [got.event["data"] for got in self.got if got.event["type"] == type]

    async def gets(self, count: int, seconds: float = WAIT_SECONDS) -> list[Got]:
        """Wait for so many requests in all."""
        await until(lambda: len(self.got) >= count, seconds)
        return self.got


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver behind a real socket."""
    receiver = Receiver()
    async with reachable(receiver) as address:
        receiver.url = address
        yield receiver


async def add(
    client: httpx.AsyncClient, url: str = ERP, events: Sequence[str] = ("order.placed",), op: str = "", **more: Any
) -> httpx.Response:
    """Make a webhook."""
    body = {"url": url, "events": list(events), **more}
    return await client.post(HOOKS, json=body, headers={"Idempotency-Key": op} if op else new_op())


def is_signed(got: Got, secret: str) -> bool:
    """Whether somebody else's implementation of the standard accepts it. Raises what that raises."""
    return Checker(secret).verify(got.body, got.headers) == got.event


async def hears(receiver: Receiver, type: str, count: int = 1) -> list[Any]:
    """The data of so many events of a type."""
    async with asyncio.timeout(10):
        while len(receiver.of(type)) < count:
            await asyncio.sleep(0.02)
    return receiver.of(type)


async def made(client: httpx.AsyncClient, receiver: Receiver, *events: str, **more: Any) -> str:
    """The id of a new webhook that leads to the receiver."""
    answer = await add(client, url=receiver.url, events=events or EVERYTHING, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()["webhook"]["id"]


async def deliveries(state: Any, endpoint: str) -> list[Any]:
    """All deliveries of a webhook."""
    async with state.database.reading() as session:
        return await list_deliveries(session, endpoint, state="", before=None, limit=10_000)
