import pytest

from tests.app.talk import atp, hold, line, order, slug


async def levels(answer) -> dict[tuple[str, str], tuple[int, int]]:
    assert answer.status_code == 200, answer.text
    return {(row["sku"], row["channel"]): (row["atp_now"], row["published"]) for row in answer.json()["levels"]}


async def test_says_what_one_channel_may_promise(client):
    answer = await client.get("/v1/availability/CUP", params={"channel": "shop"})

    assert await levels(answer) == {("CUP", "shop"): (15, 15)}


async def test_without_a_channel_says_it_for_all_of_them(client):
    answer = await client.get("/v1/availability/CUP")

    assert await levels(answer) == {("CUP", "shop"): (15, 15), ("CUP", "amazon"): (15, 15), ("CUP", "till"): (10, 10)}


async def test_some_channels_may_be_named(client):
    answer = await client.get("/v1/availability/PLATE", params={"channel": ["shop", "amazon"]})

    assert await levels(answer) == {("PLATE", "shop"): (4, 4), ("PLATE", "amazon"): (1, 1)}


async def test_an_owner_sees_his_own_held_units_as_his(client):
    await hold(client, "cart-1", line("CUP", 4), owner="ann")

    anns = await client.get("/v1/availability/CUP", params={"channel": "shop", "owner": "ann"})

    assert await levels(anns) == {("CUP", "shop"): (15, 15)}
    assert await atp(client, "CUP") == 11


async def test_a_ship_to_is_asked_for_one_channel(client):
    one = await client.get("/v1/availability/CUP", params={"channel": "shop", "country": "IT", "latitude": "41.9"})
    two = await client.get("/v1/availability/CUP", params={"channel": ["shop", "till"], "country": "IT"})

    assert await levels(one) == {("CUP", "shop"): (15, 15)}
    assert (two.status_code, slug(two)) == (422, "invalid")


async def test_a_sku_nobody_knows_is_not_a_sku_without_stock(client):
    answer = await client.get("/v1/availability/SAUCER", params={"channel": "shop"})

    assert (answer.status_code, slug(answer)) == (404, "unknown-sku")
    assert answer.json()["facts"] == {"skus": ["SAUCER"]}


async def test_a_channel_nobody_knows_is_refused(client):
    answer = await client.get("/v1/availability/CUP", params={"channel": "bazaar"})

    assert (answer.status_code, slug(answer)) == (404, "unknown-channel")
    assert answer.json()["facts"] == {"channel": "bazaar"}


async def test_a_slash_in_a_sku_is_written_as_percent_2f(client):
    answer = await client.get("/v1/availability/A%2F4", params={"channel": "shop"})

    assert await levels(answer) == {("A/4", "shop"): (1, 1)}


async def test_many_skus_are_asked_at_once_and_unknown_ones_are_marked(client):
    answer = await client.post("/v1/availability", json={"skus": ["CUP", "SAUCER", "PLATE"], "channels": ["shop"]})

    rows = answer.json()["levels"]
    assert [(row["sku"], row["atp_now"], row["version"] >= 0) for row in rows] == [
        ("CUP", 15, True),
        ("SAUCER", 0, False),
        ("PLATE", 4, True),
    ]


async def test_a_thousand_skus_are_answered_in_the_order_asked(client):
    skus = [f"NEW-{number}" for number in range(998)] + ["CUP", "PLATE"]

    answer = await client.post("/v1/availability", json={"skus": skus})

    rows = answer.json()["levels"]
    assert [row["sku"] for row in rows[::3]] == skus
    assert [(row["channel"], row["atp_now"]) for row in rows[-3:]] == [("amazon", 1), ("shop", 4), ("till", 3)]


async def test_more_than_a_thousand_skus_are_refused(client):
    answer = await client.post("/v1/availability", json={"skus": ["CUP"] * 1001})

    assert (slug(answer), answer.json()["where"]) == ("unfit", "body /skus")


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"chanel": "shop"}, "query"),
        ({"latitude": "north"}, "query latitude"),
        ({"latitude": "91"}, "query latitude"),
        ({"channel": "a b"}, "query channel/0"),
        ({"seller": "other"}, "query"),
    ],
)
async def test_a_query_that_does_not_fit_says_where(client, query: dict[str, str], where: str):
    answer = await client.get("/v1/availability/CUP", params=query)

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "unfit", where)


async def test_a_wrong_query_names_the_right_ones(client):
    answer = await client.get("/v1/availability/CUP", params={"chanel": "shop"})

    assert answer.json()["allowed"] == ["owner", "country", "region", "latitude", "longitude", "channel"]


async def test_explains_every_step_to_the_number(client):
    await order(client, "shop/1", line("PLATE", 1))

    answer = (await client.get("/v1/availability/PLATE/explain", params={"channel": "amazon"})).json()

    assert [shelf["location"] for shelf in answer["shelves"]] == ["oslo", "rome"]
    assert answer["shelves"][0]["committed"] == 1
    assert (answer["pool"], answer["buffer"], answer["atp_now"]) == (3, 2, 1)
    assert answer["atp_now"] == await atp(client, "PLATE", "amazon")


async def test_an_explanation_is_for_one_channel(client):
    answer = await client.get("/v1/availability/PLATE/explain")

    assert (slug(answer), answer.json()["where"]) == ("unfit", "query")
    assert "channel" in answer.json()["detail"]
