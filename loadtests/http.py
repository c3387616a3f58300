"""
A load generator that costs little: requests as ready-made bytes over kept-alive connections.

A full HTTP client spends more time on a request than the service does, and would be what is measured. This one
writes bytes, finds the status line and the length, and takes the time.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"


class Broken(Exception):
    """The connection ended before the answer did."""


class Answer(NamedTuple):
    """Status, head and body of an answer."""

    status: int
    head: bytes
    body: bytes


class Connection(asyncio.Protocol):
    """One kept-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own classes are transports in all but name.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer, length = read_answer(self._buffer)
        if answer and self._waiting and not self._waiting.done():
            self._buffer = self._buffer[length:]
            self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(Broken(str(exc or "closed by the server")))

    async def ask(self, request: bytes) -> Answer:
        """Send one request and wait for its answer. Raises Broken."""
        if self._transport.is_closing():
            raise Broken("closed by the server")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    async def close(self) -> None:
        """End the connection and wait until it has ended."""
        self._transport.close()
        await self._lost.wait()


def read_answer(received: bytes) -> tuple[Answer | None, int]:
    """The first whole answer in what was received, and its length; None while it is not whole."""
    end = received.find(HEAD_END)
    if end < 0:
        return None, 0
    head = received[:end].lower()
    start = end + len(HEAD_END)
    stop = start + _content_length(head)
    if len(received) < stop:
        return None, 0
    return Answer(int(received[9:12]), head, received[start:stop]), stop


def _content_length(head: bytes) -> int:
    name = b"content-length:"
    at = head.find(name)
    if at < 0:
        raise Broken(f"an answer without a length: {head[:200]!r}")
    return int(head[at + len(name) :].split(b"\r\n", 1)[0])


def build(method: str, path: str, body: Any = None, *, key: str = "", op: str = "") -> bytes:
    """The bytes of one request."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"Idempotency-Key: {op}"] if op else []
    return "\r\n".join([*lines, "", ""]).encode() + content


async def connect(url: str, count: int) -> list[Connection]:
    """Open connections and leave them open."""
    where, loop = urlsplit(url), asyncio.get_running_loop()
    address = (where.hostname or "127.0.0.1", where.port or 80)
    made = await asyncio.gather(*(loop.create_connection(Connection, *address) for _ in range(count)))
    return [connection for _, connection in made]


@dataclass
class Load:
    """What one load did: seconds in all, seconds of each answer, statuses."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        return len(self.waits) / self.seconds

    def wait_ms(self, share: float) -> float:
        """The longest that `share` of the requests waited."""
        ordered = sorted(self.waits)
        return 1_000 * ordered[max(0, ceil(share * len(ordered)) - 1)]


async def run_load(url: str, requests: Iterable[bytes], in_flight: int) -> Load:
    """Send the requests in their order, `in_flight` at a time, each on a connection that was opened before."""
    load, queue = Load(), iter(requests)
    connections = await connect(url, in_flight)
    began = time.perf_counter()
    await asyncio.gather(*(_work(connection, queue, load) for connection in connections))
    load.seconds = time.perf_counter() - began
    for connection in connections:
        await connection.close()
    return load


async def _work(connection: Connection, queue: Iterator[bytes], load: Load) -> None:
    for request in queue:
        began = time.perf_counter()
        answer = await connection.ask(request)
        load.waits.append(time.perf_counter() - began)
        load.statuses[answer.status] += 1
