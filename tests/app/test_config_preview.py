"""What a preview says is what happens when the rules are saved."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator import SkuConfig
from allocator.errors import UnknownChannel
from app.config.engine import Plan
from app.config.previewing import Asked, preview
from app.store.database import sqlite_url
from tests.app.config_world import CUP, SKUS, TEE, open_world, put, rule, shop, stock_up, wishes_of
from tests.app.talk import slug


@pytest.fixture
async def world(servers, redis_of_service, database_url):
    async with open_world(servers["valkey"], database_url, *shop()) as world:
        await stock_up(world)
        yield world


def plan(*wishes) -> Plan:
    return Plan(wishes, "bob")


@settings(max_examples=40)
@given(saved=st.lists(wishes_of("rules"), max_size=3), wished=wishes_of("rules"))
def test_the_numbers_of_a_preview_are_those_that_follow(servers, tmp_path_factory, saved: list, wished: list):
    async def run() -> None:
        async with open_world(servers["valkey"], sqlite_url(tmp_path_factory.getbasetemp()), *shop()) as world:
            await stock_up(world)
            for wishes in saved:
                await world.engine.change(plan(*wishes))
            before, fields = await world.numbers(), await world.fields()

            shown = await preview(world.another(), plan(*wished), Asked())

            untouched = await world.fields()
            await world.engine.change(plan(*wished))
            after = await world.numbers()
            changed = {
                (one.sku, one.channel): (
                    (one.atp_before, one.published_before),
                    (one.atp_after, one.published_after),
                )
                for one in shown.differences
            }
            assert changed == {key: (before[key], after[key]) for key in before if before[key] != after[key]}
            assert untouched == fields

    asyncio.run(run())


async def test_the_largest_difference_comes_first(world):
    wishes = [put(rule("a", sku=CUP, channel="web", units=3)), put(rule("b", sku=TEE, channel="web", units=9))]

    shown = await preview(world.engine, plan(*wishes), Asked())

    assert [(one.sku, one.atp_before, one.atp_after) for one in shown.differences] == [(TEE, 30, 21), (CUP, 30, 27)]
    assert (shown.channels, shown.skus_compared, shown.skus_touched, shown.changed) == (["web"], 2, 2, 2)


async def test_a_rule_of_a_location_concerns_the_channels_that_sell_from_it(world):
    shown = await preview(world.engine, plan(put(rule("a", "safety_stock", location="kyiv", units=3))), Asked())

    assert (shown.channels, shown.skus_compared) == (["web"], 3)


async def test_a_rule_of_a_category_concerns_its_skus(world):
    shown = await preview(world.engine, plan(put(rule("a", category="kitchen", units=3))), Asked())

    assert {one.sku for one in shown.differences} == {CUP}
    assert (shown.skus_compared, shown.skus_touched) == (1, 1)


async def test_only_what_is_asked_for_is_compared(world):
    shown = await preview(world.engine, plan(put(rule("a", units=3))), Asked(["web"], [CUP]))

    assert [(one.sku, one.channel) for one in shown.differences] == [(CUP, "web")]


async def test_a_channel_nobody_knows_is_refused(world):
    with pytest.raises(UnknownChannel):
        await preview(world.engine, plan(put(rule("a", units=3))), Asked(["etsy"]))


async def test_of_many_skus_ten_thousand_are_compared_and_that_is_said(world):
    for start in range(0, 10_200, 1_000):
        rows = [SkuConfig(sku=f"S-{number:05}") for number in range(start, min(start + 1_000, 10_200))]
        await world.save(*map(put, rows))

    shown = await preview(world.engine, plan(put(rule("a", units=3))), Asked(["web"]))

    assert (shown.skus_compared, shown.skus_touched) == (10_000, 10_200 + len(SKUS))


async def test_over_http_refused_rows_are_named_and_left_out(client):
    rows = [
        {"put": {"id": "a", "kind": "buffer", "sku": "CUP", "units": 4}},
        {"put": {"id": "b", "kind": "buffer", "sku": "NONE", "units": 4}},
        {"put": {"id": "c", "kind": "luck"}},
    ]

    said = await client.post("/v1/rules/preview", json={"rows": rows, "channels": ["shop"]})
    unknown = await client.post("/v1/rules/preview", json={"rows": rows, "channels": ["etsy"]})

    shown = said.json()
    assert [(row["outcome"], row["where"]) for row in shown["results"]] == [
        ("created", ""),
        ("refused", "/rows/1/put/sku"),
        ("refused", "/rows/2/put/kind"),
    ]
    assert shown["levels"] == [
        {
            "sku": "CUP",
            "channel": "shop",
            "atp_before": 15,
            "atp_after": 11,
            "published_before": 15,
            "published_after": 11,
        }
    ]
    assert (unknown.status_code, slug(unknown)) == (404, "unknown-channel")
    assert (await client.get("/v1/config")).json()["version"] == 1
