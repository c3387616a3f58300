import csv

import pytest

from app.exchange.headers import HeaderRefused, read_mapping
from app.exchange.kinds import KINDS
from app.exchange.rejects import Rejects
from app.exchange.rows import Refused
from app.exchange.seen import START, Seen
from tests.app.exchanging import items, read_csv, read_rows, write_csv, write_xlsx


def refusals(*lines: str, folder, kind: str = "skus") -> list[tuple[int, str, str]]:
    rows = read_rows(write_csv(folder / "a.csv", *lines), kind)
    return [(row.line, row.column, row.reason) for row in rows if isinstance(row, Refused)]


# --- columns ---------------------------------------------------------------------------------------------------


def test_columns_are_found_whatever_their_case_spaces_and_underscores(tmp_path):
    file = write_csv(tmp_path / "a.csv", "CHANNEL, Listing ,SKU,Pack Size", "shop,L-1,CUP,6")

    assert items(read_rows(file, "listings")) == [{"channel": "shop", "listing": "L-1", "sku": "CUP", "pack_size": 6}]


def test_columns_of_other_names_are_mapped(tmp_path):
    file = write_csv(tmp_path / "a.csv", "Article no,Lager,Menge", "CUP,oslo,5")
    mapping = read_mapping(["Article no=sku,Menge=units", "lager=location"])

    assert items(read_rows(file, "stock", **mapping)) == [{"sku": "CUP", "location": "oslo", "units": 5}]


def test_keys_of_a_dictionary_are_columns_and_keep_their_spelling(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,Attributes.Frame Size,attributes.color", "CITY,28,black", "CUP,,")

    assert items(read_rows(file)) == [
        {"sku": "CITY", "attributes": {"Frame Size": "28", "color": "black"}},
        {"sku": "CUP"},
    ]


def test_every_sort_of_column_is_converted(tmp_path):
    file = write_csv(
        tmp_path / "a.csv",
        "id;kind;channel;units;percent;valid_from",
        "peak;Buffer;shop;3;2,5;2026-12-01T00:00:00Z",
    )

    assert items(read_rows(file, "rules")) == [
        {
            "id": "peak",
            "kind": "buffer",
            "channel": "shop",
            "units": 3,
            "percent_bp": 250,
            "valid_from": "2026-12-01T00:00:00Z",
        }
    ]


def test_a_channel_lists_its_locations_in_one_cell(tmp_path):
    file = write_csv(
        tmp_path / "a.csv", "code,locations,routing,same_region_only", "till,utrecht*;gent,distance;priority,yes"
    )

    assert items(read_rows(file, "channels")) == [
        {
            "code": "till",
            "locations": [{"code": "utrecht", "own_shelf": True}, {"code": "gent", "own_shelf": False}],
            "routing": ["distance", "priority"],
            "same_region_only": True,
        }
    ]


def test_a_location_has_costs_and_coordinates(tmp_path):
    file = write_xlsx(
        tmp_path / "a.xlsx", ("code", "latitude", "active", "costs.NL", "costs.BE"), ("oslo", 59.9, False, 450, None)
    )

    assert items(read_rows(file, "locations")) == [
        {"code": "oslo", "latitude": 59.9, "active": False, "costs": {"NL": 450}}
    ]


def test_an_apostrophe_alone_is_the_empty_text(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,attributes.color", "CUP,'")

    assert items(read_rows(file)) == [{"sku": "CUP", "attributes": {"color": ""}}]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("name,category", "the file has no column sku"),
        ("sku,weight", "nobody knows weight; known are sku, name, category, unit, scale, gtin, attributes.…"),
        ("sku,SKU", "'sku' and 'SKU' are both sku"),
        ("sku,attributes.a,Attributes.a", "'attributes.a' and 'Attributes.a' are both attributes"),
        ("weight,name,Name", "'name' and 'Name' are both name; the file has no column sku; nobody knows weight"),
    ],
)
def test_wrong_columns_are_said_before_a_row_is_read(tmp_path, header: str, says: str):
    file = write_csv(tmp_path / "a.csv", header, "not,even,read")

    with pytest.raises(HeaderRefused) as refused:
        read_rows(file)

    assert says in str(refused.value)


def test_a_percentage_has_one_column(tmp_path):
    file = write_csv(tmp_path / "a.csv", "id,kind,percent,percent_bp", "a,buffer,2,200")

    with pytest.raises(HeaderRefused, match="'percent' and 'percent_bp' are both percent_bp"):
        read_rows(file, "rules")


def test_unknown_columns_can_be_left_out(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,weight", "CUP,300")

    assert items(read_rows(file, ignore=True)) == [{"sku": "CUP"}]


def test_a_mapping_of_a_column_that_is_not_there_is_a_mistake(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku", "CUP")

    with pytest.raises(HeaderRefused, match="--map names menge, which the file does not have"):
        read_rows(file, **read_mapping(["Menge=name"]))


@pytest.mark.parametrize("option", ["Menge", "=units", "Menge="])
def test_half_a_mapping_is_refused(option: str):
    with pytest.raises(HeaderRefused, match="must read"):
        read_mapping([option])


def test_the_counters_of_an_export_are_passed_over(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,location,units,held,committed", "CUP,oslo,5,1,2")

    assert items(read_rows(file, "stock")) == [{"sku": "CUP", "location": "oslo", "units": 5}]


# --- rows that are refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "lines", "column", "reason"),
    [
        ("skus", ("Article no,scale", "CUP,1.5"), "scale", "must be a whole number, not '1.5'"),
        ("skus", ("Article no,scale", "CUP,0"), "scale", "must be a whole number >= 1"),
        ("skus", ("Article no,scale", ",1"), "Article no", "is empty"),
        ("skus", ("Article no,gtin", "CUP,12345"), "gtin", "8, 12, 13 or 14 digits"),
        ("skus", ("Article no,name", f"CUP,{'x' * 201}"), "name", "must be a text of length <= 200"),
        ("skus", ("Article no,name", "CUP"), "", "has 1 cells, the header has 2"),
        ("skus", ("Article no,name", "CUP,a,b"), "", "has 3 cells, the header has 2"),
        (
            "locations",
            ("Article no,kind", "oslo,shed"),
            "kind",
            "must be one of store, supplier, third_party, warehouse",
        ),
        ("locations", ("Article no,latitude", "oslo,91"), "latitude", "<= 90"),
        ("locations", ("Article no", "no spaces"), "Article no", "Letters, digits"),
        ("locations", ("Article no,costs.NL", "oslo,cheap"), "costs.NL", "must be a whole number, not 'cheap'"),
        ("locations", ("Article no,costs.NL", "oslo,-1"), "costs", ">= 0"),
        ("channels", ("Article no,locations", "till,a b;c"), "locations", "Letters, digits"),
    ],
)
def test_a_row_is_refused_with_its_line_column_and_reason(tmp_path, kind, lines, column, reason):
    first = KINDS[kind].columns[0].name
    file = write_csv(tmp_path / "a.csv", *lines)

    [refused] = read_rows(file, kind, **read_mapping([f"Article no={first}"]))

    assert (refused.line, refused.column) == (2, column)
    assert reason in refused.reason


def test_a_negative_number_of_units_is_refused(tmp_path):
    [(line, column, reason)] = refusals("sku,location,units", "CUP,oslo,-1", folder=tmp_path, kind="stock")

    assert (line, column) == (2, "units")
    assert ">= 0" in reason


def test_the_second_row_of_a_key_names_the_first(tmp_path):
    found = refusals("name,sku", "a,CUP", "b,PLATE", "c,CUP", folder=tmp_path)

    assert found == [(4, "sku", "is on line 2 already")]


def test_a_key_has_all_its_parts(tmp_path):
    lines = ("sku,location,units", "CUP,oslo,1", "CUP,rome,1", "CUP,oslo,2")

    assert [row[0] for row in refusals(*lines, folder=tmp_path, kind="stock")] == [4]


def test_empty_cells_behind_the_header_are_nothing(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,name", "CUP,a,,")

    assert items(read_rows(file)) == [{"sku": "CUP", "name": "a"}]


def test_every_key_is_remembered_with_its_first_line():
    seen = Seen()
    keys = [(f"SKU-{number}", "oslo") for number in range(4 * START)]

    first = [seen.first_line(key, line) for line, key in enumerate(keys, 2)]
    again = [seen.first_line(key, 1) for key in keys]

    assert set(first) == {0}
    assert again == list(range(2, 2 + len(keys)))


# --- the file of refused rows ----------------------------------------------------------------------------------


def test_refused_rows_keep_their_original_cells(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,scale,name", "CUP,x,=1+1", "PLATE,-5,'=2")
    rejects = tmp_path / "rejects.csv"

    keep(read_rows(file), rejects, ["sku", "scale", "name"])

    assert read_csv(rejects) == [
        ["rejected_line", "rejected_column", "rejected_reason", "sku", "scale", "name"],
        ["2", "scale", "must be a whole number, not 'x'", "CUP", "x", "'=1+1"],
        ["3", "scale", "must be a whole number >= 1", "PLATE", "-5", "'=2"],
    ]


def test_a_corrected_file_of_refused_rows_is_imported_as_it_is(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,scale,name", "CUP,x,=1+1")
    keep(read_rows(file), tmp_path / "rejects.csv", ["sku", "scale", "name"])

    corrected = tmp_path / "rejects.csv"
    corrected.write_text(corrected.read_text("utf-8-sig").replace(",x,", ",1000,"), "utf-8")

    assert items(read_rows(corrected)) == [{"sku": "CUP", "scale": 1000, "name": "=1+1"}]


def test_rows_that_are_refused_again_have_one_reason_only(tmp_path):
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    keep(read_rows(write_csv(tmp_path / "a.csv", "sku,scale", "CUP,x")), first, ["sku", "scale"])

    keep(read_rows(first), second, next(csv.reader([first.read_text("utf-8-sig").splitlines()[0]])))

    assert read_csv(second) == read_csv(first)


def test_without_refused_rows_there_is_no_file(tmp_path):
    keep([], tmp_path / "rejects.csv", ["sku"])

    assert not (tmp_path / "rejects.csv").exists()


def keep(rows, path, header) -> None:
    with Rejects(path, header) as rejects:
        for row in rows:
            assert isinstance(row, Refused)
            rejects.add(row)
