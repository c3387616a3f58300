"""Many numbers at once: feeds and their reports."""

import gzip

import pytest

from channels.amazon.feeds import results_of
from channels.base import Level, Pushed
from channels.errors import Nonsense, Refused, Unclear
from channels.sandbox.amazon_feeds import FEED_MS, QUEUED_MS
from tests.channels.amazon import bench_with, lead_days
from tests.channels.contract import Bench


@pytest.fixture
def bench() -> Bench:
    return bench_with()


async def fed(bench: Bench, *levels: Level) -> list[Pushed]:
    """What became of a feed, once it is done."""
    ticket = await bench.run(bench.connector.push_bulk(levels))
    bench.clock.ms += FEED_MS
    return await bench.run(bench.connector.follow(ticket))


@pytest.mark.parametrize("packed", [True, False])
async def test_a_feed_tells_of_each_number_what_became_of_it(bench, packed):
    bench.sandbox.feeds.packs = packed
    bench.sandbox.faults.refuse.add("TEE")

    results = await fed(bench, bench.level("CUP", 3), bench.level("TEE", 4))

    cup, tee = sorted(results, key=lambda one: one.listing)
    assert (cup.outcome, cup.shown, tee.outcome, tee.code) == ("accepted", 3, "refused", "90220")
    assert (bench.sandbox.shows("CUP"), bench.sandbox.shows("TEE")) == (3, 10)


async def test_a_feed_takes_its_time(bench):
    ticket = await bench.run(bench.connector.push_bulk([bench.level("CUP", 3)]))
    told = []
    for wait_ms in (0, QUEUED_MS, FEED_MS):
        bench.clock.ms += wait_ms
        told.append(await bench.run(bench.connector.follow(ticket)))

    assert told[:2] == [None, None]
    assert [one.listing for one in told[2]] == ["CUP"]


async def test_a_feed_merges_as_a_patch_does(bench):
    bench.sandbox.listings["CUP"].availability[0]["lead_time_to_ship_max_days"] = 5

    await fed(bench, bench.level("CUP", 3))

    assert lead_days(bench, "CUP") == 5


async def test_what_amazon_ships_is_in_no_feed(bench):
    bench.sandbox.sells("FBA", None)

    results = await fed(bench, bench.level("FBA", 3), bench.level("CUP", 3))

    assert [(one.listing, one.outcome) for one in results] == [("CUP", "accepted")]
    assert bench.sandbox.shows("FBA") is None


async def test_a_feed_of_nothing_that_is_ours_is_not_sent(bench):
    bench.sandbox.sells("FBA", None)

    with pytest.raises(Refused) as refused:
        await bench.run(bench.connector.push_bulk([bench.level("FBA", 3)]))

    assert refused.value.code == "not_ours"
    assert "createFeed" not in bench.sandbox.calls


async def test_a_feed_that_amazon_gave_up_on_is_refused(bench):
    ticket = await bench.run(bench.connector.push_bulk([bench.level("CUP", 3)]))
    bench.sandbox.feeds.all[ticket].status = "FATAL"

    with pytest.raises(Refused) as refused:
        await bench.run(bench.connector.follow(ticket))

    assert refused.value.code == "FATAL"


async def test_a_feed_whose_answer_was_lost_is_unclear_and_never_sent_twice(bench):
    bench.sandbox.faults.lose["feed"] = 1

    with pytest.raises(Unclear):
        await bench.run(bench.connector.push_bulk([bench.level("CUP", 3)]))

    assert bench.sandbox.calls.count("createFeed") == 1


async def test_addresses_of_documents_are_written_down_without_what_lets_in(bench):
    await fed(bench, bench.level("CUP", 3))

    written = [one for one in bench.notes.exchanges if one.operation in {"document", "upload", "report", "download"}]

    assert [one.status for one in written] == [201, 200, 200, 200]
    assert [one.operation for one in written if "Signature" in str(one)] == []


@pytest.mark.parametrize(
    "body",
    [b"\x1f\x8bno gzip", gzip.compress(b'{"issues":[]}', mtime=0)[:-9], b"<html>", b'{"issues":[{"message":1}]}'],
)
def test_a_report_that_cannot_be_read_is_nonsense(body):
    with pytest.raises(Nonsense):
        results_of(body)


def test_a_report_that_is_about_the_whole_feed_is_a_refusal():
    with pytest.raises(Refused, match="no JSON"):
        results_of(b'{"issues":[{"severity":"ERROR","code":"4000","message":"no JSON"}]}')
