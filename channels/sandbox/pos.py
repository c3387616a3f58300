"""
Tills and their hub, by the till contract (README.md, section Tills).

A till sells what lies in its store, whatever any number says; what happened it sends in batches, signed. It may be
offline for a while, send a batch twice because it did not hear the answer, have a clock that is wrong, or a secret that
is. The hub shows the numbers it was told, less what its tills have sold since.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.errors import Unauthorized
from channels.pos import PosSecrets
from channels.pos.signing import HEADER, prove, signature
from channels.pos.words import EVENTS_MAX

from .faults import Faults
from .webhooks import Courier, Message

PATH: Final = "/stock"
"""Where the hub takes numbers and says what it shows."""


@dataclass
class Article:
    """What the hub shows of an article, and when the number it was told last was signed."""

    shown: int
    signed_s: int = 0


@dataclass
class Till:
    """
    One till. Events wait in `events` while it is offline. skew_ms: how far its clock is ahead. secret: what it signs
    with, the connection's own unless it is to sign wrongly.
    """

    name: str
    location: str
    secret: str
    is_offline: bool = False
    skew_ms: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)


class PosSandbox:
    """
    One hub and its tills. `now_ms` is the real time; `courier` delivers what tills send to `url`; `faults` go wrong on
    demand; `key` is the API key that tills name themselves with. Events are numbered from behind `after`.
    """

    def __init__(
        self,
        courier: Courier,
        now_ms: Callable[[], int],
        secrets: PosSecrets,
        *,
        url: str = "",
        key: str = "",
        after: int = 0,
    ) -> None:
        self.courier, self.faults, self.url, self.key = courier, Faults(), url, key
        self.articles: dict[str, Article] = {}
        self.tills: dict[str, Till] = {}
        self.calls: list[str] = []
        self._now_ms, self._secrets = now_ms, secrets
        self._ids = itertools.count(after + 1)
        self.app = Starlette(routes=[Route(PATH, self._guarded, methods=["GET", "POST"])])

    # --- what happens in the stores -----------------------------------------------------------------------------

    def opens(self, till: str, location: str) -> Till:
        """Another till begins to work."""
        opened = self.tills[till] = Till(till, location, self._secrets.signing_secret)
        return opened

    def sells(self, sku: str, units: int) -> None:
        """Put an article on sale."""
        self.articles[sku] = Article(units)

    def shows(self, sku: str) -> int:
        """What cashiers see."""
        return self.articles[sku].shown

    def buys(self, sku: str, units: int, *, till: str = "") -> str:
        """Somebody takes goods to a till and leaves with them. Returns the event's id."""
        if sku in self.articles:
            self.articles[sku].shown -= units
        return self.happens("sale", [(sku, str(units))], till=till)

    def brings_back(self, sku: str, units: int, *, of: str = "", till: str = "") -> str:
        """Somebody brings goods back, of the sale with the event's id `of` if the receipt is there."""
        return self.happens("return", [(sku, str(units))], till=till, reference=of)

    def counts(self, sku: str, units: int, *, till: str = "") -> str:
        """Somebody counts what lies there."""
        return self.happens("count", [(sku, str(units))], till=till)

    def happens(self, type: str, lines: Sequence[tuple[str, str]], *, till: str = "", **more: Any) -> str:
        """Anything; it is sent at once, or when the till is online again. `more` are fields of the event."""
        at = self.tills[till] if till else next(iter(self.tills.values()))
        id = more.pop("event_id", "") or f"{at.name}-{next(self._ids)}"
        event = {
            "event_id": id,
            "type": type,
            "occurred_at": _iso(self._now_ms() + at.skew_ms),
            "location": at.location,
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        }
        at.events.append(event | {name: value for name, value in more.items() if value})
        if not at.is_offline:
            self.sends(at.name)
        return id

    def loses_connection(self, till: str) -> None:
        """From now on what happens waits in the till."""
        self.tills[till].is_offline = True

    def is_back(self, till: str) -> None:
        """The till is online again and sends what has waited."""
        self.tills[till].is_offline = False
        self.sends(till)

    def sends(self, till: str) -> None:
        """Send what waits, in batches; the courier may send one twice, late or never."""
        at = self.tills[till]
        events, at.events = at.events, []
        for start in range(0, len(events), EVENTS_MAX):
            self.courier.post(self.message(events[start : start + EVENTS_MAX], secret=at.secret))

    def message(self, events: Sequence[dict[str, Any]], *, secret: str = "", at_s: int | None = None) -> Message:
        """These events as a till sends them, signed now or `at_s`."""
        body = msgspec.json.encode({"events": events})
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if secret := secret or self._secrets.signing_secret:
            headers[HEADER] = signature([secret], body, self._now_ms() // 1_000 if at_s is None else at_s)
        return Message(self.url, headers, body)

    async def deliver(self) -> list[tuple[Message, int]]:
        """Deliver what was sent; what is answered with 5xx or not at all is sent again next time, as it was."""
        delivered = await self.courier.deliver()
        self.courier.waiting += [message for message, status in delivered if status == 0 or status >= 500]
        return delivered

    # --- the hub ------------------------------------------------------------------------------------------------

    async def _guarded(self, request: Request) -> Response:
        operation = "push" if request.method == "POST" else "list" if "limit" in request.query_params else "read"
        self.calls.append(operation)
        refused = await self.faults.before(operation)
        if refused is not None:
            return refused
        if self.faults.strikes(self.faults.throttle, operation):
            return Response("too many requests", 429, {"Retry-After": "1"})
        body = await request.body()
        try:
            prove(request.headers.get(HEADER, ""), self._secrets.all, body, self._now_ms() / 1_000)
        except Unauthorized as error:
            return _json({"error": str(error)}, 401)
        answer = self._take(request, body) if operation == "push" else self._tell(request)
        self.faults.after(operation)
        return answer

    def _take(self, request: Request, body: bytes) -> Response:
        signed_s = int(request.headers[HEADER].partition(",")[0].removeprefix("t="))
        rows = msgspec.json.decode(body)["levels"]
        return _json({"results": [self._put(row["sku"], row["available"], signed_s) for row in rows]})

    def _put(self, sku: str, available: int, signed_s: int) -> dict[str, Any]:
        article = self.articles.get(sku)
        if article is None or sku in self.faults.refuse:
            return {"sku": sku, "status": "refused", "code": "unknown_article", "says": "no till sells this"}
        if signed_s < article.signed_s:
            return {"sku": sku, "status": "stale", "available": article.shown}
        article.shown, article.signed_s = available, signed_s
        return {"sku": sku, "status": "shown", "available": available}

    def _tell(self, request: Request) -> Response:
        asked = request.query_params.getlist("sku")
        if asked:
            return _json({"levels": [self._level(sku) for sku in asked]})
        limit, after = int(request.query_params["limit"]), request.query_params["after"]
        page = sorted(sku for sku in self.articles if sku > after)[: limit + 1]
        more = page[limit - 1] if len(page) > limit else ""
        return _json({"levels": [self._level(sku) for sku in page[:limit]], "next": more})

    def _level(self, sku: str) -> dict[str, Any]:
        article = self.articles.get(sku)
        return {"sku": sku, "available": article.shown if article else None}


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
