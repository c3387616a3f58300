"""
Runs a verb's script and says what became of it.

When nobody knows whether a call ran, it is repeated with the same op, which can have one effect only.
"""

from functools import cached_property
from typing import NamedTuple

import stamina
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from . import errors
from .arguments import Argument
from .keys import SellerKeys
from .pipe import Pipe
from .refusals import ERRORS, refusal
from .replicating import NotReplicated
from .scripts import scripts

UNKNOWN = (RedisConnectionError, RedisTimeoutError, OSError)
"""The call may have run. Only a repetition with the same op tells."""

BUSY_WORDS = (
    *("BUSY", "LOADING", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN"),
    *("NOREPLICAS", "READONLY", "OOM", "MISCONF"),
)
"""Server errors that pass: the script surely did not run."""

OP_AT = 3
"""Where a mutating verb's op stands among its arguments; the script echoes it."""


class Reply(NamedTuple):
    """A script's outcome word, its packed facts, and whether they were remembered from an earlier call."""

    word: str
    packed: bytes
    replayed: bool


class Retries(NamedTuple):
    """How a call of unknown outcome is repeated: tries in all, and the seconds after which it is given up."""

    attempts: int = 5
    seconds: float = 5.0


def is_busy(error: ResponseError) -> bool:
    """Whether the server did not run the script and may later; redis-py cuts some of the words off the message."""
    return str(error).startswith(BUSY_WORDS) or getattr(error, "status_code", None) in BUSY_WORDS


class Runner:
    """Runs the scripts of one seller."""

    def __init__(self, pipe: Pipe, keys: SellerKeys, retries: Retries) -> None:
        self._pipe = pipe
        self._keys = keys
        self._retries = retries
        self._scripts = {name: (script, keys.named(*script.keys)) for name, script in scripts().items()}

    @cached_property
    def replicating(self) -> "Runner":
        """Runs the same scripts; an answer leaves when replicas have what was done."""
        return Runner(self._pipe.replicating, self._keys, self._retries)

    async def attempt(self, verb: str, arguments: list[Argument]) -> Reply:
        """Run once; when nobody knows whether it ran, again, until the retries are used up. Raises Unanswered."""
        try:
            return await self.run(verb, arguments)
        except UNKNOWN:
            return await self._again(verb, arguments)

    async def _again(self, verb: str, arguments: list[Argument]) -> Reply:
        attempts = stamina.retry_context(
            on=UNKNOWN, attempts=self._retries.attempts, timeout=self._retries.seconds, wait_initial=0.02, wait_max=0.5
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self.run(verb, arguments)
        except NotReplicated as error:
            raise errors.Unanswered(f"it was done, but {error}; repeat with the same id") from error
        except UNKNOWN as error:
            raise errors.Unanswered from error
        raise errors.Unanswered

    async def run(self, verb: str, arguments: list[Argument]) -> Reply:
        """Run once. Raises the refusal the script decided on, or one of UNKNOWN."""
        script, keys = self._scripts[verb]
        try:
            word, packed, replayed, echo = await self._pipe.run(script, keys, arguments)
        except ResponseError as error:
            if is_busy(error):
                raise RedisConnectionError(str(error)) from error
            raise
        if echo and echo.decode() != arguments[OP_AT]:
            # Another call's answer: the connection is confused, so its answers must not be believed.
            raise RedisConnectionError(f"asked {arguments[OP_AT]!r}, heard {echo!r}")
        reply = Reply(word.decode(), packed, bool(replayed))
        if reply.word in ERRORS:
            raise refusal(reply.word, packed, replayed=reply.replayed, op=echo.decode())
        return reply

    async def config_fields(self) -> dict[str, bytes]:
        """The compiled config as it is stored; what changes between reading and writing, `configure` refuses."""
        [name] = self._keys.named("config")
        try:
            found: dict[bytes, bytes] = await self._pipe.client.hgetall(name)  # type: ignore[assignment] # bytes, by our factory
        except UNKNOWN as error:
            raise errors.Unanswered from error
        except ResponseError as error:
            if is_busy(error):
                raise errors.Unanswered from error
            raise
        return {field.decode(): value for field, value in found.items()}
