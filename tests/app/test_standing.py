"""What the scheduler at work knows, every process that answers says."""

import time
from dataclasses import replace

import pytest

from app import metrics as m
from app.deps import State
from app.leading import Lead
from app.metrics import Metrics, registry_of, written
from app.opening import open_service
from app.readiness import NO_SCHEDULER, readiness
from app.schedule import Memory, hear_scheduler
from app.scheduling import Speaker
from app.standing import SILENCE_SECONDS, Heard


@pytest.fixture
async def scheduler(settings):
    """The state of a process that schedules, without its schedule."""
    async with open_service(settings) as state:
        yield state


@pytest.fixture
def api(scheduler) -> State:
    """The state of a process that only answers, on the same stores."""
    return replace(scheduler, heard=Heard(), clock_jumps_ms={}, jobs_failing={}, metrics=Metrics())


@pytest.fixture
async def lead(scheduler) -> Lead:
    lead = Lead(scheduler.database)
    await lead.beat()
    return lead


def shown(state: State) -> str:
    return written(registry_of(state.metrics), "")[0].decode()


async def test_a_clock_that_jumped_and_a_job_that_fails_are_told_by_every_process(scheduler, api, lead):
    scheduler.clock_jumps_ms["main"] = 99_000
    scheduler.jobs_failing |= {"expire_holds": "Unanswered", "write_audit": "a matter of its own"}

    await lead.beat(Speaker(scheduler).say())
    await hear_scheduler(api, Memory())

    said = await readiness(api, draining=False)
    assert said.clock == "paused, it jumped: main by 99000 ms"
    assert said.jobs == "failing: expire_holds: Unanswered"
    assert 'allot_clock_jump_ms{seller="main"} 99000.0' in shown(api)


async def test_what_is_put_right_is_told_too(scheduler, api, lead):
    speaker = Speaker(scheduler)
    scheduler.clock_jumps_ms["main"] = 99_000
    await lead.beat(speaker.say())
    await hear_scheduler(api, Memory())
    scheduler.clock_jumps_ms.clear()

    await lead.beat(speaker.say())
    await hear_scheduler(api, Memory())

    assert (await readiness(api, draining=False)).clock == "ok"


async def test_what_the_survey_counted_and_how_jobs_went_is_shown_by_every_process(scheduler, api, lead):
    scheduler.metrics.set(m.SKUS, 3, "main")
    scheduler.metrics.job("expire_holds", "done", 0.1)
    scheduler.metrics.job("refresh_keys", "done", 0.1)
    scheduler.metrics.delivery(delivered=True)
    api.metrics.set(m.SKUS, 5, "another")

    await lead.beat(Speaker(scheduler).say())
    await hear_scheduler(api, Memory())

    text = shown(api)
    assert 'allot_skus{seller="main"} 3.0' in text
    assert 'allot_job_runs_total{name="expire_holds",outcome="done"} 1.0' in text
    assert 'allot_webhook_tries_total{outcome="delivered"} 1.0' in text
    assert "refresh_keys" not in text
    assert 'seller="another"' not in text


async def test_a_scheduler_in_the_same_process_is_not_heard_twice(scheduler, lead):
    scheduler.heard.own = lead.owner
    scheduler.clock_jumps_ms["main"] = 99_000
    await lead.beat(Speaker(scheduler).say())
    scheduler.clock_jumps_ms.clear()

    await hear_scheduler(scheduler, Memory())

    assert (await readiness(scheduler, draining=False)).clock == "ok"


async def test_that_no_scheduler_works_is_told_and_keeps_no_order_from_being_taken(scheduler, api, lead):
    await hear_scheduler(api, Memory())
    before = await readiness(api, draining=False)
    api.heard.at = time.monotonic() - SILENCE_SECONDS - 1
    await hear_scheduler(api, Memory())

    after = await readiness(api, draining=False)

    assert (before.jobs, after.jobs) == ("ok", NO_SCHEDULER)
    assert (before.ready, after.ready) == (True, True)
    assert "allot_scheduler_up 0.0" in shown(api)


async def test_a_scheduler_that_goes_on_is_heard_again(api, lead):
    await hear_scheduler(api, Memory())
    api.heard.at = time.monotonic() - SILENCE_SECONDS - 1
    await lead.beat()

    await hear_scheduler(api, Memory())

    assert (await readiness(api, draining=False)).jobs == "ok"


async def test_a_lease_that_was_given_back_is_no_sign_of_life(api, lead):
    await lead.give_up()
    api.heard.at = time.monotonic() - SILENCE_SECONDS - 1

    await hear_scheduler(api, Memory())

    assert api.heard.is_silent()


def test_what_is_wrong_is_said_at_once_and_the_rest_now_and_then(scheduler):
    speaker = Speaker(scheduler)
    first, second = speaker.say(), speaker.say()
    scheduler.jobs_failing["survey"] = "wrong"

    third, fourth = speaker.say(), speaker.say()

    assert [said is not None for said in (first, second, third, fourth)] == [True, False, True, False]
