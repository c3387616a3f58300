"""What a group of ledger entries means to SQL: rows to add, and records as they now are."""

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from allocator.balances import apply_change, encode_state
from allocator.ledger import config_of
from allocator.records import (
    ConfigRecord,
    Entry,
    OrderRecord,
    Place,
    Remembered,
    SkuState,
    decode_hold,
    decode_order,
    encode_answer,
)
from allocator.recounts import given_by, recount_steps
from allocator.shipments import is_gone, left_by, shipped_order
from allocator.transfers import transfer_steps

from .recounts import DAY_MS

Row = dict[str, Any]

VERSION = "version"
"""The name of the field that has the version, which no compiled field has."""

AT_PLACES = frozenset({"on_hand", "unavailable", "held", "committed", "deficit", "in_transit"})
"""Buckets of a sku at a location that are counted there, or on their way there; quotas are not."""

_encode = msgspec.msgpack.encode


def body_of(entry: Entry) -> bytes:
    """All of an entry; `msgspec.msgpack.decode(body, type=Entry)` reads it back."""
    return _encode(entry)


def hash_of(body: bytes) -> str:
    """32 characters that tell one entry from any other."""
    return blake2b(body, digest_size=16).hexdigest()


class Group:
    """
    Some entries of one seller, in order, and what they change.

    `states` has every sku they touch as it was before them, and is changed as they are added; `orders` every order they
    ship, packed. Of a record that was changed several times only the last is written.
    """

    def __init__(
        self, seller: str, states: dict[str, SkuState], orders: Mapping[str, bytes], *, recorded_ms: int
    ) -> None:
        self.seller = seller
        self.states = states
        self.recorded_ms = recorded_ms
        self.entries: list[Row] = []
        self.moves: list[Row] = []
        self.subjects: list[Row] = []
        self.shipments: list[Row] = []
        self.shipment_lines: list[Row] = []
        self.hold_lines: list[Row] = []
        self.transfer_steps: list[Row] = []
        self.recount_steps: list[Row] = []
        self.location_days: list[Row] = []
        self._before = orders
        self._made: dict[str, int] = {}
        self._places: set[tuple[str, str]] = set()
        self._orders: dict[str, tuple[int, bytes]] = {}
        self._holds: dict[str, tuple[int, bytes]] = {}
        self._touched: dict[str, int] = {}
        self._answers: dict[str, Row] = {}
        self._config: dict[str, bytes | None] = {}

    def add(self, number: int, id: str, entry: Entry) -> None:
        """Add the entry with this number. Raises VersionGap."""
        self._add_entry(number, id, entry)
        self._add_config(number, config_of(entry))
        self._fold(number, entry)
        self._add_moves(number, entry)
        self._add_shipments(number, entry)
        self._add_transfers(number, entry)
        self._add_rejects(number, entry)
        self._add_records(number, entry)
        if entry.op:
            remembered = Remembered(entry.at_ms, entry.fingerprint, entry.word, entry.answer)
            row = {"seller": self.seller, "op": entry.op, "at_ms": entry.at_ms, "answer": encode_answer(remembered)}
            self._answers[entry.op] = row

    def _fold(self, number: int, entry: Entry) -> None:
        for change in entry.changes:
            apply_change(self.states.setdefault(change.sku, SkuState()), change)
            self._touched[change.sku] = number

    def _add_entry(self, number: int, id: str, entry: Entry) -> None:
        body = body_of(entry)
        self.entries.append(
            {
                "seller": self.seller,
                "epoch": entry.epoch,
                "id": id,
                "number": number,
                "hash": hash_of(body),
                "verb": entry.verb,
                "op": entry.op,
                "actor": entry.actor,
                "why": entry.why,
                "config": entry.config,
                "at_ms": entry.at_ms,
                "recorded_ms": self.recorded_ms,
                "body": body,
            }
        )

    def _add_moves(self, number: int, entry: Entry) -> None:
        moved = [(change, *move) for change in entry.changes for move in change.moves]
        self.moves += [
            {
                "seller": self.seller,
                "number": number,
                "place": place,
                "sku": change.sku,
                "version": change.version,
                "location": location,
                "bucket": bucket,
                "of": of,
                "units": units,
            }
            for place, (change, location, bucket, of, units) in enumerate(moved)
        ]
        self._places |= {(change.sku, location) for change, location, bucket, *_ in moved if bucket in AT_PLACES}

    def _add_shipments(self, number: int, entry: Entry) -> None:
        id = shipped_order(entry)
        before = self._orders[id][1] if id in self._orders else self._before.get(id)
        left = left_by(entry, before)
        key = {"seller": self.seller, "number": number, "at_ms": entry.at_ms}
        self.shipment_lines += [
            {**key, "location": row.location, "line": row.line, "sku": row.sku, "units": row.units} for row in left
        ]
        units: Counter[str] = Counter()
        for row in left:
            units[row.location] += row.units
        for location, total in units.items():
            order = left[0].order
            facts = {"channel": order.channel, "external_id": order.external_id, "placed_ms": order.placed_ms}
            self.shipments.append({**key, **facts, "location": location, "gone": is_gone(entry), "units": total})

    def _add_transfers(self, number: int, entry: Entry) -> None:
        key = {"seller": self.seller, "number": number, "at_ms": entry.at_ms}
        for step in transfer_steps(entry):
            row = step._asdict()
            self.transfer_steps.append({**key, "transfer_id": row.pop("transfer"), **row})

    def _add_rejects(self, number: int, entry: Entry) -> None:
        """What is to be counted or was, and what locations gave and refused."""
        key = {"seller": self.seller, "number": number, "at_ms": entry.at_ms, "actor": entry.actor, "op": entry.op}
        self.recount_steps += [{**key, **step._asdict()} for step in recount_steps(entry)]
        day = {"seller": self.seller, "day": entry.at_ms // DAY_MS}
        self.location_days += [{**day, **given._asdict()} for given in given_by(entry)]

    def _add_config(self, number: int, config: ConfigRecord | None) -> None:
        if config is None:
            return
        self._config |= {**config.fields, **dict.fromkeys(config.removed), VERSION: str(config.version).encode()}
        for sku in config.made:
            self.states[sku] = SkuState()
            self._touched[sku] = number

    def _add_records(self, number: int, entry: Entry) -> None:
        for name, packed in entry.records.items():
            kind, _, id = name.partition(":")
            if kind in {"order", "hold"}:
                self.subjects.append({"seller": self.seller, "kind": kind, "id": id, "number": number})
                (self._orders if kind == "order" else self._holds)[id] = number, packed
            if kind == "hold":
                self._made.setdefault(id, entry.at_ms)
                self._add_hold_lines(id, entry, packed)

    def _add_hold_lines(self, id: str, entry: Entry, packed: bytes) -> None:
        """What a hold is made of; the owner's earlier hold that it replaces has no takes any more."""
        if entry.verb != "hold":
            return
        key = {"seller": self.seller, "hold_id": id, "made_ms": entry.at_ms}
        self.hold_lines += [
            {**key, "place": place, "sku": take.sku, "location": take.location, "units": take.units}
            for place, take in enumerate(decode_hold(id, packed).takes)
        ]

    # --- what is to be written ---------------------------------------------------------------------------------

    def orders(self) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
        """The orders, their lines, their takes, and the lines of their announced returns."""
        heads: list[Row] = []
        lines: list[Row] = []
        takes: list[Row] = []
        announced: list[Row] = []
        for number, packed in self._orders.values():
            record = decode_order(packed)
            heads.append(self._head(number, packed, record))
            lines += self._lines(record)
            takes += self._takes(record)
            announced += self._announced(record)
        return heads, lines, takes, announced

    def _key(self, record: OrderRecord) -> Row:
        order = record.order
        return {"seller": self.seller, "channel": order.channel, "external_id": order.external_id}

    def _head(self, number: int, packed: bytes, record: OrderRecord) -> Row:
        order = record.order
        facts = {"kind": order.kind, "state": order.state, "placed_ms": order.placed_ms}
        said = order.promised
        promised = {
            "ship_by_ms": said and said.ship_by_ms,
            "deliver_by_ms": said and said.deliver_by_ms,
            "country": said.country if said else "",
            "region": said.region if said else "",
        }
        return {**self._key(record), **facts, **promised, "number": number, "record": packed}

    def _lines(self, record: OrderRecord) -> Iterable[Row]:
        key = {**self._key(record), "placed_ms": record.order.placed_ms}
        for line in record.order.lines:
            row = msgspec.structs.asdict(line)
            del row["takes"]
            yield {**key, **row}

    def _takes(self, record: OrderRecord) -> Iterable[Row]:
        key = {**self._key(record), "placed_ms": record.order.placed_ms}
        for line in record.order.lines:
            for place, take in enumerate(line.takes):
                facts = {"sku": take.sku, "location": take.location, "units": take.units, "picking": take.picking}
                yield {**key, "line": line.line, "place": place, **facts}

    def _announced(self, record: OrderRecord) -> Iterable[Row]:
        key = self._key(record)
        for announced in record.order.announced:
            row = {**key, **msgspec.structs.asdict(announced), "due_ms": announced.due_ms or 0}
            del row["lines"]
            for line in announced.lines:
                yield {**row, **msgspec.structs.asdict(line)}

    def holds(self) -> list[Row]:
        """The holds."""
        return [self._hold(id, number, packed) for id, (number, packed) in self._holds.items()]

    def _hold(self, id: str, number: int, packed: bytes) -> Row:
        hold = decode_hold(id, packed)
        return {
            "seller": self.seller,
            "hold_id": id,
            "channel": hold.channel,
            "owner": hold.owner,
            "state": hold.state,
            "made_ms": self._made[id],
            "deadline_ms": hold.deadline_ms,
            "number": number,
            "record": packed,
        }

    def balances(self) -> list[Row]:
        """The skus that were touched."""
        return [
            {
                "seller": self.seller,
                "sku": sku,
                "version": self.states[sku].version,
                "number": number,
                "state": encode_state(self.states[sku]),
            }
            for sku, number in self._touched.items()
        ]

    def places(self) -> list[Row]:
        """The places of skus whose units were touched."""
        return [
            place_row(self.seller, sku, location, self.states[sku].places.get(location, Place()))
            for sku, location in sorted(self._places)
        ]

    def config(self) -> tuple[list[Row], list[str]]:
        """The fields of the compiled config that were set, and those that are gone."""
        fields = [
            {"seller": self.seller, "field": field, "value": value}
            for field, value in self._config.items()
            if value is not None
        ]
        return fields, [field for field, value in self._config.items() if value is None]

    def transfers(self) -> list[str]:
        """The ids of the transfers that were sent or arrived, each once."""
        return list(dict.fromkeys(row["transfer_id"] for row in self.transfer_steps))

    def answers(self) -> list[Row]:
        """What ops were answered."""
        return list(self._answers.values())


def place_row(seller: str, sku: str, location: str, place: Place) -> Row:
    """What lies at one place or is on its way there, in units."""
    units = {name: getattr(place, name) for name in AT_PLACES}
    return {"seller": seller, "sku": sku, "location": location, **units}


def shipped_in(entries: Iterable[Entry]) -> list[str]:
    """Every order these entries ship, once."""
    return list(dict.fromkeys(filter(None, map(shipped_order, entries))))


def skus_of(entries: Iterable[Entry]) -> list[str]:
    """Every sku these entries touch, once."""
    return list(dict.fromkeys(sku for entry in entries for sku in [change.sku for change in entry.changes]))
