"""
Who may be sold from: a seller's gate, and its frozen skus.

After the server was restarted, or another one took its place, its data may not be those that were acknowledged. So a
process that meets a server tells the seller which run of it that is; on a run it does not know the scripts close every
sku, and whoever knows what the data must be opens them again. All of this goes past the pipe, which waits for it.
"""

from typing import Any, Final, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from .answers import unpack
from .arguments import Argument, flat
from .keys import SellerKeys
from .refusals import ERRORS, refusal
from .scripts import library, scripts

OPEN: Final = ""
FROZEN: Final = "frozen"
CHECKING: Final = "checking"
SHUT: Final = "shut"
"""States of a gate: open, open but for some skus, being opened sku by sku, nothing runs."""

SKUS_MAX: Final = 1_000
"""Most skus that one call opens before their turn."""

_SKU: Final = b"sku:"


class Standing(NamedTuple):
    """How a gate stands (a word above), and why when it is shut."""

    gate: str
    why: str


class Gate:
    """
    One seller's gate on one server.

    Raises, everywhere: NotReady (another data set), and what redis-py raises. Each call may be repeated.
    """

    def __init__(self, client: Redis, seller: str, epoch: str) -> None:
        self._client = client
        self._keys = SellerKeys(seller)
        self._epoch = epoch

    async def meet(self, run: str) -> Standing:
        """The seller's data lie on this run of the server; on one it did not know every sku is closed now."""
        _, facts = await self._call("meet", run)
        return Standing(*facts)

    async def open(self, run: str, *, upto: str = "", skus: list[str] | None = None, last: bool = False) -> bool:
        """
        Open every sku up to this one by bytes, and these before their turn; with `last` all that is not frozen.

        False when this run is not the one being checked (any more).
        """
        word, _ = await self._call("open", run, upto, int(last), *flat([(sku,) for sku in skus or ()]))
        return word == "opened"

    async def shut(self, run: str, why: str) -> str:
        """Let nothing run any more; without a reason check everything and open again. How the gate stands now."""
        _, [gate] = await self._call("shut", run, why)
        return str(gate)

    async def freeze(self, sku: str, evidence: str, *, seen: bytes = b"", run: str = "") -> bool:
        """
        Let no unit of a sku move any more; without evidence end that. The ledger tells it.

        False when `seen`, the packed state the evidence is about, is not the state any more, or when the check of this
        `run` of the server has been overtaken: somebody else has opened the sku meanwhile.
        """
        word, _ = await self._call("freeze", sku, seen, run, evidence)
        return word == "frozen_now"

    async def standing(self) -> Standing:
        """How the gate stands, whatever the data set."""
        [name] = self._keys.named("seller")
        gate, why = cast(list[bytes | None], await self._client.hmget(name, "gate", "why"))
        return Standing((gate or b"").decode(), (why or b"").decode())

    async def frozen(self) -> dict[str, str]:
        """The frozen skus, and the evidence against each."""
        [name] = self._keys.named("seller")
        found: dict[str, str] = {}
        async for field, evidence in self._client.hscan_iter(name, match=_SKU + b"*", count=1_000):
            if evidence:
                found[field.removeprefix(_SKU).decode(errors="replace")] = evidence.decode()
        return found

    async def _call(self, verb: str, *arguments: Argument) -> tuple[str, list[Any]]:
        script = scripts()[verb]
        keys = self._keys.named(*script.keys)
        told: list[Any] = [*keys, self._epoch, "", "", *arguments]
        try:
            reply: Any = await self._client.fcall(script.function, len(keys), *told)
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
            await self._client.function_load(library().source, replace=True)
            reply = await self._client.fcall(script.function, len(keys), *told)
        word: str = reply[0].decode()
        if word in ERRORS:
            raise refusal(word, reply[1], replayed=False)
        return word, unpack(reply[1])
