"""
A load generator that costs little: requests as ready-made bytes over kept-alive connections.

A full HTTP client spends more time on a request than the service does, and would be what is measured. This one
writes bytes, finds the status line and the length, takes the time, and sends the next from where it heard the answer:
no task, no future and no object per request.
"""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"

LINE_END = 13
"""A carriage return as a number."""


class Broken(Exception):
    """The connection ended before the answer did."""


class Answer(NamedTuple):
    """Status, head and body of an answer."""

    status: int
    head: bytes
    body: bytes


class _Reader(asyncio.Protocol, ABC):
    """One kept-alive connection with one request at a time; subclasses say what becomes of an answer."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own classes are transports in all but name.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        received = self._buffer + data if self._buffer else data
        try:
            answer, length = read_answer(received)
        except Broken as error:
            self.broke(error)
            return
        if answer is None:
            self._buffer = received
        else:
            self._buffer = received[length:]
            self.answered(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()
        self.broke(Broken(str(exc or "closed by the server")))

    @abstractmethod
    def answered(self, answer: Answer) -> None:
        """A whole answer is here."""

    @abstractmethod
    def broke(self, error: Broken) -> None:
        """There will be no more answers."""

    async def close(self) -> None:
        """End the connection and wait until it has ended."""
        self._transport.close()
        await self._lost.wait()


class Connection(_Reader):
    """For single requests, each of which somebody waits for."""

    _waiting: asyncio.Future[Answer] | None = None

    def answered(self, answer: Answer) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)

    def broke(self, error: Broken) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(error)

    async def ask(self, request: bytes) -> Answer:
        """Send one request and wait for its answer. Raises Broken."""
        if self._transport.is_closing():
            raise Broken("closed by the server")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting


def read_answer(received: bytes) -> tuple[Answer | None, int]:
    """The first whole answer in what was received, and its length; None while it is not whole. Raises Broken."""
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
    at = head.find(LENGTH)
    if at < 0:
        raise Broken(f"an answer without a length: {head[:200]!r}")
    end = head.find(LINE_END, at)
    return int(head[at + len(LENGTH) : end if end > 0 else None])


def build(method: str, path: str, body: Any = None, *, key: str = "", op: str = "") -> bytes:
    """The bytes of one request."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"Idempotency-Key: {op}"] if op else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def posted(url: str, headers: Mapping[str, str], content: bytes) -> bytes:
    """The bytes of a message that somebody else has made."""
    where = urlsplit(url)
    path = f"{where.path}?{where.query}" if where.query else where.path
    told = {**headers, "Host": where.netloc, "Content-Length": str(len(content))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


Kind = TypeVar("Kind", bound=_Reader)


async def _open(url: str, made: list[Kind]) -> list[Kind]:
    where, loop = urlsplit(url), asyncio.get_running_loop()
    address = (where.hostname or "127.0.0.1", where.port or 80)
    take = iter(made).__next__
    await asyncio.gather(*(loop.create_connection(take, *address) for _ in made))
    return made


async def connect(url: str, count: int) -> list[Connection]:
    """Open connections and leave them open."""
    return await _open(url, [Connection() for _ in range(count)])


@dataclass
class Load:
    """What one load did: seconds in all, seconds of each answer, statuses, and the bodies if they were asked for."""

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[bytes] | None = None

    @property
    def per_second(self) -> float:
        return len(self.waits) / self.seconds

    def wait_ms(self, share: float) -> float:
        """The longest that `share` of the requests waited."""
        ordered = sorted(self.waits)
        return 1_000 * ordered[max(0, ceil(share * len(ordered)) - 1)]


class _Worker(_Reader):
    """Sends one request after the other until there is none left."""

    def __init__(self, queue: Iterator[bytes], load: Load) -> None:
        super().__init__()
        self._queue = queue
        self._load = load
        self._began = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, answer: Answer) -> None:
        self._load.waits.append(time.perf_counter() - self._began)
        self._load.statuses[answer.status] += 1
        if self._load.bodies is not None:
            self._load.bodies.append(answer.body)
        self.send()

    def send(self) -> None:
        """The next request, if there is one."""
        request = next(self._queue, None)
        if request is None:
            if not self.done.done():
                self.done.set_result(None)
            return
        self._began = time.perf_counter()
        self._transport.write(request)

    def broke(self, error: Broken) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def run_load(url: str, requests: Iterable[bytes], in_flight: int, *, keep_bodies: bool = False) -> Load:
    """
    Send the requests in their order, `in_flight` at a time, each on a connection that was opened before.

    Raises Broken.
    """
    load, queue = Load(bodies=[] if keep_bodies else None), iter(requests)
    workers = await _open(url, [_Worker(queue, load) for _ in range(in_flight)])
    began = time.perf_counter()
    try:
        for worker in workers:
            worker.send()
        await asyncio.gather(*(worker.done for worker in workers))
        load.seconds = time.perf_counter() - began
    finally:
        for worker in workers:
            await worker.close()
    return load
