"""A draft is prepared, looked at, and put in force as one change or not at all."""

import pytest

from app.config.drafts import Saving, activate_draft, plan_of, read_draft, save_draft
from app.config.errors import DraftOver, DraftUnknown, VersionDiffers, VersionMissing
from tests.app.config_world import CUP, World, drop, open_world, put, rule, shop
from tests.app.talk import slug

ROWS = [{"kind": "rules", "put": {"id": "r", "kind": "buffer", "sku": "CUP", "units": 4}}]


@pytest.fixture
async def world(servers, redis_of_service, database_url):
    async with open_world(servers["valkey"], database_url, *shop()) as world:
        yield world


async def saved(world: World, *wishes, replaces: int | None = None):
    unsaid = [wish._replace(version=None) for wish in wishes]
    return await save_draft(world.another(), Saving("winter", unsaid, "cold", "ann", replaces))


async def test_a_draft_changes_nothing_until_it_is_put_in_force_as_one_version(world):
    before = await world.fields()
    draft = await saved(world, put(rule("a", sku=CUP, units=3)), put(rule("b", units=1)))
    untouched = await world.fields()

    done = await activate_draft(world.another(), "winter", draft.facts.version, actor="bob")

    newest = (await world.history())[0]
    assert untouched == before != await world.fields()
    assert (done.facts.state, done.facts.config_version, newest.version) == ("active", 2, 2)
    assert (newest.actor, newest.note) == ("bob", "draft winter: cold")


async def test_a_draft_put_in_force_twice_is_one_change(world):
    await saved(world, put(rule("a", units=3)))
    first = await activate_draft(world.another(), "winter", 1, actor="bob")
    await world.save(put(rule("a", units=9)))

    again = await activate_draft(world.another(), "winter", 1, actor="bob")

    assert again.facts == first.facts
    assert len(await world.history()) == 3


async def test_a_draft_that_was_put_in_force_by_a_process_that_died_is_marked_by_the_next_one(world):
    draft = await saved(world, put(rule("a", units=3)))
    await world.another().change(plan_of(draft, "bob"))

    done = await activate_draft(world.another(), "winter", 1, actor="bob")

    assert (done.facts.state, done.facts.config_version) == ("active", 2)
    assert len(await world.history()) == 2


async def test_what_somebody_changed_meanwhile_is_not_overwritten_and_nothing_of_the_draft_is_in_force(world):
    await world.save(put(rule("a", units=1)))
    await saved(world, put(rule("b", sku=CUP, units=2)), put(rule("a", units=3)))
    await world.save(put(rule("a", units=7)))
    before = await world.fields()

    with pytest.raises(VersionDiffers):
        await activate_draft(world.another(), "winter", 1, actor="bob")

    assert await world.fields() == before
    assert (await read_draft(world.another(), "winter")).facts.state == "draft"


async def test_only_the_version_that_was_looked_at_is_put_in_force(world):
    await saved(world, put(rule("a", units=1)))
    await saved(world, put(rule("a", units=100)), replaces=1)

    with pytest.raises(VersionDiffers):
        await activate_draft(world.another(), "winter", 1, actor="bob")


async def test_another_persons_draft_is_not_overwritten_unseen(world):
    await saved(world, put(rule("a", units=1)))

    with pytest.raises(VersionMissing):
        await saved(world, drop("skus", CUP))
    with pytest.raises(VersionDiffers):
        await saved(world, drop("skus", CUP), replaces=7)

    assert (await read_draft(world.another(), "winter")).facts.version == 1


async def test_the_name_of_a_draft_in_force_begins_anew(world):
    await saved(world, put(rule("a", units=1)))
    done = await activate_draft(world.another(), "winter", 1, actor="bob")
    with pytest.raises(DraftOver):
        plan_of(done, "bob")

    again = await saved(world, put(rule("a", units=2)), replaces=1)

    assert (again.facts.state, again.facts.version) == ("draft", 2)
    assert (await activate_draft(world.another(), "winter", 2, actor="bob")).facts.config_version == 3


async def test_a_draft_nobody_made_is_unknown(world):
    with pytest.raises(DraftUnknown):
        await read_draft(world.another(), "winter")


async def test_over_http_a_draft_is_saved_looked_at_put_in_force_and_let_go(client):
    made = await client.put("/v1/config/drafts/winter", json={"rows": ROWS, "note": "cold"})
    seen = await client.get("/v1/config/drafts/winter")
    done = await client.post("/v1/config/drafts/winter/activate", json={"version": 1})
    listed = await client.get("/v1/config/drafts")
    rule_now = await client.get("/v1/rules/r")
    gone = await client.delete("/v1/config/drafts/winter")
    unknown = await client.get("/v1/config/drafts/winter")

    assert (made.status_code, made.headers["etag"], made.json()) == (200, '"1"', seen.json())
    assert [row["outcome"] for row in seen.json()["results"]] == ["created"]
    assert done.json()["draft"]["state"] == "active"
    assert [draft["name"] for draft in listed.json()["data"]] == ["winter"]
    assert rule_now.json()["version"] == done.json()["draft"]["config_version"]
    assert (gone.status_code, unknown.status_code, slug(unknown)) == (200, 404, "unknown-draft")


async def test_over_http_a_row_that_would_be_refused_is_kept_and_said_and_one_nobody_can_read_is_not(client):
    clash = [*ROWS, {"kind": "skus", "delete": "NONE"}]
    kept = await client.put("/v1/config/drafts/winter", json={"rows": clash})
    unreadable = [*ROWS, {"kind": "rules", "put": {"id": "x", "kind": "luck"}}]
    refused = await client.put("/v1/config/drafts/spring", json={"rows": unreadable})

    assert [(row["outcome"], row["where"]) for row in kept.json()["results"]] == [
        ("refused", ""),
        ("refused", "/rows/1/delete"),
    ]
    assert (refused.status_code, refused.json()["where"]) == (422, "body /rows/1/put/kind")
