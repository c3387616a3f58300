"""
Asks SQL about what has left the store, when a script says that it may have.

Answers leave the store after some days, ended holds and closed orders too; a filter knows that there were such. A
script that meets one of them does nothing and asks. Either SQL knows the op: then its answer is the answer. Or it knows
the hold or order: then that is put back and the script runs again. Or it knows neither, because the filter was wrong:
then the script runs again and is told so.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Protocol

import msgspec

from . import errors
from .arguments import Argument
from .keys import SellerKeys
from .pipe import Pipe
from .records import decode_answer, decode_order
from .refusals import ERRORS, refusal
from .runner import OP_AT, UNKNOWN, Reply, Retries, Runner

PRINT_AT = OP_AT + 1
"""Where a request's fingerprint stands among the arguments; letters behind it say what SQL does not know."""

LETTERS = {"op": "a", "hold": "h", "order": "o"}

pack = msgspec.msgpack.encode

ROUNDS_MAX = 6
"""How often one call asks: for its op, for a record, and again when that left the store meanwhile."""


class History(Protocol):
    """What SQL remembers of one seller. Raises HistoryAway when it cannot be asked."""

    async def answer(self, op: str) -> bytes | None:
        """What an op was answered, as lua/shared/gate.lua keeps it; None when SQL does not know the op."""

    async def record(self, kind: str, id: str) -> bytes | None:
        """A hold or an order (`kind`) as the scripts keep it; None when SQL does not know it."""


class Remembering(Runner):
    """A runner that has the scripts' questions to SQL answered; nobody hears that one had to ask."""

    def __init__(self, pipe: Pipe, keys: SellerKeys, retries: Retries, history: History | None) -> None:
        super().__init__(pipe, keys, retries)
        self.history = history

    @cached_property
    def replicating(self) -> "Remembering":
        """Runs the same scripts; an answer leaves when replicas have what was done."""
        return Remembering(self._pipe.replicating, self._keys, self._retries, self.history)

    async def attempt(self, verb: str, arguments: list[Argument]) -> Reply:
        """Run until the answer is known. Raises what a runner does, and HistoryAway when SQL could not be asked."""
        try:
            return await self.run(verb, arguments)
        except UNKNOWN:
            return await self._repeat(verb, arguments)
        except errors.HistoryAway as question:
            return await self._ask(verb, arguments, question)

    async def _repeat(self, verb: str, arguments: list[Argument]) -> Reply:
        try:
            return await self._again(verb, arguments)
        except errors.HistoryAway as question:
            return await self._ask(verb, arguments, question)

    async def _ask(self, verb: str, arguments: list[Argument], question: errors.HistoryAway) -> Reply:
        if self.history is None:
            raise question
        asking = _Asking(super().attempt, self.history, verb, arguments)
        return await (asking.find() if verb == "find" else asking.mutate(question))


class _Asking:
    """One call that has to ask."""

    def __init__(
        self,
        attempt: Callable[[str, list[Argument]], Awaitable[Reply]],
        history: History,
        verb: str,
        arguments: Sequence[Argument],
    ) -> None:
        self._attempt, self._history = attempt, history
        self._verb, self._arguments = verb, arguments

    async def find(self) -> Reply:
        """What `find` would have found. Raises UnknownHold, UnknownOrder."""
        kind, name = map(str, self._arguments[3:5])
        packed = await (self._history.answer(name) if kind == "answer" else self._history.record(kind, name))
        if packed is not None:
            return Reply("found", packed, replayed=False)
        if kind == "hold":
            raise errors.UnknownHold(facts={"hold": name})
        raise errors.UnknownOrder(facts={"order": name})

    async def mutate(self, question: errors.HistoryAway) -> Reply:
        """The answer of a mutating verb that had this question."""
        unknown: set[str] = set()
        for _ in range(ROUNDS_MAX):
            what, id = question.facts["what"], question.facts["id"]
            said = await self._answered_before(id) if what == "op" else None
            if said is not None:
                return said
            if what == "op" or not await self._recall(what, id):
                unknown.add(LETTERS[what])
            try:
                return await self._attempt(self._verb, self._told(unknown))
            except errors.HistoryAway as again:
                question = again
        raise errors.Unanswered("what was asked about kept leaving the store; nothing was done; repeat the request")

    def _told(self, unknown: set[str]) -> list[Argument]:
        """The arguments, and what SQL does not know."""
        arguments = list(self._arguments)
        arguments[PRINT_AT] = self._print + "".join(sorted(unknown))
        return arguments

    @property
    def _op(self) -> str:
        return str(self._arguments[OP_AT])

    @property
    def _print(self) -> str:
        given = self._arguments[PRINT_AT]
        return given.decode() if isinstance(given, bytes) else str(given)

    async def _answered_before(self, op: str) -> Reply | None:
        """The op's earlier answer; an order that was accepted answers for its later attempts."""
        packed = await self._history.answer(op)
        if packed is None and self._verb == "order":
            record = await self._history.record("order", op.removeprefix("order:").rpartition(":")[0])
            if record is not None:
                op = decode_order(record).op
                packed = await self._history.answer(op)
        return None if packed is None else self._replay(op, packed)

    def _replay(self, op: str, packed: bytes) -> Reply:
        before = decode_answer(packed)
        if before.fingerprint != self._print:
            raise refusal("op_conflict", pack([op]), replayed=True, op=self._op)
        if before.word in ERRORS:
            raise refusal(before.word, before.answer, replayed=True, op=self._op)
        return Reply(before.word, before.answer, replayed=True)

    async def _recall(self, kind: str, id: str) -> bool:
        """Put a hold or an order back; False when SQL does not know it."""
        packed = await self._history.record(kind, id)
        if packed is None:
            return False
        await self._attempt("recall", [self._arguments[0], "", self._arguments[2], kind, id, packed])
        return True
