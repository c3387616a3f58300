"""
Who may ask: API keys, checked without SQL once they have been seen.

A key is known by its HMAC alone, so neither the cache nor the database holds anything that opens the door. What
is cached is taken back by `refresh`, which the schedule runs: a revoked key is good for two more seconds at most,
and while the database is away the known keys go on working.
"""

import hmac
from typing import Final

import structlog

from .errors import KeysUnknown, NoKey
from .store.database import Database
from .store.keys import KeyFacts, key_id, list_keys, verify_key

BEARER: Final = "Bearer "
WHERE: Final = "header Authorization"

log = structlog.get_logger(__name__)


class Keys:
    """The API keys of one service."""

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self.pepper = pepper
        self._known: dict[bytes, KeyFacts] = {}

    def recall(self, header: str | None) -> KeyFacts | None:
        """Whose key this is, if it was verified before. Costs one HMAC."""
        return self._known.get(self._digest(header)) if header else None

    async def verify(self, header: str | None) -> KeyFacts:
        """Whose key this is. Raises NoKey, KeysUnknown."""
        if not header:
            raise NoKey("the request has no Authorization header", where=WHERE)
        plaintext = header.removeprefix(BEARER).strip()
        if not header.startswith(BEARER) or key_id(plaintext) is None:
            raise NoKey("the header must read: Bearer allot_live_<id>_<secret>", where=WHERE)
        found = await self._look_up(plaintext)
        if found is None:
            raise NoKey("this key is unknown, wrong or revoked", where=WHERE)
        self._known[self._digest(header)] = found
        return found

    async def refresh(self) -> None:
        """Forget every key that has been revoked since it was verified."""
        known = dict(self._known)
        async with self._database.reading() as session:
            facts = [
                key
                for seller in {key.seller for key in known.values()}
                for key in await list_keys(session, seller=seller)
            ]
        good = {key.id for key in facts if key.revoked_ms is None}
        for digest, key in known.items():
            if key.id not in good:
                del self._known[digest]

    def _digest(self, header: str) -> bytes:
        return hmac.digest(self.pepper, header.encode("utf-8", "surrogateescape"), "sha256")

    async def _look_up(self, plaintext: str) -> KeyFacts | None:
        try:
            async with self._database.reading() as session:
                return await verify_key(session, plaintext, pepper=self.pepper)
        except Exception as error:
            log.exception("key_lookup_failed")
            raise KeysUnknown from error
