"""The drain: every effect is in SQL once, and what SQL adds up to is what Valkey has."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
from redis.asyncio import Redis

from allocator import SellerKeys, make_client
from allocator.ledger import holds_of, read
from allocator.records import Entry, decode_answer, decode_hold, decode_order, decode_state
from app.draining.drain import Drain
from app.store.announced_tables import AnnouncedReturnRow
from app.store.database import Database
from app.store.ledger_tables import (
    BalancePlaceRow,
    BalanceRow,
    HoldLineRow,
    HoldRow,
    LedgerEntryRow,
    LedgerMoveRow,
    OpAnswerRow,
    OrderLineRow,
    OrderRow,
    OrderTakeRow,
    ShipmentLineRow,
    ShipmentRow,
    TransferLineRow,
    TransferRow,
)
from tests.allocator.town import SELLER
from tests.allocator.twins import Twins
from tests.app.drained import STEPS, a_past, another, books_of, opened, rows


@pytest.fixture(scope="module")
def past(servers) -> Iterator[Twins]:
    """A seller with a past."""
    yield from a_past(servers["valkey"])


@pytest.fixture
async def client(past: Twins) -> AsyncIterator[Redis]:
    client = make_client(past.url)
    yield client
    await client.aclose()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def drain(database: Database, client: Redis) -> Drain:
    return another(database, client)


# --- what is there afterwards ----------------------------------------------------------------------------------


async def test_every_entry_is_in_sql_once_and_in_order(drain, database, client):
    ledger = await read(client, SELLER, "0-0", 100_000)

    drained = await drain.run()

    entries = sorted(await rows(database, LedgerEntryRow), key=lambda row: row.number)
    assert drained.entries == len(ledger) > STEPS // 3
    assert [row.number for row in entries] == list(range(1, len(ledger) + 1))
    assert [(row.id, msgspec.msgpack.decode(row.body, type=Entry)) for row in entries] == ledger


async def test_orders_holds_and_stock_are_what_valkey_has(drain, database, client):
    books = await books_of(client)

    await drain.run()

    orders = {f"{row.channel}:{row.external_id}": decode_order(row.record) for row in await rows(database, OrderRow)}
    holds = {row.hold_id: decode_hold(row.hold_id, row.record) for row in await rows(database, HoldRow)}
    stock = {row.sku: decode_state(row.state) for row in await rows(database, BalanceRow)}
    assert orders == books.orders
    assert holds == books.holds
    assert stock == books.stock
    assert min(len(orders), len(holds), len(stock)) > 2


async def test_lines_and_takes_are_those_of_the_orders(drain, database, client):
    books = await books_of(client)

    await drain.run()

    lines = {(row.channel, row.external_id, row.line): row for row in await rows(database, OrderLineRow)}
    expected = [(record.order, line) for record in books.orders.values() for line in record.order.lines]
    assert len(lines) == len(expected)
    for order, line in expected:
        row = lines[order.channel, order.external_id, line.line]
        kept = msgspec.structs.asdict(line)
        del kept["takes"]
        assert row.model_dump(include=set(kept)) == kept
    units = sum(row.units for row in await rows(database, OrderTakeRow))
    assert units == sum(take.units for _, line in expected for take in line.takes) > 0


async def test_announced_returns_are_those_of_the_orders(drain, database, client):
    books = await books_of(client)

    await drain.run()

    drained = {
        (row.channel, row.external_id, row.return_id, row.line): (row.units, row.arrived, row.expected)
        for row in await rows(database, AnnouncedReturnRow)
    }
    orders = [record.order for record in books.orders.values()]
    expected = {
        (order.channel, order.external_id, known.return_id, line.line): (line.units, line.arrived, line.expected)
        for order in orders
        for known in order.announced
        for line in known.lines
    }
    assert drained == expected
    assert any(units for *_, units in drained.values())


async def test_moves_add_up_to_the_stock(drain, database, client):
    books = await books_of(client)

    await drain.run()

    moved: dict[tuple[str, str], int] = {}
    for row in await rows(database, LedgerMoveRow):
        if row.bucket == "on_hand":
            moved[row.sku, row.location] = moved.get((row.sku, row.location), 0) + row.units
    there = {
        (sku, code): place.on_hand
        for sku, state in books.stock.items()
        for code, place in state.places.items()
        if place.on_hand
    }
    assert {key: units for key, units in moved.items() if units} == there


async def test_shipments_are_what_left_the_shelves_line_by_line(drain, database, client):
    books, ledger = await books_of(client), await read(client, SELLER, "0-0", 100_000)

    await drain.run()

    lines = await rows(database, ShipmentLineRow)
    heads = {(row.number, row.location): row for row in await rows(database, ShipmentRow)}
    shipped: Counter = Counter()
    left: Counter = Counter()
    whole: Counter = Counter()
    for row in lines:
        head = heads[row.number, row.location]
        shipped[head.channel, head.external_id, row.line] += row.units
        left[row.number, row.sku, row.location] += row.units
        whole[row.number, row.location] += row.units
    assert shipped == Counter(
        {
            (record.order.channel, record.order.external_id, line.line): line.shipped
            for record in books.orders.values()
            for line in record.order.lines
            if line.shipped
        }
    )
    # What is exchanged may leave and come back in one entry, which has the difference alone.
    exchanged = {number for number, (_, entry) in enumerate(ledger, 1) if entry.verb == "exchange"}
    assert {key: units for key, units in left.items() if key[0] not in exchanged} == gone_from_shelves(ledger)
    assert whole == Counter({key: row.units for key, row in heads.items()})
    assert {row.gone for row in heads.values()} == {True, False}


def gone_from_shelves(ledger) -> dict[tuple[int, str, str], int]:
    """Units that left for orders, by number of the entry, sku and location."""
    found: Counter = Counter()
    for number, (_, entry) in enumerate(ledger, 1):
        if entry.verb in {"ship", "order"}:
            moves = [(change.sku, *move) for change in entry.changes for move in change.moves]
            for sku, location, bucket, _, units in moves:
                found[number, sku, location] -= units if bucket == "on_hand" else 0
    return +found


async def test_places_have_the_units_that_valkey_has_there(drain, database, client):
    books = await books_of(client)

    await drain.run()

    names = ("on_hand", "unavailable", "held", "committed", "deficit", "in_transit")
    found = {
        (row.sku, row.location): [getattr(row, name) for name in names] for row in await rows(database, BalancePlaceRow)
    }
    there = {
        (sku, code): [getattr(place, name) for name in names]
        for sku, state in books.stock.items()
        for code, place in state.places.items()
    }
    assert {key: units for key, units in found.items() if any(units)} == {
        key: units for key, units in there.items() if any(units)
    }


async def test_transfers_are_what_was_sent_arrived_and_lost_and_what_valkey_has_on_the_way(drain, database, client):
    books, ledger = await books_of(client), await read(client, SELLER, "0-0", 100_000)

    await drain.run()

    heads = {row.transfer_id: row for row in await rows(database, TransferRow)}
    lines = {(row.transfer_id, row.sku): row for row in await rows(database, TransferLineRow)}
    coming = {
        (transfer, sku): units
        for sku, state in books.stock.items()
        for place in state.places.values()
        for transfer, units in place.transit.items()
    }
    moved = moved_by_transfers(ledger)
    assert {key: row.in_transit for key, row in lines.items() if row.in_transit} == coming != {}
    assert {key: [row.sent, row.arrived, row.lost] for key, row in lines.items()} == moved
    for id, head in heads.items():
        mine = [row for (transfer, _), row in lines.items() if transfer == id]
        units = [sum(getattr(row, name) for row in mine) for name in ("sent", "arrived", "lost", "in_transit")]
        assert [head.sent, head.arrived, head.lost, head.in_transit] == units
        assert head.state == ("closed" if not units[3] else "open" if units[0] == units[3] else "partly")
    assert {head.state for head in heads.values()} == {"open", "partly", "closed"}


def moved_by_transfers(ledger) -> dict[tuple[str, str], list[int]]:
    """Units sent, arrived and lost, by transfer and sku."""
    found: dict[tuple[str, str], list[int]] = {}
    for _, entry in ledger:
        for change in entry.changes if entry.verb.startswith("transfer") else []:
            [transfer] = {of for _, bucket, of, _ in change.moves if bucket == "in_transit"}
            units: Counter = Counter()
            for _, bucket, _, count in change.moves:
                units[bucket] += count
            row = found.setdefault((transfer, change.sku), [0, 0, 0])
            if entry.verb == "transfer_out":
                row[0] += units["in_transit"]
            else:
                row[1] += units["on_hand"]
                row[2] -= units["in_transit"] + units["on_hand"]
    return found


async def test_holds_keep_what_they_were_made_of_and_when(drain, database, client):
    ledger = await read(client, SELLER, "0-0", 100_000)
    made = {
        hold.hold_id: (entry.at_ms, [(take.sku, take.location, take.units) for take in hold.takes])
        for _, entry in ledger
        if entry.verb == "hold"
        for hold in holds_of(entry)
        if hold.state == "open"
    }

    await drain.run()

    lines: dict[str, list] = {}
    for row in sorted(await rows(database, HoldLineRow), key=lambda row: row.place):
        lines.setdefault(row.hold_id, []).append((row.sku, row.location, row.units))
    assert {row.hold_id: (row.made_ms, lines.get(row.hold_id, [])) for row in await rows(database, HoldRow)} == made


async def test_answers_of_effects_are_remembered_as_valkey_remembers_them(drain, database, client):
    ledger = await read(client, SELLER, "0-0", 100_000)
    ops = {entry.op for _, entry in ledger if entry.op}

    await drain.run()

    [name] = SellerKeys(SELLER).named("ops")
    kept = {row.op: row.answer for row in await rows(database, OpAnswerRow)}
    assert kept.keys() == ops
    for op, answer in kept.items():
        assert decode_answer(answer) == decode_answer(await client.hget(name, op))
