"""What config refuses over HTTP, with its place or with what depends on it; and what a saved change does at once."""

import httpx
import pytest

from tests.app.talk import atp, hold, line, order, receive, slug

ETAG = "etag"


CUT_OFF = {"cut_off": "16:30", "time_zone": "Europe/Oslo"}

REFUSED = [
    ("locations/x", {"code": "x", "latitude": 1.0}, "invalid", "/latitude"),
    ("locations/x", {"code": "x", "costs": {"north": 1}}, "invalid", "/costs"),
    ("locations/x", {"code": "x", "cut_off": "16:30"}, "invalid", "/time_zone"),
    ("locations/x", {"code": "x", **CUT_OFF, "time_zone": "Mars/Base"}, "invalid", "/time_zone"),
    ("locations/x", {"code": "x", **CUT_OFF, "cut_off": "24:00"}, "unfit", "/cut_off"),
    ("locations/x", {"code": "x", "name": "a\0b"}, "unfit", "/name"),
    ("locations/x", {"code": "x", "daily_orders": -1}, "unfit", "/daily_orders"),
    ("channels/x", {"code": "x", "locations": [{"code": "narvik"}]}, "invalid", "/locations/0/code"),
    ("channels/x", {"code": "x", "locations": [{"code": "oslo"}] * 2}, "invalid", "/locations/1/code"),
    ("channels/x", {"code": "x", "routing": ["luck"]}, "invalid", "/routing/0"),
    ("channels/x", {"code": "x", "split_limit": 16}, "unfit", "/split_limit"),
    ("channels/x", {"code": "x", "lowers_at": "dawn"}, "unfit", "/lowers_at"),
    ("channels/x", {"code": "x", "acknowledge": "memory"}, "unfit", "/acknowledge"),
    ("skus/X", {"sku": "X", "gtin": "4006381333932"}, "invalid", "/gtin"),
    ("skus/X", {"sku": "X", "gtin": "123"}, "unfit", "/gtin"),
    ("skus/X", {"sku": "X", "scale": 1_000_001}, "unfit", "/scale"),
    ("listings/shop/x", {"channel": "shop", "listing": "x", "sku": "NONE"}, "invalid", "/sku"),
    ("listings/none/x", {"channel": "none", "listing": "x", "sku": "CUP"}, "invalid", "/channel"),
    ("listings/shop/x", {"channel": "shop", "listing": "x", "sku": "CUP", "pack_size": 0}, "unfit", "/pack_size"),
    ("rules/x", {"id": "x", "kind": "buffer", "sku": "CUP", "category": "kitchen"}, "invalid", "/category"),
    ("rules/x", {"id": "x", "kind": "cutoff", "percent_bp": 1}, "invalid", "/percent_bp"),
    ("rules/x", {"id": "x", "kind": "buffer", "location": "oslo"}, "invalid", "/location"),
    ("rules/x", {"id": "x", "kind": "safety_stock", "channel": "shop"}, "invalid", "/channel"),
    ("rules/x", {"id": "x", "kind": "buffer", "valid_from": "2026-01-01T00:00:00"}, "unfit", "/valid_from"),
    (
        "rules/x",
        {"id": "x", "kind": "buffer", "valid_from": "2026-01-02T00:00:00Z", "valid_until": "2026-01-02T00:00:00Z"},
        "invalid",
        "/valid_until",
    ),
    ("zones/x", {"area": "x", "zone": ""}, "unfit", "/zone"),
    ("reasons/x", {"code": "x", "effect": "most"}, "unfit", "/effect"),
]


@pytest.mark.parametrize(("path", "item", "problem", "where"), REFUSED)
async def test_what_makes_no_sense_is_refused_with_its_place(client, path: str, item: dict, problem, where):
    answer = await client.put(f"/v1/{path}", json=item)

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, problem, f"body {where}")
    assert (await client.get("/v1/config")).json()["version"] == 1


@pytest.mark.parametrize("header", [{"If-Match": "*"}, {"If-Match": 'W/"1"'}, {"Config-Note": "x" * 201}])
async def test_a_header_of_another_form_is_refused(client, header: dict):
    answer = await client.put("/v1/skus/NEW", json={"sku": "NEW"}, headers=header)

    assert (slug(answer), answer.json()["where"]) == ("unfit", f"header {next(iter(header))}")


async def delete(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """Delete what is there now."""
    etag = (await client.get(f"/v1/{path}")).headers[ETAG]
    return await client.delete(f"/v1/{path}", headers={"If-Match": etag})


async def test_what_others_name_stays(client):
    await client.put("/v1/skus/NEW", json={"sku": "NEW"})
    await client.put("/v1/rules/r", json={"id": "r", "kind": "cutoff", "sku": "NEW", "units": 1})
    await client.put("/v1/listings/shop/l", json={"channel": "shop", "listing": "l", "sku": "NEW"})
    await client.put("/v1/locations/bergen", json={"code": "bergen"})
    await client.put("/v1/channels/ebay", json={"code": "ebay", "locations": [{"code": "bergen"}]})
    await client.put("/v1/rules/s", json={"id": "s", "kind": "cutoff", "channel": "ebay", "units": 1})

    refused = [await delete(client, path) for path in ("skus/NEW", "locations/bergen", "channels/ebay")]

    assert [(said.status_code, slug(said)) for said in refused] == [(409, "in-use")] * 3
    assert [said.json()["facts"]["users"] for said in refused] == [
        ["listings/shop/l", "rules/r"],
        ["channels/ebay"],
        ["rules/s"],
    ]


async def test_at_most_ten_users_are_named(client):
    await client.put("/v1/skus/NEW", json={"sku": "NEW"})
    rows = [{"put": {"channel": "shop", "listing": f"l-{number:02}", "sku": "NEW"}} for number in range(12)]
    await client.post("/v1/listings/bulk", json={"rows": rows})

    refused = await delete(client, "skus/NEW")

    assert refused.json()["facts"]["users"] == [f"listings/shop/l-{number:02}" for number in range(10)]
    assert refused.json()["detail"].endswith("and 2 more")


async def test_when_nobody_names_it_any_more_it_can_go(client):
    await client.put("/v1/skus/NEW", json={"sku": "NEW"})
    await client.put("/v1/rules/r", json={"id": "r", "kind": "cutoff", "sku": "NEW", "units": 1})
    await delete(client, "rules/r")

    assert (await delete(client, "skus/NEW")).status_code == 200


async def test_the_last_area_of_a_zone_stays_while_a_location_has_a_cost_for_it(client):
    for area in ("NO", "SE"):
        await client.put(f"/v1/zones/{area}", json={"area": area, "zone": "north"})
    await client.put("/v1/locations/bergen", json={"code": "bergen", "costs": {"north": 9}})

    first, last = await delete(client, "zones/NO"), await delete(client, "zones/SE")

    assert (first.status_code, last.status_code, slug(last)) == (200, 409, "in-use")
    assert last.json()["facts"]["users"] == ["locations/bergen"]


async def test_a_sku_or_place_with_units_stays(client):
    await client.put("/v1/locations/bergen", json={"code": "bergen"})
    await receive(client, "CUP", "bergen", 1)
    await client.put("/v1/skus/NEW", json={"sku": "NEW"})
    await receive(client, "NEW", "bergen", 1)

    sku, location = await delete(client, "skus/NEW"), await delete(client, "locations/bergen")

    assert [slug(sku), slug(location)] == ["in-use"] * 2
    assert "bergen" in sku.json()["detail"]
    assert "has units or quotas of" in location.json()["detail"]


async def test_a_channel_with_a_hold_or_an_order_stays_until_it_is_over(client):
    await client.put("/v1/channels/ebay", json={"code": "ebay", "locations": [{"code": "oslo"}]})
    await hold(client, "cart", line("CUP", 1), channel="ebay")
    held = await delete(client, "channels/ebay")
    await client.delete("/v1/holds/cart")
    await order(client, "ebay/1", line("CUP", 1))
    ordered = await delete(client, "channels/ebay")
    await client.post("/v1/orders/ebay/1/cancel", headers={"Idempotency-Key": "c"})

    gone = await delete(client, "channels/ebay")

    assert [slug(held), slug(ordered), gone.status_code] == ["in-use", "in-use", 200]
    assert "open hold cart" in held.json()["detail"]
    assert "open order ebay:1" in ordered.json()["detail"]


async def test_the_unit_of_a_sku_that_is_counted_already_does_not_change(client):
    await client.put("/v1/skus/ROPE", json={"sku": "ROPE", "unit": "m", "scale": 100})
    free = await client.put(
        "/v1/skus/ROPE", json={"sku": "ROPE", "unit": "m", "scale": 1_000}, headers={"If-Match": '"2"'}
    )
    await receive(client, "ROPE", "oslo", 5)

    refused = await client.put("/v1/skus/ROPE", json={"sku": "ROPE"}, headers={"If-Match": free.headers[ETAG]})
    renamed = await client.put(
        "/v1/skus/ROPE",
        json={"sku": "ROPE", "unit": "m", "scale": 1_000, "name": "Rope"},
        headers={"If-Match": free.headers[ETAG]},
    )

    assert (free.status_code, slug(refused), renamed.status_code) == (200, "in-use", 200)


# --- what a change does ------------------------------------------------------------------------------------------


async def test_a_saved_rule_is_in_force_for_the_next_request(client):
    before = await atp(client, "CUP")

    await client.put("/v1/rules/r", json={"id": "r", "kind": "buffer", "channel": "shop", "units": 4})

    assert (before, await atp(client, "CUP")) == (15, 11)


async def test_a_new_sku_is_known_at_once(client):
    unknown = await receive(client, "NEW", "oslo", 1)
    await client.put("/v1/skus/NEW", json={"sku": "NEW"})
    known = await receive(client, "NEW", "oslo", 1)

    assert (unknown.status_code, known.status_code, await atp(client, "NEW")) == (404, 200, 1)


async def test_a_location_that_is_not_active_counts_nothing(client):
    oslo = (await client.get("/v1/locations/oslo")).json()

    await client.put(
        "/v1/locations/oslo", json={**oslo["item"], "active": False}, headers={"If-Match": f'"{oslo["version"]}"'}
    )

    assert await atp(client, "CUP") == 5


async def test_a_new_category_of_a_sku_brings_the_rules_of_that_category(client):
    await client.put("/v1/rules/r", json={"id": "r", "kind": "buffer", "category": "kitchen", "units": 4})
    cup = (await client.get("/v1/skus/CUP")).json()
    before = await atp(client, "CUP")

    changed = {**cup["item"], "category": "kitchen"}
    await client.put("/v1/skus/CUP", json=changed, headers={"If-Match": f'"{cup["version"]}"'})

    assert (before, await atp(client, "CUP")) == (15, 11)


async def test_two_rules_of_one_scope_are_refused_with_the_other_one(client):
    await client.put("/v1/rules/first", json={"id": "first", "kind": "buffer", "sku": "CUP", "units": 1})

    answer = await client.put("/v1/rules/second", json={"id": "second", "kind": "buffer", "sku": "CUP", "units": 2})

    assert (answer.status_code, slug(answer), answer.json()["facts"]) == (409, "rule-clash", {"rule": "first"})


async def test_the_stand_says_the_version_and_counts(client, allocator):
    await client.put("/v1/skus/NEW", json={"sku": "NEW"})

    stand = (await client.get("/v1/config")).json()

    assert (stand["version"], stand["store_version"], stand["staged"]) == (2, 2, None)
    assert stand["counts"] == {
        "locations": 2,
        "channels": 3,
        "skus": 4,
        "listings": 0,
        "rules": 1,
        "zones": 0,
        "carriers": 0,
        "reasons": 0,
    }
    assert allocator.version == 2


async def test_a_version_that_never_was_is_not_found(client):
    answer = await client.get("/v1/config/changes/99")

    assert (answer.status_code, slug(answer)) == (404, "unknown-change")
