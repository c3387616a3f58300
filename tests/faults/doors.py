"""The two ways in: HTTP, as callers do, or straight through an `Allocator`. What they hear they say in one form."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from allocator import Allocator, HoldRequest, Line, OrderRequest, StockLine, errors
from loadtests.http import Answer, Broken, Connection, build, connect

from .ops import PUT_OFF, Op, Said

TTL_SECONDS: Final = 600
PATIENCE_S: Final = 10.0
"""How long a caller waits who means to hear the answer."""

HASTE_S: Final = 0.25
HASTY: Final = 3
"""The first callers hang up after HASTE_S: a breakage of that length always leaves something unknown."""


def patience_of(caller: int) -> float:
    """How long this caller waits, in seconds."""
    return HASTE_S if caller < HASTY else PATIENCE_S


AGAIN_S: Final = 0.05
"""A caller who cannot connect waits this long."""

PASSING: Final = frozenset({"replayed"})
"""What differs between an answer and its repetition."""


UNREADABLE: Final = (Broken, OSError, errors.Unanswered)
"""What reading raises when nobody answers; a timeout is an OSError."""


class Door(Protocol):
    """One caller at a time."""

    async def send(self, op: Op) -> Said:
        """Make the call once and say what was heard. Raises nothing."""

    async def read(self, op: Op) -> Any:
        """The order or hold as it stands, or None when there is none. Raises UNREADABLE."""

    async def close(self) -> None:
        """Let go of what it holds."""


# --- HTTP --------------------------------------------------------------------------------------------------------


class Ask(NamedTuple):
    """An HTTP request."""

    method: str
    path: str
    body: Any = None
    op: str = ""


def _lines(op: Op) -> list[dict[str, Any]]:
    return [{"sku": line.sku, "units": line.units} for line in op.lines]


def _order(op: Op) -> Ask:
    at = {"at": "oslo"} if op.channel == "till" else {}
    return Ask("PUT", f"/v1/orders/{op.channel}/{op.subject}", {"lines": _lines(op), "hold": op.hold, **at})


def _hold(op: Op) -> Ask:
    return Ask(
        "PUT",
        f"/v1/holds/{op.subject}",
        {"channel": op.channel, "lines": _lines(op), "ttl_seconds": TTL_SECONDS},
    )


def _receive(op: Op) -> Ask:
    return Ask("POST", "/v1/stock/receive", {"lines": [line._asdict() for line in op.lines]}, op.name)


ASKS: Final[dict[str, Callable[[Op], Ask]]] = {
    "order": _order,
    "hold": _hold,
    "release": lambda op: Ask("DELETE", f"/v1/holds/{op.subject}"),
    "ship": lambda op: Ask("POST", f"/v1/orders/{op.channel}/{op.subject}/ship", {}, op.name),
    "cancel": lambda op: Ask("POST", f"/v1/orders/{op.channel}/{op.subject}/cancel", {}, op.name),
    "receive": _receive,
}


class HttpDoor:
    """A kept-alive connection; when it breaks, the next one goes to the next of the addresses."""

    def __init__(self, urls: Callable[[], Sequence[str]], key: str, caller: int) -> None:
        self._urls = urls
        self._key = key
        self._patience_s = patience_of(caller)
        self._turn = caller
        self._connection: Connection | None = None

    async def send(self, op: Op) -> Said:
        try:
            return _said(await self._ask(ASKS[op.verb](op), self._patience_s))
        except (Broken, OSError, TimeoutError) as error:
            await self.close()
            return Said("unknown", detail=type(error).__name__)

    async def read(self, op: Op) -> Any:
        place = f"/v1/orders/{op.channel}/{op.subject}" if op.verb == "order" else f"/v1/holds/{op.subject}"
        try:
            answer = await self._ask(Ask("GET", place), PATIENCE_S)
        except Broken:
            # A connection that nobody used for a while is closed by the service.
            await self.close()
            answer = await self._ask(Ask("GET", place), PATIENCE_S)
        return json.loads(answer.body) if answer.status == 200 else None

    async def close(self) -> None:
        if self._connection is not None:
            self._connection._transport.abort()
            await self._connection.close()
            self._connection = None

    async def _ask(self, ask: Ask, patience_s: float) -> Answer:
        async with asyncio.timeout(patience_s):
            if self._connection is None:
                self._connection = await self._connect()
            return await self._connection.ask(build(ask.method, ask.path, ask.body, key=self._key, op=ask.op))

    async def _connect(self) -> Connection:
        self._turn += 1
        urls = self._urls()
        try:
            return (await connect(urls[self._turn % len(urls)], 1))[0]
        except OSError:
            await asyncio.sleep(AGAIN_S)
            raise


def _said(answer: Answer) -> Said:
    body = json.loads(answer.body)
    if answer.status in {200, 201}:
        return Said("accepted", _lasting(body), fresh=not body["replayed"])
    slug, known = str(body.get("type", "")).removeprefix("/problems/"), body.get("outcome")
    if answer.status in {404, 409}:
        return Said("refused", [slug, body.get("facts", {})], detail=slug)
    if answer.status == 503:
        return Said("unknown", detail=PUT_OFF if known == PUT_OFF else slug)
    return Said("unexpected", detail=f"{answer.status} {slug} {body.get('detail', '')}")


def _lasting(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in PASSING}


# --- the allocator -----------------------------------------------------------------------------------------------


class AllocatorDoor:
    """One caller of an allocator that others call as well."""

    def __init__(self, allocator: Allocator, caller: int) -> None:
        self._allocator = allocator
        self._patience_s = patience_of(caller)

    async def send(self, op: Op) -> Said:
        try:
            async with asyncio.timeout(self._patience_s):
                answer = await self._call(op)
        except errors.Refusal as error:
            slug = error.outcome.replace("_", "-")
            return Said("refused", [slug, error.facts], detail=slug)
        except (errors.Unanswered, errors.NotReady, TimeoutError) as error:
            return Said("unknown", detail=PUT_OFF if isinstance(error, errors.NotReady) else type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever else comes out of the allocator is a finding
            return Said("unexpected", detail=f"{type(error).__name__}: {error}")
        return Said("accepted", _lasting(msgspec.to_builtins(answer)), fresh=not answer.replayed)

    async def read(self, op: Op) -> Any:
        with suppress(errors.UnknownOrder, errors.UnknownHold, errors.NotReady):
            if op.verb == "order":
                return msgspec.to_builtins(await self._allocator.find_order(op.channel, op.subject))
            return msgspec.to_builtins(await self._allocator.find_hold(op.subject))
        return None

    async def close(self) -> None:
        """The allocator is not ours."""

    async def _call(self, op: Op) -> Any:
        allocator = self._allocator
        lines = [Line(str(number), want.sku, want.units) for number, want in enumerate(op.lines, 1)]
        match op.verb:
            case "order":
                at = "oslo" if op.channel == "till" else ""
                return await allocator.order(
                    OrderRequest(channel=op.channel, external_id=op.subject, lines=lines, hold=op.hold, at=at)
                )
            case "hold":
                return await allocator.hold(
                    HoldRequest(hold_id=op.subject, channel=op.channel, lines=lines, ttl_ms=TTL_SECONDS * 1000)
                )
            case "release":
                return await allocator.release(op.subject)
            case "ship":
                return await allocator.ship(op.channel, op.subject, op=op.name)
            case "cancel":
                return await allocator.cancel(op.channel, op.subject, op=op.name)
        rows = [StockLine(want.sku, want.location, want.units) for want in op.lines]
        return await allocator.receive(rows, op=op.name)
