from datetime import datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exchange import cells
from app.exchange.cells import CellRefused, plain, protect

CHRISTMAS = datetime(2026, 12, 24, 18)  # noqa: DTZ001 a spreadsheet's dates have no zone

CHRISTMAS = datetime(2026, 12, 24, 18)  # noqa: DTZ001 a spreadsheet's dates have no zone

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
risky_texts = st.text(" '=+-@\t\r\n\u00a0a1", max_size=6)


@given(texts | risky_texts)
def test_a_text_comes_back_as_it_was_whatever_is_in_it(text: str):
    cell = protect(text)

    assert plain(cell) == text


@given(texts | risky_texts)
def test_no_written_text_begins_like_a_formula(text: str):
    cell = protect(text)

    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


@pytest.mark.parametrize("text", ["CUP", "007", "it's", "'twas", "A'", "Zürich", "a=b"])
def test_a_harmless_text_is_written_as_it_is(text: str):
    assert protect(text) == text


def test_spaces_around_a_text_were_typed_by_accident():
    assert plain("  CUP ") == "CUP"


@pytest.mark.parametrize(
    ("cell", "number"), [("5", 5), (" 5 ", 5), ("-3", -3), ("+7", 7), ("007", 7), (5, 5), (5.0, 5), (1e6, 1_000_000)]
)
def test_a_whole_number_is_read(cell: object, number: int):
    assert cells.read_whole(cell) == number


@pytest.mark.parametrize(
    "cell", ["5.0", "5,5", "1 000", "1.000", "1e3", "٣", "five", "=A1*2", 5.5, 1e300, float("nan"), ""]
)
def test_what_is_no_whole_number_is_refused(cell: object):
    with pytest.raises(CellRefused, match="must be a whole number"):
        cells.read_whole(cell)


def test_a_formula_in_a_number_column_says_what_to_do():
    with pytest.raises(CellRefused, match="save its values"):
        cells.read_whole("=A1*2")


@pytest.mark.parametrize(
    ("cell", "bp"), [("2.5", 250), ("2,5", 250), ("2.5 %", 250), ("10%", 1_000), ("0", 0), ("0,05", 5), (12.5, 1_250)]
)
def test_a_percentage_is_read_with_point_or_comma(cell: object, bp: int):
    assert cells.read_percent(cell) == bp


@pytest.mark.parametrize("cell", ["2.555", "-1", "two", "1.2.3", ""])
def test_what_is_no_percentage_is_refused(cell: str):
    with pytest.raises(CellRefused, match="must be a percentage"):
        cells.read_percent(cell)


@pytest.mark.parametrize("cell", [0.05, 1, 1.0])
def test_a_number_that_may_be_a_spreadsheets_percentage_is_refused(cell: float):
    with pytest.raises(CellRefused, match="may mean"):
        cells.read_percent(cell)


@pytest.mark.parametrize(
    ("cell", "truth"), [("yes", True), ("TRUE", True), ("1", True), (True, True), ("No", False), (0, False)]
)
def test_yes_and_no_are_read_in_the_usual_words(cell: object, truth: bool):
    assert cells.read_yes(cell) is truth


def test_perhaps_is_neither_yes_nor_no():
    with pytest.raises(CellRefused, match="must be yes or no, not 'perhaps'"):
        cells.read_yes("perhaps")


def test_a_decimal_comma_is_a_decimal_point():
    assert (cells.read_decimal("52,09"), cells.read_decimal("-4.5"), cells.read_decimal(3)) == (52.09, -4.5, 3.0)


@pytest.mark.parametrize("cell", ["nan", "inf", "1,000.5", "north", ""])
def test_what_is_no_number_is_refused(cell: str):
    with pytest.raises(CellRefused, match="must be a number"):
        cells.read_decimal(cell)


def test_a_date_cell_is_a_moment_in_utc():
    assert cells.read_time(CHRISTMAS) == "2026-12-24T18:00:00Z"


@pytest.mark.parametrize("cell", ["24.12.2026", "2026-12-24", "2026-12-24T18:00:00", "soon"])
def test_a_moment_needs_its_zone(cell: str):
    with pytest.raises(CellRefused, match="must be a time with its zone"):
        cells.read_time(cell)


def test_locations_are_listed_with_a_star_for_the_own_shelf():
    shelves = [{"code": "utrecht", "own_shelf": True}, {"code": "gent", "own_shelf": False}]

    assert cells.read_shelves(" utrecht* ; gent;") == shelves
    assert cells.write_shelves(shelves) == "utrecht*;gent"


def test_a_number_that_is_a_code_keeps_its_digits():
    assert plain(4006381333931.0) == plain(4006381333931) == "4006381333931"


def test_a_code_that_became_a_date_is_refused():
    with pytest.raises(CellRefused, match="the spreadsheet has made it a date"):
        plain(CHRISTMAS)


def test_a_time_of_day_is_hours_and_minutes():
    assert plain(time(16, 30)) == "16:30"
