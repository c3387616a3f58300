import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from allocator import SellerKeys
from allocator.check import Violation, check
from allocator.model import AdjustLine, HoldRequest, Line, OrderRequest, ReturnLine, StockLine
from allocator.records import Kept, decode_state
from tests.allocator.attic import forget
from tests.allocator.town import CUP, PEN, SELLER, TEE, open_shop

pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode
HOLDS, ORDERS, OPS, STOCK, OWNERS, DEADLINES, WAITING, LEDGER = SellerKeys(SELLER).named(
    "holds", "orders", "ops", "stock", "owners", "deadlines", "waiting", "ledger"
)


@pytest.fixture
async def shop(redis):
    """A hold of Ann's, a shipped and a committed order from a quota, a backorder, and a deficit."""
    allocator = await open_shop(redis)
    arrived = [StockLine(CUP, "oslo", 9), StockLine(CUP, "rome", 5), StockLine(TEE, "rome", 3)]
    await allocator.receive(arrived, op="delivery")
    await allocator.unavailable([StockLine(CUP, "rome", 1)], op="drop", reason="damaged", direction="in")
    await allocator.set_quota(CUP, "oslo", "web", 4, op="fence")
    ann = HoldRequest(hold_id="ann-1", channel="web", owner="ann", ttl_ms=60_000, lines=[Line("1", CUP, 2)])
    await allocator.hold(ann)
    await allocator.order(OrderRequest(channel="web", external_id="W1", lines=[Line("1", CUP, 3)]))
    await allocator.order(OrderRequest(channel="web", external_id="W2", lines=[Line("1", CUP, 1)]))
    await allocator.ship("web", "W2", op="parcel")
    await allocator.return_units(
        [ReturnLine(line="1", location="oslo", units=1, disposition="quarantine")], order=("web", "W2"), op="back"
    )
    await allocator.order(OrderRequest(channel="amazon", external_id="A1", lines=[Line("1", TEE, 7)]))
    await allocator.adjust([AdjustLine(TEE, "rome", -2)], op="count", why="miscount")
    return allocator


async def edit(redis, key: str, field: str, change: Callable[[Any], object]) -> None:
    row = unpack(await redis.hget(key, field))
    change(row)
    await redis.hset(key, field, pack(row))


def place_at(row: list[Any], code: str) -> int:
    return next(i for i in range(2, len(row), 5) if row[i] == code)


def raise_bucket(code: str, bucket: int, units: int) -> Callable[[list[Any]], None]:
    def change(row: list[Any]) -> None:
        row[place_at(row, code) + bucket] += units

    return change


def put(*path: int, value: Any) -> Callable[[list[Any]], None]:
    def change(row: Any) -> None:
        for step in path[:-1]:
            row = row[step]
        row[path[-1]] = value

    return change


async def test_a_shop_whose_books_are_true_has_no_violations_and_is_counted(redis, shop):
    report = await check(redis, SELLER)

    assert report.violations == []
    assert (report.skus, report.holds, report.orders, report.ledger_entries) == (3, 1, 3, 11)
    assert (report.deficits, report.backorders, report.conflicts, report.oversold) == (2, 4, 0, 0)
    assert report.quiet


async def test_a_seller_without_data_has_true_books(redis):
    report = await check(redis, SELLER)

    assert (report.skus, report.violations) == (0, [])


async def test_small_chunks_find_the_same_as_large_ones(redis, shop):
    small, large = await check(redis, SELLER, chunk=1), await check(redis, SELLER)

    assert small == large


ON_HAND, HELD, COMMITTED, EXTRA = 1, 2, 3, 4

damaged_state = [
    ("held_differs", CUP, raise_bucket("oslo", HELD, 1), Violation("held_differs", CUP, "oslo", "", 3, 2)),
    (
        "committed_differs",
        CUP,
        raise_bucket("oslo", COMMITTED, -1),
        Violation("committed_differs", CUP, "oslo", "", 2, 3),
    ),
    ("below_zero", CUP, raise_bucket("oslo", HELD, -5), Violation("below_zero", CUP, "oslo", "", -3, 0)),
    ("oversold", CUP, raise_bucket("oslo", ON_HAND, -6), Violation("oversold", CUP, "oslo", "", 3, 0)),
    ("deficit_differs", TEE, raise_bucket("rome", ON_HAND, 1), Violation("deficit_differs", TEE, "rome", "", 2, 1)),
    ("version_gap", CUP, put(0, value=99), Violation("version_gap", CUP, found=99, expected=8)),
    ("backordered_differs", TEE, put(1, value=[5, 0]), Violation("backordered_differs", TEE, found=5, expected=4)),
    ("conflict_differs", TEE, put(1, value=[4, 2]), Violation("conflict_differs", TEE, found=2, expected=0)),
    ("unreadable", PEN, put(1, value="debts"), Violation("unreadable", of="stock: PEN", found=1)),
]


@pytest.mark.parametrize(
    ("sku", "change", "violation"), [row[1:] for row in damaged_state], ids=[r[0] for r in damaged_state]
)
async def test_a_damaged_sku_is_found_with_its_numbers(redis, shop, sku, change, violation):
    await edit(redis, STOCK, sku, change)

    report = await check(redis, SELLER)

    assert violation in report.violations


async def test_units_promised_twice_are_counted_as_oversold(redis, shop):
    await edit(redis, STOCK, CUP, raise_bucket("oslo", ON_HAND, -6))

    report = await check(redis, SELLER)

    assert report.oversold == 3


async def test_a_quota_that_forgot_what_was_taken_from_it_is_found(redis, shop):
    def forget(row: list[Any]) -> None:
        quotas = row[place_at(row, "oslo") + EXTRA][2]
        quotas[2] -= 1

    await edit(redis, STOCK, CUP, forget)

    report = await check(redis, SELLER)

    consumed = decode_state(await redis.hget(STOCK, CUP)).places["oslo"].quotas["web"]
    found = consumed.consumed - consumed.spent
    assert report.violations == [Violation("consumed_differs", CUP, "oslo", "web", found, found + 1)]


async def test_a_sku_that_vanished_is_missed_by_whoever_names_it(redis, shop):
    await redis.hdel(STOCK, CUP)

    report = await check(redis, SELLER)

    assert Violation("sku_unknown", CUP, found=1) in report.violations
    assert Violation("held_differs", CUP, "oslo", found=0, expected=2) in report.violations


LINE = (8, 0)
ORDERED, LINE_COMMITTED, SHIPPED, RETURNED, TAKES = 2, 3, 4, 8, 9


def announced(line: str, units: int, arrived: int) -> Callable[[list[Any]], None]:
    """A return of the order, whose record has nothing behind its state."""
    return lambda row: row.extend([[0], None, [["R1", 1, 0, "", "", [[line, CUP, units, arrived]]]]])


damaged_order = [
    ("line_differs", "web:W1", put(*LINE, ORDERED, value=5), Violation("line_differs", CUP, "", "web:W1 1", 3, 5)),
    ("line_returned", "web:W2", put(*LINE, RETURNED, value=2), Violation("line_returned", CUP, "", "web:W2 1", 2, 1)),
    (
        "line_announced",
        "web:W2",
        announced("1", 2, 1),
        Violation("line_announced", CUP, "", "web:W2 1", 1, 0),
    ),
    ("announced of no line", "web:W2", announced("7", 2, 1), Violation("line_announced", "", "", "web:W2 7", 1, 0)),
    (
        "below zero of what is announced",
        "web:W2",
        announced("1", 0, -1),
        Violation("below_zero", CUP, "", "web:W2 1", -1, 0),
    ),
    ("below_zero", "web:W2", put(*LINE, SHIPPED, value=-1), Violation("below_zero", CUP, "", "web:W2 1", -1, 0)),
    (
        "line_committed_differs",
        "web:W1",
        put(*LINE, LINE_COMMITTED, value=2),
        Violation("line_committed_differs", CUP, "", "web:W1 1", 2, 3),
    ),
    (
        "take_differs",
        "web:W1",
        put(*LINE, TAKES, 0, 1, value=1),
        Violation("take_differs", CUP, "oslo", "web:W1 1", 3, 1),
    ),
    (
        "op_forgotten",
        "web:W1",
        put(4, value="0" * 16),
        Violation("op_forgotten", of="web:W1 order:web:W1:1", expected=1),
    ),
]


@pytest.mark.parametrize(
    ("id", "change", "violation"), [row[1:] for row in damaged_order], ids=[r[0] for r in damaged_order]
)
async def test_a_damaged_order_is_found_with_its_numbers(redis, shop, id, change, violation):
    await edit(redis, ORDERS, id, change)

    report = await check(redis, SELLER)

    assert violation in report.violations


async def test_an_order_that_vanished_leaves_committed_units_nobody_owns(redis, shop):
    await redis.hdel(ORDERS, "web:W1")

    report = await check(redis, SELLER)

    assert Violation("committed_differs", CUP, "oslo", found=3, expected=0) in report.violations


async def test_a_backorder_outside_the_queue_and_a_queue_entry_without_one_are_found(redis, shop):
    [member] = await redis.zrange(WAITING, 0, -1)
    await redis.zrem(WAITING, member)
    await redis.zadd(WAITING, {b"TEE\x0000001\x00web:W9\x001": 0})

    report = await check(redis, SELLER)

    assert [violation.what for violation in report.violations] == ["waiting_missing", "waiting_extra"]
    assert report.violations[1].of == "TEE 00001 web:W9 1"


async def test_a_deadline_that_is_missing_wrong_or_of_no_hold_is_found(redis, shop):
    await redis.zadd(DEADLINES, {"ann-1": 7, "bob-1": 8})

    report = await check(redis, SELLER)

    kept = {(violation.of, violation.found, violation.expected) for violation in report.violations}
    deadline = (await shop.find_hold("ann-1")).deadline_ms
    assert kept == {("ann-1", 7, deadline), ("bob-1", 8, 0)}
    assert {violation.what for violation in report.violations} == {"deadline_differs"}


async def test_an_owner_who_does_not_lead_to_his_hold_is_found(redis, shop):
    await redis.hset(OWNERS, mapping={"web:ann": "ann-0", "web:bob": "ann-1"})

    report = await check(redis, SELLER)

    assert {violation.of for violation in report.violations} == {"web:ann ann-0", "web:ann ann-1", "web:bob ann-1"}
    assert {violation.what for violation in report.violations} == {"owner_differs"}


async def test_an_effect_whose_answer_was_forgotten_is_found(redis, shop):
    await redis.hdel(OPS, "receive:delivery", "order:web:W1:1")

    report = await check(redis, SELLER)

    forgotten = {violation.of for violation in report.violations if violation.what == "op_forgotten"}
    assert forgotten == {"receive:delivery", "order:web:W1:1", "web:W1 order:web:W1:1"}


async def test_an_answer_of_any_age_that_left_without_a_trace_is_found(redis, shop):
    await redis.hdel(OPS, "receive:delivery")
    shop.now_ms += 8 * 24 * 3_600_000
    await shop.receive([StockLine(PEN, "oslo", 1)], op="a week later")

    report = await check(redis, SELLER)

    assert [(violation.what, violation.of) for violation in report.violations] == [("op_forgotten", "receive:delivery")]


async def test_an_answer_that_left_for_sql_is_none_that_is_missing(redis, shop):
    names = ["receive:delivery", "order:web:W1:1", "hold:ann-1"]
    await forget(shop, [Kept("answer", op, await redis.hget(OPS, op)) for op in names])

    report = await check(redis, SELLER)

    assert await redis.hmget(OPS, names) == [None] * 3
    assert report.violations == []


async def test_an_op_with_two_effects_is_found(redis, shop):
    [(_, fields)] = await redis.xrange(LEDGER, count=1)
    await redis.xadd(LEDGER, fields)

    report = await check(redis, SELLER)

    assert [violation.what for violation in report.violations] == ["op_twice"]


async def test_an_entry_lost_from_the_ledger_leaves_a_gap_in_the_versions(redis, shop):
    entries = await redis.xrange(LEDGER)
    await redis.xdel(LEDGER, entries[4][0])

    report = await check(redis, SELLER)

    assert {violation.what for violation in report.violations} == {"version_gap"}


async def test_a_trimmed_ledger_is_no_fault(redis, shop):
    entries = await redis.xrange(LEDGER)
    await redis.xtrim(LEDGER, minid=entries[-2][0], approximate=False)

    report = await check(redis, SELLER)

    assert (report.violations, report.ledger_entries) == ([], 2)


async def test_a_record_that_cannot_be_read_is_named(redis, shop):
    await redis.hset(HOLDS, "broken", b"\xc1")
    await redis.xadd(LEDGER, {"entry": "nonsense"})

    report = await check(redis, SELLER)

    unreadable = [violation.of for violation in report.violations if violation.what == "unreadable"]
    assert unreadable[0] == "holds: broken"
    assert unreadable[1].startswith("ledger: ")


async def test_a_violation_says_in_words_what_is_wrong(redis, shop):
    await edit(redis, STOCK, CUP, raise_bucket("oslo", HELD, 1))

    report = await check(redis, SELLER)

    assert [str(violation) for violation in report.violations] == [
        "held is not the sum of the open holds (CUP, oslo: 3, expected 2)"
    ]


async def test_orders_that_arrive_during_the_check_look_like_no_fault(redis, shop):
    await shop.receive([StockLine(PEN, "oslo", 10_000)], op="pens")
    busy = True

    async def sell() -> int:
        sold = 0
        while busy:
            await shop.order(OrderRequest(channel="web", external_id=f"P{sold}", lines=[Line("1", PEN, 1)]))
            sold += 1
        return sold

    selling = asyncio.create_task(sell())
    reports = [await check(redis, SELLER, chunk=20) for _ in range(10)]
    busy = False
    sold = await selling

    assert [report.violations for report in reports] == [[]] * 10
    assert reports[-1].orders > reports[0].orders
    assert sold > 10
