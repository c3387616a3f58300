"""Whoever has the ledger has everything: replaying it from nothing, in plain Python, gives the server's very state."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from allocator import SellerKeys
from allocator.answers import unpack
from allocator.model import Hold
from allocator.reading import Books
from allocator.records import (
    Change,
    Entry,
    OrderRecord,
    Place,
    QuotaUse,
    Remembered,
    SkuState,
    decode_config,
    decode_hold,
    decode_order,
    encode_answer,
    waiting_member,
)
from tests.allocator.town import SELLER
from tests.allocator.twins import Twins
from tests.allocator.walk import Walk

STEPS = 250
OF_QUOTA = {"quota", "consumed", "spent", "floor"}


class Replay:
    """A store that starts empty and knows only what ledger entries say."""

    def __init__(self) -> None:
        self.stock: dict[str, SkuState] = {}
        self.holds: dict[str, Hold] = {}
        self.orders: dict[str, OrderRecord] = {}
        self.ops: dict[str, Remembered] = {}
        self.config: dict[str, bytes] = {}
        self.config_version = 0

    def follow(self, entries: Iterable[Entry]) -> "Replay":
        for entry in entries:
            for name, packed in entry.records.items():
                self._put(name, packed)
            for change in entry.changes:
                self._change(change)
            if entry.op:
                self.ops[entry.op] = Remembered(entry.at_ms, entry.fingerprint, entry.word, entry.answer)
        return self

    def _put(self, name: str, packed: bytes) -> None:
        kind, _, id = name.partition(":")
        if kind == "hold":
            self.holds[id] = decode_hold(id, packed)
        elif kind == "order":
            self.orders[id] = decode_order(packed)
        elif name == "config":
            self._configure(packed)
        else:
            # A frozen sku moves nothing, so nothing else follows from it.
            assert kind == "frozen", name

    def _configure(self, packed: bytes) -> None:
        record = decode_config(packed)
        self.config_version = record.version
        self.config |= record.fields
        for field in record.removed:
            del self.config[field]
        for sku in record.made:
            self.stock[sku] = SkuState()

    def _change(self, change: Change) -> None:
        state = self.stock[change.sku]
        assert change.version == state.version + 1
        state.version = change.version
        for code, bucket, of, units in change.moves:
            if code:
                self._move(state.places.setdefault(code, Place()), bucket, of, units)
            else:
                assert not of
                setattr(state, bucket, getattr(state, bucket) + units)

    def _move(self, place: Place, bucket: str, of: str, units: int) -> None:
        if bucket == "unavailable":
            place.reasons[of] = place.reasons.get(of, 0) + units
        elif bucket == "in_transit":
            place.transit[of] = place.transit.get(of, 0) + units
        elif bucket in OF_QUOTA:
            use = place.quotas.setdefault(of, QuotaUse())
            setattr(use, bucket, getattr(use, bucket) + units)
        else:
            assert not of
            setattr(place, bucket, getattr(place, bucket) + units)

    # --- indexes follow from the records -----------------------------------------------------------------------

    def open_holds(self) -> dict[str, Hold]:
        return {id: hold for id, hold in self.holds.items() if hold.state == "open"}

    def deadlines(self) -> dict[str, int]:
        return {id: hold.deadline_ms for id, hold in self.open_holds().items()}

    def owners(self) -> dict[str, str]:
        return {f"{hold.channel}:{hold.owner}": id for id, hold in self.open_holds().items() if hold.owner}

    def waiting(self) -> set[bytes]:
        return {
            waiting_member(record, line.line, line.sku)
            for record in self.orders.values()
            for line in record.order.lines
            if line.backordered or (line.conflict and not record.order.desk)
        }


def without_blanks(stock: dict[str, SkuState]) -> dict[str, Any]:
    """A place where nothing is, a reason without units and a quota of nothing are not kept."""
    kept: dict[str, Any] = defaultdict(dict)
    for sku, state in stock.items():
        kept[sku][""] = state.version, state.backordered, state.conflict
        for code, place in state.places.items():
            reasons = {reason: units for reason, units in place.reasons.items() if units}
            quotas = {channel: use for channel, use in place.quotas.items() if use != QuotaUse()}
            transit = {transfer: units for transfer, units in place.transit.items() if units}
            content = place.on_hand, place.held, place.committed, place.deficit, reasons, quotas, transit
            if any(content):
                kept[sku][code] = content
    return dict(kept)


@pytest.fixture(scope="module", params=[1, 2, 3], ids=lambda seed: f"walk {seed}")
def twins(request: pytest.FixtureRequest, server_url: str) -> Iterator[Twins]:
    """A server after a long walk through all verbs; whether its decisions were right is another test's question."""
    both = Twins(server_url, agree=False)
    walk = Walk(both, request.param)
    for _ in range(STEPS):
        walk.step()
    yield both
    both.close()


@pytest.fixture(scope="module")
def history(twins: Twins) -> Books:
    return twins.records()


def test_replaying_the_ledger_gives_stock_holds_and_orders_exactly(history):
    replay = Replay().follow(history.ledger)

    assert without_blanks(replay.stock) == without_blanks(history.stock)
    assert replay.holds == history.holds
    assert replay.orders == history.orders


def test_a_walk_is_long_enough_to_show_something(history):
    assert len(history.orders) > STEPS // 12


def test_replaying_the_ledger_gives_the_answers_of_every_op_with_an_effect(history):
    replay = Replay().follow(history.ledger)

    without_effect = history.ops.keys() - replay.ops.keys()
    assert {op: history.ops[op] for op in replay.ops} == replay.ops
    assert not {history.ops[op].word for op in without_effect} & {remembered.word for remembered in replay.ops.values()}


def test_the_indexes_follow_from_the_replayed_records(history):
    replay = Replay().follow(history.ledger)

    assert replay.deadlines() == history.deadlines
    assert replay.owners() == history.owners
    assert replay.waiting() == history.waiting


def test_replaying_the_ledger_gives_the_config_in_force(twins, history):
    replay = Replay().follow(history.ledger)

    config, seller = SellerKeys(SELLER).named("config", "seller")
    fields = twins.run(twins.client.hgetall(config))
    assert {field.encode(): value for field, value in replay.config.items()} == fields
    assert int(twins.run(twins.client.hget(seller, "config"))) == replay.config_version


def test_every_answer_in_the_ledger_names_the_versions_of_its_change(history):
    versioned = {"moved", "held", "released", "placed", "changed"}

    for entry in history.ledger:
        raised = [part for change in entry.changes for part in (change.sku, change.version)]
        if entry.word in versioned:
            # What an order was promised about time comes behind, and the return that goods came back with.
            at = {"placed": 7, "changed": 2}.get(entry.word, -1)
            assert unpack(entry.answer)[at] == raised


def test_a_remembered_answer_is_stored_byte_for_byte_as_the_ledger_tells_it(twins, history):
    [ops] = SellerKeys(SELLER).named("ops")
    replay = Replay().follow(history.ledger)

    stored = twins.run(twins.client.hmget(ops, list(replay.ops)))

    assert [encode_answer(remembered) for remembered in replay.ops.values()] == stored
