"""Of all rules that may speak, the most specific one wins, alone."""

import msgspec
import pytest

from allocator import Rule, SkuConfig

from .fixtures import (
    AMAZON,
    CONFIG,
    CUP,
    SHOP,
    TEE,
    atp,
    published,
    quota,
    shelves,
    stock,
    with_channel,
    with_rules,
)

LOCATION_SCOPES = [
    (Rule(kind="safety_stock", sku=CUP, location="oslo", units=1), "sku and location"),
    (Rule(kind="safety_stock", category="kitchen", location="oslo", units=2), "category and location"),
    (Rule(kind="safety_stock", sku=CUP, units=3), "sku"),
    (Rule(kind="safety_stock", category="kitchen", units=4), "category"),
    (Rule(kind="safety_stock", location="oslo", units=5), "location"),
    (Rule(kind="safety_stock", units=6), "global"),
]
"""All rules that may speak of cups in oslo, the most specific first."""


def channel_scopes(kind: str) -> list[tuple[Rule, str]]:
    """All rules of this kind that may speak of cups in the shop, the most specific first."""
    return [
        (Rule(kind=kind, sku=CUP, channel="shop", units=1), "sku and channel"),
        (Rule(kind=kind, category="kitchen", channel="shop", units=2), "category and channel"),
        (Rule(kind=kind, sku=CUP, units=3), "sku"),
        (Rule(kind=kind, category="kitchen", units=4), "category"),
        (Rule(kind=kind, channel="shop", units=5), "channel"),
        (Rule(kind=kind, units=6), "global"),
    ]


@pytest.mark.parametrize("first", range(len(LOCATION_SCOPES)))
async def test_the_most_specific_location_rule_wins_and_is_never_added_to_another(allocator, first):
    left = LOCATION_SCOPES[first:]
    await allocator.configure_all(with_rules(*(rule for rule, _ in reversed(left))))
    await stock(allocator, oslo=100)

    told = await allocator.explain(CUP, "shop")

    [choice] = [choice for choice in told.rules if (choice.kind, choice.place) == ("safety_stock", "oslo")]
    assert [(rule.units, rule.scope) for rule in choice.rules] == [(rule.units, scope) for rule, scope in left]
    assert told.atp_now == 100 - left[0][0].units


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize(("kind", "number"), [("buffer", "buffer"), ("cutoff", "cutoff"), ("max_published",) * 2])
async def test_the_most_specific_channel_rule_wins_and_is_never_added_to_another(allocator, kind, number, first):
    left = channel_scopes(kind)[first:]
    await allocator.configure_all(with_rules(*(rule for rule, _ in reversed(left))))
    await stock(allocator, oslo=100)

    told = await allocator.explain(CUP, "shop")

    [choice] = [choice for choice in told.rules if choice.kind == kind]
    assert [(rule.units, rule.scope) for rule in choice.rules] == [(rule.units, scope) for rule, scope in left]
    assert getattr(told, number) == left[0][0].units


async def test_a_rule_of_zero_wins_over_a_wider_rule(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=5), Rule(kind="buffer", sku=CUP, units=0)))
    await stock(allocator, oslo=10)

    assert await atp(allocator) == 10


async def test_rules_of_other_places_do_not_speak(allocator):
    rules = [
        Rule(kind="safety_stock", location="rome", units=5),
        Rule(kind="safety_stock", sku=TEE, units=6),
        Rule(kind="buffer", channel="amazon", units=7),
        Rule(kind="cutoff", sku=TEE, channel="shop", units=8),
        Rule(kind="max_published", category="kitchen", channel="till", units=1),
    ]
    await allocator.configure_all(with_rules(*rules))
    await stock(allocator, oslo=10)

    assert (await atp(allocator), await published(allocator)) == (10, 10)


async def test_a_sku_without_a_category_obeys_no_category_rule(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", category="kitchen", units=3)))
    await stock(allocator, CUP, oslo=10)
    await stock(allocator, TEE, oslo=10)

    assert (await atp(allocator, sku=CUP), await atp(allocator, sku=TEE)) == (7, 10)


async def test_a_channel_with_the_own_shelf_of_one_place_keeps_the_safety_stock_of_the_others(allocator):
    mixed = [*shelves("bergen", own=True), *shelves("oslo")]
    config = with_channel(with_rules(Rule(kind="safety_stock", units=2)), "till", locations=mixed)
    await allocator.configure_all(config)
    await stock(allocator, bergen=5, oslo=5)

    # bergen 5 + oslo 5 - 2
    assert await atp(allocator, "till") == 8


async def test_channels_of_equal_rank_are_covered_by_their_code(allocator):
    equal = [msgspec.structs.replace(SHOP, rank=1), AMAZON]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, channels=equal))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 8)
    await quota(allocator, "oslo", "amazon", 6)

    assert (await atp(allocator, "amazon"), await atp(allocator, "shop")) == (6, 4)


async def test_a_sku_that_is_called_like_a_category_does_not_take_its_rules(allocator):
    odd = SkuConfig(sku="category:kitchen")
    config = with_rules(Rule(kind="safety_stock", category="kitchen", units=4))
    await allocator.configure_all(msgspec.structs.replace(config, skus=[*config.skus, odd]))
    await stock(allocator, oslo=10)
    await stock(allocator, odd.sku, oslo=10)

    cups_first = await allocator.availability([CUP, odd.sku], ["shop"])
    odd_first = await allocator.availability([odd.sku, CUP], ["shop"])

    assert [level.atp_now for level in cups_first] == [6, 10]
    assert [level.atp_now for level in odd_first] == [10, 6]
