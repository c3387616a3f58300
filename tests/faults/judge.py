"""
The judge: the callers' diary against the store's own books, once the breakage is over.

What was acknowledged is in the books exactly once and as it was answered; what nobody knew for a while has one answer
now; nothing is there that nobody asked for; units add up; and `allocator.check` finds no fault.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from allocator import answers
from allocator.check import check
from allocator.reading import Books, position, read_books
from allocator.records import Entry, decode_hold, decode_order

from .doors import PASSING, UNREADABLE, Door
from .ops import PUT_OFF, Diary, Heard, Op
from .shop import LOCATIONS, SEEDED, SELLER, SKUS, opening
from .verdict import Fault, Verdict

READ_MAX: Final = 150
"""Orders and holds that are read through the door as well."""

READINGS_MAX: Final = 5
"""The service serves backorders by itself, so the books may move while they are read."""

Faults = Iterator[Fault]

ANSWERS: Final[dict[str, Callable[[Op, bytes], Any]]] = {
    "order": lambda op, packed: answers.placed(op.channel, op.subject, packed, replayed=False),
    "hold": lambda op, packed: answers.held(op.subject, packed, replayed=False),
    "release": lambda op, packed: answers.released(op.subject, packed, replayed=False),
    "ship": lambda op, packed: answers.changed(op.channel, op.subject, packed, replayed=False),
    "cancel": lambda op, packed: answers.changed(op.channel, op.subject, packed, replayed=False),
    "receive": lambda _op, packed: answers.moved(packed, replayed=False),
}
"""How the answer inside a ledger entry is read."""


async def _store_alone(client: Redis) -> Books:
    return await read_books(client, SELLER)


async def judge(
    diary: Diary,
    client: Redis,
    door: Door,
    verdict: Verdict,
    read: Callable[[Redis], Awaitable[Books]] = _store_alone,
) -> None:
    """
    Fill the verdict's counts and faults. Raises what redis-py raises; the store must be up.

    `read` says where the books are, if they are not the store's alone.
    """
    verdict.ops, verdict.sent = len(diary.ops), diary.sent
    verdict.acknowledged = sum(1 for _ in diary.of("accepted"))
    verdict.refused = sum(1 for _ in diary.of("refused"))
    verdict.unknown = sum(heard.was_unknown for heard in diary.ops.values())
    for _ in range(READINGS_MAX):
        before = await position(client, SELLER)
        books, report = await read(client), await check(client, SELLER)
        readable = [fault async for fault in _judge_reading(diary, books, door)]
        if before == await position(client, SELLER):
            break
    verdict.oversold = report.oversold
    verdict.faults += first_of_each([*judge_answers(diary), *judge_books(diary, books), *readable])
    verdict.faults += [Fault("store", str(violation)) for violation in report.violations]


def first_of_each(faults: Iterable[Fault]) -> list[Fault]:
    """What is lost is missing in several places, and is one loss."""
    found: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        found.setdefault((fault.what, fault.of), fault)
    return list(found.values())


def judge_books(diary: Diary, books: Books) -> Faults:
    """Everything that the books alone can tell."""
    yield from judge_effects(diary, books)
    yield from judge_records(diary, books)
    yield from judge_units(diary, books)


# --- what the callers heard --------------------------------------------------------------------------------------


def judge_answers(diary: Diary) -> Faults:
    """Each op has one answer, however often it was sent."""
    for id, heard in diary.ops.items():
        for said in heard.said:
            if said.outcome == "unexpected":
                yield Fault("unexpected", id, f"{said.detail}")
        if not heard.decided:
            yield Fault("unanswered", id, f"{heard.said[-1].detail}")
        elif any(said.content != heard.decided[0].content for said in heard.decided):
            yield Fault("differing", id, f"{[said.content for said in heard.decided]}"[:600])
        if sum(said.fresh for said in heard.decided) > 1:
            yield Fault("doubled", id, "answered as done just now more than once")
        if _was_put_off_untruly(heard):
            yield Fault("untrue", id, "was said not to be applied, and was done before when repeated")


def _was_put_off_untruly(heard: Heard) -> bool:
    """Every answer but the last promised that nothing happened, and the last one says it happened before."""
    *before, last = heard.said
    promised = bool(before) and all(said.detail == PUT_OFF for said in before)
    return promised and last.outcome == "accepted" and not last.fresh


# --- what the books say ------------------------------------------------------------------------------------------


def judge_effects(diary: Diary, books: Books) -> Faults:
    """Exactly one effect of what was accepted, none of what was refused, none of what nobody asked for."""
    effects = Counter(entry.op for entry in books.ledger if entry.op)
    entries = {entry.op: entry for entry in books.ledger}
    for id, heard in diary.ops.items():
        times = effects.pop(id, 0)
        if times > 1:
            yield Fault("doubled", id, f"{times} entries in the ledger")
        if heard.outcome == "accepted" and times == 0:
            yield Fault("lost", id, "accepted, and not in the ledger")
        elif heard.outcome == "accepted":
            yield from _judge_answer(heard, entries[id])
        elif heard.outcome == "refused" and times:
            yield Fault("untrue", id, "refused, and in the ledger")
    for id in effects:
        if not id.startswith(("configure:", "repair:", f"receive:{SEEDED}", f"set_quota:{SEEDED}")):
            yield Fault("foreign", id)


def _judge_answer(heard: Heard, entry: Entry) -> Faults:
    answer = msgspec.to_builtins(ANSWERS[heard.op.verb](heard.op, entry.answer))
    done = {name: value for name, value in answer.items() if name not in PASSING}
    if heard.decided[-1].content != done:
        yield Fault("untrue", heard.op.id, f"answered {heard.decided[-1].content}, did {done}"[:600])


def judge_records(diary: Diary, books: Books) -> Faults:
    """Orders and holds are there, and are what the ledger says they became last."""
    last = _last_records(books)
    for heard in diary.of("accepted"):
        op = heard.op
        if op.verb == "order":
            stored: Any = books.orders.get(f"{op.channel}:{op.subject}")
            told = last.get(f"order:{op.channel}:{op.subject}")
        elif op.verb == "hold":
            stored, told = books.holds.get(op.subject), last.get(f"hold:{op.subject}")
        else:
            continue
        if stored is None:
            yield Fault("lost", op.id, "accepted, and has no record")
        elif stored != told:
            yield Fault("untrue", op.id, f"stands as {stored}, the ledger says {told}"[:600])


def _last_records(books: Books) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for entry in books.ledger:
        for name, packed in entry.records.items():
            if name.startswith("order:"):
                last[name] = decode_order(packed)
            elif name.startswith("hold:"):
                last[name] = decode_hold(name.removeprefix("hold:"), packed)
    return last


def judge_units(diary: Diary, books: Books) -> Faults:
    """What lies there is what lay there at first and arrived, less what was shipped; and lines add up."""
    expected: defaultdict[str, int] = defaultdict(int, {sku: len(LOCATIONS) * opening(sku) for sku in SKUS})
    for heard in diary.of("accepted"):
        if heard.op.verb == "receive":
            for want in heard.op.lines:
                expected[want.sku] += want.units
    for id, record in books.orders.items():
        for line in record.order.lines:
            expected[line.sku] -= line.shipped
            if line.committed + line.shipped + line.backordered + line.conflict + line.cancelled != line.ordered:
                yield Fault("units", f"{id} {line.line}", str(line))
    for sku in SKUS:
        state = books.stock.get(sku)
        found = sum(place.on_hand for place in state.places.values()) if state else 0
        if found != expected[sku]:
            yield Fault("units", sku, f"{found} on hand, {expected[sku]} by what was received and shipped")


# --- what callers can read ---------------------------------------------------------------------------------------


async def _judge_reading(diary: Diary, books: Books, door: Door) -> Any:
    """The last orders and holds can be read, and read as they stand."""
    kept = [heard for heard in diary.of("accepted") if heard.op.verb in {"order", "hold"}]
    for heard in kept[-READ_MAX:]:
        op = heard.op
        try:
            found = await door.read(op)
        except UNREADABLE as error:
            yield Fault("away", op.id, f"cannot be read: {type(error).__name__}")
            return
        if op.verb == "order":
            record = books.orders.get(f"{op.channel}:{op.subject}")
            stored: Any = record and record.order
        else:
            stored = books.holds.get(op.subject)
        if found is None:
            yield Fault("lost", op.id, "accepted, and cannot be read")
        elif stored is not None and found != msgspec.to_builtins(stored):
            yield Fault("untrue", op.id, f"reads {found}, stands as {stored}"[:600])
