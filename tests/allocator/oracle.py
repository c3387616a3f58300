"""
The model in plain Python, written from its description: what every verb must answer and leave behind.

`call` takes a verb and the very arguments a script gets, and says the outcome word, its facts and whether it was
remembered. A verb decides on a copy of the books; the copy counts only if it had an effect.
"""

from typing import Any, NamedTuple

from allocator import Config
from tests.allocator.oracle_announce import AnnounceVerbs
from tests.allocator.oracle_arguments import Nonsense, read
from tests.allocator.oracle_state import Books
from tests.allocator.oracle_verbs import Refused

JUMP_MS = 60_000
EFFECTS = {
    *("moved", "held", "extended", "released", "expired", "placed", "changed", "served", "rescued", "configured"),
    *("exchanged", "announced"),
}
VERSIONED = {"moved", "held", "released", "placed", "changed", "exchanged"}
PLACING = {"order", "exchange"}
UNREMEMBERED = {"invalid", "stale_config"}
QUESTIONS = {"availability", "explain"}


class Said(NamedTuple):
    """A script's answer."""

    word: str
    facts: Any
    replayed: bool = False


class Clock:
    """The seller's clock, and how expiry judges it."""

    def __init__(self) -> None:
        self.ms = 0
        self.judged: int | None = None
        self.paused = False

    def tick(self, now: int) -> None:
        if self.ms == 0 or 0 < now - self.ms <= JUMP_MS:
            self.ms = now

    def judge(self, time: int, elapsed: int | None, *, accept: bool) -> tuple[bool, int]:
        """Whether this run may expire holds, and the jump that stopped it, or 0."""
        first = self.judged is None or (elapsed is None and not self.paused)
        known = (self.judged or 0) if self.paused else max(self.ms, self.judged or 0)
        jump = time - known - (elapsed or 0)
        if not (accept or first or jump <= JUMP_MS):
            self.judged, self.paused = time - jump, True
            return False, jump
        self.ms = self.judged = max(self.ms, time)
        self.paused = False
        return accept or not first, 0


class Oracle:
    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.books = Books()
        self.clock = Clock()
        self.ops: dict[str, tuple[str, Said]] = {}
        self.coming = Config()
        self.effects = 0

    def call(self, verb: str, arguments: list[Any]) -> Said:
        try:
            asked = read(verb, arguments)
        except Nonsense as error:
            return Said("invalid", [str(error)])
        if asked["epoch"] != self.epoch:
            return Said("not_ready", [self.epoch, ""])
        if asked["config"] not in {"", self.books.config_version}:
            return Said("stale_config", [self.books.config_version])
        self.time = asked["now_ms"]
        self.now = max(self.clock.ms, self.time)
        if verb == "expire":
            return self._expire(asked["own"])
        if "op" not in asked:
            return self._decide(verb, asked["own"])
        return self._once(verb, asked["op"], asked["fingerprint"], asked["own"])

    def _expire(self, own: dict[str, Any]) -> Said:
        may, jump = self.clock.judge(self.time, own["elapsed_ms"], accept=own["accept"])
        self.now = self.clock.ms
        if jump:
            return Said("paused", [jump])
        return self._decide("expire", {"limit": own["limit"] if may else 0})

    def _once(self, verb: str, op: str, print_: str, own: dict[str, Any]) -> Said:
        """One op has one effect and one answer; a preview is no op."""
        if own.get("mode") == "preview":
            return self._decide(verb, {**own, "op": op})
        first = self._first_op(verb, op, own)
        if first in self.ops:
            known, said = self.ops[first]
            return said._replace(replayed=True) if known == print_ else Said("op_conflict", [first], replayed=True)
        if verb == "hold" and own["hold_id"] in self.books.holds:
            return Said("op_conflict", [op])
        if verb == "exchange" and (known_as := f"{own['channel']}:{own['external_id']}") in self.books.orders:
            return Said("op_conflict", [self.books.orders[known_as].op], replayed=True)
        said = self._decide(verb, {**own, "op": op} if verb in PLACING else own)
        if said.word not in UNREMEMBERED and (verb, said.word) != ("release", "unknown_hold"):
            self.ops[op] = (print_, said)
        return said

    def _first_op(self, verb: str, op: str, own: dict[str, Any]) -> str:
        """An order that was accepted before answers for every later attempt."""
        if verb == "order" and op not in self.ops:
            order = self.books.orders.get(f"{own['channel']}:{own['external_id']}")
            return order.op if order else op
        return op

    def _decide(self, verb: str, own: dict[str, Any]) -> Said:
        before, trial = self.books, self.books if verb in QUESTIONS else self.books.copy()
        trial.touched = set()
        if verb == "configure":
            own = {**own, "config": self.coming}
        try:
            verbs = AnnounceVerbs(trial, self.now)
            word, facts = getattr(verbs, verb)(**own)
        except Refused as refusal:
            return Said(refusal.word, refusal.facts)
        for sku in trial.touched:
            trial.versions[sku] += 1
        if word in VERSIONED:
            facts = [*facts, [part for sku in sorted(trial.touched) for part in (sku, trial.versions[sku])]]
        if word == "placed":
            facts += verbs.promised
        if verbs.named:
            facts.append(verbs.named.row())
        if word in EFFECTS and own.get("mode") != "preview":
            self._keep(before, trial, effect=verb not in {"expire", "serve", "rescue"} or bool(facts[0]))
        return Said(word, facts)

    def _keep(self, before: Books, after: Books, *, effect: bool) -> None:
        """The trial is the truth from now on. Backorders whose sku got units somewhere may be served."""
        self.books = after
        if not effect:
            return
        self.effects += 1
        self.clock.tick(self.now)
        for sku in after.touched:
            codes = after.locations_of(sku)
            gained = any(after.available(sku, code) > before.available(sku, code) for code in codes)
            if gained and after.waits(sku):
                after.servable.add(sku)
