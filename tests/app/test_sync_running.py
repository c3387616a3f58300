"""Workers at channels: one for each connection, whoever dies."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import pytest

from app import ending
from app.lines.lines import Line
from app.opening import open_service
from app.store.connections import ConnectionFacts, find_connection, put_connection
from app.store.leases import read_lease, take_lease
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from app.sync.recording import NotOurs
from app.sync.running import lease_of, syncing
from app.sync.steps import Step, Tenure, Work
from app.sync.subscribing import keep_subscribed
from app.sync.trouble import Trouble
from channels.breaker import FINE
from tests.app.channel_worlds import CODE, world_of

pytestmark = pytest.mark.usefixtures("quick")

SECONDS_MAX = 20.0
LEASE_SECONDS = 1.2
STEPS = {step.name: step for step in OUT_STEPS}
OUT = (LISTINGS, FOLLOW, STEPS["push"])


@pytest.fixture
async def state(settings):
    async with open_service(settings) as state:
        yield state


@pytest.fixture
async def shop(state):
    async with world_of(state, "shopify") as world:
        await world.lists(_11=("CUP", 1), _12=("PLATE", 1))
        yield world


async def soon(happened: Callable[[], object]) -> object:
    """What it says as soon as it says something, or what it says in the end."""
    end = asyncio.get_running_loop().time() + SECONDS_MAX
    while not (found := happened()) and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)
    return found


async def test_a_channel_follows_the_stock_by_itself(shop, state):
    async with syncing(state, seconds=LEASE_SECONDS):
        assert await soon(lambda: (shop.sandbox.shows("11"), shop.sandbox.shows("12")) == (15, 4))
        await shop.sells("CUP", 4)
        assert await soon(lambda: shop.sandbox.shows("11") == 11)


async def test_of_two_workers_one_works_and_the_other_follows_when_it_ends(shop, state):
    worked: list[str] = []

    def noting(name: str) -> Step:
        async def run(work) -> bool:
            worked.append(name)
            return False

        return Step("note", 0.05, run)

    async with AsyncExitStack() as first:
        await first.enter_async_context(syncing(state, [noting("first")], seconds=LEASE_SECONDS))
        assert await soon(lambda: worked)
        async with syncing(state, [noting("second")], seconds=LEASE_SECONDS):
            await asyncio.sleep(LEASE_SECONDS * 2)
            assert set(worked) == {"first"}
            await first.aclose()
            assert await soon(lambda: "second" in worked)


async def test_a_step_that_swallows_its_end_does_not_keep_a_worker_from_ending(shop, state, monkeypatch):
    monkeypatch.setattr(ending, "AGAIN_SECONDS", 0.1)
    swallowed: list[bool] = []

    async def swallow(work) -> bool:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3_600)
        swallowed.append(True)
        return False

    async with asyncio.timeout(SECONDS_MAX):
        async with syncing(state, [Step("swallow", 0.05, swallow)], seconds=LEASE_SECONDS) as runner:
            assert await soon(lambda: runner._tasks)
            await asyncio.sleep(LEASE_SECONDS)

    assert swallowed


async def test_a_worker_that_dies_is_followed_when_its_lease_is_over(shop, state):
    async with state.database.writing() as session:
        term = await take_lease(session, lease_of("main", CODE), owner="dead", host="there", seen=None)

    async with syncing(state, seconds=LEASE_SECONDS):
        assert await soon(lambda: shop.sandbox.shows("11") == 15)

    async with state.database.reading() as session:
        lease = await read_lease(session, lease_of("main", CODE))
    assert (term, lease.term) == (1, 2)


async def test_a_stale_worker_writes_nothing_down(shop, state):
    name = lease_of("main", CODE)
    async with state.database.writing() as session:
        term = await take_lease(session, name, owner="stale", host="there", seen=None)
    stale = await shop.work(tenure=Tenure(name, "stale", term))
    for step in (LISTINGS, FOLLOW):
        await step.run(stale)
    async with state.database.writing() as session:
        seen = await read_lease(session, name)
        await take_lease(session, name, owner="next", host="there", seen=seen)

    for step in (FOLLOW, STEPS["push"]):
        await shop.sells("CUP", 1)
        with pytest.raises(NotOurs):
            await step.run(stale)

    cup = await shop.row("11")
    assert (cup.told, cup.settled, cup.outcome) == (None, 0, "")
    assert shop.sandbox.calls.count("SetQuantities") == 0


async def test_a_stale_worker_does_not_undo_what_its_follower_says_is_wrong(shop, state):
    stale, following = [Trouble(state.database, ("main", CODE), tenure) for tenure in await two_tenures(state)]
    await following.has("push", RuntimeError("the follower's"), expected=True)

    with pytest.raises(NotOurs):
        await stale.over("push")
    with pytest.raises(NotOurs):
        await stale.has("push", RuntimeError("the stale one's"), expected=True)

    assert (await shop.look()).failing == "push: RuntimeError: the follower's"


async def test_a_stale_worker_says_nothing_of_webhooks(shop, state):
    shop.state = replace(state, settings=state.settings.model_copy(update={"public_url": "https://allot.example"}))
    stale, _ = await two_tenures(state)

    with pytest.raises(NotOurs):
        await keep_subscribed(await shop.work(tenure=stale))

    assert (await shop.look()).subscribed_ms == 0


async def two_tenures(state) -> tuple[Tenure, Tenure]:
    """Of a worker and of the one that has taken over from it."""
    name, seen, terms = lease_of("main", CODE), None, []
    for owner in ("stale", "next"):
        async with state.database.writing() as session:
            terms.append(Tenure(name, owner, await take_lease(session, name, owner=owner, host="there", seen=seen)))
            seen = await read_lease(session, name)
    return terms[0], terms[1]


async def test_what_was_on_its_way_when_a_worker_died_is_told_again(shop, state):
    await shop.do(*OUT)
    name = lease_of("main", CODE)
    async with state.database.writing() as session:
        term = await take_lease(session, name, owner="stale", host="there", seen=None)
    stale = await shop.work(tenure=Tenure(name, "stale", term))
    await shop.sells("CUP", 4)
    await FOLLOW.run(stale)

    async def run(steps):
        said = await type(shop.engine).run(shop.engine, steps)
        async with state.database.writing() as session:
            seen = await read_lease(session, name)
            await take_lease(session, name, owner="next", host="there", seen=seen)
        return said

    shop.engine.run = run
    with pytest.raises(NotOurs):
        await STEPS["push"].run(stale)
    del shop.engine.run

    lost = await shop.row("11")
    await shop.do(STEPS["push"], STEPS["push"])
    assert (lost.told, lost.changes > lost.settled) == (None, True)
    assert (shop.sandbox.shows("11"), (await shop.row("11")).outcome) == (11, "applied")


async def test_a_connection_that_fails_says_so_and_goes_on_when_it_can(shop, state):
    shop.sandbox.faults.outage[""] = 1_000
    async with syncing(state, seconds=LEASE_SECONDS):
        failing = await until(state, lambda facts: facts.failing)
        shop.sandbox.faults.outage.clear()
        shop.engine._means.breaker.standing = FINE
        assert await soon(lambda: shop.sandbox.shows("11") == 15)
        well = await until(state, lambda facts: not facts.failing)

    assert "Down" in failing.failing
    assert (failing.failing_since_ms > 0, well.failing_since_ms) == (True, 0)


async def test_one_that_fails_keeps_no_other_from_going_on(shop, state):
    await broken(state)
    async with syncing(state, seconds=LEASE_SECONDS):
        assert await soon(lambda: shop.sandbox.shows("11") == 15)
        other = await until(state, lambda facts: facts.failing, "broken")

    assert "Unsealable" in other.failing


async def test_a_connection_that_was_made_again_does_not_wait_until_its_steps_have_rested(shop, state, monkeypatch):
    monkeypatch.setattr(state.lines, "_dial", lambda facts: Line(facts, shop.engine, shop.http))
    made: list[int] = []

    async def run(work) -> bool:
        made.append(work.facts.created_ms)
        return False

    async with syncing(state, [Step("note", 3_600.0, run)], seconds=LEASE_SECONDS):
        assert await soon(lambda: made)
        await shop.reopened(created_ms=made[0] + 1)
        assert await soon(lambda: len(made) > 1)

    assert made == [made[0], made[0] + 1]


async def broken(state) -> None:
    facts = ConnectionFacts(
        seller="main",
        code="broken",
        connector="shopify",
        channel="shop",
        settings={"url": "https://x.example", "location": "1"},
        secrets=b"",
        counts="net",
        locations={},
        created_ms=0,
    )
    async with state.database.writing() as session:
        await put_connection(session, facts)


async def test_while_a_connection_is_paused_changes_are_noted_and_nothing_is_pushed(shop, state):
    await shop.do(*OUT)
    await shop.reopened(paused=True)
    async with syncing(state, seconds=LEASE_SECONDS):
        await shop.sells("CUP", 4)
        noted = await until_row(shop, lambda row: row.changes > row.settled)
        await asyncio.sleep(1.0)
        assert (shop.sandbox.shows("11"), noted.told) == (15, 15)
        await shop.reopened(paused=False)
        assert await soon(lambda: shop.sandbox.shows("11") == 11)


async def until(state, is_so, code: str = CODE) -> ConnectionFacts:
    for _ in range(int(SECONDS_MAX / 0.1)):
        async with state.database.reading() as session:
            facts = await find_connection(session, "main", code)
        if is_so(facts):
            break
        await asyncio.sleep(0.1)
    return facts


async def until_row(shop, is_so):
    for _ in range(int(SECONDS_MAX / 0.1)):
        row = await shop.row("11")
        if is_so(row):
            break
        await asyncio.sleep(0.1)
    return row


async def test_a_step_that_goes_on_when_it_is_told_to_end_does_not_keep_the_worker_from_it(shop, state):
    """What a driver says while a transaction is given up may take the place of the cancellation."""
    begun = asyncio.Event()

    async def deaf(_: Work) -> bool:
        begun.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return False

    async with asyncio.timeout(SECONDS_MAX):
        async with syncing(state, [Step("deaf", 60, deaf)], seconds=LEASE_SECONDS):
            await begun.wait()
