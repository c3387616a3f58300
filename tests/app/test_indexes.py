"""Every list about what happened is read along an index, in the order it is shown, however much has happened."""

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import takewhile
from typing import Any

import pytest
from sqlalchemy import event

from app.store import announced, balances, history, ledger, past_holds, past_orders, transfers
from app.store.announced import WantedReturns
from app.store.balances import WantedBalances
from app.store.database import Database, sqlite_url
from app.store.history import WantedMoves
from app.store.past_holds import WantedHolds
from app.store.past_orders import WantedOrders, WantedShipments
from app.store.sellers import ensure_seller
from app.store.transfers import WantedTransfers

Ask = Callable[[Any], Coroutine[Any, Any, Any]]


def orders(**wanted: Any) -> Ask:
    return lambda session: past_orders.list_orders(session, "main", WantedOrders(**wanted), 101)


def shipments(**wanted: Any) -> Ask:
    return lambda session: past_orders.list_shipments(session, "main", WantedShipments(**wanted), 101)


def travels(**wanted: Any) -> Ask:
    return lambda session: transfers.list_transfers(session, "main", WantedTransfers(**wanted), 101)


def holds(**wanted: Any) -> Ask:
    return lambda session: past_holds.list_holds(session, "main", WantedHolds(**wanted), 101)


def coming_back(**wanted: Any) -> Ask:
    return lambda session: announced.list_expected(session, "main", WantedReturns(**wanted), 101)


def moves(**wanted: Any) -> Ask:
    return lambda session: history.list_moves(session, "main", WantedMoves(**wanted), 101)


def stock(**wanted: Any) -> Ask:
    return lambda session: balances.list_balances(session, "main", WantedBalances(**wanted), 101)


LISTS = {
    "orders": orders(),
    "orders of a channel": orders(channels=["shop"]),
    "orders in a state": orders(state="committed"),
    "orders of a time": orders(from_ms=5, until_ms=9),
    "orders of a sku": orders(sku="CUP"),
    "orders of a sku, page two": orders(sku="CUP", before=(5, "shop", "1")),
    "orders of a sku in a state": orders(sku="CUP", state="committed", channels=["shop"]),
    "orders that wait at a place": orders(location="oslo"),
    "orders of a sku that wait at a place": orders(location="oslo", sku="CUP"),
    "orders that left a place": orders(shipped_from="oslo"),
    "orders of a limited key": orders(channels=["shop"], own=["oslo", "rome"]),
    "shipments": shipments(),
    "shipments of a place": shipments(locations=["oslo"]),
    "shipments of a channel": shipments(channels=["shop"]),
    "shipments of a sku": shipments(sku="CUP"),
    "shipments of a sku and channel, page two": shipments(sku="CUP", channels=["shop"], before=(5, 7, "oslo")),
    "transfers": travels(),
    "transfers of a time": travels(from_ms=5, until_ms=9),
    "transfers in a state": travels(state="open"),
    "transfers from a place": travels(from_location="oslo"),
    "transfers to a place, page two": travels(to_location="oslo", before=(5, "T1")),
    "transfers of a sku": travels(sku="CUP"),
    "transfers of a sku in a state": travels(sku="CUP", state="open"),
    "transfers of a place": travels(locations=["oslo"]),
    "a transfer's arrivals": lambda session: transfers.arrivals_of(session, "main", "T1"),
    "holds": holds(),
    "holds of a channel": holds(channels=["shop"]),
    "holds in a state": holds(state="open"),
    "holds of an owner": holds(owner="anna"),
    "holds of a sku": holds(sku="CUP"),
    "holds of a place": holds(locations=["oslo"]),
    "holds of a sku in a state, page two": holds(sku="CUP", state="open", before=(5, "cart")),
    "returns": coming_back(),
    "returns of a place": coming_back(locations=["oslo"]),
    "returns of a sku": coming_back(sku="CUP"),
    "returns of a time, page two": coming_back(due_before_ms=9, after=(5, "shop", "1", "R1", "1")),
    "returns of a channel and a place": coming_back(channels=["shop"], locations=["oslo"], due_before_ms=9),
    "movements": moves(),
    "movements of a sku": moves(sku="CUP"),
    "movements of a place": moves(locations=["oslo"]),
    "movements of a time": moves(from_ms=5, until_ms=9),
    "movements of a sku and a time": moves(sku="CUP", from_ms=5, until_ms=9),
    "movements of a verb": moves(verb="adjust"),
    "movements of a verb, page two": moves(verb="adjust", before=(7, 1)),
    "movements of a sku and a verb": moves(sku="CUP", verb="ship"),
    "balances": stock(),
    "balances of a place": stock(locations=["oslo"], after="CUP"),
    "the story of an order that was pending": lambda session: history.story_of(
        session, "main", "order", "shop:1", owner="pending:shop:1"
    ),
    "the story of an order": lambda session: history.story_of(session, "main", "order", "shop:1"),
    "stock as it was": lambda session: balances.moved_until(session, "main", "CUP", 7),
    "stock as it was lately": lambda session: balances.moved_since(session, "main", "CUP", 7),
    "the entry of a time": lambda session: history.entry_at(session, "main", 7),
}

OF_ALL = {
    "orders",
    "orders of a limited key",
    "shipments",
    "transfers",
    "transfers of a place",
    "holds",
    "returns",
    "movements",
    "balances",
}
"""What is asked for without a choice: an index is walked from its end until the page is full."""

SORTED_AFTERWARDS = {
    "orders of a limited key",
    "shipments of a sku and channel, page two",
    "the story of an order",
    "the story of an order that was pending",
    "stock as it was",
    "stock as it was lately",
}
"""Few rows, or sums: what is found is sorted afterwards."""


@pytest.fixture
async def database(tmp_path) -> AsyncIterator[Database]:
    async with await Database.open(sqlite_url(tmp_path)) as database:
        yield database


async def plans(database: Database, ask: Ask) -> list[str]:
    """What SQLite says it does for each question that is asked, and for what is deleted."""
    asked: list[tuple[str, Any]] = []
    engine = database._engine.sync_engine

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        async with database.writing() as session:
            await ask(session)
            connection = await session.connection()
            steps = []
            for statement, parameters in [one for one in asked if one[0].startswith(("SELECT", "DELETE"))]:
                parameters = parameters[0] if isinstance(parameters, list) else parameters  # noqa: PLW2901 of many
                found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                steps += [str(row[-1]) for row in found]
            return steps
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("name", LISTS)
async def test_no_list_walks_a_table_or_sorts_what_an_index_has_in_order(database, name: str):
    steps = await plans(database, LISTS[name])

    assert any(step.startswith("SEARCH") for step in steps)
    # A page that was found is walked, to look up its records.
    assert [step for step in steps if step.startswith("SCAN") and "anon_" not in step] == []
    if name not in OF_ALL:
        assert [step for step in steps if step.endswith("(seller=?)")] == []
    if name not in SORTED_AFTERWARDS:
        # A page is found in order, and sorted once more with its records.
        finding = list(takewhile(lambda step: not step.startswith("SCAN anon_"), steps))
        assert [step for step in finding if "ORDER BY" in step and "RIGHT PART" not in step] == []


async def test_an_order_that_is_written_again_is_found_by_its_key(database):
    order = {"seller": "main", "channel": "shop", "external_id": "1"}
    facts = {"kind": "promise", "state": "shipped", "placed_ms": 1, "number": 1, "record": b""}

    async def ask(session: Any) -> None:
        await ensure_seller(session, "main", "Main")
        await ledger.put_orders(session, [{**order, **facts}], [], [])
        await ledger.orders_of(session, "main", ["shop:1", "shop:2"])

    steps = await plans(database, ask)

    of_orders = [step for step in steps if re.search("SEARCH order_|SCAN order_", step)]
    assert len(of_orders) >= 3
    assert all(step.endswith("(seller=? AND channel=? AND external_id=?)") for step in of_orders)


async def test_a_walk_over_a_table_would_be_noticed(database):
    async def ask(session: Any) -> None:
        connection = await session.connection()
        await connection.exec_driver_sql("SELECT op FROM ledger_entry WHERE why = ? ORDER BY actor", ("x",))

    steps = await plans(database, ask)

    assert any(step.startswith("SCAN") for step in steps)
    assert any("ORDER BY" in step for step in steps)
