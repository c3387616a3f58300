"""What a ledger says a record should be, and whether a record is that: pure functions for whoever compares the two."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from allocator.announced import expected_units
from allocator.balances import apply_change, encode_state
from allocator.records import UNREADABLE, Change, OrderRecord, SkuState, decode_state

_unpack = msgspec.msgpack.Decoder(list[Any]).decode

WRONG_MAX: Final = 20
"""Most numbers named in evidence."""

NEW_STATE = msgspec.msgpack.encode([0, 0])
"""The packed state of a sku that nothing has happened to."""


def state_after(packed: bytes, changes: Iterable[Change]) -> bytes:
    """
    A sku's packed state after these changes.

    What is contained in the state already is passed over. Raises VersionGap.
    """
    left = iter(changes)
    first = next(left, None)
    if first is None:
        return packed
    state = decode_state(packed)
    for change in (first, *left):
        if change.version > state.version:
            apply_change(state, change)
    return encode_state(state)


def is_plain(packed: bytes) -> bool:
    """Whether nothing of a sku is promised, owed, missing, fenced or out of sale: then no promise can be broken."""
    try:
        flat = _unpack(packed)
        return not flat[1] and all(
            flat[at + 1] >= 0 and not (flat[at + 2] or flat[at + 3] or flat[at + 4]) for at in range(2, len(flat), 5)
        )
    except UNREADABLE:
        return False


def is_closed(record: OrderRecord) -> bool:
    """Whether nothing of an order is committed, backordered, in conflict or announced to come back."""
    if expected_units(record.order.announced):
        return False
    return not any(line.committed or line.backordered or line.conflict for line in record.order.lines)


def evidence(expected: bytes, found: bytes | None) -> str:
    """What is wrong with a sku whose state is not what its entries add up to."""
    if found is None:
        return "the store has nothing of it, the ledger has"
    try:
        there = _facts(decode_state(found))
    except UNREADABLE:
        return "the store's state cannot be read"
    told = _facts(decode_state(expected))
    wrong = [
        f"{name} is {there.get(name, 0)}, the ledger adds up to {told.get(name, 0)}"
        for name in sorted(there.keys() | told.keys())
        if there.get(name, 0) != told.get(name, 0)
    ]
    return "; ".join(wrong[:WRONG_MAX]) or "the store's state is not written as ours are"


def _facts(state: SkuState) -> dict[str, int]:
    """Every number of a state by its name."""
    return dict(_numbers("", msgspec.to_builtins(state)))


def _numbers(path: str, value: Any) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(f"{path} {name}".strip(), inner)
    else:
        yield path.removeprefix("places "), value
