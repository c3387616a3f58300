"""Damage in SQL is found on every database, and derived again from the entries; lost entries are never guessed."""

import pytest

from app.store.audit import Wanted, list_entries
from tests.allocator.fixtures import dump
from tests.allocator.town import CUP, SELLER
from tests.app.checked import REASON, Books, more_units


async def test_true_books_have_no_findings(books):
    assert await books.kinds() == set()


IN_SQL = {
    "an entry's word": ("UPDATE ledger_entry SET verb = 'gift' WHERE number = 4", "entry_columns_differ"),
    "an entry's time": ("UPDATE ledger_entry SET at_ms = at_ms + 1 WHERE number = 4", "entry_columns_differ"),
    "a move's units": ("UPDATE ledger_move SET units = units + 1 WHERE number = 3", "moves_differ"),
    "a move is gone": ("DELETE FROM ledger_move WHERE number = 3 AND place = 0", "moves_differ"),
    "a move too many": (
        (
            "INSERT INTO ledger_move SELECT seller, number, 99, sku, version, location, bucket, of, units "
            "FROM ledger_move WHERE number = 3 AND place = 0"
        ),
        "moves_differ",
    ),
    "a subject is gone": ("DELETE FROM ledger_subject WHERE id = 'web:W1'", "subjects_differ"),
    "a subject too many": (
        "INSERT INTO ledger_subject (seller, kind, id, number) VALUES ('main', 'order', 'web:ghost', 3)",
        "subjects_differ",
    ),
    "an order is gone": ("DELETE FROM order_record WHERE external_id = 'W1'", "order_row_differs"),
    "an order's record": ("UPDATE order_record SET record = :x WHERE external_id = 'W1'", "order_row_differs"),
    "an order's state": ("UPDATE order_record SET state = 'gone' WHERE external_id = 'W1'", "order_row_differs"),
    "an order's entry": ("UPDATE order_record SET number = 3 WHERE external_id = 'W1'", "order_row_differs"),
    "an order's later entry": ("UPDATE order_record SET number = 99 WHERE external_id = 'W1'", "order_row_differs"),
    "an order too many": (
        (
            "INSERT INTO order_record (seller, channel, external_id, kind, state, placed_ms, number, record) "
            "SELECT seller, channel, 'ghost', kind, state, placed_ms, number, record "
            "FROM order_record WHERE external_id = 'W1'"
        ),
        "order_row_differs",
    ),
    "a line is gone": ("DELETE FROM order_line WHERE external_id = 'W1'", "order_row_differs"),
    "a line's units": ("UPDATE order_line SET committed = 1 WHERE external_id = 'W1'", "order_row_differs"),
    "a take is gone": ("DELETE FROM order_take WHERE external_id = 'W1'", "order_row_differs"),
    "a take's place": ("UPDATE order_take SET location = 'lima' WHERE external_id = 'W1'", "order_row_differs"),
    "a take of no order": ("UPDATE order_take SET external_id = 'ghost' WHERE external_id = 'W1'", "order_row_differs"),
    "a return is gone": ("DELETE FROM announced_return WHERE external_id = 'W2'", "order_row_differs"),
    "a return's units": ("UPDATE announced_return SET expected = 2 WHERE external_id = 'W2'", "order_row_differs"),
    "a return's place": ("UPDATE announced_return SET location = 'lima'", "order_row_differs"),
    "a return of no order": ("UPDATE announced_return SET external_id = 'ghost'", "order_row_differs"),
    "a hold is gone": ("DELETE FROM hold_record WHERE hold_id = 'ann-1'", "hold_row_differs"),
    "a hold's state": ("UPDATE hold_record SET state = 'ended' WHERE hold_id = 'ann-1'", "hold_row_differs"),
    "a hold too many": (
        (
            "INSERT INTO hold_record SELECT seller, 'ghost', channel, owner, state, made_ms, deadline_ms, number, "
            "record FROM hold_record WHERE hold_id = 'ann-1'"
        ),
        "hold_row_differs",
    ),
    "a shipment is gone": ("DELETE FROM shipment", "shipment_rows_differ"),
    "a shipment's units": ("UPDATE shipment SET units = units + 1", "shipment_rows_differ"),
    "a shipment's line is gone": ("DELETE FROM shipment_line", "shipment_rows_differ"),
    "a shipment's line's sku": ("UPDATE shipment_line SET sku = 'TEE'", "shipment_rows_differ"),
    "a shipment of an entry that ships nothing": ("UPDATE shipment SET number = 3", "shipment_rows_differ"),
    "a shipment of no entry": (
        (
            "INSERT INTO shipment SELECT seller, 999, location, channel, external_id, placed_ms, at_ms, gone, units "
            "FROM shipment"
        ),
        "shipment_rows_differ",
    ),
    "a step of another transfer": ("UPDATE transfer_step SET transfer_id = 'T9'", "transfer_rows_differ"),
    "a step of an entry that moves nothing": (
        (
            "INSERT INTO transfer_step SELECT seller, 3, sku, transfer_id, location, to_location, at_ms, sent, "
            "arrived, lost FROM transfer_step WHERE sent > 0"
        ),
        "transfer_rows_differ",
    ),
    "a transfer's state": ("UPDATE transfer SET state = 'closed'", "transfer_rows_differ"),
    "a transfer's line is gone": ("DELETE FROM transfer_line", "transfer_rows_differ"),
    "a transfer too many": ("UPDATE transfer SET transfer_id = 'T9'", "transfer_rows_differ"),
    "units on their way to a place": (
        "UPDATE balance_place SET in_transit = 0 WHERE location = 'lima'",
        "balance_differs",
    ),
    "a line of a hold is gone": ("DELETE FROM hold_line WHERE hold_id = 'ann-1'", "hold_row_differs"),
    "a line of a hold has other units": ("UPDATE hold_line SET units = 9 WHERE hold_id = 'bob-1'", "hold_row_differs"),
    "a line too many of a hold": (
        (
            "INSERT INTO hold_line SELECT seller, hold_id, 99, made_ms, sku, location, units FROM hold_line "
            "WHERE hold_id = 'ann-1' AND place = 0"
        ),
        "hold_row_differs",
    ),
    "a line of no hold": ("UPDATE hold_line SET hold_id = 'ghost' WHERE hold_id = 'ann-1'", "hold_row_differs"),
    "a place is gone": ("DELETE FROM balance_place WHERE sku = 'CUP' AND location = 'oslo'", "balance_differs"),
    "a place's units": ("UPDATE balance_place SET held = held + 1 WHERE sku = 'CUP'", "balance_differs"),
    "a place too many": ("UPDATE balance_place SET location = 'nowhere' WHERE sku = 'TEE'", "balance_differs"),
    "a place of no sku": (
        (
            "INSERT INTO balance_place SELECT seller, 'GHOST', location, on_hand, unavailable, held, committed, "
            "deficit, in_transit FROM balance_place WHERE sku = 'TEE'"
        ),
        "balance_differs",
    ),
    "a balance is gone": ("DELETE FROM balance WHERE sku = 'TEE'", "balance_differs"),
    "a balance that nothing happened to": ("DELETE FROM balance WHERE sku = 'PEN'", "balance_differs"),
    "a balance's version": ("UPDATE balance SET version = 2 WHERE sku = 'CUP'", "balance_differs"),
    "a balance's state": (
        "UPDATE balance SET state = (SELECT state FROM balance WHERE sku = 'TEE') WHERE sku = 'CUP'",
        "balance_differs",
    ),
    "a balance too many": (
        "INSERT INTO balance SELECT seller, 'GHOST', version, number, state FROM balance WHERE sku = 'PEN'",
        "balance_differs",
    ),
    "a field is gone": ("DELETE FROM config_field WHERE field = 'ranks'", "field_row_differs"),
    "a field's value": ("UPDATE config_field SET value = :x WHERE field = 'ranks'", "field_row_differs"),
    "a field too many": (
        "INSERT INTO config_field (seller, field, value) VALUES ('main', 'sku:GHOST', :x)",
        "field_row_differs",
    ),
    "an answer is gone": ("DELETE FROM op_answer WHERE op = 'receive:delivery'", "answer_row_differs"),
    "an answer's text": (
        (
            "UPDATE op_answer SET answer = (SELECT answer FROM op_answer WHERE op = 'adjust:count') "
            "WHERE op = 'receive:delivery'"
        ),
        "answer_row_differs",
    ),
    "the cursor": ("UPDATE ledger_cursor SET position = '5-0' WHERE reader = 'drain'", "cursor_differs"),
}


async def everything(books: Books) -> dict[str, list[tuple[object, ...]]]:
    tables = ("ledger_entry", "ledger_move", "order_record", "hold_record", "config_field")
    found = {table: await books.rows(table) for table in (*tables, "op_answer")}
    found["ledger_subject"] = await books.rows("ledger_subject")
    found["order_line"] = await books.rows("order_line")
    found["order_take"] = await books.rows("order_take")
    found["announced_return"] = await books.rows("announced_return")
    found |= {table: await books.rows(table) for table in ("shipment", "shipment_line", "hold_line", "balance_place")}
    found |= {table: await books.rows(table) for table in ("transfer", "transfer_line", "transfer_step")}
    found["balance"] = await books.rows("balance", "sku, version, state")
    found["ledger_cursor"] = await books.rows("ledger_cursor", "seller, reader, position")
    return found


@pytest.mark.parametrize("what", IN_SQL)
async def test_damage_in_sql_is_found_and_derived_again_from_the_entries(books, what):
    statement, kind = IN_SQL[what]
    before, store = await everything(books), await dump(books.redis)
    assert await books.sql(statement) >= 1

    repaired = await books.repair()

    assert set(repaired.first.findings.counts) == {kind}
    assert repaired.last.findings.counts == {}
    assert await everything(books) == before
    assert await dump(books.redis) == store


async def test_rows_derived_again_are_in_the_audit(books):
    await books.sql("DELETE FROM hold_record WHERE hold_id = 'ann-1'")

    await books.repair()

    async with books.database.reading() as session:
        [entry] = await list_entries(session, seller=SELLER, wanted=Wanted(action="store.mend"), limit=10)
    assert (entry.actor, entry.detail) == ("cli:ann", {"reason": REASON, "rows": ["hold ann-1"]})


UNDECIDED_IN_SQL = {
    "an entry's body": ("UPDATE ledger_entry SET body = :x WHERE number = 5", "entry_damaged"),
    "an entry's hash": ("UPDATE ledger_entry SET hash = 'x' WHERE number = 5", "entry_damaged"),
    "an entry is gone": ("DELETE FROM ledger_entry WHERE number = 5", "entry_missing"),
    "the last entry is gone": (
        "DELETE FROM ledger_entry WHERE number = (SELECT max(number) FROM ledger_entry)",
        "entry_missing",
    ),
}


@pytest.mark.parametrize("what", UNDECIDED_IN_SQL)
async def test_a_lost_entry_is_told_and_nothing_is_guessed(books, what):
    statement, kind = UNDECIDED_IN_SQL[what]
    assert await books.sql(statement) == 1
    before, store = await everything(books), await dump(books.redis)

    repaired = await books.repair()

    assert kind in repaired.first.findings.counts
    assert {finding.repair for finding, _ in repaired.first.findings.kept} == {""}
    assert await everything(books) == before
    assert await dump(books.redis) == store


async def test_with_a_lost_entry_nobody_can_say_which_side_is_right(books):
    await books.sql("UPDATE ledger_entry SET body = :x WHERE number = 5")
    await more_units(books)
    before = await dump(books.redis)

    repaired = await books.repair()

    assert {"entry_damaged", "state_differs"} <= repaired.first.findings.counts.keys()
    assert await dump(books.redis) == before


async def test_both_sides_are_put_right_in_one_go(books):
    before = await everything(books)
    await books.sql("UPDATE balance SET state = :x WHERE sku = 'CUP'")
    await more_units(books)

    repaired = await books.repair()

    assert repaired.last.findings.counts == {}
    after = await everything(books)
    assert after["order_record"] == before["order_record"]
    assert (await books.state(CUP)).places["oslo"].on_hand == 11
