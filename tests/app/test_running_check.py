"""The running check: a sku that contradicts itself is frozen with the evidence, before a unit of it is sold twice."""

import asyncio

import pytest

from allocator import OrderRequest, errors
from allocator.gate import Gate
from allocator.model import Line
from allocator.pipe import run_of
from app.checking import running
from app.checking.running import RunningCheck
from app.store.audit import Wanted, list_entries
from app.store.datasets import ensure_dataset
from app.store.rounds import last_round
from app.store.sellers import mark_begun
from tests.allocator.fixtures import dump
from tests.allocator.town import CUP, EPOCH, PEN, SELLER, TEE
from tests.app.checked import Books, Crowd, put


@pytest.fixture
async def books(books: Books) -> Books:
    """The shop of a data set that SQL remembers."""
    async with books.database.writing() as session:
        await ensure_dataset(session, now_ms=1, id=EPOCH.removesuffix("-1"))
        await mark_begun(session, SELLER)
    return books


@pytest.fixture
def gate(books) -> Gate:
    return Gate(books.redis, SELLER, EPOCH)


@pytest.fixture
def check(books) -> RunningCheck:
    return RunningCheck(books.database, books.redis)


async def sold(books: Books, sku: str) -> bool:
    try:
        await books.allocator.order(OrderRequest(channel="amazon", external_id=f"of-{sku}", lines=[Line("1", sku, 1)]))
    except errors.Frozen:
        return False
    return True


async def test_true_books_freeze_nothing_and_the_round_is_written_down(books, check, gate):
    facts = await check.check(SELLER, EPOCH)

    async with books.database.reading() as session:
        written = await last_round(session, SELLER)
    assert facts == written
    assert (facts.violations, facts.frozen) == (0, 0)
    assert facts.records > 10
    assert await gate.frozen() == {}


async def test_a_state_that_its_ledger_does_not_add_up_to_is_frozen_with_the_evidence(books, check, gate):
    await books.edit("stock", CUP, put(3, value=99))

    facts = await check.check(SELLER, EPOCH)

    [(sku, evidence)] = (await gate.frozen()).items()
    assert sku == CUP
    assert "on_hand is 99, the ledger adds up to" in evidence
    assert (facts.violations, facts.frozen) == (1, 1)
    assert [await sold(books, one) for one in (CUP, TEE, PEN)] == [False, True, True]
    async with books.database.reading() as session:
        [told] = await list_entries(session, seller=SELLER, wanted=Wanted(action="sku.freeze"), limit=9)
    assert (told.actor, told.target, told.detail) == ("worker", CUP, {"evidence": evidence})


async def test_units_held_for_nobody_freeze_their_sku_though_state_and_ledger_agree(books, check, gate):
    await books.book(CUP, ("oslo", "held", "", 2))

    await check.check(SELLER, EPOCH)

    assert list(await gate.frozen()) == [CUP]
    assert "held" in (await gate.frozen())[CUP]


async def test_an_order_that_is_not_what_the_ledger_says_freezes_its_skus(books, check, gate):
    await books.redis.hset(books.keys["orders"], "amazon:A1", b"\xc1")

    await check.check(SELLER, EPOCH)

    assert list(await gate.frozen()) == [TEE]


async def test_what_is_frozen_is_not_frozen_again_in_every_round(books, check, gate):
    await books.edit("stock", CUP, put(3, value=99))
    await check.check(SELLER, EPOCH)
    before = await dump(books.redis)

    again = await check.check(SELLER, EPOCH)

    assert (again.violations, again.frozen) == (1, 0)
    assert await dump(books.redis) == before


async def test_an_index_that_is_wrong_is_told_and_freezes_nothing(books, check, gate):
    await books.redis.zrem(books.keys["deadlines"], "ann-1")

    facts = await check.check(SELLER, EPOCH)

    assert (facts.violations, await gate.frozen()) == (1, {})


async def test_nothing_is_frozen_while_customers_buy(books, check, gate, servers):
    crowd = Crowd(servers["valkey"])
    shopping = [asyncio.create_task(crowd.shop(name)) for name in range(3)]

    rounds = [await check.check(SELLER, EPOCH) for _ in range(5)]
    crowd.stopped.set()
    await asyncio.gather(*shopping)

    assert crowd.done > 0
    assert {facts.violations for facts in rounds} == {0}
    assert await gate.frozen() == {}


async def test_a_store_that_is_being_opened_is_left_to_who_opens_it(books, check, gate):
    await gate.meet("another run")

    assert await check.check(SELLER, EPOCH) is None
    await gate.open("another run", last=True)
    assert await check.check(SELLER, EPOCH) is not None
    await gate.shut(await run_of(books.redis), "a drill")
    assert await check.check(SELLER, EPOCH) is None


async def test_one_of_two_processes_checks(books, check):
    other = RunningCheck(books.database, books.redis)

    assert await check.check(SELLER, EPOCH) is not None
    assert await other.check(SELLER, EPOCH) is None


async def test_another_process_checks_at_once_when_one_has_stopped(books, check):
    await check.run()
    await check.stop()

    assert await RunningCheck(books.database, books.redis).check(SELLER, EPOCH) is not None


async def test_a_round_is_followed_by_a_rest(books, check, monkeypatch):
    rounds = []
    monkeypatch.setattr(running, "REST_SECONDS_MIN", 0.2)
    real = check.check

    async def counted(seller, epoch):
        rounds.append(seller)
        return await real(seller, epoch)

    monkeypatch.setattr(check, "check", counted)
    await check.run()
    await check.run()
    assert rounds == [SELLER]


async def test_a_store_of_another_data_set_is_not_checked(books, check, gate):
    await books.redis.hset(books.keys["seller"], "epoch", "other-1")

    assert await check.check(SELLER, EPOCH) is None
    assert await gate.frozen() == {}
