"""What an engine works with, as several processes share it."""

import asyncio
from types import SimpleNamespace

import pytest

from app.lines.means import Account, SharedPaces, SharedToken, SqlLog
from app.sealing import Sealer
from app.store.connections import ConnectionFacts, find_connection, put_connection
from app.store.exchanges import drop_exchanges, page_exchanges
from channels.base import Token
from channels.engine import Exchange
from channels.pacing import Learned, OwnPaces, Rate

ACCOUNT = Account("main", "myshop")
SLOW = Rate(1.0, 2.0)


@pytest.fixture
def clock():
    return SimpleNamespace(ms=1_000_000)


@pytest.fixture
def two(state, clock):
    """Two processes, one account."""
    return [SharedPaces(state.pipe.client, ACCOUNT, lambda: clock.ms) for _ in range(2)]


@pytest.fixture
async def account(state):
    facts = ConnectionFacts(
        seller="main",
        code="myshop",
        connector="shopify",
        channel="shop",
        settings={},
        secrets=b"",
        counts="net",
        locations={},
        created_ms=0,
    )
    async with state.database.writing() as session:
        await put_connection(session, facts)
    return ACCOUNT


async def test_two_processes_share_a_bucket(two):
    waits = [await two[number % 2].take("points", SLOW, 1.0) for number in range(4)]

    assert waits == [0.0, 0.0, 1.0, 2.0]


async def test_of_many_at_once_nobody_gets_what_another_has(two):
    waits = await asyncio.gather(*(two[number % 2].take("points", SLOW, 1.0) for number in range(12)))

    assert sorted(waits) == [0.0, 0.0, *map(float, range(1, 11))]


async def test_a_shared_bucket_says_what_one_of_ones_own_would_say(two, clock):
    own = OwnPaces(lambda: clock.ms)
    deeds = [
        lambda paces: paces.take("points", SLOW, 1.0),
        lambda paces: paces.learn("points", Learned(Rate(4.0, 4.0), 0.5)),
        lambda paces: paces.take("points", SLOW, 2.0),
        lambda paces: paces.take("points", SLOW, 2.0, 0.0),
        lambda paces: paces.slow("points", 3.0),
        lambda paces: paces.take("points", SLOW, 1.0),
        lambda paces: paces.learn("points", Learned(None, 0.0)),
        lambda paces: paces.take("points", SLOW, 1.0),
    ]

    for number, deed in enumerate(deeds):
        assert await deed(two[number % 2]) == await deed(own)
        clock.ms += 700


async def test_a_rate_that_one_process_has_learned_holds_for_all(two):
    await two[0].learn("points", Learned(Rate(10.0, 1.0)))

    waits = [await two[1].take("points", SLOW, 1.0) for _ in range(3)]

    assert waits == [0.0, 0.1, 0.2]


async def test_a_token_is_got_once_by_however_many_ask(state, account):
    asked: list[Token | None] = []

    async def ask(before: Token | None) -> Token:
        asked.append(before)
        await asyncio.sleep(0.05)
        return Token(f"token-{len(asked)}", 9_999_999)

    processes = [SharedToken(state.database, state.pipe.client, state.sealer, account) for _ in range(3)]
    got = await asyncio.gather(*(process.renew(None, ask) for process in processes))

    assert {token.value for token in got} == {"token-1"}
    assert asked == [None]


async def test_a_token_that_is_worn_is_replaced_by_what_it_is_asked_with(state, account):
    asked: list[Token | None] = []

    async def ask(before: Token | None) -> Token:
        asked.append(before)
        return Token(f"token-{len(asked)}", 9_999_999, refresh="next")

    tokens = SharedToken(state.database, state.pipe.client, state.sealer, account)
    first = await tokens.renew(None, ask)
    second = await tokens.renew(first, ask)

    assert (second.value, asked) == ("token-2", [None, first])
    assert await tokens.current() == second


async def test_a_token_is_sealed_in_sql(state, account):
    async def ask(_: Token | None) -> Token:
        return Token("canary", 9_999_999)

    await SharedToken(state.database, state.pipe.client, Sealer([b"x" * 32]), account).renew(None, ask)

    async with state.database.reading() as session:
        kept = await find_connection(session, "main", "myshop")
    assert kept.token
    assert b"canary" not in kept.token


async def test_what_was_said_is_kept_newest_first_and_forgotten_after_a_while(state, account):
    log = SqlLog(state.database, account)
    for number, error in enumerate(("", "Down: away", ""), 1):
        await log.add(Exchange("push", number, "POST /x", "{}", 200, "{}", 5, error))

    async with state.database.reading() as session:
        every = await page_exchanges(session, "main", "myshop", before=None, limit=2)
        rest = await page_exchanges(session, "main", "myshop", before=every[-1].id, limit=2)
        failed = await page_exchanges(session, "main", "myshop", before=None, limit=9, failed=True)
        other = await page_exchanges(session, "main", "myshop", before=None, limit=9, operation="read")
    async with state.database.writing() as session:
        dropped = await drop_exchanges(session, before_ms=every[0].at_ms + 1)

    assert [one.attempt for one in every + rest] == [3, 2, 1]
    assert [one.error for one in failed] == ["Down: away"]
    assert (other, dropped) == ([], 3)
