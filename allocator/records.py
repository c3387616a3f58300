"""
Reads what the scripts keep: the packed records in a seller's keys, and the entries of its ledger.

The shapes are stated in lua/shared/stock.lua, holds.lua, orders.lua, gate.lua and write.lua; here they get names, for
everything that reads the state without running a verb: the checker, a replay of the ledger.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from . import answers
from .announced import expected_units
from .model import Hold, Order

UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, LookupError, AttributeError)
"""What reading a damaged record raises."""


class QuotaUse(msgspec.Struct):
    """A channel's ring-fence at one place; `spent` is the part of `consumed` that has been shipped."""

    quota: int = 0
    consumed: int = 0
    spent: int = 0
    floor: int = 0


class Place(msgspec.Struct):
    """
    One sku at one location. `reasons` part the unavailable units; `quotas` are by channel.

    `transit` has the units that are on their way here, by transfer: on no shelf, so part of nothing else.
    """

    on_hand: int = 0
    held: int = 0
    committed: int = 0
    deficit: int = 0
    reasons: dict[str, int] = {}
    quotas: dict[str, QuotaUse] = {}
    transit: dict[str, int] = {}

    @property
    def in_transit(self) -> int:
        """Units that are on their way here."""
        return sum(self.transit.values())

    @property
    def unavailable(self) -> int:
        """Units of `on_hand` that nobody may sell."""
        return sum(self.reasons.values())

    @property
    def available(self) -> int:
        """Units that nobody has; below zero when more is promised than is there."""
        return self.on_hand - self.unavailable - self.held - self.committed

    @property
    def missing(self) -> int:
        """Units that are promised or unavailable here and not on the shelf."""
        return max(0, -self.available)


class SkuState(msgspec.Struct):
    """Everything kept of one sku."""

    version: int = 0
    backordered: int = 0
    conflict: int = 0
    places: dict[str, Place] = {}

    @property
    def waits(self) -> bool:
        """Whether orders wait for units of it."""
        return bool(self.backordered or self.conflict)


class OrderRecord(msgspec.Struct, frozen=True):
    """An order with what its later life needs: the op that made it, its channel's rank, its ranking."""

    order: Order
    op: str
    fingerprint: str
    rank: int
    candidates: list[tuple[str, int]]


class Remembered(msgspec.Struct, frozen=True):
    """What an op answered, when, and to which request."""

    at_ms: int
    fingerprint: str
    word: str
    answer: bytes


class Kept(NamedTuple):
    """A record as it is kept, packed. kind: answer, hold or order; id: the op, the hold's id, channel:external id."""

    kind: str
    id: str
    packed: bytes


class Change(msgspec.Struct, frozen=True):
    """One sku's part of an effect: its new version, and (location, bucket, of, units) per bucket moved."""

    sku: str
    version: int
    moves: list[tuple[str, str, str, int]]


class Entry(msgspec.Struct, frozen=True):
    """
    One ledger entry: an effect, its answer, and the holds and orders (or the config) as they were after it.

    clock_ms: the seller's clock then, where time had jumped away from it; None where it was `at_ms`.
    """

    verb: str
    op: str
    fingerprint: str
    at_ms: int
    actor: str
    why: str
    epoch: str
    config: str
    word: str
    changes: list[Change]
    answer: bytes
    records: dict[str, bytes]
    clock_ms: int | None = None

    @property
    def until_ms(self) -> int:
        """Nothing that happened after this entry is dated earlier."""
        return self.at_ms if self.clock_ms is None else self.clock_ms


class ConfigRecord(msgspec.Struct, frozen=True):
    """What one call of configure changed: fields set and removed, skus made."""

    version: int
    fields: dict[str, bytes]
    removed: list[str]
    made: list[str]


def decode_state(packed: bytes) -> SkuState:
    """A sku's state, as shared/stock.lua packs it."""
    version, debts, *rows = answers.unpack(packed)
    backordered, conflict = debts or (0, 0)
    places = {rows[i]: _place(*rows[i + 1 : i + 5]) for i in range(0, len(rows), 5)}
    return SkuState(version, backordered, conflict, places)


def _place(on_hand: int, held: int, committed: int, extra: Any) -> Place:
    deficit, reasons, quotas, *more = extra or (0, [], [])
    transit = more[0] if more else []
    return Place(
        on_hand,
        held,
        committed,
        deficit,
        dict(zip(reasons[::2], reasons[1::2], strict=True)),
        {quotas[i]: QuotaUse(*quotas[i + 1 : i + 5]) for i in range(0, len(quotas), 5)},
        dict(zip(transit[::2], transit[1::2], strict=True)),
    )


_states = msgspec.msgpack.Decoder(list[msgspec.Raw])


def decode_states(packed: bytes) -> list[SkuState | None]:
    """The answer of stock: states one after the other, None for a sku that is unknown."""
    states = [_text_bytes(bytes(row)) for row in _states.decode(packed)]
    return [decode_state(state) if state else None for state in states]


def decode_hold(hold_id: str, packed: bytes) -> Hold:
    """A hold, as shared/holds.lua packs it."""
    return answers.hold_record(hold_id, packed)


def decode_order(packed: bytes) -> OrderRecord:
    """An order, as shared/orders.lua packs it."""
    row = answers.unpack(packed)
    ranked = msgspec.json.decode(row[7])
    candidates = list(zip(ranked[::2], ranked[1::2], strict=True))
    return OrderRecord(answers.order_record(packed), row[3], row[4], row[6], candidates)


def decode_answer(packed: bytes) -> Remembered:
    """A remembered answer, as shared/gate.lua keeps it."""
    word, answer = packed[29:].split(b"\n", 1)
    return Remembered(int(packed[:13]), packed[13:29].decode(), word.decode(), answer)


def encode_answer(remembered: Remembered) -> bytes:
    """The bytes `decode_answer` reads."""
    head = f"{remembered.at_ms:013d}{remembered.fingerprint}{remembered.word}\n"
    return head.encode() + remembered.answer


CLOSED_STATES = frozenset({"shipped", "returned", "cancelled"})
"""States of orders of which nothing waits or lies ready any more (lua/shared/orders.lua)."""


def is_over(kind: str, packed: bytes) -> bool:
    """
    Whether a record may leave the store: any answer, a hold that has ended, an order that is closed.

    Of a closed order no goods are announced to come back either.
    """
    if kind == "answer":
        return bool(decode_answer(packed).word)
    row = answers.unpack(packed)
    if kind == "order":
        returns = [answers.announced_return(one) for one in row[12:] and row[12]]
        return bool(row[9] in CLOSED_STATES and not expected_units(returns))
    return bool(row[2] != "open")


def older_than(kind: str, packed: bytes, until_ms: int) -> bool:
    """
    Whether a record may be older, by what it says itself: it changed last at that time or later.

    An answer tells its time, an order when it was placed. A hold tells its deadline, which it may have ended before.
    """
    if kind == "answer":
        return int(packed[:13]) < until_ms
    row = answers.unpack(packed)
    said: int = row[5] if kind == "order" else row[3]
    return said < until_ms


def waiting_member(record: OrderRecord, line: str, sku: str) -> bytes:
    """A waiting line's place in the queue of its sku, as shared/orders.lua writes it."""
    order = record.order
    age = f"{record.rank:05d}{order.placed_ms:013d}"
    return f"{sku}\0{age}\0{order.channel}:{order.external_id}\0{line}".encode()


def waiting_members(record: OrderRecord) -> set[bytes]:
    """The places of all its lines that wait to be served in the queues of their skus."""
    served = [line for line in record.order.lines if line.backordered + (0 if record.order.desk else line.conflict) > 0]
    return {waiting_member(record, line.line, line.sku) for line in served}


def slot_members(order: Order) -> set[bytes]:
    """The places of days that the order has, as members of their index (lua/shared/orders.lua)."""
    places = order.promised.locations if order.promised else []
    id = f"{order.channel}:{order.external_id}"
    return {f"{place.day}\0{place.location}\0{id}".encode() for place in places if place.day}


def decode_entry(fields: Mapping[bytes, bytes]) -> Entry:
    """A ledger entry, as shared/write.lua appends it."""
    verb, op, fingerprint, at_ms, actor, why, epoch, config, word, changed, *clock = answers.unpack(fields[b"entry"])
    changes = [_change(*change) for change in changed]
    records = {name.decode(): packed for name, packed in fields.items() if name not in {b"entry", b"answer"}}
    answer = fields[b"answer"]
    return Entry(verb, op, fingerprint, at_ms, actor, why, epoch, config, word, changes, answer, records, *clock)


def _change(sku: str, version: int, moves: list[Any]) -> Change:
    steps = [(moves[i], moves[i + 1], moves[i + 2], moves[i + 3]) for i in range(0, len(moves), 4)]
    return Change(sku, version, steps)


_config_record = msgspec.msgpack.Decoder(tuple[int, list[msgspec.Raw], list[str], list[str]])


def decode_config(packed: bytes) -> ConfigRecord:
    """The ledger's record of configure. Its values are bytes that Lua packed as text, so they are cut out unread."""
    version, rows, removed, made = _config_record.decode(packed)
    values = [_text_bytes(bytes(row)) for row in rows]
    fields = {name.decode(): value for name, value in zip(values[::2], values[1::2], strict=True)}
    return ConfigRecord(version, fields, removed, made)


_LENGTH_BYTES = {0xD9: 1, 0xDA: 2, 0xDB: 4}


def _text_bytes(packed: bytes) -> bytes:
    """The content of a packed msgpack string: what follows its mark and length."""
    return packed[1 + _LENGTH_BYTES.get(packed[0], 0) :]
