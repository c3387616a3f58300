"""
What callers were told against what is there: no answer nobody gave, no effect twice, none missing, none out of order.

Nothing is taken from inside but the ledger in SQL; what the server ran tells only whether an answer was ever given.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .books import Left, Row
from .chronicle import Asking, Execution
from .deeds import Deed

EFFECTS = {"moved", "held", "extended", "released", "placed", "changed", "configured", "exchanged"}
Find = Callable[[str], None]


class Heard(NamedTuple):
    """One answer that a caller believed."""

    deed: Deed
    asking: Asking
    op: str
    word: str
    packed: bytes


def judge_callers(left: Left, find: Find) -> int:
    """Write down what must not be; returns how many effects that somebody heard of went with Valkey's data."""
    heard = list(_heard(left.world.deeds.all))
    _judge_ops(left, find)
    _judge_answers(left, heard, find)
    judge_order(left.rows, left.world.deeds.all, {(run.op, run.packed) for run in left.lost}, find)
    return _judge_lost(left, heard, find)


def _heard(deeds: list[Deed]) -> Iterator[Heard]:
    for deed in deeds:
        for asking in deed.askings:
            if asking.heard_s is not None:
                yield Heard(deed, asking, *asking.believed)


def _judge_ops(left: Left, find: Find) -> None:
    """One op, one effect; and no effect that nobody asked for."""
    times = Counter(row.entry.op for row in left.rows if row.entry.op)
    for op in [op for op, count in times.items() if count > 1]:
        find(f"{op} had {times[op]} effects")
    asked = {deed.op for deed in left.world.deeds.all}
    for op in sorted(times.keys() - asked):
        if not op.startswith("configure:"):
            find(f"nobody asked for {op}")


def _judge_answers(left: Left, heard: list[Heard], find: Find) -> None:
    """Whatever was heard was said by a script under the deed's own op, and was on the disk before."""
    given = {(run.op, run.word, run.packed) for run in (*left.kept, *left.lost)}
    vanished = {(run.op, run.word, run.packed) for run in left.world.server.undone}
    for one in heard:
        if one.deed.op and one.op != one.deed.op:
            find(f"{one.deed.op} was asked for as {one.op}")
        said = one.op, one.word, one.packed
        if one.deed.op and said not in given:
            why = "was not on the disk" if said in vanished else "was never given"
            find(f"the answer {one.word} to {one.op} {why}")


def _judge_lost(left: Left, heard: list[Heard], find: Find) -> int:
    """Every effect that was heard of is in SQL, or went with Valkey's data in the window that was reported."""
    there = {(_subject(row.entry.op), row.entry.word, row.entry.answer) for row in left.rows}
    gone = {(_subject(run.op), run.word, run.packed): run for run in left.lost if run.made}
    lost = set()
    for one in heard:
        effect = _subject(one.op), one.word, one.packed
        if not one.deed.op or one.word not in EFFECTS or effect in there:
            continue
        if effect not in gone:
            find(f"{one.op} was {one.word}, and is not there")
        lost.add(one.op)
        _judge_window(left, gone.get(effect), find)
    return len(lost)


def _judge_window(left: Left, run: Execution | None, find: Find) -> None:
    """It happened after the time until which, as was said, nothing is missing that the lost store had."""
    reported = left.world.reported
    epoch = run.arguments[0].decode() if run else ""
    if run and epoch in reported and run.at_ms < reported[epoch] and run not in left.silent:
        find(f"{run.op} of {run.at_ms} is lost, and all until {reported[epoch]} was said to be there")


def _subject(op: str) -> str:
    """Attempts of an order answer for each other."""
    return op.rsplit(":", 1)[0] if op.startswith("order:") else op


def judge_order(rows: list[Row], deeds: list[Deed], lost: set[tuple[str, bytes]], find: Find) -> None:
    """
    Linearizable: each sku's versions follow one another, and whoever asked after another was answered has a later one.

    What was lost (ops and their answers) and done once more may have been answered the first time, for the effect that
    is gone.
    """
    sent, answered = _times(deeds)
    by_sku: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for row in rows:
        for change in row.entry.changes:
            by_sku[change.sku].append((change.version, row))
    for sku, changes in by_sku.items():
        if [version for version, _ in changes] != list(range(1, len(changes) + 1)):
            find(f"the versions of {sku} are {[version for version, _ in changes]}")
        latest, by = 0.0, ""
        for version, row in changes:
            sent_s = sent.get((row.entry.op, row.epoch))
            heard_s = answered.get((row.epoch, row.entry.op, row.entry.word, row.entry.answer))
            first = (row.entry.op, row.entry.answer) not in lost
            if first and heard_s is not None and heard_s < latest:
                find(
                    f"version {version} of {sku} ({row.entry.op}) was answered before {by}, which it follows, was sent"
                )
            if sent_s is not None and sent_s > latest:
                latest, by = sent_s, row.entry.op


def _times(deeds: list[Deed]) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str, str, bytes], float]]:
    """When an op was first sent in an epoch, and when it was first heard there that it was answered so."""
    sent: dict[tuple[str, str], float] = {}
    answered: dict[tuple[str, str, str, bytes], float] = {}
    for deed in [deed for deed in deeds if deed.op]:
        for asking in deed.askings:
            key = deed.op, asking.epoch
            sent[key] = min(asking.sent_s, sent.get(key, asking.sent_s))
            if asking.heard_s is not None:
                said = asking.epoch, *asking.believed
                answered[said] = min(asking.heard_s, answered.get(said, asking.heard_s))
    return sent, answered
