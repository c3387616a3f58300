"""A seed file says who, where and how many; a wrong one says what is wrong where."""

import pytest

from allocator.config import Config, SkuConfig
from allocator.errors import Invalid
from allocator.model import ShipTo
from allocator.ranking import Ranker
from allocator.rules import compile_config, read_document
from app.seed import DEMO_SHOP, Seed, SeedQuota, SeedStock, load_seed

SHOP = """
locations: [{code: oslo}, {code: rome}]
channels:
  - {code: shop, locations: [{code: oslo}]}
  - {code: ebay, demand: firm, locations: [{code: oslo}, {code: rome}]}
skus: [{sku: CUP}, {sku: TEE-M, category: clothes}]
"""


@pytest.fixture
def seed_file(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "shop.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path) -> tuple[str, dict[str, object]]:
    """The message without the file's name, and the facts without it."""
    with pytest.raises(Invalid) as caught:
        load_seed(path)
    facts = dict(caught.value.facts)
    assert facts.pop("file") == str(path)
    return str(caught.value).removeprefix(f"{path}: "), facts


# --- what it reads


def test_reads_config_stock_and_quotas(seed_file):
    path = seed_file(
        SHOP
        + """
rules: [{kind: buffer, sku: CUP, channel: ebay, percent_bp: 500}]
zones: {"NO": north}
stock: [{sku: CUP, location: rome, units: 7}]
quotas: [{sku: CUP, location: rome, channel: ebay, units: 5, floor: 2}]
"""
    )

    seed = load_seed(path)

    assert [location.code for location in seed.locations] == ["oslo", "rome"]
    assert (seed.rules[0].percent_bp, seed.zones) == (500, {"NO": "north"})
    assert seed.stock == [SeedStock(sku="CUP", location="rome", units=7)]
    assert seed.quotas == [SeedQuota(sku="CUP", location="rome", channel="ebay", units=5, floor=2)]


def test_the_config_of_a_seed_is_only_a_config(seed_file):
    seed = load_seed(seed_file(SHOP + "stock: [{sku: CUP, location: rome, units: 7}]"))

    config = seed.config()

    assert type(config) is Config
    assert (config.locations, config.channels, config.skus) == (seed.locations, seed.channels, seed.skus)


def test_a_seed_compiles_to_the_same_fields_as_its_config(seed_file):
    seed = load_seed(seed_file(SHOP + "stock: [{sku: CUP, location: rome, units: 7}]"))

    assert compile_config(seed) == compile_config(seed.config())
    assert read_document(compile_config(seed)["document"]).channels == seed.channels


def test_a_shop_may_begin_empty(seed_file):
    assert load_seed(seed_file("{}")) == Seed()


# --- what it refuses


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        (
            "channels: [{code: shop}, {code: ebay, overflow: share}]",
            "channels[1].overflow: Invalid enum value 'share'; allowed: borrow, none, shared",
            "channels[1].overflow",
        ),
        (
            "stock: [{sku: CUP, place: oslo, units: 1}]",
            "stock[0]: Object contains unknown field `place`; allowed: sku, location, units",
            "stock[0]",
        ),
        (
            "channles: []",
            f"the document: Object contains unknown field `channles`; allowed: {', '.join(Seed.__struct_fields__)}",
            "",
        ),
        (
            "locations: [{code: oslo, country: NO}]",
            "locations[0].country: Expected `str`, got `bool`; put it in quotes",
            "locations[0].country",
        ),
        ("skus: [{sku: 4711}]", "skus[0].sku: Expected `str`, got `int`; put it in quotes", "skus[0].sku"),
        ("zones: {NO: north}", "zones: Expected `str`, got `bool`; put it in quotes", "zones"),
        (
            "locations: [{code: oslo, costs: {north: -1}}]",
            "locations[0].costs[...]: Expected `int` >= 0",
            "locations[0].costs[...]",
        ),
        (
            "stock: [{sku: CUP, location: oslo, units: 1.5}]",
            "stock[0].units: Expected `int`, got `float`",
            "stock[0].units",
        ),
        ("stock: [{sku: CUP, location: oslo, units: 0}]", "stock[0].units: Expected `int` >= 1", "stock[0].units"),
        ("skus:", "skus: Expected `array`, got `null`", "skus"),
    ],
)
def test_names_the_place_of_a_wrong_value_and_what_is_right_there(seed_file, text, message, where):
    said, facts = refusal(seed_file(text))

    assert (said.removesuffix(f"; allowed: {', '.join(SkuConfig.__struct_fields__)}"), facts["where"]) == (
        message,
        where,
    )


def test_the_facts_list_what_is_allowed(seed_file):
    _, facts = refusal(seed_file("channels: [{code: shop, kind: kiosk}]"))

    assert facts == {"where": "channels[0].kind", "allowed": ["marketplace", "pos", "shop"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [{kind: cutoff, sku: CPU}]", "rules[0].sku: no such sku: 'CPU'"),
        ("stock: [{sku: CPU, location: oslo, units: 1}]", "stock[0].sku: no such sku: 'CPU'"),
        ("stock: [{sku: CUP, location: olso, units: 1}]", "stock[0].location: no such location: 'olso'"),
        (
            "stock: [{sku: CUP, location: oslo, units: 1}, {sku: CUP, location: oslo, units: 2}]",
            "stock[1]: stock[0] is for the same sku, location",
        ),
        (
            "quotas: [{sku: CUP, location: oslo, channel: shpo, units: 1}]",
            "quotas[0].channel: no such channel: 'shpo'",
        ),
        (
            "quotas: [{sku: CUP, location: rome, channel: shop, units: 1}]",
            "quotas[0].location: 'shop' does not sell from 'rome'",
        ),
        (
            "quotas: [{sku: CUP, location: oslo, channel: shop, units: 1, floor: 2}]",
            "quotas[0].floor: the floor is more than the quota's 1 units",
        ),
        (
            "quotas: [&a {sku: CUP, location: oslo, channel: shop, units: 1}, {<<: *a, units: 2}]",
            "quotas[1]: quotas[0] is for the same sku, location, channel",
        ),
    ],
)
def test_refuses_rows_that_name_what_is_not_there_or_name_it_twice(seed_file, text, message):
    said, facts = refusal(seed_file(SHOP + text))

    assert said == message
    assert said.startswith(f"{facts['where']}: ")


def test_a_section_written_twice_does_not_silently_replace_the_first(seed_file):
    said, facts = refusal(seed_file("skus: [{sku: CUP}]\nzones: {}\nskus: [{sku: TEE-M}]\n"))

    assert (said, facts) == ("line 3, column 1: skus is here twice", {"where": "line 3, column 1"})


def test_broken_yaml_names_its_line(seed_file):
    said, facts = refusal(seed_file("skus:\n  - {sku: CUP\nzones: {}\n"))

    assert facts == {"where": "line 3, column 6"}
    assert said.startswith("line 3, column 6: ")
    assert "expected ',' or '}'" in said


def test_yaml_cannot_run_code(seed_file):
    said, _ = refusal(seed_file("skus: !!python/object/apply:os.getcwd []"))

    assert said.startswith("line 1, column 7: could not determine a constructor")


@pytest.mark.parametrize("text", [b"skus: [\xff]", b"skus: [\x00]", b"zones: {2024-02-30: north}"])
def test_a_file_with_what_yaml_cannot_hold_is_refused(seed_file, text):
    said, _ = refusal(seed_file(text))

    assert said.startswith("cannot be read: ")


def test_an_empty_file_is_refused(seed_file):
    said, _ = refusal(seed_file(""))

    assert said.startswith("the document: Expected `object`, got `null`")


def test_a_missing_file_is_named(tmp_path):
    said, _ = refusal(tmp_path / "nowhere.yaml")

    assert said == "cannot be read: No such file or directory"


# --- the demo shop


def test_the_demo_shop_shows_every_kind_of_rule_and_demand():
    seed = load_seed(DEMO_SHOP)

    assert {rule.kind for rule in seed.rules} == {"safety_stock", "buffer", "cutoff", "max_published"}
    assert {channel.code: channel.demand for channel in seed.channels} == {
        "shop": "promise",
        "tills": "gone",
        "amazon": "firm",
        "ebay": "firm",
        "shopify": "firm",
        "woocommerce": "firm",
    }
    assert seed.quotas


def test_the_demo_has_a_hundred_black_city_bikes_that_nothing_keeps_back():
    seed = load_seed(DEMO_SHOP)
    shelves = {row.location: row.units for row in seed.stock if row.sku == "CITY-28-BLACK"}
    category = next(sku.category for sku in seed.skus if sku.sku == "CITY-28-BLACK")

    in_reach = {
        channel.code: sum(shelves[shelf.code] for shelf in channel.locations)
        for channel in seed.channels
        if channel.demand != "gone"
    }

    assert in_reach == dict.fromkeys(("shop", "amazon", "ebay", "shopify", "woocommerce"), 100)
    assert [rule for rule in seed.rules if rule.sku == "CITY-28-BLACK" or rule.category == category] == []
    assert [rule for rule in seed.rules if not rule.sku and not rule.category] == []
    assert [quota for quota in seed.quotas if quota.sku == "CITY-28-BLACK"] == []


def test_every_demo_sku_is_on_a_shelf_and_every_quota_is_covered():
    seed = load_seed(DEMO_SHOP)
    stock = {(row.sku, row.location): row.units for row in seed.stock}

    assert {sku for sku, _ in stock} == {sku.sku for sku in seed.skus}
    assert all(quota.units <= stock[quota.sku, quota.location] for quota in seed.quotas)


@pytest.mark.parametrize(
    ("country", "region", "nearest"),
    [("NL", "utrecht", "utrecht"), ("BE", "brussel", "gent"), ("DE", "nordrhein-westfalen", "koeln")],
)
def test_the_demo_shop_ships_from_where_it_is_cheapest(country, region, nearest):
    ranker = Ranker(load_seed(DEMO_SHOP).config())

    best = ranker.rank("shop", ShipTo(country=country, region=region), relax=False)[0]

    assert (best.location, best.tie) == (nearest, 0)


def test_a_listing_names_what_is_there_and_is_there_once(seed_file):
    unknown, _ = refusal(seed_file(SHOP + "listings: [{channel: shop, listing: a, sku: NONE}]"))
    twice, _ = refusal(
        seed_file(SHOP + "listings: [{channel: shop, listing: a, sku: CUP}, {channel: shop, listing: a, sku: TEE-M}]")
    )
    packs = load_seed(
        seed_file(SHOP + "listings: [{channel: shop, listing: a, sku: CUP}, {channel: shop, listing: b, sku: CUP}]")
    )

    assert unknown == "listings[0].sku: no such sku: 'NONE'"
    assert twice == "listings[1]: listings[0] is for the same channel, listing"
    assert len(packs.listings) == 2


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("skus: [{sku: CUP, gtin: '4006381333932'}]", "skus[0].gtin"),
        ("locations: [{code: oslo, cut_off: '16:00'}]", "locations[0].time_zone"),
        ("locations: [{code: oslo, time_zone: Mars/Base}]", "locations[0].time_zone"),
    ],
)
def test_a_gtin_and_a_time_zone_are_checked(seed_file, text, where):
    _, facts = refusal(seed_file(text))

    assert facts["where"] == where
