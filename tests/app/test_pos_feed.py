"""What tills may sell: everything once, and then nothing that changes is missed."""

import asyncio
import random

import pytest

from app.tills import feed
from tests.app.holders import bearer, make
from tests.app.talk import line, order, receive, slug
from tests.app.tills import CONNECTION, HERE, STOCK, add_sku, event, results


@pytest.fixture
async def tills(client):
    assert (await client.put(HERE, json=CONNECTION)).status_code == 201
    return client


class Reading:
    """A till that keeps the numbers it has read."""

    def __init__(self, client, limit: int = 1_000) -> None:
        self.client, self.limit = client, limit
        self.since, self.resets = "", 0
        self.numbers: dict[str, str] = {}

    async def page(self) -> dict:
        params = {"limit": self.limit, **({"since": self.since} if self.since else {})}
        answer = await self.client.get(STOCK, params=params)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        if said["reset"]:
            self.numbers.clear()
            self.resets += 1
        self.numbers |= {row["sku"]: row["available"] for row in said["rows"]}
        self.since = said["next"]
        return said

    async def all(self) -> dict[str, str]:
        """Everything there is by now."""
        while (await self.page())["more"]:
            pass
        return self.numbers


async def now(client) -> dict[str, str]:
    """The numbers as they can be asked for."""
    skus = [row["sku"] for row in (await client.get("/v1/stock")).json()["data"]]
    asked = await client.post("/v1/availability", json={"skus": skus, "channels": ["till"]})
    return {level["sku"]: str(level["atp_now"]) for level in asked.json()["levels"]}


async def test_without_a_cursor_everything_is_told(tills):
    found = (await tills.get(STOCK)).json()

    assert {row["sku"]: (row["available"], row["published"]) for row in found["rows"]} == {
        "A/4": ("1", "1"),
        "CUP": ("10", "10"),
        "PLATE": ("3", "3"),
    }
    assert (found["more"], found["reset"]) == (False, False)


async def test_everything_comes_page_by_page_in_the_order_of_skus(tills):
    reading, pages = Reading(tills, limit=2), []
    while True:
        page = await reading.page()
        pages.append([row["sku"] for row in page["rows"]])
        if not page["more"]:
            break

    assert pages == [["A/4", "CUP"], ["PLATE"]]


async def test_after_that_only_what_changed_is_told_and_nothing_when_nothing_did(tills):
    reading = Reading(tills)
    await reading.all()
    await receive(tills, "CUP", "oslo", 5)

    changed, nothing = await reading.page(), await reading.page()

    [row] = changed["rows"]
    assert (row["sku"], row["available"], changed["more"]) == ("CUP", "15", False)
    assert (nothing["rows"], nothing["next"]) == ([], reading.since)


async def test_what_changes_while_everything_is_told_comes_after_it(tills):
    reading = Reading(tills, limit=1)
    await reading.page()
    await receive(tills, "A/4", "oslo", 4)

    assert (await reading.all())["A/4"] == "5"


async def test_a_page_has_about_as_many_skus_as_asked_for(tills):
    reading = Reading(tills, limit=1)
    await reading.all()
    for sku in ("CUP", "PLATE", "CUP"):
        await receive(tills, sku, "oslo", 1)

    pages = [await reading.page() for _ in range(3)]

    assert [[row["sku"] for row in page["rows"]] for page in pages] == [["CUP"], ["PLATE"], ["CUP"]]
    assert [page["more"] for page in pages] == [True, True, False]


async def test_quantities_are_in_the_unit_of_the_sku(tills):
    await add_sku(tills, "CHEESE", unit="kg", scale=1_000)
    await results(tills, event("return", ("CHEESE", "2.5")))

    assert (await Reading(tills).all())["CHEESE"] == "2.5"


async def test_a_new_sku_and_one_that_is_gone_are_told(tills):
    reading = Reading(tills)
    await reading.all()
    await add_sku(tills, "POT")
    await reading.all()
    there = reading.numbers.get("POT")

    etag = (await tills.get("/v1/skus/POT")).headers["etag"]
    assert (await tills.delete("/v1/skus/POT", headers={"If-Match": etag})).status_code == 200
    gone = await reading.page()

    assert there == "0"
    assert {row["sku"]: (row["version"], row["available"]) for row in gone["rows"]} == {"POT": (-1, "0")}


async def test_when_the_rules_of_all_change_everything_is_told_again(tills):
    reading = Reading(tills)
    await reading.all()
    rule = {"id": "all", "kind": "buffer", "channel": "till", "units": 2}
    assert (await tills.put("/v1/rules/all", json=rule)).status_code == 201

    assert await reading.all() == await now(tills)
    assert reading.numbers["CUP"] == "8"


async def test_a_reader_that_fell_behind_what_is_kept_is_told_to_begin_again(tills, redis_of_service):
    reading = Reading(tills)
    await reading.all()
    for _ in range(3):
        await receive(tills, "CUP", "oslo", 1)
    await redis_of_service.xtrim("{main}:ledger", maxlen=1, approximate=False)

    page = await reading.page()

    assert (page["reset"], reading.numbers) == (True, await now(tills))
    await receive(tills, "CUP", "oslo", 1)
    again = await reading.page()
    assert ([row["available"] for row in again["rows"]], again["reset"]) == (["14"], False)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_sold_meanwhile_a_reader_ends_with_the_numbers_there_are(tills, monkeypatch, seed):
    chance = random.Random(seed)
    monkeypatch.setattr(feed, "READ_COUNT", chance.choice([1, 3, 50]))
    for number in range(12):
        await add_sku(tills, f"SKU-{number:02}")
        await receive(tills, f"SKU-{number:02}", "oslo", 20)
    skus = [f"SKU-{number:02}" for number in range(12)]
    readings = [Reading(tills, limit=limit) for limit in (1, 3, 1_000)]

    async def sell(number: int) -> None:
        for turn in range(15):
            some = chance.sample(skus, 2)
            await order(tills, f"shop/{seed}-{number}-{turn}", *(line(sku, 1) for sku in some))
            await results(tills, event("sale", (chance.choice(skus), "1")))

    async def read(reading: Reading) -> None:
        while not done.is_set():
            await reading.page()
            await asyncio.sleep(chance.random() * 0.02)

    done = asyncio.Event()
    reading = [asyncio.create_task(read(one)) for one in readings]
    await asyncio.gather(*(sell(number) for number in range(4)))
    done.set()
    await asyncio.gather(*reading)

    truth = await now(tills)
    assert [await one.all() for one in readings] == [truth] * 3


@pytest.mark.parametrize("since", ["x", "WyJmcm9tIl0", "WyJmcm9tIiwgIngiLCAiIl0", "A" * 401, "bnVsbA"])
async def test_a_cursor_of_somebody_else_is_refused(tills, since):
    answer = await tills.get(STOCK, params={"since": since})

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "unfit", "query since")


async def test_a_key_limited_to_other_channels_sees_no_numbers_of_this_one(tills, state, stranger):
    stranger.headers.update(bearer(await make(state, "pos", channels=["shop"])))

    answer = await stranger.get(STOCK)

    assert (answer.status_code, slug(answer)) == (403, "outside-limits")
