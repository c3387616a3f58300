"""A channel of a few lines, with answers that tests prepare, behind real HTTP semantics."""

from collections import deque
from collections.abc import Callable

import httpx

from channels.base import Connector, Facts, Token
from channels.breaker import OwnBreaker
from channels.engine import Engine, Exchange, Means
from channels.pacing import Learned, OwnPaces, Rate
from channels.wire import Answer, Call, send_form

NOON_MS = 1_795_262_400_000


class Shop(Connector):
    """Has a token of one hour, and one operation with a limit."""

    facts = Facts("shop", "https://example.org", batch=2, rates={"slow": Rate(1.0, 1.0)}, counts="net", quantity_max=9)

    def base_url(self) -> str:
        return "http://shop.test"

    def token(self, before, now_ms):
        answer = yield send_form("token", "/token", {"refresh_token": "r"}, authorized=False, secret=True)
        return Token(answer.json()["access_token"], now_ms + 3_600_000)

    def authorize(self, call: Call, token: Token | None, now_ms: int) -> Call:
        return Call(**{**_fields(call), "headers": {**call.headers, "Authorization": f"Bearer {token.value}"}})

    def learn(self, call: Call, answer: Answer) -> Learned | None:
        said = answer.headers.get("x-limit")
        return Learned(Rate(float(said), 1.0)) if said else None


def _fields(call: Call) -> dict:
    return {name: getattr(call, name) for name in call.__struct_fields__}


class OwnTokens:
    def __init__(self) -> None:
        self.token: Token | None = None

    async def current(self) -> Token | None:
        return self.token

    async def renew(self, worn, ask) -> Token:
        if self.token is None or self.token == worn:
            self.token = await ask(worn)
        return self.token


class Notes:
    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    async def add(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


Said = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class World:
    """An engine that talks to prepared answers; `asked` is what reached the other side, tokens aside."""

    def __init__(self) -> None:
        self.says: deque[Said] = deque()
        self.asked: list[httpx.Request] = []
        self.tokens_given = 0
        self.now_ms = NOON_MS
        self.waited: list[float] = []
        self.notes, self.tokens = Notes(), OwnTokens()
        self.paces, self.breaker = OwnPaces(lambda: self.now_ms), OwnBreaker(lambda: self.now_ms)
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), trust_env=False)
        means = Means(http, self.paces, self.tokens, self.notes, self.breaker, lambda: self.now_ms)
        self.engine = Engine(Shop(None, None), means)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            self.tokens_given += 1
            return httpx.Response(200, json={"access_token": f"token-{self.tokens_given}"})
        self.asked.append(request)
        said = self.says.popleft()
        if isinstance(said, Exception):
            raise said
        return said(request) if callable(said) else said
