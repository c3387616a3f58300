"""The service of a test behind a real socket, and somebody who listens to its events."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import uvicorn
from fastapi import FastAPI

WAIT_SECONDS = 10.0


@asynccontextmanager
async def reachable(app: Any) -> AsyncIterator[str]:
    """An application behind a server of its own, in this very loop; the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


class Event(NamedTuple):
    """One event as a browser would dispatch it; `id` is the last id that was heard."""

    kind: str
    data: Any
    id: str


class Listener:
    """A client of one stream. `levels` has what it would show: the newest number of every sku and channel."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.levels: dict[tuple[str, str], int] = {}
        self.comments = 0
        self.id = ""
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        fields: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            if not line:
                self._dispatch(fields)
                fields = {}
            elif line.startswith(":"):
                self.comments += 1
            else:
                name, _, value = line.partition(": ")
                fields[name] = value
        self.events.put_nowait(None)

    def _dispatch(self, fields: dict[str, str]) -> None:
        self.id = fields.get("id", self.id)
        if "data" not in fields:
            return
        data = json.loads(fields["data"])
        for level in data.get("levels", []):
            self.levels[level["sku"], level["channel"]] = level["atp_now"]
        self.events.put_nowait(Event(fields["event"], data, self.id))

    async def next(self) -> Event:
        event = await asyncio.wait_for(self.events.get(), WAIT_SECONDS)
        assert event is not None, "the stream has ended"
        return event

    async def sees(self, sku: str, channel: str, units: int) -> Event:
        """Wait until this is the number shown; the event that brought it."""
        while True:
            event = await self.next()
            if self.levels.get((sku, channel)) == units:
                return event

    async def hears_nothing(self, seconds: float = 0.6) -> bool:
        await asyncio.sleep(seconds)
        return self.events.empty()

    async def end(self) -> None:
        """Wait for the end of the stream."""
        async with asyncio.timeout(WAIT_SECONDS):
            while await self.events.get() is not None:
                pass


@asynccontextmanager
async def listening(address: str, key: str, *, last_id: str = "", **query: Any) -> AsyncIterator[Listener]:
    """A stream of events with these filters."""
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    async with (
        httpx.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as client,
        client.stream("GET", "/v1/events/availability", params=query) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        listener = Listener(response)
        try:
            yield listener
        finally:
            listener.reading.cancel()
            await asyncio.gather(listener.reading, return_exceptions=True)


def hub_of(app: FastAPI) -> Any:
    return app.state.events


async def until(condition: Any, seconds: float = WAIT_SECONDS) -> None:
    """Wait until this is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
