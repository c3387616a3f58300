"""Rules are in force exactly while their window is open; time is passed in."""

import asyncio

import pytest

from app.config.engine import Engine, Plan
from app.config.rolling_back import roll_back
from app.config.windows import turn_windows
from app.opening import open_service
from app.schedule import JOBS, Memory, keep_config
from app.store.config import all_records
from tests.app.config_world import CUP, HOUR, NOON, NOON_MS, World, open_world, put, rule, shop, stock_up

HOUR_MS = 3_600_000
LATER = NOON + HOUR


@pytest.fixture
async def world(servers, redis_of_service, database_url):
    async with open_world(servers["valkey"], database_url, *shop()) as world:
        await stock_up(world)
        yield world


async def turn(world: World, now_ms: int) -> list[str]:
    """Let the schedule run at this time; the rules it turned."""
    verdict = await turn_windows(world.another(now_ms=now_ms))
    return [outcome.wish.key for outcome in verdict.outcomes] if verdict else []


async def atp(world: World) -> int:
    return (await world.numbers())[CUP, "web"][0]


async def test_a_rule_comes_into_force_when_its_window_opens_and_goes_when_it_closes(world):
    await world.save(put(rule("r", units=4, valid_from=LATER, valid_until=LATER + HOUR)))
    before = await atp(world)

    moments = [NOON_MS, NOON_MS + HOUR_MS - 1, NOON_MS + HOUR_MS, NOON_MS + 2 * HOUR_MS - 1, NOON_MS + 2 * HOUR_MS]
    seen = [(await turn(world, now_ms), await atp(world)) for now_ms in moments]

    assert before == 30
    assert seen == [([], 30), ([], 30), (["r"], 26), ([], 26), (["r"], 30)]
    assert await world.fields() == await world.compiled_whole()


async def test_a_window_that_is_open_when_the_rule_is_saved_counts_at_once(world):
    await world.save(put(rule("r", units=4, valid_until=LATER)))

    assert await atp(world) == 26


async def test_the_rule_with_a_window_wins_over_the_default_while_it_is_open(world):
    await world.save(put(rule("default", units=1)), put(rule("sale", units=9, valid_from=LATER)))

    before = await atp(world)
    await turn(world, NOON_MS + HOUR_MS)

    assert (before, await atp(world)) == (29, 21)


async def test_windows_that_meet_are_handed_over_in_one_version(world):
    await world.save(
        put(rule("a", units=1, valid_until=LATER)), put(rule("b", units=2, valid_from=LATER, valid_until=LATER + HOUR))
    )

    turned = await turn(world, NOON_MS + HOUR_MS)

    assert sorted(turned) == ["a", "b"]
    assert (await atp(world), (await world.history())[0].actor) == (28, "schedule")


async def test_a_clock_that_was_set_back_closes_the_window_again(world):
    await world.save(put(rule("r", units=4, valid_from=LATER)), now_ms=NOON_MS + HOUR_MS)

    turned = await turn(world, NOON_MS)

    assert (turned, await atp(world)) == (["r"], 30)


async def test_a_rule_that_was_changed_meanwhile_is_left_to_the_next_second(world):
    await world.save(put(rule("r", units=4, valid_from=LATER)))
    late = world.another(now_ms=NOON_MS + HOUR_MS)

    verdicts = await asyncio.gather(*(turn_windows(world.another(now_ms=late.now_ms)) for _ in range(3)))

    words = sorted(outcome.word for verdict in verdicts if verdict for outcome in verdict.outcomes)
    assert words.count("replaced") == 1
    assert (await atp(world), len(await world.history())) == (26, 3)


async def test_more_windows_than_one_change_has_are_turned_in_several(world):
    names = [rule(f"r-{number}", "cutoff", category=f"c-{number}", valid_from=LATER) for number in range(1_200)]
    await world.save(*map(put, names[:600]))
    await world.save(*map(put, names[600:]))

    turned = [len(await turn(world, NOON_MS + HOUR_MS)) for _ in range(3)]

    assert turned == [1_000, 200, 0]
    assert await world.fields() == await world.compiled_whole()


async def test_a_roll_back_does_not_bring_a_closed_window_back(world):
    await world.save(put(rule("r", units=4, valid_until=LATER)))
    await world.save(put(rule("r", units=5, valid_until=LATER)))

    await roll_back(world.another(now_ms=NOON_MS + HOUR_MS), 2, actor="ann")

    assert await atp(world) == 30


async def test_the_schedule_turns_windows_and_finishes_what_is_half_done(settings):
    async with open_service(settings) as state:
        engine = Engine(state.database, state.allocators["main"], now_ms=NOON_MS)
        await engine.change(Plan([put(rule("r", units=4, valid_until=LATER))], "ann"))
        await engine.stage(Plan([put(rule("s", sku="PLATE", units=1))], "ann"))

        await keep_config(state, Memory())

        async with state.database.reading() as session:
            rules = await all_records(session, "main", "rules")
    assert {key: stored.record["in_force"] for key, stored in rules.items()} == {"r": False, "s": True, "seed-1": True}
    assert keep_config in {job.run for job in JOBS}
