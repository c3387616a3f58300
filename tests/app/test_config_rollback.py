"""The way back is a change like any other: it undoes all later ones, or nothing."""

import pytest

from allocator import SkuConfig, StockLine
from app.config.errors import ChangeUnknown, InUse, TooMuch
from app.config.rolling_back import roll_back
from tests.app.config_world import CUP, TEE, World, drop, open_world, put, rule, shop
from tests.app.talk import slug


@pytest.fixture
async def world(servers, redis_of_service, database_url):
    async with open_world(servers["valkey"], database_url, *shop()) as world:
        yield world


async def back(world: World, version: int, *, dry_run: bool = False):
    return await roll_back(world.another(), version, actor="ann", dry_run=dry_run)


async def test_everything_is_what_it_was_and_the_history_keeps_it_all(world):
    await world.save(put(rule("kept", units=1)), put(rule("changed", sku=CUP, units=1)))
    before = await world.fields()
    await world.save(put(rule("changed", sku=CUP, units=2)))
    await world.save(put(rule("new", sku=TEE, units=3)), drop("rules", "kept"))
    await world.save(put(rule("changed", sku=CUP, units=4)))

    verdict = await back(world, 2)

    assert sorted((outcome.wish.key, outcome.word) for outcome in verdict.outcomes) == [
        ("changed", "replaced"),
        ("kept", "created"),
        ("new", "deleted"),
    ]
    assert await world.fields() == before
    newest = (await world.history())[0]
    assert (newest.version, newest.rolls_back_to, newest.actor) == (6, 2, "ann")
    assert len(await world.history()) == 6


async def test_a_roll_back_can_be_rolled_back(world):
    await world.save(put(rule("r", units=1)))
    await world.save(put(rule("r", units=2)))
    last = await world.fields()
    await back(world, 2)

    await back(world, 3)

    assert await world.fields() == last


async def test_what_changed_back_by_itself_is_no_part_of_it(world):
    await world.save(put(rule("r", units=1)))
    await world.save(put(rule("r", units=2)))
    await world.save(put(rule("r", units=1)))

    verdict = await back(world, 2)

    assert (verdict.version, verdict.outcomes) == (None, [])


async def test_trying_it_says_what_would_be_done_and_does_nothing(world):
    await world.save(put(rule("r", units=1)))
    before = await world.fields()

    verdict = await back(world, 1, dry_run=True)

    assert [(outcome.wish.key, outcome.word) for outcome in verdict.outcomes] == [("r", "deleted")]
    assert (await world.fields(), len(await world.history())) == (before, 2)


async def test_a_sku_that_has_got_units_since_keeps_the_whole_roll_back_from_happening(world):
    await world.save(put(SkuConfig(sku="NEW")), put(rule("r", units=1)))
    await world.allocator.receive([StockLine("NEW", "oslo", 1)], op="delivery")
    before = await world.fields()

    verdict = await back(world, 1)

    assert {(outcome.wish.key, type(outcome.why)) for outcome in verdict.outcomes} == {
        ("NEW", InUse),
        ("r", type(None)),
    }
    assert (verdict.version, await world.fields()) == (None, before)


@pytest.mark.parametrize("version", [3, 99])
async def test_a_version_that_was_never_in_force_is_refused(world, version: int):
    with pytest.raises(ChangeUnknown):
        await back(world, version)


async def test_a_way_back_that_is_too_long_names_the_farthest_stop(world):
    for start in (0, 600, 1_200):
        await world.save(*(put(SkuConfig(sku=f"S-{number}")) for number in range(start, start + 600)))

    with pytest.raises(TooMuch) as caught:
        await back(world, 1)
    stop = caught.value.facts["nearest"]
    await back(world, stop)
    await back(world, 2)
    await back(world, 1)

    assert stop == 3
    assert await world.fields() == await world.compiled_whole()


async def test_over_http_a_refused_roll_back_is_a_problem_and_a_good_one_a_version(client):
    await client.put("/v1/skus/NEW", json={"sku": "NEW"})
    await client.put("/v1/rules/r", json={"id": "r", "kind": "cutoff", "sku": "NEW", "units": 1})

    tried = await client.post("/v1/config/rollback", json={"to_version": 1, "dry_run": True})
    unknown = await client.post("/v1/config/rollback", json={"to_version": 9})
    refused = await client.post("/v1/config/rollback", json={"to_version": 0})
    done = await client.post("/v1/config/rollback", json={"to_version": 1, "note": "too early"})

    assert [(row["kind"], row["outcome"]) for row in tried.json()["results"]] == [
        ("skus", "deleted"),
        ("rules", "deleted"),
    ]
    assert (unknown.status_code, slug(unknown)) == (404, "unknown-change")
    assert (refused.status_code, slug(refused)) == (409, "in-use")
    assert (done.json()["version"], done.json()["refused"]) == (4, 0)
    newest = (await client.get("/v1/config/changes")).json()["data"][0]
    assert (newest["rolls_back_to"], newest["note"]) == (1, "too early")
