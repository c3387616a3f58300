"""What SQL has against what Valkey has and what the ledger adds up to, byte for byte."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from allocator.balances import VersionGap, apply_change, encode_state
from allocator.ledger import config_of
from allocator.model import Order
from allocator.records import Remembered, SkuState, decode_hold, decode_order, decode_state, encode_answer
from app.draining.rows import hash_of
from tests.allocator.town import SELLER
from tests.simulator.loop import drive

from .books import Left, key_of
from .judge_model import differences

Find = Callable[[str], None]
Sheet = dict[Any, Any]


def judge_sql(left: Left, find: Find) -> None:
    """Write down what must not be."""
    tables, told = _tables(left), _replay(left, find)
    valkey = drive(_valkey(left))
    for kind in ("stock", "orders", "holds", "config"):
        _same(f"{kind} in SQL and in Valkey", tables[kind], valkey[kind], find)
    for kind, sheet in told.items():
        _same(f"{kind} in SQL and as the ledger tells them", tables[kind], sheet, find)
    kept = {op: packed for op, packed in valkey["answers"].items() if op in tables["answers"]}
    _same("answers in SQL and in Valkey", tables["answers"], kept, find)
    _same("sums of moves", _sums_of_moves(left), _sums_of_states(tables["stock"]), find)
    _same("projections of orders", *_order_projections(left, tables["orders"]), find)
    _same("projections of holds", *_hold_projections(left, tables["holds"]), find)
    _same("projections of transfers", *_transfer_projections(left), find)
    _same("projections of rejects", *_reject_projections(left), find)
    _judge_entries(left, find)


def _same(name: str, ours: Sheet, theirs: Sheet, find: Find) -> None:
    if ours != theirs:
        find(f"{name} differ: {differences(ours, theirs)}")


# --- what is there -----------------------------------------------------------------------------------------------


def _tables(left: Left) -> dict[str, Sheet]:
    rows = left.world.sql.rows
    return {
        "stock": dict(rows("SELECT sku, state FROM balance")),
        "orders": dict(rows("SELECT channel || ':' || external_id, record FROM order_record")),
        "holds": dict(rows("SELECT hold_id, record FROM hold_record")),
        "answers": dict(rows("SELECT op, answer FROM op_answer")),
        "config": {
            field: value for field, value in rows("SELECT field, value FROM config_field") if field != "version"
        },
    }


async def _valkey(left: Left) -> dict[str, Sheet]:
    words = {"stock": "stock", "orders": "orders", "holds": "holds", "answers": "ops", "config": "config"}
    found = {kind: await left.client.hgetall(f"{{{SELLER}}}:{word}") for kind, word in words.items()}
    return {kind: {name.decode(): value for name, value in sheet.items()} for kind, sheet in found.items()}


def _replay(left: Left, find: Find) -> dict[str, Sheet]:
    """The state that the ledger in SQL adds up to from nothing."""
    states: dict[str, SkuState] = {}
    sheets: dict[str, Sheet] = {"orders": {}, "holds": {}, "answers": {}, "config": {}}
    for row in left.rows:
        entry, config = row.entry, config_of(row.entry)
        if config is not None:
            states |= {sku: SkuState() for sku in config.made}
            kept = {**sheets["config"], **config.fields}
            sheets["config"] = {field: value for field, value in kept.items() if field not in config.removed}
        try:
            for change in entry.changes:
                apply_change(states.setdefault(change.sku, SkuState()), change)
        except VersionGap as gap:
            find(f"the ledger has a gap at entry {row.number}: {gap}")
            break
        for name, packed in entry.records.items():
            kind, _, id = name.partition(":")
            if id:
                sheets[f"{kind}s"][id] = packed
        if entry.op:
            said = Remembered(entry.at_ms, entry.fingerprint, entry.word, entry.answer)
            sheets["answers"][entry.op] = encode_answer(said)
    return {"stock": {sku: encode_state(state) for sku, state in states.items()}, **sheets}


# --- projections -------------------------------------------------------------------------------------------------


def _sums_of_moves(left: Left) -> Sheet:
    sums: Counter[Any] = Counter()
    for sku, location, bucket, of, units in left.world.sql.rows(
        "SELECT sku, location, bucket, of, units FROM ledger_move"
    ):
        sums[sku, location, bucket, of] += units
    return {key: units for key, units in sums.items() if units and not _of_nothing(key, sums)}


def _of_nothing(key: tuple[str, str, str, str], sums: Counter[Any]) -> bool:
    """A quota without anything is not kept, though it may once have been spent from."""
    sku, location, bucket, of = key
    return bucket == "spent" and not any(sums[sku, location, other, of] for other in ("quota", "consumed", "floor"))


def _sums_of_states(states: dict[str, bytes]) -> Sheet:
    sums: Sheet = {}
    for sku, packed in states.items():
        state = decode_state(packed)
        sums[sku, "", "backordered", ""], sums[sku, "", "conflict", ""] = state.backordered, state.conflict
        for code, place in state.places.items():
            for bucket in ("on_hand", "held", "committed", "deficit"):
                sums[sku, code, bucket, ""] = getattr(place, bucket)
            sums |= {(sku, code, "unavailable", reason): units for reason, units in place.reasons.items()}
            sums |= {(sku, code, "in_transit", transfer): units for transfer, units in place.transit.items()}
            for channel, use in place.quotas.items():
                sums |= {(sku, code, bucket, channel): units for bucket, units in msgspec.structs.asdict(use).items()}
    return {key: units for key, units in sums.items() if units}


LINE = ("line", "sku", "ordered", "committed", "shipped", "backordered", "conflict", "cancelled", "returned")


def _order_projections(left: Left, records: dict[str, bytes]) -> tuple[Sheet, Sheet]:
    rows, expected = left.world.sql.rows, {}
    found: Sheet = {
        ("order", f"{channel}:{id}"): facts
        for channel, id, *facts in rows("SELECT channel, external_id, kind, state, placed_ms FROM order_record")
    }
    for channel, id, *facts in rows(f"SELECT channel, external_id, {', '.join(LINE)} FROM order_line"):
        found["line", f"{channel}:{id}", facts[0]] = facts
    for channel, id, *facts in rows(
        "SELECT channel, external_id, line, place, sku, location, units, picking FROM order_take"
    ):
        found["take", f"{channel}:{id}", *facts[:2]] = facts[2:]
    names = ", ".join(RETURN)
    for channel, id, *facts in rows(f"SELECT channel, external_id, {names} FROM announced_return"):
        found["return", f"{channel}:{id}", *facts[:2]] = facts
    for id, packed in records.items():
        order = decode_order(packed).order
        expected |= _returns(id, order)
        expected["order", id] = [order.kind, order.state, order.placed_ms]
        for line in order.lines:
            expected["line", id, line.line] = [getattr(line, name) for name in LINE]
            for place, take in enumerate(line.takes):
                expected["take", id, line.line, place] = [take.sku, take.location, take.units, int(take.picking)]
    return found, expected


RETURN = ("return_id", "line", "revision", "due_ms", "location", "why", "sku", "units", "arrived", "expected")


def _returns(id: str, order: Order) -> Sheet:
    """Every line of an order's announced returns."""
    return {
        ("return", id, one.return_id, line.line): [
            *(one.return_id, line.line, one.revision, one.due_ms or 0, one.location, one.why),
            *(line.sku, line.units, line.arrived, line.expected),
        ]
        for one in order.announced
        for line in one.lines
    }


def _hold_projections(left: Left, records: dict[str, bytes]) -> tuple[Sheet, Sheet]:
    columns = "hold_id, channel, owner, state, deadline_ms"
    found = {id: facts for id, *facts in left.world.sql.rows(f"SELECT {columns} FROM hold_record")}
    expected = {}
    for id, packed in records.items():
        hold = decode_hold(id, packed)
        expected[id] = [hold.channel, hold.owner, hold.state, hold.deadline_ms]
    return found, expected


UNITS = ("sent", "arrived", "lost", "in_transit")


def _transfer_projections(left: Left) -> tuple[Sheet, Sheet]:
    rows, names, expected = left.world.sql.rows, ", ".join(UNITS), {}
    columns = f"transfer_id, from_location, to_location, state, {names}"
    found: Sheet = {(id,): facts for id, *facts in rows(f"SELECT {columns} FROM transfer")}
    found |= {(id, sku): units for id, sku, *units in rows(f"SELECT transfer_id, sku, {names} FROM transfer_line")}
    ways, sums = _travels(left)
    for key, moved in sums.items():
        units = [moved[name] for name in UNITS]
        way = [] if len(key) > 1 else [*ways[key[0]], _state(*units)]
        expected[key] = [*way, *units]
    return found, expected


def _state(sent: int, arrived: int, lost: int, in_transit: int) -> str:
    return "closed" if not in_transit else "partly" if arrived or lost else "open"


def _travels(left: Left) -> tuple[dict[str, tuple[str, str]], dict[tuple[str, ...], Counter[str]]]:
    """Of each transfer from where to where; and the units of each, and of each of its skus."""
    ways: dict[str, tuple[str, str]] = {}
    sums: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for entry in [row.entry for row in left.rows if row.entry.verb in {"transfer_out", "transfer_in"}]:
        for change in entry.changes:
            units: Counter[str] = Counter()
            place = to = id = ""
            for location, bucket, of, count in change.moves:
                units[bucket] += count
                if bucket == "in_transit":
                    to, id = location, of
                elif bucket == "on_hand":
                    place = location
            if units["in_transit"] > 0:
                ways.setdefault(id, (place, to))
                moved = {"sent": units["in_transit"]}
            else:
                moved = {"arrived": units["on_hand"], "lost": -units["in_transit"] - units["on_hand"]}
            for key in ((id,), (id, change.sku)):
                sums[key].update({**moved, "in_transit": units["in_transit"]})
    return ways, sums


def _reject_projections(left: Left) -> tuple[Sheet, Sheet]:
    """What is to be counted, by the entry that began it and the sku; what locations gave and rejected, by day."""
    rows = left.world.sql.rows
    columns = "number, sku, location, rejects, units, closed_number, difference"
    found: Sheet = {("task", number, sku): facts for number, sku, *facts in rows(f"SELECT {columns} FROM recount")}
    days = rows("SELECT day, location, taken, rejected FROM location_day")
    return found | {("day", *day): units for *day, taken, rejected in days for units in [[taken, rejected]]}, _told(
        left
    )


def _told(left: Left) -> Sheet:
    told: Sheet = {}
    open: dict[tuple[str, str], list[Any]] = {}
    for row in left.rows:
        verb, why = row.entry.verb, row.entry.why.split(" ")
        for change in row.entry.changes:
            shelves: Counter[str] = Counter()
            for location, bucket, _, units in change.moves:
                if bucket == "on_hand":
                    shelves[location] += units
                elif bucket == "committed" and (units > 0 or (verb == "reject" and location == why[0])):
                    day = told.setdefault(("day", row.entry.at_ms // 86_400_000, location), [0, 0])
                    day[units < 0] += abs(units)
            for location, units in shelves.items():
                place = change.sku, location
                if verb == "reject" and why[-1] == "recount" and units:
                    task = open.setdefault(place, [location, 0, 0, None, 0])
                    told.setdefault(("task", row.number, change.sku), task) if task[1] == 0 else None
                    task[1:3] = task[1] + 1, task[2] - units
                elif verb == "count" and place in open:
                    open.pop(place)[3:5] = row.number, units
    return told


# --- entries -----------------------------------------------------------------------------------------------------


def _judge_entries(left: Left, find: Find) -> None:
    """Each effect is one entry, each entry one effect, numbered without gaps, with all its moves and subjects."""
    made = {key_of(run) for run in left.kept if run.entry}
    there = {row.key for row in left.rows}
    for key in sorted(made ^ there):
        find(f"the entry {key[:2]} is {'not in SQL' if key in made else 'in SQL, and nothing made it'}")
    for number, row in enumerate(left.rows, 1):
        if row.number != number or row.hash != hash_of(row.body):
            find(f"entry {number} has the number {row.number} and the hash {row.hash}")
        if row.entry.epoch != row.epoch or row.entry.at_ms != row.at_ms:
            find(f"entry {number} is not what its row says")
    moves = [
        (row.number, change.sku, change.version, *move)
        for row in left.rows
        for change in row.entry.changes
        for move in change.moves
    ]
    rows = left.world.sql.rows
    if moves != rows(
        "SELECT number, sku, version, location, bucket, of, units FROM ledger_move ORDER BY number, place"
    ):
        find("the moves in SQL are not those of the entries")
    subjects = {
        (*name.split(":", 1), row.number) for row in left.rows for name in row.entry.records if name != "config"
    }
    if subjects != set(rows("SELECT kind, id, number FROM ledger_subject")):
        find("the subjects in SQL are not those of the entries")
