import pytest

from tests.app.talk import hold, line, new_op, order, receive, slug


async def of(client, sku: str) -> dict:
    answer = await client.get(f"/v1/stock/{sku}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def pages(client, **asked) -> list[list[str]]:
    """The skus of every page, until there is none after it."""
    found, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/stock", params={**asked, "cursor": cursor})).json()
        found.append([row["sku"] for row in page["data"]])
        cursor = page["next_cursor"]
    return found


async def test_a_sku_is_shown_with_its_sums_and_each_location(client):
    await hold(client, "cart-1", line("CUP", 2))
    await order(client, "shop/1", line("CUP", 3))
    damaged = {"lines": [{"sku": "CUP", "location": "rome", "units": 1}], "reason": "damaged", "direction": "in"}
    await client.post("/v1/stock/unavailable", json=damaged, headers=new_op())

    said = await of(client, "CUP")

    assert (said["on_hand"], said["unavailable"], said["held"], said["committed"]) == (15, 1, 2, 3)
    assert (said["available"], said["deficit"], said["owed"]) == (9, 0, 0)
    oslo, rome = said["places"]
    assert (oslo["location"], oslo["held"], oslo["committed"], oslo["available"]) == ("oslo", 2, 3, 5)
    assert (rome["location"], rome["reasons"], rome["available"]) == ("rome", [{"reason": "damaged", "units": 1}], 4)


async def test_what_is_owed_is_the_sum_of_its_parts(client):
    await order(client, "shop/1", line("A/4", 1))
    await order(client, "till/1", line("A/4", 1))
    await order(client, "amazon/1", line("A/4", 3))

    said = await of(client, "A%2F4")

    assert (said["sku"], said["deficit"], said["backordered"], said["conflict"]) == ("A/4", 1, 3, 0)
    assert said["owed"] == 4
    assert said["places"][0]["available"] == -1


async def test_quotas_are_shown_where_they_are(client):
    said = await of(client, "PLATE")

    assert said["places"][0]["quotas"] == [{"channel": "shop", "quota": 1, "consumed": 0, "floor": 0}]


async def test_every_effect_raises_the_version(client):
    before = (await of(client, "CUP"))["version"]
    await receive(client, "CUP", "oslo", 1)

    assert (await of(client, "CUP"))["version"] == before + 1


async def test_a_sku_nobody_knows_is_not_one_without_stock(client):
    answer = await client.get("/v1/stock/SAUCER")

    assert (answer.status_code, slug(answer)) == (404, "unknown-sku")


async def test_all_skus_are_listed_in_the_order_of_their_codes(client):
    page = (await client.get("/v1/stock")).json()

    assert [(row["sku"], row["on_hand"]) for row in page["data"]] == [("A/4", 1), ("CUP", 15), ("PLATE", 4)]
    assert page["next_cursor"] is None


@pytest.mark.parametrize(("limit", "found"), [(1, [["A/4"], ["CUP"], ["PLATE"]]), (2, [["A/4", "CUP"], ["PLATE"]])])
async def test_pages_follow_one_another_without_gap_or_repetition(client, limit, found):
    assert await pages(client, limit=limit) == found


async def test_one_category_may_be_asked_for(client):
    rows = [{"put": {"sku": sku, "category": "kitchen"}, "version": 1} for sku in ("CUP", "PLATE")]
    changed = await client.post("/v1/skus/bulk", json={"rows": rows})
    assert changed.status_code == 200, changed.text

    assert await pages(client, category="kitchen", limit=1) == [["CUP"], ["PLATE"]]
    assert await pages(client, category="garden") == [[]]


async def test_a_cursor_of_somebody_else_and_a_limit_too_large_are_refused(client):
    strange = await client.get("/v1/stock?cursor=%21%21")
    large = await client.get("/v1/stock?limit=1001")

    assert (strange.status_code, slug(strange)) == (422, "invalid")
    assert (large.status_code, slug(large)) == (422, "unfit")
