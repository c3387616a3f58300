"""Speaks HTTP with a running service; what nobody answered is asked again with the same id."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import httpx
import msgspec
import stamina

OP_KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"

AGAIN: Final = frozenset({429, 502, 503, 504})
"""Statuses that promise another answer later."""

PAGE: Final = 1_000
"""Rows asked for at once."""

TIMEOUT_SECONDS: Final = 60.0
WAIT_SECONDS_MAX: Final = 30.0
"""The longest a service may ask us to wait before the next try."""


class Stopped(Exception):
    """It cannot go on; the message says why, to a person."""


class Answer(NamedTuple):
    """What the service said; `replayed` when it had said so before this request was first sent."""

    status: int
    body: dict[str, Any]
    replayed: bool

    def good(self) -> dict[str, Any]:
        """The body of an answer that is no problem. Raises Stopped."""
        if self.status != httpx.codes.OK:
            raise Stopped(f"the service refuses: {self.detail}{f' ({self.where})' if self.where else ''}")
        return self.body

    @property
    def where(self) -> str:
        """The place a problem names, or ''."""
        return str(self.body.get("where", ""))

    @property
    def slug(self) -> str:
        """The type of the problem, or ''."""
        return str(self.body.get("type", "")).rpartition("/")[2]

    @property
    def detail(self) -> str:
        """What the service says is wrong."""
        return str(self.body.get("detail") or f"status {self.status}")

    @property
    def facts(self) -> Mapping[str, Any]:
        """The facts of a problem."""
        return self.body.get("facts") or {}


class _Later(Exception):
    def __init__(self, response: httpx.Response) -> None:
        super().__init__(_read(response).detail)
        self.seconds = _seconds(response.headers.get("Retry-After", ""))


def make_client(url: str, key: str, connections: int) -> httpx.AsyncClient:
    """A client of one service, for everything this package asks."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        limits=httpx.Limits(max_connections=connections),
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    )


class Service:
    """
    One service.

    `patience_seconds` is how long one request is repeated before we give up; `note` hears of it once each time.
    """

    def __init__(
        self, client: httpx.AsyncClient, *, patience_seconds: float = 60.0, note: Callable[[str], None] | None = None
    ) -> None:
        self._client = client
        self._patience_seconds = patience_seconds
        self._note = note or (lambda _: None)

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Answer:
        """Read something. Raises Stopped when nobody answers or the key is not good."""
        return await self._ask(self._client.build_request("GET", path, params=dict(query or {})))

    async def list(self, path: str, filters: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
        """Everything a list has, page by page. Raises Stopped."""
        query: dict[str, str | int] = {**(filters or {}), "limit": PAGE}
        while True:
            page = (await self.get(path, query)).good()
            for item in page["data"]:
                yield item
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    async def post(self, path: str, asked: Any, op: str = "") -> Answer:
        """Send a body; `op` is its idempotency key. Raises Stopped when nobody answers or the key is not good."""
        return await self._write("POST", path, asked, op)

    async def put(self, path: str, asked: Any) -> Answer:
        """Put a body where it belongs. Raises Stopped when nobody answers or the key is not good."""
        return await self._write("PUT", path, asked, "")

    async def _write(self, method: str, path: str, asked: Any, op: str) -> Answer:
        headers = {"Content-Type": "application/json"} | ({OP_KEY: op} if op else {})
        content = msgspec.json.encode(asked)
        return await self._ask(self._client.build_request(method, path, content=content, headers=headers))

    async def _ask(self, request: httpx.Request) -> Answer:
        try:
            answer = await self._send(request)
        except (httpx.TransportError, _Later) as error:
            raise Stopped(_unanswered(request, error, self._patience_seconds)) from error
        if answer.status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise Stopped(f"the service refuses this key: {answer.detail}")
        return answer

    async def _send(self, request: httpx.Request) -> Answer:
        async for attempt in stamina.retry_context(
            on=_again, attempts=None, timeout=self._patience_seconds, wait_initial=0.2, wait_jitter=0.3
        ):
            if attempt.num == 2:
                self._note(f"{request.url.host} does not answer; trying again for {self._patience_seconds:g} s")
            with attempt:
                response = await self._client.send(request)
                if response.status_code in AGAIN:
                    raise _Later(response)
                answer = _read(response)
                # Once a try was not answered, it may be that very try which the service remembers.
                return answer if attempt.num == 1 else answer._replace(replayed=False)
        raise AssertionError("the last attempt returns or raises")


def _again(error: Exception) -> bool | timedelta:
    if isinstance(error, _Later) and error.seconds:
        return timedelta(seconds=min(error.seconds, WAIT_SECONDS_MAX))
    return isinstance(error, _Later | httpx.TransportError)


def _seconds(said: str) -> float:
    return float(said) if said.isdecimal() and len(said) < 10 else 0.0


def _read(response: httpx.Response) -> Answer:
    try:
        body = msgspec.json.decode(response.content, type=dict[str, Any])
    except ValueError:
        body = {"detail": f"status {response.status_code}: {response.text[:200]}"}
    return Answer(response.status_code, body, REPLAYED in response.headers)


def _unanswered(request: httpx.Request, error: Exception, seconds: float) -> str:
    why = str(error) or type(error).__name__
    return f"{request.method} {request.url} was not answered within {seconds:g} s: {why}"
