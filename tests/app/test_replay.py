import asyncio
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from app.replay.books import Shelves, judge
from app.replay.calls import Answer
from app.replay.order_file import FileLine, Invoice, OrderFileInvalid, read_orders
from app.replay.plan import make_plan
from app.replay.play import chunks, run_jobs
from app.replay.progress import Progress
from app.replay.shop import make_places, make_shop, make_split, write_shop
from app.replay.split import SHARES
from app.replay.tally import Tally, percentile
from app.seed import load_seed
from tests.app.order_files import MONDAY, generated, write

CUP, PLATE = "85123A", "GIFT_0001_40"
PLACES = make_places(4)
SPLIT = make_split(1, PLACES)


def invoice(number: int, *lines: FileLine, day: int = 0) -> Invoice:
    return Invoice(f"{number}", MONDAY + timedelta(days=day), "Norway", lines or (FileLine(CUP, 2),), ())


def many(count: int) -> list[Invoice]:
    return [
        invoice(number, FileLine(CUP, 1 + number % 7), FileLine(PLATE, 3), day=number // 20) for number in range(count)
    ]


# --- reading ---------------------------------------------------------------------------------------------------


def test_the_rows_of_an_invoice_are_one_order_and_each_row_is_a_line(tmp_path):
    file = write(tmp_path / "a.csv", "1,2010-12-01T08:26:00,Norway,85123a,6", "1,2010-12-01T08:26:00,Norway,85123A,2")

    [order] = read_orders(file)

    assert order.ordered == (FileLine(CUP, 6), FileLine(CUP, 2))
    assert (order.id, order.placed_at) == ("1", datetime(2010, 12, 1, 8, 26, tzinfo=UTC))


def test_rows_below_zero_are_what_came_back(tmp_path):
    file = write(
        tmp_path / "a.csv", "1,2010-12-01,Norway,CUP,6", "1,2010-12-01,Norway,CUP,-2", "C2,2010-12-02,Norway,CUP,-1"
    )

    mixed, returned = read_orders(file)

    assert (mixed.ordered, mixed.returned) == ((FileLine("CUP", 6),), (FileLine("CUP", 2),))
    assert (returned.ordered, returned.returned) == ((), (FileLine("CUP", 1),))


def test_a_packed_file_reads_like_a_plain_one(tmp_path):
    plain = generated(tmp_path / "a.csv")
    packed = tmp_path / "whatever.name"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert read_orders(packed) == read_orders(plain)


def test_a_limit_counts_invoices(tmp_path):
    assert [order.id for order in read_orders(generated(tmp_path / "a.csv"), limit=3)] == ["N0", "N1", "N2"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["1,2010-12-01,Norway,CUP"], "line 2: 4 columns, there must be 5"),
        (["1,2010-12-01,Norway,CUP,1", "2,yesterday,Norway,CUP,1"], "line 3: placed_at must be a time"),
        (["1,2010-12-01,Norway,CUP,1.5"], "line 2: quantity must be a whole number"),
        (["1,2010-12-01,Norway,CUP,0"], "line 2: quantity must be a whole number"),
        (["1,2010-12-01,Norway,CUP,1000000001"], "line 2: quantity must be a whole number"),
        (["1,2010-12-01,Norway,,1"], "line 2: stock_code must be 1 to 64 printable characters"),
        ([f"{'1' * 101},2010-12-01,Norway,CUP,1"], "line 2: invoice must be 1 to 100 printable characters"),
        (["Ø1,2010-12-01,Norway,CUP,1"], "line 2: invoice must be ASCII"),
        (["1,2010-12-02,Norway,CUP,1", "2,2010-12-01,Norway,CUP,1"], "line 3: invoice 2 was placed before invoice 1"),
        (["1,2010-12-01,Norway,CUP,1", "1,2010-12-01,Italy,CUP,1"], "line 3: invoice 1 has another time or country"),
        (
            ["1,2010-12-01,Norway,CUP,1", "2,2010-12-01,Norway,CUP,1", "1,2010-12-01,Norway,CUP,1"],
            "line 4: invoice 1 ended at line 2 already",
        ),
        (["1,2010-12-01,Norway,CUP,1"] * 1_501, "line 2: invoice 1 has 1501 lines, at most 1500 fit"),
        ([], "there is no order in it"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path, rows, said):
    file = write(tmp_path / "a.csv", *rows)

    with pytest.raises(OrderFileInvalid) as refused:
        read_orders(file)

    assert said in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_file_with_other_columns_is_not_guessed_at(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("InvoiceNo,StockCode\n1,CUP\n")

    with pytest.raises(OrderFileInvalid, match="line 1: the columns must be invoice,placed_at"):
        read_orders(file)


# --- dealing ---------------------------------------------------------------------------------------------------


def test_an_invoice_is_dealt_to_the_same_channel_in_every_run():
    again = make_split(1, make_places(4))

    assert [SPLIT.share(f"{n}") for n in range(500)] == [again.share(f"{n}") for n in range(500)]
    assert [SPLIT.share(f"{n}") for n in range(500)] != [make_split(2, PLACES).share(f"{n}") for n in range(500)]


def test_channels_get_the_shares_that_the_report_states():
    dealt = Counter(SPLIT.share(f"{number}").channel for number in range(20_000))

    for share in SHARES:
        assert dealt[share.channel] / 20_000 == pytest.approx(share.parts / 10_000, abs=0.02)


def test_returns_are_restocked_four_times_in_five():
    booked = Counter(SPLIT.disposition(f"{number}", 0) for number in range(5_000))

    assert booked["restock"] / 5_000 == pytest.approx(0.8, abs=0.03)
    assert set(booked) == {"restock", "quarantine", "scrap"}


# --- stock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stocked", [0.0, 0.5, 0.9, 1.0, 1.2])
def test_receipts_cover_the_stated_share_of_each_article_to_the_end_of_each_week(stocked):
    orders = many(600)

    plan = make_plan(orders, SPLIT, stocked)

    received, asked = Counter(), Counter()
    for week, receipts in enumerate(plan.weeks):
        received.update({sku: sum(r.units for r in receipts if r.sku == sku) for sku in (CUP, PLATE)})
        asked.update(line for o in orders if plan.week_of(o.placed_at) == week for line in _units(o))
        for sku in (CUP, PLATE):
            assert received[sku] == pytest.approx(asked[sku] * stocked, abs=1)
    assert all(receipt.units > 0 for receipts in plan.weeks for receipt in receipts)


def _units(order: Invoice) -> Iterator[str]:
    for line in order.ordered:
        yield from [line.sku] * line.units


def test_stores_get_what_their_tills_will_sell_and_warehouses_share_the_rest():
    orders = many(600)
    sold = Counter()
    for order in orders:
        place = SPLIT.store(order.id) if SPLIT.share(order.id).kind == "gone" else "online"
        sold[place] += sum(line.units for line in order.ordered)

    plan = make_plan(orders, SPLIT, 1.0)

    got = Counter()
    for receipt in (receipt for receipts in plan.weeks for receipt in receipts):
        got[receipt.location] += receipt.units
    assert {store: got[store] for store in PLACES.stores} == pytest.approx({s: sold[s] for s in PLACES.stores}, abs=4)
    assert got["warehouse-1"] == pytest.approx(sold["online"] * 3 / 5, rel=0.01)


@pytest.mark.parametrize("count", [2, 3, 4, 15])
def test_the_shop_is_one_that_the_service_accepts(tmp_path, count):
    places = make_places(count)
    orders = many(100)
    shop = make_shop(orders, places, make_plan(orders, make_split(1, places), 0.9))

    write_shop(shop, tmp_path / "shop.yaml")

    assert load_seed(tmp_path / "shop.yaml") == shop
    assert len(shop.locations) == count
    assert {location.kind for location in shop.locations} == {"warehouse", "store"}


# --- counting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share, value):
    assert percentile([float(n) for n in range(1, 101)], share) == value


def test_one_value_is_every_percentile():
    assert [percentile([7.0], share) for share in (0.01, 0.5, 1)] == [7, 7, 7]


def line(**buckets: int) -> dict[str, object]:
    names = ("ordered", "committed", "shipped", "backordered", "conflict", "cancelled", "returned")
    return {"sku": CUP, "takes": [], **dict.fromkeys(names, 0), **buckets}


def tally_of(*lines: dict[str, object]) -> Tally:
    tally = Tally()
    tally.accepted("amazon", "1", list(lines))
    return tally


def broken(tally: Tally, shelves: Shelves) -> list[str]:
    return [check.name for check in judge(tally, shelves, None, settled=True) if check.kept is False]


def test_books_that_agree_break_no_promise():
    tally = tally_of(line(ordered=5, committed=3, backordered=2))
    tally.received[CUP] = 9

    assert broken(tally, Shelves(on_hand=Counter({CUP: 9}), committed=4, backordered=1)) == []


@pytest.mark.parametrize(
    ("shelves", "promise"),
    [
        (Shelves(on_hand=Counter({CUP: 8}), committed=3, backordered=2), "units unaccounted for"),
        (Shelves(on_hand=Counter({CUP: 9}), committed=2, backordered=2), "accepted units lost or invented"),
        (
            Shelves(on_hand=Counter({CUP: 9}), oversold=Counter({CUP: 1}), committed=3, backordered=2),
            "units oversold",
        ),
    ],
)
def test_books_that_differ_break_the_promise_they_are_about(shelves, promise):
    tally = tally_of(line(ordered=5, committed=3, backordered=2))
    tally.received[CUP] = 9

    assert broken(tally, shelves) == [promise]


def test_a_line_that_does_not_add_up_is_a_broken_promise():
    tally = tally_of(line(ordered=5, committed=3, shipped=1))

    assert "order lines whose units do not add up" in broken(tally, Shelves(committed=4))


def test_an_error_and_a_repetition_that_is_answered_otherwise_are_broken_promises():
    tally = Tally()
    tally.failed("order shop 1: 500 failed")
    tally.resent += 1

    assert broken(tally, Shelves()) == [
        "answers that are errors",
        "repeated orders answered otherwise than the first time",
    ]


def test_a_store_nobody_may_look_into_is_called_unknown_and_not_good():
    [store] = [check for check in judge(Tally(), Shelves(), None, settled=True) if "records" in check.name]

    assert store.kept is None


def test_a_shelf_is_oversold_only_by_what_no_deficit_records():
    explained = {
        "sku": CUP,
        "backordered": 0,
        "conflict": 0,
        "deficits": 2,
        "shelves": [{"on_hand": 3, "held": 1, "committed": 5, "unavailable": 0, "deficit": 2}],
    }
    shelves = Shelves()

    shelves.add(explained)

    assert shelves.oversold == {CUP: 1}


def test_a_repetition_says_the_same_apart_from_being_one():
    first = Answer(201, {"state": "committed", "replayed": False}, replayed=False)

    assert first.same_as(Answer(200, {"state": "committed", "replayed": True}, replayed=True))
    assert not first.same_as(Answer(200, {"state": "shipped", "replayed": True}, replayed=True))


async def test_jobs_are_made_in_order_and_never_more_than_the_window_at_once():
    made, running, most = [], 0, 0

    async def job() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    def jobs():
        for number in range(20):
            made.append(number)
            yield job

    await run_jobs(jobs(), 4)

    assert (made, most) == (list(range(20)), 4)


def test_long_lists_go_in_parts_that_fit_into_one_movement():
    assert [len(part) for part in chunks(list(range(1_201)))] == [500, 500, 201]


def test_progress_without_a_terminal_is_plain_lines(capsys):
    with Progress("invoices", 4, Console(force_terminal=False)) as progress:
        for _ in range(4):
            progress.step()

    assert capsys.readouterr().out.startswith("invoices 4 of 4 · ")
