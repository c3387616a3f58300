"""
Twins of whom one forgets: the store lets random records leave at random moments, the oracle keeps everything.

Whatever is asked later, both must say the same, whether the store still has it, asks its history, or is wrong about
what it has forgotten.
"""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import msgspec

from allocator import SellerKeys, errors
from allocator.answers import unpack
from allocator.arguments import Argument, fingerprint
from allocator.calling import RETRIES
from allocator.check import find_violations
from allocator.reading import Books
from allocator.records import Kept, decode_answer, decode_hold, decode_order
from allocator.refusals import refusal
from allocator.remembering import History, Remembering
from allocator.runner import OP_AT, Reply
from tests.allocator.attic import KEYS, Attic, forget
from tests.allocator.oracle import Said
from tests.allocator.oracle_arguments import ARGUMENTS
from tests.allocator.twins import Heard, Twins
from tests.allocator.walk import Walk

pack = msgspec.msgpack.encode


class Listening(Remembering):
    """A runner whose last answer, from wherever it came, can be looked at."""

    last: Reply | errors.AllocatorError

    async def attempt(self, verb: str, arguments: list[Argument]) -> Reply:
        try:
            self.last = await super().attempt(verb, arguments)
        except errors.AllocatorError as error:
            self.last = error
            raise
        return self.last


class Forgetful:
    """What makes twins forget; goes before a class of twins."""

    def forget_from_now_on(self, history: History | None = None) -> None:
        """Ask this history about what has left, or else an attic."""
        self.attic = Attic(self.client, self.seller)
        self.allocator._runner = Listening(self.ear, SellerKeys(self.seller), RETRIES, history or self.attic)
        self.run(self.allocator.reload())
        self.answered_by_history = 0

    def ask(self, work: Awaitable[Any]) -> Said:
        self.ear.heard.clear()
        with suppress(errors.AllocatorError):
            self.run(work)
        known = [call for call in self.ear.heard if call.verb in ARGUMENTS]
        # What had to ask did nothing; it was run again, unless it was the last.
        said = self.follow([call for call in known if call.said.word != "ask_history"])
        if known and known[-1].said.word == "ask_history":
            self.compare_history(known[-1])
        return said

    def compare_history(self, call: Heard) -> None:
        """What was answered from memory is what the oracle says."""
        self.answered_by_history += 1
        expected, found = self.oracle.call(call.verb, call.arguments), self.allocator._runner.last
        if isinstance(found, Reply):
            found = Said(found.word, unpack(found.packed), found.replayed)
            assert found == expected, f"{call.verb} {call.arguments[3:]}"
        else:
            refused = refusal(expected.word, pack(expected.facts), replayed=expected.replayed)
            assert (type(found), found.replayed) == (type(refused), True), f"{call.verb} {call.arguments[3:]}"
            assert once(found.facts) == once(refused.facts), f"{call.verb} {call.arguments[3:]}"

    async def send(self, verb: str, arguments: list[Any]) -> None:
        with suppress(errors.AllocatorError):
            await self.allocator._runner.attempt(verb, arguments)

    def ask_together(self, works: list[Any]) -> None:
        for work in works:
            self.ask(work(self.allocator))

    def records(self) -> Books:
        """All there is, and all that has left."""
        books = super().records()
        assert find_violations(books) == []
        for (kind, id), packed in self.attic.kept.items():
            if kind == "answer":
                books.ops.setdefault(id, decode_answer(packed))
            elif kind == "hold":
                books.holds.setdefault(id, decode_hold(id, packed))
            else:
                books.orders.setdefault(id, decode_order(packed))
        return books

    async def mistake(self, *ops: str) -> None:
        """Let the filter say yes of ops that never were."""
        [name] = SellerKeys(self.seller).named(KEYS["answer"])
        known = {op for op in ops if await self.client.hexists(name, op)} | {op for _, op in self.attic.kept}
        unknown = [op for op in ops if op not in known]
        for op in unknown:
            await self.client.hset(name, op, b"nothing")
        if unknown:
            await forget(self.allocator, [Kept("answer", op, b"nothing") for op in unknown])


class ForgetfulTwins(Forgetful, Twins):
    """The oracle, and a server that forgets."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.forget_from_now_on()


class RepeatingWalk(Walk):
    """A walk on which old ops and ended holds come up again often."""

    def step(self) -> None:
        if self.past and self.random.random() < 0.2:
            self.twins.ask(self.repeat())
        else:
            super().step()
        self.past = [(verb, arguments) for verb, arguments in self.past if _is_a_callers(verb, arguments)]

    def a_hold(self) -> str | None:
        holds = self.twins.oracle.books.holds
        return self.random.choice(list(holds)) if holds and self.random.random() < 0.5 else super().a_hold()


class ForgetfulWalk(RepeatingWalk):
    """A walk on which records leave now and then, and the filter is wrong now and then."""

    def step(self) -> None:
        turn = self.random.random()
        if turn < 0.1:
            self.twins.run(self.twins.attic.clear_out(self.allocator, lambda row: self.random.random() < 0.5))
        elif turn < 0.15:
            coming = f"op-{self.made + 1}"
            names = f"receive:{coming}", f"order:web:{coming}:1", f"hold:{coming}", f"extend:{coming}"
            self.twins.run(self.twins.mistake(*names))
        else:
            super().step()


def once(facts: dict[str, Any]) -> dict[str, Any]:
    """What is unknown may be named twice."""
    return {name: list(dict.fromkeys(said)) if name in {"skus", "locations"} else said for name, said in facts.items()}


def _is_a_callers(verb: str, arguments: list[Any]) -> bool:
    """Whether this is what a caller sends, and not what was sent after asking."""
    asks_with_op = verb in ARGUMENTS and "op" in ARGUMENTS[verb]
    return verb in ARGUMENTS and (not asks_with_op or len(arguments[OP_AT + 1]) == len(fingerprint("")))
