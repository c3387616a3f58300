"""What is stored, and what must be: the oracle's books, and a ledger from which all of it follows."""

import inspect
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from allocator import SellerKeys
from allocator.answers import unpack
from allocator.balances import encode_state
from allocator.check import find_violations
from allocator.keys import KEYS
from allocator.reading import Books as Records
from allocator.reading import read_books
from tests.allocator import test_ledger
from tests.allocator.oracle import EFFECTS, Clock, Said
from tests.allocator.oracle_arguments import ARGUMENTS, read
from tests.allocator.town import SELLER
from tests.allocator.twins import (
    comparable,
    holds_of_oracle,
    holds_of_server,
    orders_of_oracle,
    orders_of_server,
    stock_of_oracle,
    stock_of_server,
)
from tests.simulator.loop import drive
from tests.simulator.pipe import Client, Network
from tests.simulator.store import Store

Stored = dict[str, Any]

NOT_KEPT = {"invalid", "not_ready", "stale_config", "op_conflict"}
"""Answers that no op is remembered by."""


READERS: dict[str, tuple[Any, ...]] = {
    "hash": ("HGETALL",),
    "set": ("SMEMBERS",),
    "stream": ("XRANGE", "-", "+"),
    "string": ("GET",),
    "zset": ("ZRANGE", 0, -1, "WITHSCORES"),
}
"""How all of a key is read: a command and what stands behind the key's name."""


def read_stored(store: Store) -> Stored:
    """All that the seller has, byte for byte."""
    found: Stored = {}
    for word, key in KEYS.items():
        command, *rest = READERS[key.type]
        [name] = SellerKeys(SELLER).named(word)
        found[word] = store.command(command, name, *rest)
    return found | {"servable": sorted(found["servable"])}


class Told(NamedTuple):
    """What the ledger must tell of one effect, or the op's record of one answer."""

    verb: str
    op: str
    fingerprint: str
    at_ms: int
    actor: str
    why: str
    epoch: str
    config: str
    said: Said
    clock_ms: int | None = None


class Expected(NamedTuple):
    """What the oracle says must be stored."""

    stock: dict[Any, Any]
    holds: dict[str, Any]
    orders: dict[str, Any]
    servable: list[bytes]
    seller: dict[bytes, bytes]
    effects: list[Told]
    ops: dict[str, Told]

    @classmethod
    def of(cls, twins: Any, asked: Iterable[Any]) -> "Expected":
        books, calls = twins.oracle.books, list(_calls(asked))
        effects = [told for told, effect, _ in calls if effect]
        return cls(
            stock_of_oracle(books),
            holds_of_oracle(books),
            orders_of_oracle(books),
            sorted(sku.encode() for sku in books.servable),
            _seller(twins.oracle, sum(told.said.replayed for told, _, _ in calls)),
            effects,
            {told.op: told for told, _, kept in calls if kept},
        )

    def compare(self, found: Stored, store: Store) -> None:
        """Raises AssertionError, or whatever a record that cannot be read raises."""
        records: Records = drive(read_books(Client(Network(store)), SELLER, every_op=True))
        assert records.unreadable == []
        assert stock_of_server(records) == self.stock
        assert {sku.encode(): encode_state(state) for sku, state in records.stock.items()} == found["stock"]
        assert holds_of_server(records) == self.holds
        assert orders_of_server(records) == self.orders
        assert found["servable"] == self.servable
        assert self.seller.items() <= found["seller"].items()
        self._compare_ledger(records)
        assert find_violations(records) == []
        _follow_ledger(records, store)

    def _compare_ledger(self, records: Records) -> None:
        told = [
            Told(
                *(e.verb, e.op, e.fingerprint, e.at_ms, e.actor, e.why, e.epoch, e.config),
                *(_said(e.word, e.answer), e.clock_ms),
            )
            for e in records.ledger
        ]
        assert told == self.effects
        kept = {
            op: (known.fingerprint, known.at_ms, _said(known.word, known.answer)) for op, known in records.ops.items()
        }
        assert kept == {op: (told.fingerprint, told.at_ms, told.said) for op, told in self.ops.items()}


def _follow_ledger(records: Records, store: Store) -> None:
    """Everything that tests/allocator/test_ledger.py demands of a walk."""
    twins = SimpleNamespace(run=drive, client=Client(Network(store)))
    known = {"history": records, "twins": twins}
    for name, test in vars(test_ledger).items():
        asked = inspect.signature(test).parameters if name.startswith("test_") else {"": None}
        if asked.keys() <= known.keys() and name not in FOR_LONG_WALKS:
            test(**{fixture: known[fixture] for fixture in asked})


FOR_LONG_WALKS = {"test_a_walk_is_long_enough_to_show_something"}


def _said(word: str, packed: bytes) -> Said:
    return comparable(Said(word, unpack(packed)))


def _seller(oracle: Any, replays: int) -> dict[bytes, bytes]:
    facts = {"epoch": oracle.epoch, "config": oracle.books.config_version, "clock": oracle.clock.ms}
    if oracle.clock.judged is not None:
        facts["judged"] = oracle.clock.judged
    if replays:
        facts["replays"] = replays
    return {name.encode(): str(value).encode() for name, value in facts.items()}


# --- what was asked, as the ledger tells it -------------------------------------------------------------------------


def _calls(asked: Iterable[Any]) -> Iterator[tuple[Told, bool, bool]]:
    """Every call that was understood, whether it had an effect, and whether its op is remembered by it."""
    clock = Clock()
    for words, reply in asked:
        verb = words[1].decode().rpartition("_")[0] if words[0] == b"FCALL" else ""
        if verb in ARGUMENTS and not isinstance(reply, Exception) and reply[0] != b"invalid":
            yield _call(clock, verb, read(verb, words[3 + int(words[2]) :]), reply)


def _call(clock: Clock, verb: str, given: dict[str, Any], reply: list[Any]) -> tuple[Told, bool, bool]:
    own, said = given["own"], _said(reply[0].decode(), reply[1])._replace(replayed=bool(reply[2]))
    if verb == "expire" and said.word in {"expired", "paused"}:
        clock.judge(given["now_ms"], own["elapsed_ms"], accept=own["accept"])
        now = clock.ms
    else:
        now = max(clock.ms, given["now_ms"])
    decided = not said.replayed and own.get("mode") != "preview"
    effect = decided and said.word in EFFECTS and (verb not in {"expire", "serve", "rescue"} or bool(said.facts[0]))
    if effect:
        clock.tick(now)
    jumped = clock.ms if effect and clock.ms != now else None
    kept = decided and "op" in given and said.word not in NOT_KEPT and (verb, said.word) != ("release", "unknown_hold")
    named = given.get("op", ""), given.get("fingerprint", ""), now, given.get("actor", "")
    why = WHY[verb](own) if verb in WHY else own.get("why", "")
    told = Told({"return_units": "return"}.get(verb, verb), *named, why, given["epoch"], given["config"], said, jumped)
    return told, effect, kept


WHY = {
    "order": lambda own: own["kind"],
    "pick": lambda own: own["location"],
    "reject": lambda own: f"{own['location']} {own['reason']}{' recount' * own['recount']}",
    "rescue": lambda own: own["location"],
    "unavailable": lambda own: f"{own['reason']} {own['direction']}",
}
"""Verbs whose reason in the ledger is not given as such."""
