"""
The one factory of every Redis client, and the check that a server is fit to hold stock.

redis-py repeats a command by itself when a connection breaks, and how often depends on which
constructor was used. A verb that was cut off may have run, so only a retry that knows the op's
key may send it again. Therefore nothing else in the three rooms makes a client, and every
client made here sends each command at most once.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.maint_notifications import MaintNotificationsConfig

CONNECTIONS_MAX: Final = 64
"""Enough to keep one server's fsync groups full; a 65th call waits for a free connection."""

HEALTH_CHECK_SECONDS: Final = 15
"""A connection idle for longer is pinged before it carries a verb."""

ALIASES: Final = {"valkey": "redis", "valkeys": "rediss"}
"""URL schemes people write for Valkey, and what redis-py calls them."""

FIXED_OPTIONS: Final = frozenset(
    {"decode_responses", "encoding", "legacy_responses", "protocol", "retry", "retry_on_error", "retry_on_timeout"},
)
"""Options a URL may not set: a query string wins over arguments and would undo what this module promises."""

UNSAFE_NAMES: Final = frozenset(
    {"no-persistence", "appendfsync-everysec", "appendfsync-no", "eviction", "unreadable", "old-server"},
)
"""Every name `unsafe_reasons` can give. Stable: operators write them into `ALLOT_ALLOW_UNSAFE`."""

VALKEY_MAJOR_MIN: Final = 8
REDIS_MAJOR_MIN: Final = 7


@dataclass(frozen=True)
class Unsafe:
    """One reason why a server may lose an accepted order; `name` is one of UNSAFE_NAMES, `says` is for people."""

    name: str
    says: str


class UnsafeServer(Exception):
    """This server may lose accepted orders."""

    def __init__(self, reasons: Collection[Unsafe]) -> None:
        self.reasons = tuple(reasons)
        lines = [f"  {reason.name}: {reason.says}" for reason in self.reasons]
        names = ",".join(reason.name for reason in self.reasons)
        super().__init__("\n".join([f"{self.__doc__} To start anyway: ALLOT_ALLOW_UNSAFE={names}", *lines]))


def make_client(url: str, *, timeout_s: float | None = 2.0, connections_max: int = CONNECTIONS_MAX) -> Redis:
    """
    Make a client that sends every command at most once; it connects when first used.

    `url` is redis://, rediss://, valkey://, valkeys:// or unix:///path. `timeout_s` limits waiting for an
    answer and for a free connection; None, for blocking reads only, waits for an answer without limit.
    Answers are bytes. A timeout or a lost connection means *unknown*: the command may have run.
    Raises ValueError for a URL of another kind, or one that sets an option fixed here.
    """
    address = plain_url(url)
    # A blocking read on a dead TCP connection would otherwise wait for ever; unix sockets have no such option.
    keepalive = {} if address.startswith("unix:") else {"socket_keepalive": True}
    pool = BlockingConnectionPool.from_url(
        address,
        max_connections=connections_max,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s or 2.0,
        health_check_interval=HEALTH_CHECK_SECONDS,
        retry=Retry(NoBackoff(), 0),
        # Valkey does not know the command; asking costs a round trip on every new connection.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        decode_responses=False,
        **keepalive,
    )
    return Redis.from_pool(pool)


def plain_url(url: str) -> str:
    """Spell a server's address as redis-py knows it. Raises ValueError when it sets an option fixed here."""
    parts = urlsplit(url)
    forbidden = FIXED_OPTIONS & parse_qs(parts.query).keys()
    if forbidden:
        message = f"the server's URL must not set {', '.join(sorted(forbidden))}: allocator/client.py decides it"
        raise ValueError(message)
    scheme = ALIASES.get(parts.scheme, parts.scheme)
    return scheme + url[len(parts.scheme) :]


async def refuse_unsafe(client: Redis, allowed: Collection[str] = ()) -> list[Unsafe]:
    """Return the reasons an operator has allowed by name; raise UnsafeServer if there are others."""
    reasons = await unsafe_reasons(client)
    refused = [reason for reason in reasons if reason.name not in allowed]
    if refused:
        raise UnsafeServer(refused)
    return reasons


async def unsafe_reasons(client: Redis) -> list[Unsafe]:
    """Say why this server could lose accepted orders; empty when nothing was found."""
    try:
        info = await client.info()
    except ResponseError as error:
        return [Unsafe("unreadable", f"INFO was refused ({error}), so nothing about this server is known")]
    reasons = [_version(info), _eviction(info), await _persistence(client, info)]
    return [reason for reason in reasons if reason is not None]


def _version(info: Mapping[str, Any]) -> Unsafe | None:
    # Valkey also reports the redis_version it descends from, always 7.2.4.
    name, least = ("valkey", VALKEY_MAJOR_MIN) if "valkey_version" in info else ("redis", REDIS_MAJOR_MIN)
    version = str(info.get(f"{name}_version", "0"))
    if int(version.split(".", maxsplit=1)[0]) >= least:
        return None
    return Unsafe("old-server", f"{name} {version} is too old: Valkey 8 or Redis 7 at least")


def _eviction(info: Mapping[str, Any]) -> Unsafe | None:
    policy = info.get("maxmemory_policy")
    if policy is None:
        return Unsafe("unreadable", "maxmemory-policy could not be read; it must be noeviction")
    if policy == "noeviction":
        return None
    return Unsafe("eviction", f"maxmemory-policy is {policy}: a full server would silently delete stock")


async def _persistence(client: Redis, info: Mapping[str, Any]) -> Unsafe | None:
    if not info.get("aof_enabled"):
        return Unsafe("no-persistence", "appendonly is no: a restart would forget stock and orders")
    fsync = await _setting(client, "appendfsync")
    if fsync == "always":
        return None
    if fsync is None:
        return Unsafe("unreadable", "appendfsync could not be read; it must be always")
    return Unsafe(f"appendfsync-{fsync}", f"appendfsync is {fsync}: a power cut would lose orders already accepted")


async def _setting(client: Redis, name: str) -> str | None:
    """One server setting, or None where CONFIG is forbidden, as on most managed servers."""
    try:
        values = await client.config_get(name)
    except ResponseError:
        return None
    return values.get(name)
