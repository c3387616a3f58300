"""A change of config is there whole, or not at all, whatever crashes in between and whoever comes along."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from allocator import Channel, ChannelLocation, Config, Location, SkuConfig
from allocator.errors import NotReady, Unanswered
from app.config.engine import ROWS_MAX, Plan
from app.config.errors import InUse, RuleClash, TooMuch
from app.config.rolling_back import roll_back
from app.store import config as store
from app.store.database import sqlite_url
from tests.app.config_world import (
    CUP,
    HOUR,
    NOON,
    TEE,
    World,
    batches,
    drop,
    open_world,
    put,
    rule,
    shop,
    stock_up,
)


@pytest.fixture
async def world(servers, redis_of_service, database_url):
    async with open_world(servers["valkey"], database_url, *shop()) as world:
        await stock_up(world)
        yield world


def plan(*wishes, **more) -> Plan:
    return Plan(wishes, "bob", **more)


BOTH = (put(rule("cup", sku=CUP, units=5)), put(rule("tee", sku=TEE, units=7)))


async def stored(world: World, kind: str) -> set[str]:
    async with world.database.reading() as session:
        return set(await store.all_records(session, world.seller, kind))


async def states(world: World) -> list[tuple[int, str]]:
    return [(change.version, change.state) for change in await world.history()]


# --- crashes between the steps -----------------------------------------------------------------------------------


async def test_a_change_that_was_only_staged_is_not_in_force(world):
    await world.engine.stage(plan(*BOTH))

    assert await world.fields() == await world.compiled_whole()
    assert (await stored(world, "rules"), (await states(world))[0]) == (set(), (2, "staged"))


@pytest.mark.parametrize("flipped", [False, True], ids=["before the flip", "after the flip"])
async def test_a_change_left_half_done_is_finished_by_whoever_comes_next(world, flipped: bool):
    drawn = await world.engine.stage(plan(*BOTH))
    if flipped:
        assert await world.engine.flip(drawn.compiled, "bob") is None

    finished = await world.another().finish()

    assert finished == 2
    assert await states(world) == [(2, "active"), (1, "active")]
    assert await stored(world, "rules") == {"cup", "tee"}
    assert await world.fields() == await world.compiled_whole()
    assert (await world.numbers())[CUP, "web"] == (25, 25)


@pytest.mark.parametrize("flipped", [False, True], ids=["before the flip", "after the flip"])
async def test_the_next_change_finishes_the_one_before_it_first(world, flipped: bool):
    drawn = await world.engine.stage(plan(*BOTH))
    if flipped:
        await world.engine.flip(drawn.compiled, "bob")

    verdict = await world.another().change(plan(put(rule("cup", sku=CUP, units=6), 2)))

    assert verdict.version == 3
    assert await states(world) == [(3, "active"), (2, "active"), (1, "active")]
    assert await world.fields() == await world.compiled_whole()


async def test_who_crashed_and_comes_back_repeats_without_effect(world):
    drawn = await world.engine.stage(plan(*BOTH))
    await world.another().finish()
    await world.another().change(plan(put(rule("cup", sku=CUP, units=6))))
    before = await world.fields()

    await world.engine.carry_out(drawn.compiled, "bob")

    assert await world.fields() == before
    assert await states(world) == [(3, "active"), (2, "active"), (1, "active")]


async def test_a_staged_change_that_this_code_cannot_compile_fails_and_lets_others_pass(world):
    await world.engine.stage(plan(*BOTH))
    async with world.database.writing() as session:
        await session.exec(text("UPDATE config_change_row SET after = replace(after, '\"CUP\"', '\"MUG\"')"))

    verdict = await world.another().change(plan(put(rule("next", units=1))))

    assert (verdict.version, await states(world)) == (3, [(3, "active"), (2, "failed"), (1, "active")])
    assert "no such sku: 'MUG'" in (await world.history())[1].why_failed
    assert await world.fields() == await world.compiled_whole()


async def test_nothing_to_finish_is_nothing_done(world):
    assert await world.engine.finish() is None


async def test_an_answer_that_was_lost_leaves_a_change_that_the_repetition_finishes(world, monkeypatch):
    configure = world.allocator.configure

    async def lose_answer(*arguments):
        await configure(*arguments)
        raise Unanswered

    monkeypatch.setattr(world.allocator, "configure", lose_answer)
    with pytest.raises(Unanswered):
        await world.engine.change(plan(*BOTH))
    monkeypatch.undo()

    verdict = await world.engine.change(plan(*BOTH))

    assert [outcome.word for outcome in verdict.outcomes] == ["unchanged", "unchanged"]
    assert (verdict.version, await states(world)) == (None, [(2, "active"), (1, "active")])


# --- several at once ---------------------------------------------------------------------------------------------


async def test_engines_that_race_make_one_version_each(world):
    engines = [world.another() for _ in range(3)]
    changes = [
        engines[number % 3].change(plan(put(rule(f"r-{number}", "cutoff", sku=sku, channel=channel, units=number))))
        for number, (sku, channel) in enumerate([(sku, channel) for sku in (CUP, TEE) for channel in ("web", "amazon")])
    ]

    verdicts = await asyncio.gather(*changes)

    assert sorted(verdict.version for verdict in verdicts) == [2, 3, 4, 5]
    assert {state for _, state in await states(world)} == {"active"}
    assert await world.fields() == await world.compiled_whole()


async def test_of_two_that_replace_the_same_version_one_wins(world):
    await world.save(put(rule("r", units=1)))

    verdicts = await asyncio.gather(*(world.another().change(plan(put(rule("r", units=units), 2))) for units in (2, 3)))

    words = sorted(outcome.word for verdict in verdicts for outcome in verdict.outcomes)
    assert words == ["refused", "replaced"]


# --- what fails changes nothing ----------------------------------------------------------------------------------


async def test_a_change_that_cannot_be_flipped_changes_nothing_and_says_why(world):
    await world.allocator.reload()
    await world.allocator.configure_all(Config(locations=[Location(code="oslo")]))
    before = await world.fields()

    with pytest.raises(NotReady, match="the store has config version 2 in force, the database remembers 1"):
        await world.engine.change(plan(*BOTH))

    failed = (await world.history())[0]
    assert (failed.version, failed.state) == (2, "failed")
    assert "version 2 in force" in failed.why_failed
    assert (await stored(world, "rules"), await world.fields()) == (set(), before)


async def test_a_flip_that_the_store_has_forgotten_is_recognised_by_what_is_in_force(world):
    drawn = await world.engine.stage(plan(*BOTH))
    await world.engine.flip(drawn.compiled, "bob")
    await world.client.delete(f"{{{world.seller}}}:ops")

    assert await world.another().finish() == 2

    assert (await states(world))[0] == (2, "active")


async def test_a_number_that_failed_is_not_used_again(world):
    await world.allocator.reload()
    await world.allocator.configure_all(Config())
    for _ in range(2):
        with pytest.raises(NotReady):
            await world.engine.change(plan(*BOTH))

    assert await states(world) == [(3, "failed"), (2, "failed"), (1, "active")]


async def test_more_rows_than_one_change_may_have_are_refused(world):
    with pytest.raises(TooMuch):
        await world.engine.change(plan(*(put(SkuConfig(sku=f"S-{number}")) for number in range(ROWS_MAX + 1))))


async def test_a_change_that_touches_too_many_fields_is_refused_before_anything_is_written(world):
    skus = [SkuConfig(sku=f"S-{number}") for number in range(1_000)]
    await world.save(*map(put, skus))
    rules = [rule(f"r-{number}", "cutoff", sku=f"S-{number}", units=1) for number in range(600)]
    await world.save(*map(put, rules))
    moved = [rule(f"r-{number}", "cutoff", category=f"c-{number}", units=1) for number in range(600)]

    with pytest.raises(TooMuch, match="touches 1200 compiled fields"):
        await world.engine.change(plan(*map(put, moved)))

    assert (await states(world))[0] == (3, "active")


async def test_what_is_deleted_together_with_all_that_names_it_goes(world):
    await world.save(put(rule("r", sku="NEW", units=1)), put(SkuConfig(sku="NEW")))

    with pytest.raises(InUse):
        await world.save(drop("skus", "NEW"))
    await world.save(drop("skus", "NEW"), drop("rules", "r"))

    assert "NEW" not in await stored(world, "skus")
    assert "sku:NEW" not in await world.fields()


# --- windows of one scope ----------------------------------------------------------------------------------------


async def test_a_scope_has_a_default_and_windows_that_do_not_overlap(world):
    await world.save(put(rule("default", units=1)))
    await world.save(put(rule("first", units=2, valid_from=NOON, valid_until=NOON + HOUR)))
    await world.save(put(rule("second", units=3, valid_from=NOON + HOUR, valid_until=NOON + 2 * HOUR)))

    with pytest.raises(RuleClash, match="'second'"):
        await world.save(put(rule("third", units=4, valid_from=NOON + HOUR)))

    assert (await world.numbers())[CUP, "web"] == (28, 28)


# --- incremental and whole ---------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(history=batches, back=st.integers(0, 12))
def test_what_was_compiled_bit_by_bit_is_what_would_be_compiled_at_once(
    servers, tmp_path_factory, history: list, back: int
):
    async def run() -> None:
        async with open_world(servers["valkey"], sqlite_url(folder(tmp_path_factory)), *shop()) as world:
            seen = {1: await world.fields()}
            for wishes in history:
                verdict = await world.engine.change(plan(*wishes))
                seen[verdict.version or max(seen)] = await world.fields()
                assert await world.fields() == await world.compiled_whole()
            version = sorted(seen)[back % len(seen)]

            undone = await roll_back(world.engine, version, actor="ann")

            assert [outcome for outcome in undone.outcomes if outcome.why] == []
            assert await world.fields() == seen[version]
            assert await world.fields() == await world.compiled_whole()

    asyncio.run(run())


_folders: list = []


def folder(tmp_path_factory):
    """One database for all examples: each is another seller."""
    if not _folders:
        _folders.append(tmp_path_factory.mktemp("config"))
    return _folders[0]


async def test_an_empty_database_compiles_to_an_empty_config(servers, redis_of_service, database_url):
    async with open_world(servers["valkey"], database_url, SkuConfig(sku=CUP)) as world:
        assert await world.fields() == await world.compiled_whole()


async def test_a_category_of_many_skus_changes_one_field_for_one_sku(world):
    await world.save(put(rule("r", category="kitchen", units=2)))
    drawn = await world.engine.try_out(plan(put(SkuConfig(sku=CUP, category="cotton"))))

    assert (list(drawn.compiled.fields), drawn.compiled.removed) == ([f"sku:{CUP}"], [])


async def test_a_location_that_closes_touches_the_channels_that_sell_from_it(world):
    drawn = await world.engine.try_out(plan(put(Location(code="kyiv", active=False))))

    assert sorted(drawn.compiled.fields) == ["channel:web", "document", "locations"]


async def test_a_channel_that_goes_takes_its_field_along(world):
    await world.save(put(Channel(code="ebay", locations=[ChannelLocation(code="oslo")])))

    await world.save(drop("channels", "ebay"))

    assert "channel:ebay" not in await world.fields()
    assert await world.fields() == await world.compiled_whole()
