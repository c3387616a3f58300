"""Exports, and that an import of one into an empty service leads to the same export."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from allocator import make_client
from app.exchange.calls import Service, Stopped
from app.exchange.exporting import write_csv as write_rows
from app.exchange.jobs import ExportJob, run_export
from app.main import create_app
from app.opening import make_first_key
from app.settings import Settings
from tests.app.exchange_towns import towns
from tests.app.exchanging import QUIET, import_file, open_table, read_csv, read_xlsx, write_csv
from tests.app.talk import hold, line

ORDER = ("zones", "reasons", "locations", "channels", "skus", "rules", "listings", "stock")
ENDINGS = ("csv", "csv.gz", "xlsx")


async def export(client: httpx.AsyncClient, kind: str, path: Path, **more: object) -> Path:
    await run_export(ExportJob(kind, path, **more), client, QUIET)
    return path


# --- what is in a file -----------------------------------------------------------------------------------------


async def test_an_export_names_its_columns_and_has_a_row_for_each_thing(client, tmp_path):
    file = await export(client, "channels", tmp_path / "a.csv")

    header, *rows = read_csv(file)
    assert header[:3] == ["code", "kind", "name"]
    assert [(row[0], row[header.index("locations")]) for row in rows] == [
        ("amazon", "oslo;rome"),
        ("shop", "oslo;rome"),
        ("till", "oslo*"),
    ]


async def test_stock_is_exported_with_every_counter(client, tmp_path):
    await hold(client, "cart-1", line("CUP", 3))

    file = await export(client, "stock", tmp_path / "a.csv")

    assert read_csv(file) == [
        ["sku", "location", "units", "unavailable", "held", "committed", "available", "deficit", "in_transit"],
        ["A/4", "oslo", "1", "0", "0", "0", "1", "0", "0"],
        ["CUP", "oslo", "10", "0", "3", "0", "7", "0", "0"],
        ["CUP", "rome", "5", "0", "0", "0", "5", "0", "0"],
        ["PLATE", "oslo", "4", "0", "0", "0", "4", "0", "0"],
    ]


async def test_a_sheet_has_numbers_as_numbers_and_codes_as_text(client, tmp_path):
    await import_file(client, "skus", write_csv(tmp_path / "in.csv", "sku,scale", "007,1000"))

    file = await export(client, "skus", tmp_path / "a.xlsx")

    header, first = read_xlsx(file)[:2]
    assert (first[header.index("sku")], first[header.index("scale")]) == ("007", 1000)


async def test_a_text_that_looks_like_a_formula_is_made_harmless(client, tmp_path):
    await import_file(client, "skus", write_csv(tmp_path / "in.csv", "sku,name", 'CUP,"=HYPERLINK(""x"")"'))

    csv_file = await export(client, "skus", tmp_path / "a.csv")
    sheet = await export(client, "skus", tmp_path / "a.xlsx")

    assert ["CUP", '\'=HYPERLINK("x")'] in [row[:2] for row in read_csv(csv_file)]
    assert ("CUP", '\'=HYPERLINK("x")') in [row[:2] for row in read_xlsx(sheet)]


async def test_a_filter_narrows_an_export(client, tmp_path):
    await import_file(client, "skus", write_csv(tmp_path / "in.csv", "sku,category", "CUP,cups", "PLATE,plates"))

    file = await export(client, "skus", tmp_path / "a.csv", filters={"category": "cups"})

    assert [row[0] for row in read_csv(file)[1:]] == ["CUP"]


async def test_a_filter_nobody_knows_is_refused(client, tmp_path):
    with pytest.raises(Stopped, match="the service refuses"):
        await export(client, "skus", tmp_path / "a.csv", filters={"colour": "red"})

    assert not (tmp_path / "a.csv").exists()


async def test_an_export_of_more_than_one_page_has_every_row_once(client, tmp_path):
    skus = [f"SKU-{number:04d}" for number in range(2_100)]
    await import_file(client, "skus", write_csv(tmp_path / "in.csv", "sku", *skus))

    file = await export(client, "skus", tmp_path / "a.csv")

    assert [row[0] for row in read_csv(file)[1:]] == sorted(["A/4", "CUP", "PLATE", *skus])


async def test_keys_of_any_row_are_columns_in_order(client, tmp_path):
    rows = ("sku,attributes.size,attributes.color", "CUP,L,", "PLATE,,red")
    await import_file(client, "skus", write_csv(tmp_path / "in.csv", *rows))

    header, *rest = read_csv(await export(client, "skus", tmp_path / "a.csv"))

    assert header[-2:] == ["attributes.color", "attributes.size"]
    assert [row[-2:] for row in rest] == [["", ""], ["", "L"], ["red", ""]]


def test_lines_within_a_cell_come_through_a_file(tmp_path):
    cells = ["a\nb", "c\r\nd", "e\rf", "\n", 'g"\n"']

    write_rows(tmp_path / "a.csv", iter([["sku", "b", "c", "d", "e"], cells]), ",")

    with open_table(tmp_path / "a.csv") as table:
        assert [row for _, row in table] == [cells]


# --- there and back --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(servers) -> str:
    return servers["valkey"]


# Making an example smaller means starting a service hundreds of times; a big one is readable enough.
@settings(max_examples=6, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(town=towns())
def test_an_export_imported_into_an_empty_service_is_exported_again_as_the_same_bytes(server, tmp_path_factory, town):
    folder = tmp_path_factory.mktemp("round-trip")

    def first(path: Path) -> Path:
        return folder / "first" / path

    async def fill(client: httpx.AsyncClient) -> None:
        for kind in ORDER[:-1]:
            await put(client, kind, town[kind])
        await stock(client, town)
        await export_all(client, folder / "first")

    run(server, folder, fill)
    for ending in ("csv", "xlsx"):

        async def copy(client: httpx.AsyncClient, ending: str = ending) -> None:
            for kind in ORDER:
                summary = await import_file(client, kind, first(Path(f"{kind}.{ending}")))
                assert (summary.tally.refused, summary.stopped) == (0, ""), rejected(folder / "first", kind, ending)
            await export_all(client, folder / ending)

        run(server, folder, copy)
        for file in (folder / "first").glob("*.*"):
            assert (folder / ending / file.name).read_bytes() == file.read_bytes(), file.name


async def put(client: httpx.AsyncClient, kind: str, rows: list[dict[str, object]]) -> None:
    if rows:
        answer = await Service(client).post(f"/v1/{kind}/bulk", {"rows": [{"put": row} for row in rows]})
        assert [row for row in answer.good()["results"] if row["outcome"] != "created"] == []


async def stock(client: httpx.AsyncClient, town: dict[str, list[dict[str, object]]]) -> None:
    lines = [
        {"sku": sku["sku"], "location": location["code"], "units": 1 + number}
        for number, sku in enumerate(town["skus"])
        for location in town["locations"][: 1 + number % 2]
    ]
    (await Service(client).post("/v1/stock/receive", {"lines": lines}, op="opening")).good()


async def export_all(client: httpx.AsyncClient, folder: Path) -> None:
    folder.mkdir()
    for kind in ORDER:
        for ending in ENDINGS:
            await export(client, kind, folder / f"{kind}.{ending}")


def rejected(folder: Path, kind: str, ending: str) -> str:
    file = folder / f"{kind}.{ending}.rejects.csv"
    return file.read_text("utf-8") if file.exists() else ""


def run(server: str, folder: Path, use: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Use a service that is new and empty."""

    async def with_service() -> None:
        redis = make_client(server)
        await redis.flushall()
        await redis.aclose()
        shutil.rmtree(folder / "data", ignore_errors=True)
        app = create_app(Settings(_env_file=None, redis_url=server, data_dir=folder / "data", log_level="error"))
        async with app.router.lifespan_context(app):
            key = await make_first_key(app.service, None)
            headers = {"Authorization": f"Bearer {key}"}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://allot", headers=headers) as client:
                await use(client)

    asyncio.run(with_service())
