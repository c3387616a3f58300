"""What is kept of orders from channels, and what people see and do about it."""

import asyncio

import pytest

from app.schedule import NEWS_DAYS, Memory, forget_news
from app.store.heard import (
    ROWS_MAX,
    Told,
    drop_news,
    due_orders,
    find_heard,
    note_asked,
    note_named,
    note_news,
    note_odd,
    note_told,
    settle,
    waiting_orders,
    wake,
)
from app.survey import Survey
from app.times import DAY_MS, now_ms
from tests.app.talk import slug

MINE = ("main", "there")
WOO = {
    "connector": "woocommerce",
    "channel": "shop",
    "settings": {"url": "https://shop.test"},
    "secrets": {"consumer_key": "ck_1", "consumer_secret": "cs_1", "webhook_secret": "w"},
}
HERE = "/v1/connections/there"


def told(id: str, revision: int, picture: str = "{}") -> Told:
    return Told(id, revision, 1_000, picture)


@pytest.fixture
async def session(state):
    async with state.database.writing() as session:
        yield session


async def test_a_newer_picture_is_waited_for_and_an_older_one_is_not(session):
    await note_told(session, *MINE, [told("1", 5, "five")], via="hook", now_ms=10)
    await note_told(session, *MINE, [told("1", 4, "four"), told("2", 1, "one")], via="poll", now_ms=20)
    await note_told(session, *MINE, [told("2", 2, "two"), told("2", 3, "three")], via="poll", now_ms=30)

    due = await due_orders(session, *MINE, now_ms=30, limit=9)

    assert [(one.external_id, one.revision, one.picture, one.via) for one in due] == [
        ("1", 5, "five", "hook"),
        ("2", 3, "three", "poll"),
    ]


async def test_an_order_that_is_taken_waits_again_when_something_new_is_heard(session):
    await note_told(session, *MINE, [told("1", 5)], via="hook", now_ms=10)
    [seen] = await due_orders(session, *MINE, now_ms=10, limit=9)
    await settle(session, *MINE, seen, state="taken", taken=5, due_ms=11)

    await note_told(session, *MINE, [told("1", 5)], via="poll", now_ms=20)
    same = await due_orders(session, *MINE, now_ms=99, limit=9)
    await note_told(session, *MINE, [told("1", 6)], via="poll", now_ms=30)
    newer = await due_orders(session, *MINE, now_ms=99, limit=9)

    assert same == []
    assert [(one.revision, one.taken) for one in newer] == [(6, 5)]


async def test_what_is_heard_while_an_order_is_taken_is_not_lost(session):
    await note_told(session, *MINE, [told("1", 5)], via="hook", now_ms=10)
    [seen] = await due_orders(session, *MINE, now_ms=10, limit=9)

    await note_told(session, *MINE, [told("1", 6)], via="hook", now_ms=20)
    settled = await settle(session, *MINE, seen, state="taken", taken=5)

    assert not settled
    assert [one.revision for one in await due_orders(session, *MINE, now_ms=99, limit=9)] == [6]


async def test_of_the_same_revision_with_other_content_the_channel_is_asked(session):
    await note_told(session, *MINE, [told("1", 5, "a")], via="hook", now_ms=10)
    await note_told(session, *MINE, [told("1", 5, "b")], via="poll", now_ms=20)
    seen = await find_heard(session, *MINE, "1")

    noted = await note_asked(session, *MINE, seen, told("1", 5, "b"))

    after = await find_heard(session, *MINE, "1")
    assert (seen.ask, seen.picture, noted) == (True, "a", True)
    assert (after.ask, after.picture) == (False, "b")


async def test_a_name_that_is_heard_while_the_channel_is_asked_has_it_asked_again(session):
    await note_named(session, *MINE, ["1"], via="hook", now_ms=10)
    seen = await find_heard(session, *MINE, "1")

    await note_named(session, *MINE, ["1"], via="hook", now_ms=20)

    assert not await note_asked(session, *MINE, seen, told("1", 5))
    assert (await find_heard(session, *MINE, "1")).ask


async def test_an_odd_order_is_parked_and_asked_for_when_it_is_woken(session):
    await note_odd(session, *MINE, "1", "it is odd", via="poll", now_ms=10)
    parked = await find_heard(session, *MINE, "1")

    woken = await wake(session, *MINE, now_ms=20, ids=["1", "2"])

    after = await find_heard(session, *MINE, "1")
    assert (parked.state, parked.code, woken) == ("parked", "odd", 1)
    assert (after.state, after.ask, after.due_ms) == ("waiting", True, 20)


async def test_a_webhook_is_heard_once_and_forgotten_after_a_while(session):
    heard = {"w-1": "order.created"}
    first = await note_news(session, *MINE, heard, now_ms=10)
    again = await note_news(session, *MINE, {**heard, "w-2": "order.created"}, now_ms=30)
    other = await note_news(session, "main", "elsewhere", heard, now_ms=30)

    assert (first, again, other) == ({"w-1"}, {"w-2"}, {"w-1"})
    assert await drop_news(session, before_ms=30) == 1
    assert await note_news(session, *MINE, heard, now_ms=40) == {"w-1"}


async def test_hundreds_of_webhooks_are_heard_at_once(session):
    heard = {f"w-{number}": "order.created" for number in range(2 * ROWS_MAX + 1)}
    names = [*heard, "w-0"]

    new = await note_news(session, *MINE, heard, now_ms=10)
    await note_named(session, *MINE, names, via="hook", now_ms=10)

    assert new == set(heard)
    assert (await waiting_orders(session, "main")).waiting == len(heard)


async def test_what_is_not_taken_is_counted(session):
    await note_told(session, *MINE, [told("1", 1), told("2", 1)], via="hook", now_ms=10)
    await note_odd(session, *MINE, "3", "odd", via="hook", now_ms=20)

    found = await waiting_orders(session, "main")

    assert (found.waiting, found.parked, found.oldest_ms) == (2, 1, 10)
    assert await waiting_orders(session, "other") == (0, 0, 0)


async def test_the_job_forgets_what_was_heard_two_weeks_ago(state):
    old_ms = now_ms() - NEWS_DAYS * DAY_MS - 1_000
    async with state.database.writing() as session:
        await note_news(session, *MINE, {"old": ""}, now_ms=old_ms)
        await note_news(session, *MINE, {"new": ""}, now_ms=now_ms())

    await forget_news(state, Memory())

    async with state.database.writing() as session:
        assert await note_news(session, *MINE, {"old": "", "new": ""}, now_ms=1) == {"old"}


async def test_what_waits_for_people_is_in_the_metrics(client, state):
    await heard(state, "1", "2")
    async with state.database.writing() as session:
        await note_told(session, *MINE, [told("3", 1)], via="hook", now_ms=now_ms() - 90_000)

    await Survey().look(state)

    text = (await client.get("/metrics")).text
    assert 'allot_channel_orders_parked{seller="main"} 2.0' in text
    assert 'allot_channel_orders_waiting{seller="main"} 1.0' in text
    assert 'allot_channel_errands_dead{seller="main"} 0.0' in text
    [age] = [line for line in text.splitlines() if line.startswith("allot_oldest_channel_order_seconds{")]
    assert 90 <= float(age.split()[-1]) < 600


# --- over HTTP ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def there(client):
    assert (await client.put(HERE, json=WOO)).status_code == 201


async def heard(state, *ids: str) -> None:
    async with state.database.writing() as session:
        for number, id in enumerate(ids):
            await note_odd(session, *MINE, id, "odd", via="hook", now_ms=1_000 + number)


async def test_orders_are_listed_the_newest_first_page_by_page(client, state, there):
    await heard(state, "1", "2", "3")

    first = (await client.get(f"{HERE}/orders", params={"limit": 2, "state": "parked"})).json()
    rest = (await client.get(f"{HERE}/orders", params={"limit": 2, "cursor": first["cursor"]})).json()
    none = (await client.get(f"{HERE}/orders", params={"state": "taken"})).json()

    assert [one["external_id"] for one in first["data"] + rest["data"]] == ["3", "2", "1"]
    assert (rest["cursor"], none["data"]) == (None, [])
    assert first["data"][0]["code"] == "odd"


async def test_parked_orders_are_taken_again_these_or_all(client, state, there):
    await heard(state, "1", "2", "3")

    one = await client.post(f"{HERE}/orders/replay", json={"orders": ["2"]})
    rest = await client.post(f"{HERE}/orders/replay")

    assert (one.json(), rest.json()) == ({"woken": 1}, {"woken": 2})
    assert "connection.replay_orders" in (await client.get("/v1/audit")).text


async def test_orders_are_looked_for_from_further_back(client, state, there):
    before = (await client.get(HERE)).json()["watermark_ms"]

    pulled = await client.post(f"{HERE}/pull", json={"since_ms": before - 1_000})
    now = await client.post(f"{HERE}/pull")
    future = await client.post(f"{HERE}/pull", json={"since_ms": before + 10**12})

    assert pulled.json() == {"connection": "there", "since_ms": before - 1_000}
    assert now.json() == {"connection": "there", "since_ms": before - 1_000}
    assert (future.status_code, slug(future)) == (422, "unfit")
    assert (await client.get(HERE)).json()["pulled_ms"] == 0


@pytest.mark.parametrize("path", ["orders", "errands"])
async def test_of_a_connection_that_is_not_there_nothing_is_shown(client, path):
    for answer in (await client.get(f"{HERE}/{path}"), await client.post(f"{HERE}/{path}/replay")):
        assert (answer.status_code, slug(answer)) == (404, "unknown-connection")


async def test_a_connection_that_is_removed_takes_what_was_heard_with_it(client, state, there):
    await heard(state, "1")
    await client.delete(HERE)

    async with state.database.reading() as session:
        assert await find_heard(session, *MINE, "1") is None


async def test_of_two_who_hear_the_same_webhook_at_once_one_hears_it(state):
    async def once() -> set[str]:
        async with state.database.writing() as session:
            return await note_news(session, *MINE, {"w-1": ""}, now_ms=10)

    assert sorted(await asyncio.gather(*(once() for _ in range(4))), key=len) == [set(), set(), set(), {"w-1"}]


async def test_of_two_who_hear_the_same_order_at_once_the_newer_picture_stays(state):
    async def once(revision: int) -> None:
        async with state.database.writing() as session:
            await note_told(session, *MINE, [told("1", revision)], via="hook", now_ms=10)

    await asyncio.gather(*(once(revision) for revision in (3, 1, 4, 2)))

    async with state.database.reading() as session:
        assert (await find_heard(session, *MINE, "1")).revision == 4
