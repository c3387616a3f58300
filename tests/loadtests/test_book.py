from random import Random

import pytest

from allocator.check import Report, Violation
from loadtests.book import Book, PowerLaw, Total, Wave, agree, read_book, wave_of
from loadtests.checks import Shelves, judge

PLACED, BEFORE, REFUSED = 201, 200, 409
FIRST = {"state": "committed", "replayed": False, "request_id": "a"}
AGAIN = {"state": "committed", "replayed": True, "request_id": "b"}
OTHER = {"state": "cancelled", "replayed": True, "request_id": "c"}
SHORT = {"type": "/problems/short", "replayed": False}

SOUND = Report(
    skus=1,
    holds=0,
    orders=1,
    ledger_entries=1,
    deficits=0,
    backorders=0,
    conflicts=0,
    oversold=0,
    quiet=True,
    violations=[],
)


def broken(book: Book, before: Shelves, after: Shelves, report: Report = SOUND) -> list[str]:
    return [check.what for check in judge(book, before, after, report) if not check.kept]


# --- repetitions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers",
    [
        [(PLACED, FIRST)],
        [(PLACED, FIRST), (BEFORE, AGAIN)],
        [(BEFORE, AGAIN), (PLACED, FIRST), (BEFORE, AGAIN)],
        [(REFUSED, SHORT), (REFUSED, SHORT | {"replayed": True})],
    ],
)
def test_repetitions_agree_when_one_was_placed_now_or_all_were_refused_with_the_same_words(answers):
    assert agree(answers)


@pytest.mark.parametrize(
    "answers",
    [
        [(PLACED, FIRST), (PLACED, FIRST)],
        [(PLACED, FIRST), (BEFORE, OTHER)],
        [(BEFORE, AGAIN), (BEFORE, AGAIN)],
        [(REFUSED, SHORT), (PLACED, SHORT)],
        [(REFUSED, SHORT), (REFUSED, SHORT | {"type": "/problems/unroutable"})],
    ],
)
def test_repetitions_differ_when_there_were_two_effects_or_two_answers(answers):
    assert not agree(answers)


def test_placed_now_may_be_the_answer_nobody_heard():
    assert agree([(BEFORE, AGAIN)], lost=True)
    assert not agree([(PLACED, FIRST), (PLACED, FIRST)], lost=True)


def test_differing_repetitions_are_counted_with_a_sample():
    book = Book()

    book.compared("again-1", [(PLACED, FIRST), (BEFORE, AGAIN), (BEFORE, AGAIN)])
    book.compared("again-2", [(PLACED, FIRST), (PLACED, FIRST)])

    assert (book.repeated, book.differing) == (3, 1)
    assert "again-2" in book.samples[0]


# --- the book --------------------------------------------------------------------------------------------------


def test_an_order_counts_once_however_often_it_was_sent():
    book = Book()

    placed = [book.ordered(said, 2) for said in ([PLACED, BEFORE], [BEFORE], [REFUSED, REFUSED], [])]

    assert placed == [True, True, False, False]
    assert (book.orders, book.placed, book.refused, book.accepted_units) == (4, 2, 1, 4)


def test_a_book_is_read_as_it_was_written(tmp_path):
    book = Book(accepted_units=7, samples=["order: 500"], waves={"HOT-000": Wave(200, 100, 1.0, 1.1)})
    book.totals = [Total("order", 200, 0, 99.5, 3.0, 9.0)]

    book.write(tmp_path / "book.json")

    assert read_book(tmp_path / "book.json") == book


# --- promises --------------------------------------------------------------------------------------------------


def test_every_promise_is_kept_when_book_and_stock_agree():
    book = Book(accepted_units=30, cancelled_units=5, shipped_units=10, waves={"HOT-000": Wave(200, 100)})

    assert broken(book, Shelves(100, 3), Shelves(90, 18)) == []


@pytest.mark.parametrize("after", [Shelves(100, 29), Shelves(100, 31)], ids=["a unit was lost", "a unit was invented"])
def test_accepted_units_must_be_those_taken_from_stock(after):
    assert broken(Book(accepted_units=30), Shelves(100, 0), after) == ["accepted units = units taken from stock"]


def test_units_leave_the_shelves_only_when_they_are_shipped():
    assert broken(Book(accepted_units=30, shipped_units=9), Shelves(100, 0), Shelves(90, 20)) == [
        "shipped units = units that left the shelves"
    ]


def test_faults_of_the_records_and_oversold_units_are_told():
    fault = Violation("oversold", "CUP", "oslo", found=2)
    report = Report(
        skus=1,
        holds=0,
        orders=1,
        ledger_entries=1,
        deficits=0,
        backorders=0,
        conflicts=0,
        oversold=2,
        quiet=True,
        violations=[fault],
    )

    checks = judge(Book(), Shelves(0, 0), Shelves(0, 0), report)

    assert [check.what for check in checks if not check.kept] == ["units oversold", "faults in the store's records"]
    assert any("CUP" in check.found for check in checks)


@pytest.mark.parametrize(
    ("book", "what"),
    [
        (Book(differing=1, samples=["order x"]), "repetitions answered otherwise than the first time"),
        (Book(unexpected=1, samples=["order: 500"]), "answers the API does not document"),
        (Book(errors=1, samples=["ValueError()"]), "errors in the users' own code"),
        (Book(unanswered=1), "requests that were never answered"),
        (Book(waves={"HOT-000": Wave(200, 99)}), "waves that sold min(orders, 100) units"),
        (Book(waves={"HOT-000": Wave(50, 49)}), "waves that sold min(orders, 100) units"),
    ],
)
def test_what_must_not_happen_breaks_a_promise(book, what):
    assert broken(book, Shelves(0, 0), Shelves(0, 0)) == [what]


# --- what users want -------------------------------------------------------------------------------------------


def test_few_skus_are_wanted_by_many():
    law, chance = PowerLaw(10_000), Random(1)

    picked = [law.pick(chance)[0] for _ in range(20_000)]

    assert 0.10 < picked.count(0) / len(picked) < 0.18
    assert picked.count(0) > picked.count(1) > picked.count(10) > picked.count(1_000)
    assert max(picked) > 5_000
    assert all(0 <= number < 10_000 for number in picked)


def test_the_lines_of_one_order_are_of_different_skus():
    law, chance = PowerLaw(10), Random(1)

    for _ in range(200):
        picked = law.pick(chance, 3)
        assert 1 <= len(picked) == len(set(picked)) <= 3


def test_waves_follow_the_clock():
    assert wave_of(0.0, 1.0) == (0, 1.0)
    assert wave_of(3.25, 1.0) == (3, 0.75)
