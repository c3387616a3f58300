"""The end of tasks: it comes, whatever they make of being told to."""

import asyncio
from unittest.mock import AsyncMock

import pytest

from app import ending
from app.draining import drain, forgetting
from app.ending import end
from app.store.database import DatabaseAway
from tests.app.test_counts_api import at_work


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(ending, "AGAIN_SECONDS", 0.02)


async def busy(deaf_times: int) -> None:
    """Goes on after so many cancellations, as one does who takes what a driver says in their place for an error."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if deaf_times == 0:
                raise
            deaf_times -= 1


async def begun(*deaf_times: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(busy(times)) for times in deaf_times]
    await asyncio.sleep(0)
    return tasks


async def test_a_task_that_goes_on_after_it_was_cancelled_is_cancelled_again():
    tasks = await begun(0, 1, 2)

    async with asyncio.timeout(5):
        await end(*tasks)

    assert all(task.cancelled() for task in tasks)


async def test_a_task_that_does_not_end_at_all_is_left_alone():
    [task] = await begun(ending.TIMES_MAX)

    async with asyncio.timeout(5):
        await end(task)

    assert not task.done()
    await end(task)


async def test_whoever_is_ended_himself_tells_his_tasks_once_more(monkeypatch):
    monkeypatch.setattr(ending, "AGAIN_SECONDS", 60)
    [task] = await begun(1)
    waiting = asyncio.create_task(end(task))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.wait([waiting, task], timeout=5)

    assert (waiting.cancelled(), task.cancelled()) == (True, True)


async def test_what_has_ended_is_no_matter():
    async def fails() -> None:
        raise RuntimeError("on purpose")

    task = asyncio.create_task(fails())
    await asyncio.wait([task])

    await end(task)
    await end()

    assert str(task.exception()) == "on purpose"


async def test_a_worker_ends_though_sql_is_away_when_it_gives_its_leases_back(state, settings, monkeypatch):
    for module in (drain, forgetting):
        monkeypatch.setattr(module, "give_back", AsyncMock(side_effect=DatabaseAway("gone")))

    async with at_work(state, settings):
        pass

    assert drain.give_back.called
