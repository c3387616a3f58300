"""
What happens by itself: a table of jobs and what runs them.

A job is a plain function of the service's state with a limit on the work of one run. One that fails says so once, until
it works again, and the others go on.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from structlog.contextvars import bound_contextvars

from allocator import Allocator, Expired
from allocator.errors import AllocatorError

from .config.engine import Engine
from .config.windows import turn_windows
from .counts.service import RUN_SECONDS, desk_of
from .deps import State
from .ending import end
from .opening import open_sellers
from .reject_rates import refresh_rates
from .rescuing import rescue_all
from .store.database import DatabaseAway
from .store.errands import drop_ways
from .store.exchanges import drop_exchanges
from .store.heard import drop_news
from .store.leases import read_lease
from .survey import Survey
from .times import DAY_MS, now_ms
from .watching import LedgerWatch

GRACE_SECONDS: Final = 5
"""How long a run that has begun may take when the service stops."""

LEASE: Final = "scheduler"
"""The name of the lease of the scheduler that works."""

NEWS_DAYS: Final = 14
"""No vendor sends a webhook again for longer than some days."""

RUNS_MAX: Final = 20
"""How often one run of a job asks again when the allocator says there is more: 2,000 holds, 1,000 skus."""

log = structlog.get_logger(__name__)


@dataclass
class Memory:
    """
    What jobs remember between runs.

    expired_at: when a seller's holds were last expired, in monotonic seconds. failures: what each failing job said
    last. running: the runs that have begun. survey: how far the walk for the metrics is. ledgers: how far the drains
    were.
    """

    expired_at: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    survey: Survey = field(default_factory=Survey)
    ledgers: LedgerWatch = field(default_factory=LedgerWatch)


async def expire_holds(state: State, memory: Memory) -> None:
    """End the holds whose time is over. The time that passed is measured by a clock nobody can set."""
    for allocator in state.allocators.values():
        for _ in range(RUNS_MAX):
            started = time.monotonic()
            before = memory.expired_at.get(allocator.seller)
            elapsed_ms = None if before is None else int((started - before) * 1000)
            expired = await allocator.expire(elapsed_ms=elapsed_ms)
            memory.expired_at[allocator.seller] = started
            _watch_clock(state, allocator.seller, expired)
            if not expired.more:
                break


def _watch_clock(state: State, seller: str, expired: Expired) -> None:
    """The alarm: said when the clock pauses and when it goes on."""
    if expired.paused and seller not in state.clock_jumps_ms:
        log.error("clock_paused", seller=seller, jump_ms=expired.jump_ms, do="set the clock, or POST /v1/clock/accept")
    if expired.paused:
        state.clock_jumps_ms[seller] = expired.jump_ms
    elif state.clock_jumps_ms.pop(seller, None) is not None:
        log.info("clock_goes_on", seller=seller)


async def serve_backorders(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Give units that have arrived to the orders that wait for them."""
    for allocator in state.allocators.values():
        await _serve(allocator, sweep=False)


async def sweep_backorders(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Look at waiting orders for units that rules or locations have set free."""
    for allocator in state.allocators.values():
        await _serve(allocator, sweep=True)


async def _serve(allocator: Allocator, *, sweep: bool) -> None:
    served = await allocator.serve(sweep=sweep)
    for _ in range(RUNS_MAX - 1):
        if not served.more:
            return
        served = await allocator.serve()


async def rescue_orders(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Move what is promised and missing to where there is some, or into conflict."""
    await rescue_all(state)


async def work_counts(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Decide and book counts that are not done: snapshots, and what a request could not finish."""
    for allocator in list(state.allocators.values()):
        await desk_of(state, allocator).work(RUN_SECONDS)


async def refresh_keys(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Forget API keys that have ended, should nobody have told us."""
    await state.keys.refresh()


async def open_new_sellers(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Open the sellers that were made meanwhile."""
    await open_sellers(state)


async def write_audit(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Write down what was done and refused."""
    await state.audit.write(state.database)


async def write_key_use(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Write down which keys were used."""
    await state.keys.write_used()


async def survey(state: State, memory: Memory) -> None:
    """Count some of what sellers have, for the metrics."""
    await memory.survey.run(state)


async def look_at_stores(state: State, memory: Memory) -> None:
    """Read what the store counts by itself, for the metrics."""
    await memory.survey.look(state)


async def watch_levels(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """See whether the server still keeps what it says it has, and how many replicas follow it."""
    await state.levels.look()


async def watch_ledgers(state: State, memory: Memory) -> None:
    """See how much of the ledgers is not in SQL yet: too much of it stops new promises in this process."""
    await memory.ledgers.run(state)


async def keep_config(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Finish changes of config that were left half done; put rules in and out of force as their windows say."""
    for allocator in list(state.allocators.values()):
        engine = Engine(state.database, allocator, state.pipe.client)
        await engine.finish()
        await turn_windows(engine)


async def forget_news(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Forget webhooks that were heard, and ways of parcels that are told, when they are old."""
    before_ms = now_ms() - NEWS_DAYS * DAY_MS
    async with state.database.writing() as session:
        await drop_news(session, before_ms=before_ms)
        await drop_ways(session, before_ms=before_ms)


async def read_reject_rates(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Learn how often locations reject."""
    await refresh_rates(state)


async def forget_exchanges(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Delete what was said with channels longer ago than anybody asks for."""
    async with state.database.writing() as session:
        await drop_exchanges(session, before_ms=now_ms() - state.settings.exchange_days * DAY_MS)


async def hear_scheduler(state: State, memory: Memory) -> None:  # noqa: ARG001 every job has the same form
    """Learn what the scheduler at work has to say."""
    async with state.database.reading() as session:
        found = await read_lease(session, LEASE)
    state.heard.hear(found, state.metrics)


class Job(NamedTuple):
    """What runs, and how often. `without_sql`: it needs Valkey alone, and several processes at once do no harm."""

    run: Callable[[State, Memory], Awaitable[None]]
    seconds: int
    without_sql: bool = False


OWN_JOBS: Final = (
    Job(refresh_keys, 2),
    Job(open_new_sellers, 2),
    Job(write_audit, 2),
    Job(write_key_use, 60),
    Job(look_at_stores, 5),
    Job(hear_scheduler, 2),
    Job(watch_levels, 5),
    Job(watch_ledgers, 2),
    Job(read_reject_rates, 60),
)
"""What each API process needs for itself."""

SHARED_JOBS: Final = (
    Job(expire_holds, 1, without_sql=True),
    Job(serve_backorders, 1, without_sql=True),
    Job(sweep_backorders, 60, without_sql=True),
    Job(rescue_orders, 1),
    Job(keep_config, 1),
    Job(work_counts, 1),
    Job(survey, 1),
    Job(forget_exchanges, 3_600),
    Job(forget_news, 3_600),
)
"""What is done once for all: by the scheduler that works."""

JOBS: Final = OWN_JOBS + SHARED_JOBS


async def take_turn(job: Job, state: State, memory: Memory, may: Callable[[Job], bool]) -> None:
    """Run a job if it is ours to run; if it is not, forget what it said and measured when it was."""
    if may(job):
        await attempt(job, state, memory)
        return
    name = job.run.__name__
    memory.failures.pop(name, None)
    state.jobs_failing.pop(name, None)
    if job.run is expire_holds:
        # Whoever works now has judged the clock since; counting the time twice would hide a jump.
        memory.expired_at.clear()
        state.clock_jumps_ms.clear()


async def attempt(job: Job, state: State, memory: Memory) -> None:
    """Run a job once; what goes wrong is logged when it is new, and never raised. All it logs has its name and run."""
    name, started = job.run.__name__, time.monotonic()
    with bound_contextvars(job=name, run=secrets.token_hex(4)):
        outcome = await _outcome(name, asyncio.ensure_future(job.run(state, memory)), state, memory)
    state.metrics.job(name, outcome, time.monotonic() - started)


async def _outcome(name: str, run: asyncio.Task[None], state: State, memory: Memory) -> str:
    memory.running.add(run)
    try:
        await run
    except Exception as error:  # noqa: BLE001 - whatever one run does, the next one must come
        _say_failure(name, error, memory)
        state.jobs_failing[name] = memory.failures[name]
        return "failed"
    finally:
        memory.running.discard(run)
    if memory.failures.pop(name, None) is not None:
        log.info("job_recovered", job=name)
    state.jobs_failing.pop(name, None)
    return "done"


def _say_failure(name: str, error: Exception, memory: Memory) -> None:
    says = f"{type(error).__name__}: {error}"
    if memory.failures.get(name) != says:
        expected = isinstance(error, AllocatorError | DatabaseAway)
        log.error("job_failed", job=name, says=says, exc_info=None if expected else error)
    memory.failures[name] = says


@asynccontextmanager
async def running(
    state: State, jobs: tuple[Job, ...], may: Callable[[Job], bool] = lambda _: True
) -> AsyncIterator[AsyncIOScheduler]:
    """Run the jobs until the block ends, each when it `may` run; runs that have begun may end too."""
    scheduler, memory = AsyncIOScheduler(timezone=UTC), Memory()
    for job in jobs:
        scheduler.add_job(
            take_turn,
            "interval",
            (job, state, memory, may),
            id=job.run.__name__,
            seconds=job.seconds,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
    scheduler.start()
    keeper = asyncio.create_task(_keep_pace(scheduler))
    try:
        yield scheduler
    finally:
        await end(keeper)
        scheduler.pause()
        if memory.running:
            await asyncio.wait(memory.running, timeout=GRACE_SECONDS)
        scheduler.shutdown(wait=False)


async def _keep_pace(scheduler: AsyncIOScheduler) -> None:
    """See once a second that a clock that was set back does not put the jobs off."""
    while True:
        await asyncio.sleep(1)
        keep_pace(scheduler)


def keep_pace(scheduler: AsyncIOScheduler) -> None:
    """Run now what is planned for later than one interval from now: the scheduler plans by the wall clock."""
    now = datetime.now(UTC)
    for job in scheduler.get_jobs():
        if job.next_run_time > now + job.trigger.interval + timedelta(seconds=1):
            job.modify(next_run_time=now)
