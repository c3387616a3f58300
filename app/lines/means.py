"""
What an account's engine works with, shared by all processes: its token in SQL, its token buckets in Valkey, its log in
SQL.

A bucket's arithmetic is `channels.pacing`; here is only where its level is kept. The level in Valkey is replaced if it
is still the one that was reckoned with, else it is reckoned anew: of two processes neither spends what the other has.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import msgspec
from redis.asyncio import Redis

from app.sealing import Sealer
from app.store.connections import change_connection, find_connection
from app.store.database import Database
from app.store.exchanges import add_exchange
from app.times import now_ms
from channels.base import Token
from channels.engine import Exchange
from channels.errors import Down
from channels.pacing import QUEUE_S_MAX, Learned, Level, Rate, learned, slowed, taken

KEEP_S: Final = 86_400
"""How long an unused bucket is remembered: by then it is full."""

TRIES_MAX: Final = 50
RENEW_S: Final = 60.0
"""How long one process may take to get a token; then another one may try."""

SWAP: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""
"""Replaces a value that is still as it was read."""


class Account:
    """Whose means these are: a connection of a seller, by names that fit into keys."""

    def __init__(self, seller: str, code: str) -> None:
        self.seller, self.code = seller, code
        # One hash tag of its own: on a cluster an account's keys lie together, and sellers' stock lies elsewhere.
        self.prefix = f"allot:channel:{{{seller}/{code}}}"
        self.purpose = f"{seller}/{code}"


class Bucket(msgspec.Struct, frozen=True, array_like=True):
    """A bucket as it is kept: how much was in it at a moment, and the rate the channel has told, if it has."""

    level: Level | None
    rate: Rate | None = None


class SharedPaces:
    """The buckets of one account, for all processes."""

    def __init__(self, client: Redis, account: Account, clock: Callable[[], int] = now_ms) -> None:
        self._client = client
        self._prefix = account.prefix
        self._now_ms = clock

    async def take(self, bucket: str, rate: Rate, cost: float, queue_s: float = QUEUE_S_MAX) -> float:
        """Take a place; the seconds to wait before it may be used."""

        def reckon(before: Bucket) -> tuple[Bucket, float]:
            level, wait_s = taken(before.level, before.rate or rate, cost, self._now_ms(), queue_s)
            return Bucket(level, before.rate), wait_s

        return await self._change(bucket, reckon)

    async def slow(self, bucket: str, wait_s: float) -> None:
        """Nobody uses this bucket for so long: the channel said so."""
        await self._change(
            bucket, lambda before: (Bucket(slowed(before.level, wait_s, self._now_ms()), before.rate), 0.0)
        )

    async def learn(self, bucket: str, said: Learned) -> None:
        """The channel says what its limit really is, or how much of it is left."""

        def reckon(before: Bucket) -> tuple[Bucket, float]:
            return Bucket(learned(before.level, said), said.rate or before.rate), 0.0

        await self._change(bucket, reckon)

    async def _change(self, bucket: str, reckon: Callable[[Bucket], tuple[Bucket, float]]) -> float:
        key = f"{self._prefix}:bucket:{bucket}"
        for _ in range(TRIES_MAX):
            kept = cast(bytes | None, await self._client.get(key))
            after, wait_s = reckon(msgspec.msgpack.decode(kept, type=Bucket) if kept else Bucket(None))
            told = msgspec.msgpack.encode(after)
            swapped = self._client.eval(SWAP, 1, key, kept or b"", told, KEEP_S)
            if await cast(Awaitable[int], swapped):
                return wait_s
            await asyncio.sleep(random.random() * 0.01)
        raise Down(f"the limits of {bucket} change all the time")


class SharedToken:
    """The token of one account: sealed in SQL, got by one process at a time."""

    def __init__(self, database: Database, client: Redis, sealer: Sealer, account: Account) -> None:
        self._database = database
        self._client = client
        self._sealer = sealer
        self._account = account

    async def current(self) -> Token | None:
        """The token there is."""
        async with self._database.reading() as session:
            facts = await find_connection(session, self._account.seller, self._account.code)
        if facts is None or facts.token is None:
            return None
        return self._sealer.open(self._purpose, facts.token, Token)

    async def renew(self, worn: Token | None, ask: Callable[[Token | None], Awaitable[Token]]) -> Token:
        """Another one than `worn`: what somebody else has got meanwhile, else what `ask` gets; one at a time."""
        lock = self._client.lock(f"{self._account.prefix}:token", timeout=RENEW_S, blocking_timeout=RENEW_S)
        async with lock:
            found = await self.current()
            if found is not None and found != worn:
                return found
            token = await ask(found)
            sealed = self._sealer.seal(self._purpose, token)
            async with self._database.writing() as session:
                await change_connection(session, self._account.seller, self._account.code, token=sealed)
            return token

    @property
    def _purpose(self) -> str:
        return f"{self._account.purpose} token"


class SqlLog:
    """The exchanges of one account."""

    def __init__(self, database: Database, account: Account) -> None:
        self._database = database
        self._account = account

    async def add(self, exchange: Exchange) -> None:
        """One more."""
        said: dict[str, Any] = msgspec.structs.asdict(exchange)
        mine, at_ms = (self._account.seller, self._account.code), now_ms()
        await self._database.together((*mine, "log"), lambda session: add_exchange(session, *mine, at_ms, **said))
