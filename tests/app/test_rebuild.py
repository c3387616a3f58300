"""A lost store is filled from SQL: the same records, the same decisions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from allocator import Allocator, Pipe, SellerKeys, StockLine, errors, make_client
from allocator.check import check
from allocator.reading import Books, read_books
from allocator.rebuilding import NotEmpty
from app.draining.drain import Drain
from app.recovery.rebuild import rebuild
from app.remembering import SqlHistory
from app.store.database import Database, sqlite_url
from app.store.sellers import ensure_seller
from tests.allocator.forgetting import ForgetfulTwins, RepeatingWalk
from tests.allocator.town import CUP, EPOCH, NOON, SELLER, town
from tests.allocator.twins import Twins
from tests.allocator.walk import Walk

STEPS, MORE_STEPS = 240, 100
NEW_EPOCH = f"{EPOCH}-again"
AGES = 100_000
"""Days, so many that nothing is too old to be put back."""


@pytest.fixture
def past(servers) -> Iterator[tuple[Twins, Walk]]:
    """A seller with a past, whose every decision the oracle made too."""
    both = Twins(servers["valkey"])
    walk = Walk(both, 11)
    for _ in range(STEPS):
        walk.step()
    yield both, walk
    both.close()


def forget_refusals(twins: Twins, before: Books) -> None:
    """Refusals have no effect, so SQL does not know them: asked again, they are decided anew."""
    effects = {entry.op for entry in before.ledger if entry.op}
    twins.oracle.ops = {op: said for op, said in twins.oracle.ops.items() if op in effects}


async def lose_and_rebuild(url: str, folder: Path, days: int = AGES) -> tuple[Books, Books, dict[str, int]]:
    """Drain, lose the store, fill it again; the books before and after, and how many records were written."""
    client = make_client(url)
    told: dict[str, int] = {}
    async with await Database.open(sqlite_url(folder)) as database:
        async with database.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
        drain = Drain(database, client)
        await drain.run()
        before = await read_books(client, SELLER, every_op=True)
        await client.delete(*SellerKeys(SELLER).all())
        rebuilt = await rebuild(database, client, SELLER, NEW_EPOCH, release=True, days=days, progress=told.__setitem__)
        assert told.items() <= rebuilt.records.items()
    after = await read_books(client, SELLER, every_op=True)
    await client.aclose()
    return before, after, told


def test_the_same_records_are_there_again(past, tmp_path):
    twins, _ = past

    before, after, written = twins.runner.run(lose_and_rebuild(twins.url, tmp_path))

    assert (after.stock, after.orders, after.holds) == (before.stock, before.orders, before.holds)
    assert (after.owners, after.deadlines, after.waiting) == (before.owners, before.deadlines, before.waiting)
    effects = {entry.op for entry in before.ledger if entry.op}
    assert after.ops == {op: answer for op, answer in before.ops.items() if op in effects}
    assert after.unreadable == []
    assert written["stock"] == len(before.stock)


def test_what_comes_next_is_decided_as_if_nothing_had_happened(past, tmp_path):
    twins, walk = past
    before, _, _ = twins.runner.run(lose_and_rebuild(twins.url, tmp_path))
    twins.allocator.epoch = twins.oracle.epoch = NEW_EPOCH
    forget_refusals(twins, before)

    for _ in range(MORE_STEPS):
        walk.step()

    assert twins.records().stock.keys() == twins.oracle.books.versions.keys()


async def test_time_that_jumped_is_not_time_until_which_all_is_there(servers, tmp_path):
    client = make_client(servers["valkey"])
    await client.flushall()
    allocator = Allocator(Pipe(client), SELLER, EPOCH)
    await allocator.begin()
    allocator.now_ms = NOON
    await allocator.configure_all(town())
    allocator.now_ms += 90_000
    await allocator.receive([StockLine(CUP, "oslo", 5)], op="jumped")
    async with await Database.open(sqlite_url(tmp_path)) as database:
        async with database.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
        await Drain(database, client).run()
        allocator.now_ms -= 1_000
        await allocator.receive([StockLine(CUP, "oslo", 5)], op="lost")
        await client.delete(*SellerKeys(SELLER).all())

        rebuilt = await rebuild(database, client, SELLER, NEW_EPOCH, release=True)

    await client.aclose()
    assert rebuilt.complete_until_ms == NOON


def test_what_is_old_is_left_to_sql_and_no_later_answer_is_another(servers, tmp_path):
    twins = ForgetfulTwins(servers["valkey"])
    walk = RepeatingWalk(twins, 12)
    for _ in range(STEPS):
        walk.step()
    before, after, _ = twins.runner.run(lose_and_rebuild(twins.url, tmp_path, days=7))
    database = twins.run(Database.open(sqlite_url(tmp_path)))
    twins.allocator.epoch = twins.oracle.epoch = NEW_EPOCH
    # Nobody has judged the clock of the new keys: the first run of expiry ends nothing.
    twins.oracle.clock.judged, twins.oracle.clock.paused = None, False
    # Whatever waits is looked at once more.
    books = twins.oracle.books
    books.servable = {sku for sku in books.versions if books.waits(sku)}
    twins.forget_from_now_on(SqlHistory(database, SELLER))
    forget_refusals(twins, before)

    for _ in range(MORE_STEPS):
        walk.step()

    report = twins.run(check(twins.client, SELLER))
    twins.run(database.close())
    twins.close()
    assert (after.ops, len(after.orders) < len(before.orders)) == ({}, True)
    assert {hold.state for hold in after.holds.values()} == {"open"}
    assert twins.answered_by_history > MORE_STEPS // 60
    assert report.violations == []


def test_who_speaks_for_the_old_epoch_is_refused(past, tmp_path):
    twins, _ = past
    twins.runner.run(lose_and_rebuild(twins.url, tmp_path))

    with pytest.raises(errors.NotReady):
        twins.run(twins.allocator.availability(["CUP"], ["web"]))


def test_a_store_that_is_not_empty_is_not_overwritten(past, tmp_path):
    twins, _ = past
    before = twins.records()

    async def try_it() -> None:
        async with await Database.open(sqlite_url(tmp_path)) as database:
            await rebuild(database, twins.client, SELLER, NEW_EPOCH)

    with pytest.raises(NotEmpty, match="overwritten"):
        twins.run(try_it())
    assert twins.records() == before
