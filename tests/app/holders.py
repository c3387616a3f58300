"""Keys of every kind, and a way to send any request that also ends when the answer never does."""

import asyncio
import json
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote

from fastapi import FastAPI

from app.deps import State
from app.store.keys import MadeKey, make_key
from app.times import now_ms


async def make(state: State, role: str = "admin", *, seller: str = "main", **more: Any) -> MadeKey:
    """A key with these rights: channels=[...], locations=[...], requests_per_minute=..."""
    async with state.database.writing() as session:
        return await make_key(
            session, seller=seller, name=f"a {role}", role=role, pepper=state.keys.pepper, now_ms=now_ms(), **more
        )


def bearer(key: str | MadeKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key if isinstance(key, str) else key.plaintext}"}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def slug(self) -> str:
        """The problem's slug, '' for an answer that is none."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return json.loads(self.body)["type"].removeprefix("/problems/") if is_problem else ""


async def send(
    app: FastAPI, method: str, url: str, headers: dict[str, str], body: bytes = b"", *, client: str = "10.0.0.9"
) -> Answer:
    """One request; of an event stream only its beginning is waited for."""
    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": (client, 1),
        "server": ("allot", 80),
    }
    gone, begun, said = asyncio.Event(), asyncio.Event(), []
    given = [{"type": "http.request", "body": body}]

    async def receive() -> Any:
        if given:
            return given.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def tell(message: Any) -> None:
        said.append(message)
        if any(b"event-stream" in value for _, value in message.get("headers", [])):
            begun.set()

    serving, waiting = asyncio.create_task(app(scope, receive, tell)), asyncio.create_task(begun.wait())
    await asyncio.wait({serving, waiting}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    gone.set()
    for task in (waiting, serving):
        if not task.done():
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    headers_said = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return Answer(said[0]["status"], headers_said, b"".join(part.get("body", b"") for part in said[1:]))
