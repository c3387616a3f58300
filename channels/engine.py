"""
Carries out what connectors translate: the one way to a channel, for all of them.

    run        walks through a connector's steps
    _send      repeats what may be repeated, as long as the channel is down or busy
    _once      breaker, place in the token bucket, token, HTTP, log, and what the answer means

A call that is not repeatable and whose answer was lost is Unclear: whoever made it looks first, and then asks for what
is true by then.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import httpx
import msgspec
import stamina

from .base import Connector, Token
from .breaker import Breaker
from .errors import Busy, ChannelError, Down, Nonsense, Refused, Unauthorized, Unclear
from .masking import masked_body, masked_pairs
from .pacing import QUEUE_S_MAX, Paces, Rate
from .wire import Answer, Call, Steps

T = TypeVar("T")

ANSWER_MAX: Final = 32 * 1024 * 1024
"""Bytes of an answer; more is no answer of a channel in its right mind."""

ATTEMPTS_MAX: Final = 4
PATIENCE_S: Final = 45.0
"""How long one call is repeated."""

TICK_S: Final = 0.001

EARLY_MS: Final = 120_000
"""How long before its end a token is renewed."""

UNLIMITED: Final = Rate(1_000.0, 1_000.0)
"""Of a bucket whose limit nobody names."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)


class Exchange(msgspec.Struct, frozen=True):
    """One request and its answer as they may be kept. attempt: from 1. status 0: no answer, `error` says why."""

    operation: str
    attempt: int
    request: str
    sent: str
    status: int
    answered: str
    took_ms: int
    error: str = ""


class Began(NamedTuple):
    """Which attempt, and when it began."""

    attempt: int
    at_s: float


class Tokens(Protocol):
    """Keeps the token of one account, for all who work for it."""

    async def current(self) -> Token | None:
        """The token there is."""
        ...

    async def renew(self, worn: Token | None, ask: Callable[[Token | None], Awaitable[Token]]) -> Token:
        """Another one than `worn`: what somebody else has got meanwhile, else what `ask` gets; one at a time."""
        ...


class Log(Protocol):
    """Takes down what was said."""

    async def add(self, exchange: Exchange) -> None:
        """One more."""
        ...


class Means(NamedTuple):
    """What one account works with; several processes may share what is behind it."""

    http: httpx.AsyncClient
    paces: Paces
    tokens: Tokens
    log: Log
    breaker: Breaker
    now_ms: Callable[[], int]


class Engine:
    """Talks to one account of a channel."""

    def __init__(self, connector: Connector[Any, Any], means: Means) -> None:
        self.connector = connector
        self._means = means

    async def run(self, steps: Steps[T]) -> T:
        """Walk through a connector's steps. A step may hear of the error of its call. Raises ChannelError."""
        try:
            call = next(steps)
            while True:
                try:
                    answer = await self._send(call)
                except ChannelError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    async def reserve(self, bucket: str) -> None:
        """Wait until there is room in this bucket; numbers that are read after that do not grow old waiting."""
        await self._wait_for(bucket, 0.0)

    async def _send(self, call: Call) -> Answer:
        # Before the attempts: getting a token is repeated by itself.
        token = await self._token() if call.authorized else None
        attempts = ATTEMPTS_MAX if call.repeatable else 1
        async for attempt in stamina.retry_context(
            on=_may_help, attempts=attempts, timeout=PATIENCE_S, wait_initial=0.2, wait_max=8.0
        ):
            with attempt:
                return await self._authorized(call, token, attempt.num)
        raise AssertionError("the last attempt returns or raises")

    async def _authorized(self, call: Call, token: Token | None, attempt: int) -> Answer:
        """The answer; a token that is refused is renewed once."""
        if not call.authorized:
            return await self._once(call, attempt)
        try:
            return await self._once(self._letting_in(call, token), attempt)
        except Unauthorized:
            if token is None:
                raise
            fresh = await self._means.tokens.renew(token, self._ask_for_token)
            return await self._once(self._letting_in(call, fresh), attempt)

    def _letting_in(self, call: Call, token: Token | None) -> Call:
        return self.connector.authorize(call, token, self._means.now_ms())

    async def _token(self) -> Token | None:
        """The token, renewed before it ends; None for channels that have none."""
        if not self.connector.has_token:
            return None
        token = await self._means.tokens.current()
        if token is not None and token.expires_ms - self._means.now_ms() > EARLY_MS:
            return token
        return await self._means.tokens.renew(token, self._ask_for_token)

    async def _ask_for_token(self, before: Token | None) -> Token:
        token = await self.run(self.connector.token(before, self._means.now_ms()))
        assert token is not None, "a channel with tokens gives one"
        return token

    # --- one request --------------------------------------------------------------------------------------------

    async def _once(self, call: Call, attempt: int) -> Answer:
        await self._means.breaker.check()
        await self._wait_for(call.limit, call.cost, yields=call.yields)
        began = Began(attempt, time.monotonic())
        try:
            answer = await self._exchange(call)
        except ChannelError as error:
            await self._note(call, None, began, error)
            await self._means.breaker.heard(well=not isinstance(error, Down | Unclear))
            raise
        return await self._judged(call, answer, began)

    async def _judged(self, call: Call, answer: Answer, began: Began) -> Answer:
        learned = self.connector.learn(call, answer)
        if learned is not None:
            await self._means.paces.learn(call.limit, learned)
        try:
            self.connector.judge(call, answer)
        except ChannelError as error:
            if isinstance(error, Busy):
                await self._means.paces.slow(call.limit, error.wait_s)
            await self._note(call, answer, began, error)
            await self._means.breaker.heard(well=not isinstance(error, Down))
            raise
        await self._note(call, answer, began, None)
        await self._means.breaker.heard(well=True)
        return answer

    async def _wait_for(self, bucket: str, cost: float, *, yields: bool = False) -> None:
        """Who yields takes no place in the queue at first; later he does, or others would always be first."""
        rate = self.connector.facts.rates.get(bucket, UNLIMITED)
        began, has_place = time.monotonic(), False
        while not has_place:
            queue_s = 0.0 if yields and time.monotonic() - began < QUEUE_S_MAX else QUEUE_S_MAX
            wait_s = await self._means.paces.take(bucket, rate, cost, queue_s)
            has_place = wait_s <= queue_s
            if wait_s > 0:
                # Buckets count milliseconds: before the next one nothing is another.
                await asyncio.sleep(max(wait_s, TICK_S))

    async def _exchange(self, call: Call) -> Answer:
        url = call.path if "://" in call.path else self.connector.base_url() + call.path
        try:
            async with self._means.http.stream(
                call.method, url, params=list(call.params) or None, headers=dict(call.headers), content=call.body
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, await _read(response))
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Refused(str(error), "address") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Down(f"{type(error).__name__}: {error}") from error
        except httpx.HTTPError as error:
            lost = Down if call.repeatable else Unclear
            raise lost(f"{type(error).__name__}: {error}") from error

    async def _note(self, call: Call, answer: Answer | None, began: Began, error: ChannelError | None) -> None:
        sent = "" if call.secret else masked_body(call.body, call.headers.get("Content-Type", ""))
        heard = "" if call.secret or answer is None else masked_body(answer.body)
        # Whoever has the whole of an address that was signed beforehand is let in by it.
        path = call.path.partition("?")[0] if call.secret else call.path
        exchange = Exchange(
            operation=call.operation,
            attempt=began.attempt,
            request=f"{call.method} {path} {masked_pairs(call.params)}".strip(),
            sent=sent,
            status=answer.status if answer else 0,
            answered=heard,
            took_ms=round((time.monotonic() - began.at_s) * 1000),
            error=f"{type(error).__name__}: {error}" if error else "",
        )
        await self._means.log.add(exchange)


def _may_help(error: Exception) -> bool | float | timedelta:
    """Whether to ask again, and when: a busy channel says it itself, and may ask for more patience than a call has."""
    if isinstance(error, Busy):
        return error.wait_s <= PATIENCE_S and timedelta(seconds=error.wait_s)
    return isinstance(error, Down)


async def _read(response: httpx.Response) -> bytes:
    pieces, size = [], 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > ANSWER_MAX:
            raise Nonsense(f"an answer of more than {ANSWER_MAX} bytes")
        pieces.append(piece)
    return b"".join(pieces)
