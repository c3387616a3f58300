"""Every script's answer, in the order in which they ran, against the model in plain Python; then everything it left."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from allocator import Config
from allocator.answers import unpack
from tests.allocator.oracle import Clock, Oracle, Said
from tests.allocator.twins import (
    comparable,
    holds_of_oracle,
    holds_of_server,
    orders_of_oracle,
    orders_of_server,
    stock_of_oracle,
    stock_of_server,
)

from .books import Left, key_of
from .chronicle import Begun, Copied, Execution, FellBack, Happened

NOW_AT, ACCEPT_AT = 2, 4
"""Where a script's time stands among its arguments, and where expire is told to take the clock as it is."""


def judge_model(left: Left, find: Callable[[str], None]) -> None:
    """Find the first answer that differs; if none does, whatever is kept otherwise than the model keeps it."""
    model = _Model(left)
    for happened in left.world.server.history:
        said = model.follow(happened)
        if said:
            find(said)
            return
    for name, ours, theirs in model.records():
        if ours != theirs:
            find(f"{name} differ: {differences(ours, theirs)}")


def differences(ours: dict[Any, Any], theirs: dict[Any, Any]) -> str:
    """The keys that differ, with both values; a few are enough."""
    keys = [key for key in sorted(ours.keys() | theirs.keys(), key=str) if ours.get(key) != theirs.get(key)]
    return "; ".join(f"{key}: {ours.get(key)} instead of {theirs.get(key)}" for key in keys[:3])


class _Model:
    """The oracle, following a history in which data may be lost and come back."""

    def __init__(self, left: Left) -> None:
        self.left = left
        self.configs: dict[tuple[str, str], Config] = left.world.configs
        self.oracle = Oracle("")
        self.done: list[Execution] = []
        self.copy: tuple[Oracle, int] = self.oracle, 0

    def follow(self, happened: Happened) -> str:
        """What is wrong with it, or ''."""
        if isinstance(happened, Execution):
            self.done.append(happened)
            return self._judge(happened)
        if isinstance(happened, Begun):
            self._begin(happened)
        elif isinstance(happened, Copied):
            self.copy = deepcopy(self.oracle), len(self.done)
        elif isinstance(happened, FellBack):
            self.oracle = self.copy[0]
        else:
            self.oracle.epoch = ""
        return ""

    def _begin(self, begun: Begun) -> None:
        """What SQL had at that time is there, under a new epoch; refusals and the clock's judgement are not."""
        rows = self.left.rows[: begun.number]
        numbers = {row.key: row.number for row in rows}
        there = [run for run in self.done if key_of(run) in numbers]
        self.done = sorted(there, key=lambda run: numbers[key_of(run)])
        self.oracle = Oracle("")
        for run in self.done:
            self.oracle.epoch = run.arguments[0].decode()
            self._do_again(run)
        self.oracle.epoch = begun.epoch
        self.oracle.clock = Clock()
        self.oracle.clock.ms = rows[-1].entry.until_ms if rows else 0
        books = self.oracle.books
        books.servable = {sku for sku in books.versions if books.waits(sku)}

    def _do_again(self, run: Execution) -> None:
        """Its effect, whatever ran before it without one: the clock had been judged, the sweep had found these skus."""
        self.oracle.books.closed = run.closed or frozenset()
        if run.verb == "expire":
            again = [*run.arguments[:ACCEPT_AT], b"1", *run.arguments[ACCEPT_AT + 1 :]]
            run = replace(run, arguments=again)
        elif run.verb == "serve":
            self.oracle.books.servable |= {sku for _, _, sku, _ in unpack(run.packed)[0]}
        # Its own time may have been behind the clock, which something without an effect had set.
        self._ask(replace(run, now_ms=run.at_ms))

    def _judge(self, run: Execution) -> str:
        """A gate that is not open keeps verbs from skus; whatever runs runs as ever."""
        if run.verb == "freeze":
            return f"nothing is wrong, and was frozen: {run.arguments}" if run.word == "frozen_now" else ""
        if run.word in {"checking", "frozen"}:
            [sku, *_] = unpack(run.packed)
            known = run.closed is not None and (not sku or sku in run.closed)
            return "" if known else f"{run.verb} {run.op} found {sku} {run.word}, which is open"
        if run.word == "not_ready" and unpack(run.packed)[1]:
            return "" if run.closed else f"{run.verb} {run.op} found a gate shut that is open"
        self.oracle.books.closed = run.closed or frozenset()
        moved = run.touched & self.oracle.books.closed
        return f"{run.verb} {run.op} moved {sorted(moved)}, which is closed" if moved else self._compare(run)

    def _compare(self, run: Execution) -> str:
        said = comparable(Said(run.word, unpack(run.packed), run.replayed))
        expected = comparable(self._ask(run))
        if said == expected:
            return ""
        return f"{run.verb} {run.op} {run.arguments[NOW_AT:]} said {said}, the model {expected}"

    def _ask(self, run: Execution) -> Said:
        if run.verb == "configure":
            self.oracle.coming = self.configs[run.arguments[0].decode(), run.op]
        arguments: list[Any] = [argument or "" for argument in run.arguments]
        arguments[NOW_AT] = run.now_ms
        return self.oracle.call(run.verb, arguments)

    def records(self) -> list[tuple[str, dict[Any, Any], dict[Any, Any]]]:
        """What is kept, and what the model would keep, by kind."""
        records, books = self.left.records, self.oracle.books
        answers = {op: comparable(Said(kept.word, unpack(kept.answer))) for op, kept in records.ops.items()}
        return [
            ("stock", stock_of_server(records), stock_of_oracle(books)),
            ("holds", holds_of_server(records), holds_of_oracle(books)),
            ("orders", orders_of_server(records), orders_of_oracle(books)),
            ("answers", answers, {op: comparable(said) for op, (_, said) in self.oracle.ops.items()}),
        ]
