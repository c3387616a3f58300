import pytest

from tests.app.listener import listening, reachable

LEDGER = "{main}:ledger"


@pytest.fixture
async def address(app):
    async with reachable(app) as address:
        yield address


async def rule(client, id: str, **content) -> None:
    """Put a rule in force."""
    answer = await client.put(f"/v1/rules/{id}", json={"id": id, "kind": "buffer", **content})
    assert answer.status_code < 300, answer.text


async def change(client, kind: str, key: str, **content) -> None:
    """Put something that is there in force with other content."""
    known = await client.get(f"/v1/{kind}/{key}")
    answer = await client.put(
        f"/v1/{kind}/{key}", json={**known.json()["item"], **content}, headers={"If-Match": known.headers["ETag"]}
    )
    assert answer.status_code == 200, answer.text


async def test_nothing_is_sent_again_that_was_sent_already(client, address, key):
    async with listening(address, key, channel="shop", sku="CUP") as till:
        await till.next()
        await rule(client, "till", sku="CUP", channel="till", units=4)

        assert await till.hears_nothing()


async def test_a_rule_for_a_sku_is_a_change_of_that_sku(client, address, key):
    async with listening(address, key, channel="shop") as till:
        await rule(client, "shop", sku="CUP", channel="shop", units=4)

        told = await till.sees("CUP", "shop", 11)

    assert told.kind == "availability"


async def test_a_rule_for_all_asks_for_everything_again(client, address, key):
    async with listening(address, key, channel=["shop", "till"]) as till:
        await rule(client, "all", units=1)

        told = await till.next()

    assert told.kind == "reload"
    assert told.data == {"channels": ["shop", "till"], "why": "the config changed"}


async def test_a_rule_for_all_is_told_in_numbers_to_who_named_skus(client, address, key):
    async with listening(address, key, channel="shop", sku="CUP") as till:
        await till.sees("CUP", "shop", 15)
        await rule(client, "all", units=1)

        await till.sees("CUP", "shop", 14)


async def test_a_rule_for_a_category_is_a_change_of_its_skus(client, address, key):
    for sku in ("CUP", "PLATE"):
        await change(client, "skus", sku, category="kitchen")
    async with listening(address, key, channel="shop") as till:
        await rule(client, "kitchen", category="kitchen", channel="shop", units=1)

        told = await till.next()

    assert told.kind == "availability"
    assert till.levels == {("CUP", "shop"): 14, ("PLATE", "shop"): 3}


async def test_a_rule_for_a_category_of_no_known_skus_asks_for_everything_again(client, address, key):
    async with listening(address, key, channel="shop") as till:
        await rule(client, "attic", category="attic", units=1)

        told = await till.next()

    assert told.kind == "reload"


async def test_a_channel_that_is_another_one_concerns_its_own_readers_alone(client, address, key):
    async with listening(address, key, channel="shop") as shop, listening(address, key, channel="till") as till:
        await change(client, "channels", "shop", overflow="shared")

        told = await shop.next()

        assert told.data == {"channels": ["shop"], "why": "the config of the channel changed"}
        assert await till.hears_nothing()


async def test_a_location_that_is_written_again_as_it_was_is_no_change_of_numbers(client, address, key):
    async with listening(address, key) as till:
        await change(client, "locations", "oslo", name="Oslo, by the water")

        assert await till.hears_nothing()
