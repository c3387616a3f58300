"""How far channels are, asked over HTTP and at the terminal."""

import pytest

from app.metrics import SYNC
from app.survey import Survey
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from tests.app.channel_worlds import CODE, world_of
from tests.app.holders import bearer, make
from tests.app.talk import slug

STEPS = {step.name: step for step in OUT_STEPS}
HERE = f"/v1/connections/{CODE}"
OUT = (LISTINGS, FOLLOW, STEPS["push"])


@pytest.fixture
async def shop(state):
    async with world_of(state, "shopify") as world:
        await world.lists(_11=("CUP", 1), _12=("PLATE", 1))
        yield world


async def test_the_status_says_what_is_pushed_and_what_is_not(client, shop):
    shop.sandbox.faults.refuse.add("PLATE")
    await shop.do(LISTINGS)
    before = (await client.get(f"{HERE}/sync")).json()
    await shop.do(*OUT)

    after = (await client.get(f"{HERE}/sync")).json()

    assert (before["numbers"]["listed"], before["numbers"]["due"]) == (2, 2)
    assert after["numbers"] | {"listed": 2} == {
        "listed": 2,
        "due": 0,
        "waiting": 0,
        "held_back": 0,
        "on_their_way": 0,
        "dead": 1,
        "retried": 1,
        "drift": 0,
        "unmapped": 0,
    }
    assert (after["failing"], after["paused"], after["oldest_unpushed_ms"]) == ("", False, 0)


async def test_listings_are_paged_by_state_and_sku(client, shop):
    shop.sandbox.faults.refuse.add("PLATE")
    await shop.do(*OUT)

    every = (await client.get(f"{HERE}/shown", params={"limit": 1})).json()
    rest = (await client.get(f"{HERE}/shown", params={"cursor": every["next_cursor"]})).json()
    dead = (await client.get(f"{HERE}/shown", params={"state": "dead"})).json()
    cups = (await client.get(f"{HERE}/shown", params={"sku": "CUP"})).json()

    assert [one["listing"] for one in every["data"] + rest["data"]] == ["11", "12"]
    assert rest["next_cursor"] is None
    [plate], [cup] = dead["data"], cups["data"]
    assert (plate["sku"], plate["outcome"], plate["pushed"], bool(plate["code"])) == ("PLATE", "dead", False, True)
    assert (cup["told"], cup["shown"], cup["outcome"], cup["pushed"]) == (15, 15, "applied", True)


async def test_what_was_given_up_is_replayed(client, shop):
    shop.sandbox.faults.refuse.add("PLATE")
    await shop.do(*OUT)
    shop.sandbox.faults.refuse.clear()

    others = (await client.post(f"{HERE}/replay", json={"skus": ["CUP"]})).json()
    replayed = (await client.post(f"{HERE}/replay")).json()
    await shop.do(STEPS["push"])

    assert (others, replayed, shop.sandbox.shows("12")) == ({"listings": 0}, {"listings": 1}, 4)


async def test_a_number_is_told_again_on_demand(client, shop):
    await shop.do(*OUT)
    shop.sandbox.items["gid://shopify/InventoryItem/11"].available[shop.sandbox.location] = 99

    marked = (await client.post(f"{HERE}/push", json={"skus": ["CUP"]})).json()
    # The first one finds another number than was expected.
    await shop.do(STEPS["push"], STEPS["push"])

    assert (marked, shop.sandbox.shows("11")) == ({"listings": 1}, 15)


async def test_a_comparison_begins_on_demand(client, shop):
    await shop.do(*OUT)
    shop.sandbox.sells(13, "SAUCER", 7)

    asked = await client.post(f"{HERE}/reconcile")
    await shop.do(STEPS["reconcile"])

    unmapped = (await client.get(f"{HERE}/shown", params={"state": "unmapped"})).json()["data"]
    assert asked.json()["reconciled_ms"] == 0
    assert [(one["listing"], one["named"], one["shown"]) for one in unmapped] == [("13", "SAUCER", 7)]
    assert (await client.get(f"{HERE}/sync")).json()["reconciled_ms"] > 0


async def test_what_was_said_is_listed_newest_first_and_without_secrets(client, shop):
    await shop.do(*OUT)

    first = (await client.get(f"{HERE}/exchanges", params={"limit": 1})).json()
    rest = (await client.get(f"{HERE}/exchanges", params={"cursor": first["next_cursor"]})).json()
    pushes = (await client.get(f"{HERE}/exchanges", params={"operation": "push"})).json()["data"]
    failed = (await client.get(f"{HERE}/exchanges", params={"failed": "true"})).json()["data"]

    ids = [one["id"] for one in first["data"] + rest["data"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(pushes), failed) == (1, [])
    assert "shpss_1" not in str(first) + str(rest)


async def test_of_a_connection_that_is_not_there_nothing_is_told(client):
    asked = [("GET", "sync"), ("GET", "shown"), ("GET", "exchanges")]
    asked += [("POST", "push"), ("POST", "replay"), ("POST", "reconcile")]

    answers = [await client.request(method, f"/v1/connections/nowhere/{word}") for method, word in asked]

    assert {(answer.status_code, slug(answer)) for answer in answers} == {(404, "unknown-connection")}


async def test_who_only_reads_pushes_nothing(client, shop, state):
    analyst = bearer(await make(state, "analyst"))

    assert (await client.get(f"{HERE}/sync", headers=analyst)).status_code == 200
    assert (await client.post(f"{HERE}/push", headers=analyst)).status_code == 403


async def test_what_operators_do_is_audited(client, shop):
    await shop.do(*OUT)
    for word in ("push", "replay", "reconcile"):
        await client.post(f"{HERE}/{word}")

    audit = (await client.get("/v1/audit")).text

    assert all(f"sync.{word}" in audit for word in ("push", "replay", "reconcile"))


async def test_what_is_wrong_is_counted_for_alerts(shop, state):
    shop.sandbox.faults.refuse.add("PLATE")
    await shop.do(LISTINGS)
    await shop.change("11", changed_ms=1)
    await Survey().look(state)
    before = gauges(state)
    await shop.do(*OUT)
    await shop.change("11", shown=99)
    await shop.reopened(failing="push: Down")

    await Survey().look(state)

    after = gauges(state)
    assert before["unpushed_age_seconds"] > 1_000_000
    assert after == {"unpushed_age_seconds": 0, "dead_listings": 1, "drifted_listings": 1, "connection_failing": 1}


def gauges(state) -> dict[str, float]:
    return {name: state.metrics._gauges[family.name]["main", CODE] for name, family in SYNC.items()}
