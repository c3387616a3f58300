"""One order on the simulator's store, the model beside it: every step is judged, and can be gone back to."""

from collections.abc import Awaitable, Coroutine, Sequence
from copy import copy
from typing import Any, NamedTuple

from allocator import SellerKeys
from allocator.reading import Books
from tests.allocator.oracle import Oracle
from tests.allocator.oracle_arguments import ARGUMENTS
from tests.allocator.oracle_returns import Return
from tests.allocator.oracle_state import Order
from tests.allocator.test_ledger import Replay, without_blanks
from tests.allocator.twins import Call
from tests.simulator.loop import drive
from tests.simulator.mirror import ShimTwins
from tests.simulator.pipe import Network, Words

from .life import CHANNEL, CONFIG, ORDER, STATES, VERBS, Verb

HASHES, SORTED = ("stock", "holds", "owners", "orders"), ("deadlines", "waiting")

ANYWHERE = "oslo"
"""Where a verb looks for units when the order has none."""


class Mark(NamedTuple):
    """How everything is at one moment; `units` of the store's journal lead there."""

    units: int
    random: int
    oracle: Oracle
    now_ms: int
    last: Call | None
    steps: int
    was: Any


class Undoable(Network):
    """Whatever it carries can be taken back: nothing is ever on the disk."""

    def _arrive(self, what: str, commands: Sequence[Words], together: bool) -> list[Any]:
        return self._run(commands, together)


class Stage(ShimTwins):
    """
    A store with the shop, opened once, and what became of the steps taken.

    `step` raises AssertionError when the answer or what is stored is not what the model says, or the books are untrue.
    """

    def __init__(self) -> None:
        self._read: Books | None = None
        super().__init__(CONFIG, network=Undoable)
        self.loop.close()  # nothing here ever waits
        # Expiry trusts the clock from its second run on.
        self.ask(self.allocator.expire(elapsed_ms=None))
        self.last: Call | None = None
        self.steps = 0
        self.was = self._facts()
        self._empty = self.mark()

    def run(self, work: Awaitable[Any]) -> Any:
        assert isinstance(work, Coroutine)
        return drive(work)

    # --- what verbs look at ------------------------------------------------------------------------------------

    @property
    def op(self) -> str:
        return f"step-{self.steps}"

    @property
    def order(self) -> Order | None:
        return self.oracle.books.orders.get(f"{CHANNEL}:{ORDER}")

    @property
    def place(self) -> str:
        order = self.order
        first = next((take for line in order.lines[:1] for take in line.takes), None) if order else None
        return first.location if first else ANYWHERE

    @property
    def returns(self) -> list[Return]:
        order = self.order
        return list(order.returns.values()) if order else []

    def later(self, milliseconds: int) -> None:
        self.allocator.now_ms += milliseconds

    async def again(self) -> None:
        if self.last:
            verb, arguments = self.last
            await self.send(verb, [*arguments[:2], self.allocator.now_ms, *arguments[3:]])

    # --- steps -------------------------------------------------------------------------------------------------

    def bring_to(self, state: str) -> None:
        """The order has come to this state, from an empty shop."""
        self.go_back(self._empty)
        for verb in STATES[state]:
            self.take(verb)
        self.judge()

    def step(self, name: str) -> bool:
        """One verb by its name; whether it had an effect."""
        effects = self.oracle.effects
        self.take(VERBS[name])
        self.judge()
        return self.oracle.effects > effects

    def take(self, verb: Verb) -> None:
        """One verb on both sides; their answers agree."""
        self.steps += 1
        self.ask(verb(self))
        had = [(call.verb, call.arguments) for call in self.ear.heard if "op" in ARGUMENTS.get(call.verb, {})]
        self.last = had[-1] if had else self.last

    def judge(self) -> None:
        """Both sides have the same books, which are true and follow from the ledger."""
        before, self.was = self.was, self._facts()
        if self.was != before:
            self._read = None
            self.compare_books()
            records = self.records()
            replay = Replay().follow(records.ledger)
            assert without_blanks(replay.stock) == without_blanks(records.stock)
            assert (replay.holds, replay.orders) == (records.holds, records.orders)

    def records(self) -> Books:
        """All records, read once a step."""
        if self._read is None:
            self._read = super().records()
        return self._read

    def _facts(self) -> list[Any]:
        """All that an effect may change, as it is stored: where it is as before, only an answer was remembered."""
        ask, keys = self.store.command, SellerKeys(self.seller)
        facts = [ask("HGETALL", key) for key in keys.named(*HASHES)]
        facts += [ask("ZRANGE", key, 0, -1, "WITHSCORES") for key in keys.named(*SORTED)]
        [ledger, servable, ops] = keys.named("ledger", "servable", "ops")
        assert ask("HLEN", ops) == len(self.oracle.ops)
        return [*facts, ask("XLEN", ledger), sorted(ask("SMEMBERS", servable))]

    # --- going back --------------------------------------------------------------------------------------------

    def mark(self) -> Mark:
        """How everything is now, for `go_back`."""
        store = self.store
        return Mark(
            store.volatile, store.random, _twin(self.oracle), self.allocator.now_ms, self.last, self.steps, self.was
        )

    def differs_from(self, mark: Mark) -> bool:
        """Whether anything is otherwise than it was, remembered answers aside."""
        return (self.was, self.allocator.now_ms) != (mark.was, mark.now_ms)

    def go_back(self, mark: Mark) -> None:
        """Everything is as it was; as often as one likes, but never to what came after a mark that was gone back to."""
        self.store.undo(mark.units)
        self.store.random, self.oracle = mark.random, _twin(mark.oracle)
        self.allocator.now_ms, self.last, self.steps, self.was = mark.now_ms, mark.last, mark.steps, mark.was


def _twin(oracle: Oracle) -> Oracle:
    """The model as it is now; books are never changed in place."""
    twin = copy(oracle)
    twin.clock, twin.ops = copy(oracle.clock), oracle.ops.copy()
    return twin
