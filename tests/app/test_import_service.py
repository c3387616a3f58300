"""Imports through the service itself, over HTTP in this process."""

from collections.abc import Iterable
from itertools import chain, repeat

import httpx
import pytest

from tests.app.exchanging import import_file, listed, read_csv, write_csv, write_xlsx
from tests.app.talk import receive

CUP, PLATE, GLASS = "CUP", "PLATE", "GLASS"


class Faulty(httpx.AsyncBaseTransport):
    """Passes requests on, except where its plan says `refused`, `busy` (not done) or `lost` (done, not answered)."""

    def __init__(self, app, plan: Iterable[str]) -> None:
        self._inner = httpx.ASGITransport(app)
        self._plan = chain(plan, repeat("fine"))
        self.sent: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = next(self._plan)
        self.sent.append((fate, request.headers.get("Idempotency-Key", "")))
        if fate == "refused":
            raise httpx.ConnectError("connection refused", request=request)
        if fate == "busy":
            return httpx.Response(429, headers={"Retry-After": "1"}, json={"detail": "too many"}, request=request)
        response = await self._inner.handle_async_request(request)
        if fate == "lost":
            raise httpx.ReadError("connection reset", request=request)
        return response


def faulty(app, key: str, *plan: str) -> tuple[Faulty, httpx.AsyncClient]:
    transport = Faulty(app, plan)
    headers = {"Authorization": f"Bearer {key}"}
    return transport, httpx.AsyncClient(transport=transport, base_url="http://allot", headers=headers)


async def units(client, sku: str, location: str = "oslo") -> int:
    answer = await client.get(f"/v1/availability/{sku}/explain", params={"channel": "shop"})
    return next(shelf["on_hand"] for shelf in answer.json()["shelves"] if shelf["location"] == location)


async def skus(client) -> dict[str, str]:
    return {row["item"]["sku"]: row["item"]["name"] for row in await listed(client, "skus")}


# --- config ----------------------------------------------------------------------------------------------------


async def test_rows_are_created_replaced_or_left_alone(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,name", "CUP,A cup", "GLASS,A glass", "PLATE,")

    summary = await import_file(client, "skus", file)

    assert (summary.tally.created, summary.tally.replaced, summary.tally.unchanged) == (1, 1, 1)
    assert await skus(client) == {"A/4": "", CUP: "A cup", GLASS: "A glass", PLATE: ""}


async def test_the_same_file_twice_has_one_effect(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,name", "CUP,A cup", "GLASS,A glass")
    await import_file(client, "skus", file)
    before = await listed(client, "skus")

    summary = await import_file(client, "skus", file)

    assert (summary.tally.unchanged, summary.imported_before) == (2, True)
    assert await listed(client, "skus") == before


async def test_a_dry_run_says_the_same_and_changes_nothing(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,name,gtin", "CUP,A cup,", "GLASS,A glass,", "SAUCER,,4006381333932")
    before = await listed(client, "skus")

    tried = await import_file(client, "skus", file, dry_run=True)

    assert await listed(client, "skus") == before
    done = await import_file(client, "skus", file)
    assert tried.tally == done.tally
    assert (tried.tally.created, tried.tally.replaced, tried.tally.refused) == (1, 1, 1)


async def test_what_the_service_refuses_is_kept_with_column_and_reason(client, tmp_path):
    file = write_csv(
        tmp_path / "a.csv",
        "Angebot,channel,sku,pack_size",
        "L-1,shop,CUP,1",
        "L-2,shop,SPOON,1",
        "L-3,shop,CUP,0",
        "L-4,market,CUP,1",
    )

    summary = await import_file(client, "listings", file, mapping=("Angebot=listing",))

    assert (summary.tally.created, summary.tally.refused) == (1, 3)
    rejected = read_csv(tmp_path / "a.csv.rejects.csv")[1:]
    assert [row[:2] + row[3:4] for row in rejected] == [
        ["3", "sku", "L-2"],
        ["4", "pack_size", "L-3"],
        ["5", "channel", "L-4"],
    ]
    assert "no such sku: 'SPOON'" in rejected[0][2]


async def test_corrected_rows_are_imported_from_the_file_of_refused_rows(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,gtin", "GLASS,4006381333932", "SPOON,")
    await import_file(client, "skus", file)

    rejects = tmp_path / "a.csv.rejects.csv"
    rejects.write_text(rejects.read_text("utf-8").replace("GLASS,4006381333932", "GLASS,4006381333931"), "utf-8")
    summary = await import_file(client, "skus", rejects)

    assert (summary.tally.created, summary.tally.refused, summary.rejects) == (1, 0, "")
    assert set(await skus(client)) == {"A/4", CUP, GLASS, PLATE, "SPOON"}


async def test_more_rows_than_one_request_holds_keep_their_order(client, tmp_path):
    rows = [f"SKU-{number:05d},{'x' * 60}" for number in range(2_500)]
    rows[1_700] = "SKU-BAD,\x01"
    file = write_csv(tmp_path / "a.csv", "sku,name", *rows)

    summary = await import_file(client, "skus", file)

    assert (summary.tally.rows, summary.tally.created, summary.tally.refused) == (2_500, 2_499, 1)
    assert read_csv(tmp_path / "a.csv.rejects.csv")[1][:2] == ["1702", "name"]
    assert len(await skus(client)) == 3 + 2_499


async def test_a_sheet_is_imported_like_a_file(client, tmp_path):
    file = write_xlsx(tmp_path / "a.xlsx", ("SKU", "Name", "Attributes.Size"), ("GLASS", "=1+1", 42), (7, None, None))

    summary = await import_file(client, "skus", file)

    assert summary.tally.created == 2
    items = {row["item"]["sku"]: row["item"] for row in await listed(client, "skus")}
    assert (items[GLASS]["name"], items[GLASS]["attributes"]) == ("=1+1", {"Size": "42"})
    assert "7" in items


async def test_what_is_checked_only_is_never_sent(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,scale", "CUP,1", "GLASS,x")

    summary = await import_file(None, "skus", file, check_only=True)

    assert (summary.tally.fits, summary.tally.refused) == (1, 1)


# --- stock -----------------------------------------------------------------------------------------------------


async def test_units_are_received_once_however_often_the_file_is_imported(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,location,units", "CUP,oslo,5", "PLATE,rome,7")

    first = await import_file(client, "stock", file)
    again = await import_file(client, "stock", file)

    assert (first.tally.received, first.imported_before) == (2, False)
    assert (again.tally.already, again.imported_before) == (2, True)
    assert (await units(client, CUP), await units(client, PLATE, "rome")) == (15, 7)


async def test_another_file_with_the_same_rows_is_another_delivery(client, tmp_path):
    await import_file(client, "stock", write_csv(tmp_path / "a.csv", "sku,location,units", "CUP,oslo,5"))

    await import_file(client, "stock", write_csv(tmp_path / "b.csv", "sku,location,units", "CUP,oslo,5", ""))

    assert await units(client, CUP) == 20


async def test_rows_the_service_refuses_do_not_keep_the_others_out(client, tmp_path):
    for _ in range(9):
        await receive(client, PLATE, "oslo", 1_000_000_000)
    file = write_csv(
        tmp_path / "a.csv",
        "sku,location,units",
        "CUP,oslo,5",
        "SPOON,oslo,1",
        "CUP,moon,1",
        "PLATE,oslo,1000000000",
        "PLATE,rome,2",
    )

    summary = await import_file(client, "stock", file)
    again = await import_file(client, "stock", file)

    assert (summary.tally.received, summary.tally.refused) == (2, 3)
    assert (again.tally.already, again.tally.refused) == (2, 3)
    assert [row[:3] for row in read_csv(tmp_path / "a.csv.rejects.csv")[1:]] == [
        ["3", "sku", "is no known sku"],
        ["4", "location", "is no known location"],
        ["5", "units", "would be more than one place can count: 9000000004 are there"],
    ]
    assert (await units(client, CUP), await units(client, PLATE, "rome")) == (15, 2)


async def test_a_dry_run_of_stock_knows_skus_and_locations(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,location,units", "CUP,oslo,5", "SPOON,oslo,1", "A/4,moon,1")

    summary = await import_file(client, "stock", file, dry_run=True)

    assert (summary.tally.fits, summary.tally.refused) == (1, 2)
    assert await units(client, CUP) == 10


async def test_the_same_file_read_in_another_way_is_not_received_again(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,location,first,second", "CUP,oslo,5,6")
    await import_file(client, "stock", file, mapping=("first=units",), ignore_columns=True)

    summary = await import_file(client, "stock", file, mapping=("second=units",), ignore_columns=True)

    assert "imported before, read in another way" in summary.stopped
    assert await units(client, CUP) == 15


async def test_rows_with_nothing_to_receive_change_nothing(client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,location,units", "CUP,oslo,0")

    summary = await import_file(client, "stock", file)

    assert (summary.tally.unchanged, await units(client, CUP)) == (1, 10)


# --- faults ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["refused", "lost"])
async def test_what_is_not_answered_is_sent_again_with_the_same_id(app, key, client, tmp_path, fate: str):
    file = write_csv(tmp_path / "a.csv", "sku,location,units", "CUP,oslo,5")
    transport, shaky = faulty(app, key, fate, fate)

    async with shaky:
        summary = await import_file(shaky, "stock", file)

    assert [word for word, _ in transport.sent] == [fate, fate, "fine"]
    assert len({op for _, op in transport.sent}) == 1
    assert (summary.stopped, summary.tally.received, summary.imported_before) == ("", 1, False)
    assert await units(client, CUP) == 15


async def test_a_busy_service_is_left_alone_as_long_as_it_asks_for(app, key, client, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,location,units", "CUP,oslo,5")
    transport, shaky = faulty(app, key, "busy")

    async with shaky:
        summary = await import_file(shaky, "stock", file)

    assert (len(transport.sent), summary.tally.received) == (2, 1)
    assert summary.seconds >= 1


async def test_an_import_that_stopped_goes_on_without_a_second_effect(app, key, client, tmp_path):
    rows = [f"SKU-{number},oslo,{number + 1}" for number in range(1_200)]
    await import_file(client, "skus", write_csv(tmp_path / "skus.csv", "sku", *(row.split(",")[0] for row in rows)))
    file = write_csv(tmp_path / "a.csv", "sku,location,units", *rows)
    _, dying = faulty(app, key, "fine", "lost", *["refused"] * 100)

    async with dying:
        stopped = await import_file(dying, "stock", file, patience_seconds=0.3, in_flight=1)
    resumed = await import_file(client, "stock", file)

    assert "was not answered within 0.3 s" in stopped.stopped
    assert f"Lines up to {stopped.tally.settled_line} are done" in stopped.stopped
    assert (stopped.tally.received, stopped.tally.settled_line) == (500, 501)
    assert (resumed.tally.already, resumed.tally.received) == (1_000, 200)
    assert [await units(client, f"SKU-{number}") for number in (0, 499, 500, 999, 1_199)] == [1, 500, 501, 1_000, 1_200]


async def test_a_key_that_is_not_good_stops_the_import_at_once(stranger, tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku", "CUP")

    summary = await import_file(stranger, "skus", file)

    assert "the service refuses this key" in summary.stopped
    assert summary.tally.rows == 0


async def test_a_file_that_breaks_in_the_middle_keeps_what_was_before(client, tmp_path):
    rows = [f"SKU-{number}," for number in range(1_500)]
    file = write_csv(tmp_path / "a.csv", "sku,name", *rows, 'LAST,"' + "x" * 200_000)

    summary = await import_file(client, "skus", file, in_flight=1)

    assert summary.unreadable
    assert "a quote is opened and never closed" in summary.stopped
    assert summary.tally.created == 1_000
