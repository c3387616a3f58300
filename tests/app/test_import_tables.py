import gzip
from pathlib import Path

import pytest

from app.exchange.tables import FileRefused
from app.exchange.xlsx import escape, unescape, write_sheet
from tests.app.exchanging import items, open_table, read_rows, read_xlsx, write_csv, write_xlsx

CUP, PLATE = {"sku": "CUP", "name": "A cup"}, {"sku": "PLATE", "name": "Ein Teller für Äpfel"}
LINES = ("sku{0}name", "CUP{0}A cup", "PLATE{0}Ein Teller für Äpfel")


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path, sign: str):
    file = write_csv(tmp_path / "a.csv", *(line.format(sign) for line in LINES))

    assert items(read_rows(file)) == [CUP, PLATE]


def test_the_delimiter_is_the_one_by_which_the_columns_are_known(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku;attributes.a,b,c,d,e", "CUP;x")

    assert items(read_rows(file)) == [{"sku": "CUP", "attributes": {"a,b,c,d,e": "x"}}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found_out(tmp_path, encoding: str):
    file = write_csv(tmp_path / "a.csv", *(line.format(",") for line in LINES), encoding=encoding)

    assert items(read_rows(file)) == [CUP, PLATE]


def test_an_encoding_that_was_guessed_is_said(tmp_path):
    file = write_csv(tmp_path / "a.csv", *(line.format(",") for line in LINES), encoding="cp1252")

    with open_table(file) as table:
        assert table.notes == ["the file is not UTF-8: it was read as Windows-1252"]


def test_one_byte_far_behind_decides_about_the_encoding(tmp_path):
    rows = [f"SKU-{number},plain" for number in range(100_000)]
    file = write_csv(tmp_path / "a.csv", "sku,name", *rows, "LAST,Äpfel", encoding="cp1252")

    assert items(read_rows(file))[-1] == {"sku": "LAST", "name": "Äpfel"}


def test_a_packed_file_reads_like_a_plain_one(tmp_path):
    plain = write_csv(tmp_path / "a.csv", *(line.format(",") for line in LINES))
    packed = tmp_path / "whatever.name"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert items(read_rows(packed)) == [CUP, PLATE]


def test_a_line_number_is_that_of_the_file_where_cells_have_several_lines(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,name", 'CUP,"two', 'lines"', "", "PLATE,x")

    assert [row.line for row in read_rows(file)] == [2, 5]


def test_a_sheet_reads_like_a_file(tmp_path):
    file = write_xlsx(tmp_path / "a.xlsx", ("SKU", "Name"), ("CUP", "A cup"), (), (12, None), ("007", "Bond"))

    assert items(read_rows(file)) == [CUP, {"sku": "12"}, {"sku": "007", "name": "Bond"}]


def test_a_cell_that_begins_with_an_equals_sign_is_text(tmp_path):
    sheet = write_xlsx(tmp_path / "a.xlsx", ("sku", "name"), ("CUP", "=1+1"))
    file = write_csv(tmp_path / "a.csv", "sku,name", "CUP,=1+1")

    assert items(read_rows(sheet)) == items(read_rows(file)) == [{"sku": "CUP", "name": "=1+1"}]


def test_a_sheet_is_found_by_its_name(tmp_path):
    file = write_xlsx(tmp_path / "a.xlsx", ("sku",), ("CUP",), sheet="Articles")

    with open_table(file, sheet="Articles") as table:
        assert table.header == ["sku"]
    with pytest.raises(FileRefused, match="no sheet 'Prices'; there are Articles"):
        open_table(file, sheet="Prices")


def test_the_digest_is_of_the_bytes(tmp_path):
    first = write_csv(tmp_path / "a.csv", "sku", "CUP")
    same = write_csv(tmp_path / "b.csv", "sku", "CUP")
    other = write_csv(tmp_path / "c.csv", "sku", "PLATE")

    assert digest(first) == digest(same) != digest(other)


def test_how_far_it_is_is_known_while_it_is_read(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,name", *(f"SKU-{number},{'x' * 50}" for number in range(20_000)))

    with open_table(file) as table:
        begun = table.done
        rows = sum(1 for _ in table)
        ended = table.done

    assert rows == 20_000
    assert begun < ended == table.total == file.stat().st_size


def test_how_far_it_is_is_known_of_a_sheet_too(tmp_path):
    file = write_xlsx(tmp_path / "a.xlsx", ("sku", "name"), *((f"SKU-{number}", number) for number in range(9_999)))

    with open_table(file) as table:
        begun = table.done
        rows = sum(1 for _ in table)
        ended = table.done

    assert rows == 9_999
    assert 0 < begun < ended == table.total < file.stat().st_size


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"PK\x03\x04 no archive", "zip"),
        (b"\x1f\x8b no gzip", "cannot be read: Unknown compression"),
        (b'sku,name\nCUP,"' + b"x" * 200_000, "a quote is opened and never closed"),
        (b"sku\nCUP\n\x81", "neither UTF-8 nor Windows-1252"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, data: bytes, says: str):
    file = tmp_path / "broken"
    file.write_bytes(data)

    with pytest.raises(FileRefused, match=says):
        read_rows(file)


def test_a_packed_file_that_was_cut_off_is_refused(tmp_path):
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(b"sku\n" + b"CUP\n" * 100)[:-12])

    with pytest.raises(FileRefused, match="end"):
        read_rows(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileRefused, match="No such file"):
        open_table(tmp_path / "a.csv")


def digest(file: Path) -> str:
    with open_table(file) as table:
        return table.digest


# --- XLSX ------------------------------------------------------------------------------------------------------

AWKWARD = ["=1+1", "a\rb", "a\r\nb", "\x01", "_x000D_", "_x005F_x000D_", "\ufffe", " x ", "<&>\"'", "😀", "\x85\u2028"]


@pytest.mark.parametrize("text", AWKWARD)
def test_what_xml_cannot_carry_comes_through_a_sheet(tmp_path, text: str):
    file = tmp_path / "a.xlsx"

    write_sheet(file, "skus", [["sku", "x"], [f"a{text}b", 1]])

    with open_table(file) as table:
        assert list(table) == [(2, [f"a{text}b", 1])]
    assert unescape(escape(text)) == text


def test_a_formula_is_never_written(tmp_path):
    write_sheet(tmp_path / "a.xlsx", "skus", [["=1+1"]])

    assert read_xlsx(tmp_path / "a.xlsx") == [("=1+1",)]
    with open_table(tmp_path / "a.xlsx") as table:
        assert table.header == ["=1+1"]


def test_the_same_rows_are_the_same_bytes(tmp_path, monkeypatch):
    write_sheet(tmp_path / "a.xlsx", "skus", [["sku"], ["CUP"]])
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    write_sheet(tmp_path / "b.xlsx", "skus", [["sku"], ["CUP"]])

    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
