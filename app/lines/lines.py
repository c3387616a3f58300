"""Lines to channels: a connection with its connector and the engine that talks for it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import msgspec
from redis.asyncio import Redis

from app.addresses import Judged
from app.sealing import Sealer
from app.store.connections import ConnectionFacts
from app.store.database import Database
from app.times import now_ms
from channels import CHANNELS, Connector
from channels.breaker import OwnBreaker
from channels.engine import TIMEOUT, Engine, Means

from .means import Account, SharedPaces, SharedToken, SqlLog

LIMITS: Final = httpx.Limits(max_connections=20, max_keepalive_connections=10)


@dataclass(frozen=True)
class Line:
    """One connection that can be talked over; `proving` is for whoever asks for what proves webhooks."""

    facts: ConnectionFacts
    engine: Engine
    http: httpx.AsyncClient
    proving: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def connector(self) -> Connector[Any, Any]:
        """The translations of this account."""
        return self.engine.connector


def secrets_purpose(seller: str, code: str) -> str:
    """What a connection's secrets are sealed for."""
    return f"{seller}/{code} secrets"


def connector_of(facts: ConnectionFacts, sealer: Sealer) -> Connector[Any, Any]:
    """The connector with this connection's settings and secrets. Raises Unsealable, msgspec.ValidationError."""
    kind = CHANNELS[facts.connector]
    settings = msgspec.convert(facts.settings, kind.settings_type)
    secrets = sealer.open(secrets_purpose(facts.seller, facts.code), facts.secrets, kind.secrets_type)
    return kind(settings, secrets)


def which(facts: ConnectionFacts) -> tuple[int, int]:
    """What differs as soon as anything was changed; one that was made again begins with the same version."""
    return facts.created_ms, facts.version


class Lines:
    """The lines of this process; one that was changed since is opened anew."""

    def __init__(self, database: Database, client: Redis, sealer: Sealer, *, allow_private: bool) -> None:
        self._database = database
        self._client = client
        self._sealer = sealer
        self._allow_private = allow_private
        self._open: dict[tuple[str, str], Line] = {}

    async def line(self, facts: ConnectionFacts) -> Line:
        """The line of a connection as it stands. Raises Unsealable, msgspec.ValidationError."""
        key = facts.seller, facts.code
        known = self._open.get(key)
        if known is None or which(known.facts) != which(facts):
            await self.drop(*key)
            known = self._open[key] = self._dial(facts)
        return known

    async def drop(self, seller: str, code: str) -> None:
        """Close a line, if it is open."""
        known = self._open.pop((seller, code), None)
        if known is not None:
            await known.http.aclose()

    async def close(self) -> None:
        """Close all that is open."""
        for key in list(self._open):
            await self.drop(*key)

    def _dial(self, facts: ConnectionFacts) -> Line:
        account = Account(facts.seller, facts.code)
        # A client of its own: a connection that is kept is never another account's.
        http = httpx.AsyncClient(
            transport=Judged(allow_private=self._allow_private, limits=LIMITS),
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "Allot/1"},
        )
        means = Means(
            http=http,
            paces=SharedPaces(self._client, account),
            tokens=SharedToken(self._database, self._client, self._sealer, account),
            log=SqlLog(self._database, account),
            breaker=OwnBreaker(now_ms),
            now_ms=now_ms,
        )
        return Line(facts, Engine(connector_of(facts, self._sealer), means), http)
