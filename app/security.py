"""
Who may ask: API keys, checked without SQL once they have been seen.

A key is known by a digest alone, so neither the cache nor the database holds anything that opens the door. A key that
is revoked or rotated is forgotten at once: in this process by whoever does it, in the others by a message in Valkey
(`signals`), and, should a message be lost, by `refresh`, which the schedule runs every two seconds. While the database
is away the known keys go on working.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import structlog

from .errors import KeysUnknown, NoKey
from .limits import Bucket, WrongKeys
from .rights import Caller, Limits, limits_of, scopes_of
from .store.database import Database
from .store.keys import KeyFacts, key_id, read_keys, touch_keys, verify_key
from .times import now_ms

BEARER: Final = "Bearer "
WHERE: Final = "header Authorization"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Known:
    """A key that was verified: what it may do, its bucket if its requests are limited, who that is."""

    facts: KeyFacts
    limits: Limits
    scopes: frozenset[str]
    bucket: Bucket | None
    caller: Caller | None = None
    is_used: bool = False


class Keys:
    """The API keys of one service. `per_minute` is for keys without a limit of their own, None for none."""

    def __init__(self, database: Database, pepper: bytes, *, per_minute: int | None = None) -> None:
        self._database = database
        self.pepper = pepper
        self.wrong = WrongKeys()
        self._per_minute = per_minute
        self._known: dict[bytes, Known] = {}
        self._buckets: dict[str, Bucket] = {}
        self._used: set[str] = set()
        self._forgotten = 0
        # Of this process alone: it keeps what is in memory from being compared with anything outside.
        self._salt = secrets.token_bytes(32)

    def recall(self, header: bytes | None) -> Known | None:
        """Whose key this is, if it was verified before. Costs one hash."""
        if header is None:
            return None
        known = self._known.get(blake2b(header, key=self._salt, digest_size=16).digest())
        if known is None or (known.facts.expires_ms is not None and not known.facts.is_good(now_ms())):
            return None
        known.is_used = True
        return known

    async def verify(self, header: bytes | None, address: str = "") -> Known:
        """Whose key this is, asking SQL. Raises NoKey, KeysUnknown, RateLimited (too many wrong ones from there)."""
        plaintext = _plaintext(header)
        self.wrong.refuse_guessing(address)
        facts = await self._look_up(plaintext)
        if facts is None:
            self.wrong.count(address)
            raise NoKey("this key is unknown, wrong, expired or revoked", where=WHERE)
        assert header is not None
        return self._remember(header, facts)

    def _remember(self, header: bytes, facts: KeyFacts) -> Known:
        limits = limits_of(facts.channels, facts.locations)
        known = Known(facts, limits, scopes_of(facts.role, limits), self._bucket(facts), is_used=True)
        self._known[blake2b(header, key=self._salt, digest_size=16).digest()] = known
        return known

    def _bucket(self, facts: KeyFacts) -> Bucket | None:
        per_minute = facts.requests_per_minute or self._per_minute
        # A key that is verified anew does not begin with a full bucket again.
        return self._buckets.setdefault(facts.id, Bucket(per_minute)) if per_minute else None

    def forget(self, id: str) -> None:
        """Ask SQL about this key before it opens anything again; what is being asked just now is asked again."""
        self._forgotten += 1
        for digest, known in list(self._known.items()):
            if known.facts.id == id:
                self._drop(digest, known)

    def _drop(self, digest: bytes, known: Known) -> None:
        if known.is_used:
            self._used.add(known.facts.id)
        self._known.pop(digest, None)

    async def refresh(self) -> None:
        """Forget every key that has ended since it was verified, and learn when the others will."""
        known = dict(self._known)
        forgotten = self._forgotten
        async with self._database.reading() as session:
            found = await read_keys(session, {key.facts.id for key in known.values()})
        for digest, key in known.items():
            facts = found.get(key.facts.id)
            if facts is None or not facts.is_good(now_ms()):
                self._drop(digest, key)
            elif forgotten == self._forgotten:
                key.facts = facts

    async def write_used(self) -> None:
        """Remember in SQL which keys were used since the last time, all with the time of now."""
        used, self._used = self._used | set(self._take_used()), set()
        try:
            if used:
                async with self._database.writing() as session:
                    await touch_keys(session, used, now_ms=now_ms())
        except BaseException:
            self._used |= used
            raise

    def _take_used(self) -> Iterable[str]:
        for known in self._known.values():
            if known.is_used:
                known.is_used = False
                yield known.facts.id

    async def _look_up(self, plaintext: str) -> KeyFacts | None:
        while True:
            before = self._forgotten
            try:
                async with self._database.reading() as session:
                    found = await verify_key(session, plaintext, pepper=self.pepper, now_ms=now_ms())
            except Exception as error:
                log.exception("key_lookup_failed")
                raise KeysUnknown from error
            # Somebody may have revoked it after SQL was read and before it would be remembered.
            if before == self._forgotten:
                return found


def _plaintext(header: bytes | None) -> str:
    """The key in a header of the right form. Raises NoKey."""
    if not header:
        raise NoKey("the request has no Authorization header", where=WHERE)
    text = header.decode("latin-1")
    plaintext = text.removeprefix(BEARER).strip()
    if not text.startswith(BEARER) or key_id(plaintext) is None:
        raise NoKey("the header must read: Bearer allot_live_<id>_<secret>", where=WHERE)
    return plaintext
