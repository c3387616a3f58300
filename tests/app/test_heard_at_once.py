"""Webhooks that come at the same moment: written down together, and as if one had come after the other."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from app.store.connections import ConnectionFacts
from app.store.database import Database, DatabaseAway
from app.store.heard import page_heard
from app.sync.intake import take_waiting
from app.sync.noting import Note, rounds
from channels.base import News, Odd, Order, Shown
from tests.app.heard_shop import HOOK, There, subscribed

ORDERS = 8


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"public_url": "https://allot.test"})


@pytest.fixture
async def woo(app, client) -> There:
    return await subscribed(app, client, "woocommerce")


async def all_at_once(there, stranger, messages) -> list[int]:
    posts = (stranger.post(HOOK, headers=one.headers, content=one.body) for one in messages)
    return [answer.status_code for answer in await asyncio.gather(*posts)]


async def every(there: There) -> list:
    async with there.state.database.reading() as session:
        return await page_heard(session, "main", "there", state="", before=None, limit=99)


@pytest.fixture
def transactions(monkeypatch) -> list[int]:
    """One for each that wrote."""
    seen, real = [], Database.writing

    @asynccontextmanager
    async def writing(self):
        seen.append(1)
        async with real(self) as session:
            yield session

    monkeypatch.setattr(Database, "writing", writing)
    return seen


async def test_many_at_once_are_one_order_each_in_few_transactions(woo, stranger, transactions):
    ids = {woo.buys(1) for _ in range(ORDERS)}
    messages = [*woo.sandbox.courier.waiting] * 2
    transactions.clear()

    statuses = await all_at_once(woo, stranger, messages)
    spent = len(transactions)
    await woo.run(take_waiting)

    assert set(statuses) == {200}
    assert spent < ORDERS / 2
    assert {one.external_id for one in await every(woo)} == ids
    assert [await woo.lines(id) for id in sorted(ids)] == [{"ordered": 1, "committed": 1}] * ORDERS


async def test_none_is_answered_while_the_database_is_away(woo, stranger, monkeypatch):
    for _ in range(5):
        woo.buys(1)

    @asynccontextmanager
    async def away(self):
        raise DatabaseAway("away")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(Database, "writing", away)
        refused = await all_at_once(woo, stranger, woo.sandbox.courier.waiting)
    nothing = await every(woo)
    taken = await all_at_once(woo, stranger, woo.sandbox.courier.waiting)

    assert (set(refused), nothing, set(taken)) == ({503}, [], {200})
    assert len(await every(woo)) == 5


# --- what has to be written one after the other ----------------------------------------------------------------------


def note(id: str, **says) -> Note:
    facts = ConnectionFacts.__new__(ConnectionFacts)
    return Note(facts, id, News(id=id, **says))


def order(id: str) -> Order:
    return Order(external_id=id, revision=1, state="open", placed_ms=1, lines=[])


def parts(*notes: Note) -> list[list[str]]:
    return [[one.id for one in part] for part in rounds(notes)]


def test_what_is_about_different_things_is_written_together():
    notes = [note("1", orders=[order("a")]), note("2", ask=["b"]), note("3", shown=[Shown("a", 1)])]

    assert parts(*notes) == [["1", "2", "3"]]


@pytest.mark.parametrize("other", [{"orders": [order("a")]}, {"ask": ["a"]}, {"odd": [Odd("a", "what is that?")]}])
def test_what_is_about_the_same_order_is_written_in_its_turn(other):
    notes = [note("1", orders=[order("a")]), note("2", **other), note("3", orders=[order("b")]), note("4", **other)]

    assert parts(*notes) == [["1", "3"], ["2"], ["4"]]


def test_what_is_about_the_same_listing_ticket_or_webhook_is_written_in_its_turn():
    assert parts(note("1", shown=[Shown("a", 1)]), note("2", look=["a"])) == [["1"], ["2"]]
    assert parts(note("1", finished=["t"]), note("2", finished=["t"])) == [["1"], ["2"]]
    assert parts(note("1", ask=["a"]), note("1", ask=["b"])) == [["1"], ["1"]]
