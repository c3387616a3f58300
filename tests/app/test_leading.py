"""Which of several schedulers works: one, whoever dies and whatever clocks say."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from app.leading import LEASE_SECONDS, Lead, leading
from app.schedule import LEASE, Job, Memory, expire_holds, keep_config, take_turn
from app.store.database import Database
from app.store.leases import give_up_lease, read_lease, renew_lease, take_lease


class Clock:
    """Monotonic seconds, as a test says."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_url) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as database:
        yield database


@pytest.fixture
def leads(database, clock) -> list[Lead]:
    return [Lead(database, clock=clock) for _ in range(3)]


async def beat_all(leads: list[Lead]) -> list[bool]:
    """Each of them once, in turn; who works then."""
    for lead in leads:
        await lead.beat()
    return [lead.leads() for lead in leads]


async def test_the_first_works_and_the_others_stand_by(leads):
    assert await beat_all(leads) == [True, False, False]
    assert await beat_all(leads) == [True, False, False]


async def test_of_many_who_begin_at_the_same_moment_one_works(database):
    leads = [Lead(database) for _ in range(6)]

    await asyncio.gather(*(lead.beat() for lead in leads))

    assert [lead.leads() for lead in leads].count(True) == 1


async def test_one_that_ends_in_order_is_followed_at_once(leads):
    await beat_all(leads)

    await leads[0].give_up()

    assert leads[0].leads() is False
    assert await beat_all(leads[1:]) == [True, False]


async def test_one_that_dies_is_followed_when_its_lease_is_over_and_not_before(leads, clock):
    await beat_all(leads)
    clock.now += LEASE_SECONDS - 0.1
    before = await beat_all(leads[1:])
    clock.now += 0.1

    after = await beat_all(leads[1:])

    assert (before, after) == ([False, False], [True, False])


async def test_one_that_lives_is_never_followed(leads, clock):
    for _ in range(20):
        clock.now += LEASE_SECONDS / 2

        assert await beat_all(leads) == [True, False, False]


async def test_one_that_cannot_renew_stops_before_anybody_may_follow(leads, clock):
    await beat_all(leads)

    clock.now += LEASE_SECONDS

    assert leads[0].leads() is False


async def test_one_that_slept_through_its_lease_finds_that_another_works(leads, clock):
    await beat_all(leads)
    clock.now += LEASE_SECONDS
    await beat_all(leads[1:])

    await leads[0].beat()

    assert [lead.leads() for lead in leads] == [False, True, False]
    assert leads[1].term == 2


async def test_one_that_slept_and_was_not_followed_goes_on(leads, clock):
    await leads[0].beat()
    clock.now += 10 * LEASE_SECONDS

    await leads[0].beat()

    assert (leads[0].leads(), leads[0].term) == (True, 1)


async def test_who_waits_trusts_its_own_clock_alone(database, clock):
    ahead = Clock()
    ahead.now = 9e9
    await Lead(database, clock=ahead).beat()
    waiting = Lead(database, clock=clock)
    await waiting.beat()
    clock.now += LEASE_SECONDS

    await waiting.beat()

    assert waiting.leads()


async def test_an_older_term_writes_nothing(database):
    async with database.writing() as session:
        await take_lease(session, LEASE, owner="one", host="a", seen=None)
        seen = await read_lease(session, LEASE)
        await take_lease(session, LEASE, owner="two", host="b", seen=seen)

    async with database.writing() as session:
        renewed = await renew_lease(session, LEASE, owner="one", term=1, said="late")
        await give_up_lease(session, LEASE, owner="one", term=1)

    async with database.reading() as session:
        found = await read_lease(session, LEASE)
    assert renewed is False
    assert found is not None
    assert (found.owner, found.term, found.said) == ("two", 2, "")


async def test_a_lease_that_was_renewed_since_it_was_seen_is_not_taken(database):
    async with database.writing() as session:
        await take_lease(session, LEASE, owner="one", host="a", seen=None)
        seen = await read_lease(session, LEASE)
        await renew_lease(session, LEASE, owner="one", term=1)

        taken = await take_lease(session, LEASE, owner="two", host="b", seen=seen)

    assert taken is None


async def test_without_sql_every_scheduler_does_what_needs_none(leads, clock):
    await beat_all(leads)
    jobs = (Job(expire_holds, 1, without_sql=True), Job(keep_config, 1))
    standing_by = [leads[1].may(job) for job in jobs]

    clock.now += LEASE_SECONDS + 1

    assert (standing_by, [leads[1].may(job) for job in jobs]) == ([False, False], [True, False])


async def test_a_database_that_does_not_answer_is_told_once_and_again_when_it_does(tmp_path):
    database = await Database.open(f"sqlite:///{tmp_path}/leases.sqlite3")
    told: list[str] = []
    async with database:
        async with database.writing() as session:
            await (await session.connection()).exec_driver_sql("ALTER TABLE lease RENAME TO away")

        async with leading(Lead(database), lambda: None, told.append):
            await asyncio.sleep(0)

    assert told == ["SQL does not answer: OperationalError"]


async def test_who_stands_by_runs_nothing_and_measures_no_time():
    runs: Counter[str] = Counter()

    async def tick(state, memory) -> None:
        runs["tick"] += 1

    memory = Memory(expired_at={"main": 5.0}, failures={"tick": "old"})

    state = SimpleNamespace(jobs_failing={"tick": "old"}, clock_jumps_ms={"main": 99_000})
    await take_turn(Job(tick, 1), state, memory, lambda _: False)
    await take_turn(Job(expire_holds, 1), state, memory, lambda _: False)

    assert (runs, memory.expired_at, memory.failures) == (Counter(), {}, {})
    assert (state.jobs_failing, state.clock_jumps_ms) == ({}, {})
