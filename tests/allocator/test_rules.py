"""What the scripts read of a config, and what a config may not say."""

import msgspec
import pytest

from allocator.config import Channel, ChannelLocation, Config, Location, Rule, SkuConfig
from allocator.errors import Invalid
from allocator.ranking import RANKINGS
from allocator.rules import Sheet, changed_fields, check, compile_config, read_document

CUP = "CUP"
TEE = "TEE-M"
MUG = "MUG"

OSLO = Location(code="oslo", latitude=59.91, longitude=10.75, costs={"north": 490})
ROME = Location(code="rome", active=False)
SHOP = Channel(
    code="shop",
    rank=1,
    overflow="borrow",
    split_limit=2,
    locations=[ChannelLocation(code="rome"), ChannelLocation(code="oslo")],
)
TILLS = Channel(
    code="tills", rank=7, demand="gone", overflow="none", locations=[ChannelLocation(code="oslo", own_shelf=True)]
)
SKUS = [SkuConfig(sku=CUP, category="kitchen"), SkuConfig(sku=TEE), SkuConfig(sku=MUG, category="kitchen")]
CONFIG = Config(locations=[OSLO, ROME], channels=[SHOP, TILLS], skus=SKUS, zones={"NO": "north"})


def fields(*rules: Rule, config: Config = CONFIG) -> dict[str, object]:
    """The fields as a script sees them: unpacked."""
    compiled = compile_config(msgspec.structs.replace(config, rules=list(rules)))
    return {field: msgspec.msgpack.decode(value) for field, value in compiled.items() if field != "document"}


def refusal(**changes: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        compile_config(msgspec.structs.replace(CONFIG, **changes))
    return caught.value


# --- the fields


def test_locations_say_which_are_active():
    assert fields()["locations"] == {"oslo": 1, "rome": 0}


def test_ranks_cover_every_channel():
    assert fields()["ranks"] == {"shop": 1, "tills": 7}


def test_a_channel_lists_its_locations_in_its_own_order():
    assert fields()["channel:shop"] == [1, "borrow", 2, "promise", [["rome", 0, 0], ["oslo", 0, 1]]]


def test_a_channel_marks_its_own_shelf():
    assert fields()["channel:tills"] == [7, "none", 3, "gone", [["oslo", 1, 1]]]


def test_a_channel_may_have_no_location_yet():
    config = msgspec.structs.replace(CONFIG, channels=[Channel(code="ebay")])

    assert fields(config=config)["channel:ebay"] == [100, "shared", 3, "promise", []]


def test_the_document_is_everything_but_skus_and_rules():
    compiled = compile_config(msgspec.structs.replace(CONFIG, rules=[Rule(kind="cutoff", units=2)]))

    assert read_document(compiled["document"]) == msgspec.structs.replace(CONFIG, skus=[])


def test_there_is_always_a_base_sheet():
    assert fields(config=Config()) == {"locations": {}, "ranks": {}, "rules": ["", {}, {}, {}, {}]}


def test_a_sku_with_neither_category_nor_rules_has_no_field():
    compiled = fields()

    assert compiled[f"sku:{CUP}"] == ["kitchen", {}, {}, {}, {}]
    assert f"sku:{TEE}" not in compiled


def test_a_sku_without_category_gets_a_sheet_for_its_rules():
    assert fields(Rule(kind="cutoff", sku=TEE, units=2))[f"sku:{TEE}"] == ["", {}, {}, {"": 2}, {}]


def test_a_category_has_a_sheet_once_it_has_a_rule():
    rule = Rule(kind="safety_stock", category="kitchen", location="oslo", units=4)

    assert "category:kitchen" not in fields()
    assert fields(rule)["category:kitchen"] == ["", {"oslo": 4}, {}, {}, {}]


def test_each_kind_of_rule_has_its_own_place_in_a_sheet():
    sheet = fields(
        Rule(kind="max_published", sku=CUP, channel="shop", units=50),
        Rule(kind="cutoff", sku=CUP, channel="shop", units=3),
        Rule(kind="buffer", sku=CUP, channel="shop", units=2, percent_bp=500),
        Rule(kind="safety_stock", sku=CUP, location="oslo", units=1),
    )[f"sku:{CUP}"]

    assert sheet == ["kitchen", {"oslo": 1}, {"shop": [2, 500]}, {"shop": 3}, {"shop": 50}]


def test_a_rule_without_location_or_channel_is_for_every_place():
    sheet = fields(Rule(kind="buffer", percent_bp=1_000), Rule(kind="buffer", channel="shop", units=1))["rules"]

    assert sheet == ["", {}, {"": [0, 1_000], "shop": [1, 0]}, {}, {}]


def test_a_rule_of_nothing_is_kept_because_it_wins_over_wider_ones():
    sheet = fields(Rule(kind="safety_stock", units=5), Rule(kind="safety_stock", sku=CUP, units=0))[f"sku:{CUP}"]

    assert sheet == ["kitchen", {"": 0}, {}, {}, {}]


def test_sheets_state_the_order_in_which_scopes_win():
    scopes = ["sku[place]", "category[place]", "sku['']", "category['']", "base[place]", "base['']"]
    words = (Sheet.__doc__ or "").split()

    places = [words.index(scope) for scope in scopes]

    assert places == list(range(places[0], places[0] + 6))


# --- changes


def test_a_change_names_what_to_set_and_what_to_remove():
    old = {"rules": b"1", "ranks": b"1", "sku:CUP": b"1", "sku:TEE-M": b"1"}
    new = {"rules": b"1", "ranks": b"2", "sku:MUG": b"1"}

    assert changed_fields(old, new) == ({"ranks": b"2", "sku:MUG": b"1"}, ["sku:CUP", "sku:TEE-M"])


def test_the_same_rules_in_another_order_change_nothing():
    rules = [Rule(kind="cutoff", sku=CUP, channel=channel, units=2) for channel in ("shop", "tills")]
    config = msgspec.structs.replace(CONFIG, rules=rules)
    turned = msgspec.structs.replace(CONFIG, rules=rules[::-1], skus=SKUS[::-1])

    assert changed_fields(compile_config(config), compile_config(turned)) == ({}, [])


def test_the_order_of_a_channels_locations_is_a_change_of_that_channel():
    turned = msgspec.structs.replace(SHOP, locations=SHOP.locations[::-1])
    config = msgspec.structs.replace(CONFIG, channels=[turned, TILLS])

    to_set, removed = changed_fields(compile_config(CONFIG), compile_config(config))

    assert (to_set.keys(), removed) == ({"channel:shop", "document"}, [])


# --- what is refused


def test_a_consistent_config_passes():
    check(CONFIG)


@pytest.mark.parametrize(
    ("changes", "message", "where"),
    [
        (
            {"locations": [OSLO, ROME, OSLO]},
            "locations[2].code: 'oslo' is at locations[0] already",
            "locations[2].code",
        ),
        (
            {"channels": [SHOP, TILLS, SHOP]},
            "channels[2].code: 'shop' is at channels[0] already",
            "channels[2].code",
        ),
        (
            {"skus": [SkuConfig(sku=CUP), SkuConfig(sku=CUP)]},
            "skus[1].sku: 'CUP' is at skus[0] already",
            "skus[1].sku",
        ),
        (
            {"channels": [Channel(code="shop", locations=[ChannelLocation(code="oslo")] * 2)]},
            "channels[0].locations[1].code: 'oslo' is at channels[0].locations[0] already",
            "channels[0].locations[1].code",
        ),
        (
            {"channels": [Channel(code="shop", locations=[ChannelLocation(code="olso")])]},
            "channels[0].locations[0].code: no such location: 'olso'; there is oslo, rome",
            "channels[0].locations[0].code",
        ),
        (
            {"locations": [OSLO, Location(code="rome", latitude=41.9)]},
            "locations[1].latitude: latitude and longitude belong together",
            "locations[1].latitude",
        ),
        (
            {"locations": [OSLO, Location(code="rome", costs={"nroth": 490})]},
            "locations[1].costs: no zone leads to 'nroth'; there is north",
            "locations[1].costs",
        ),
    ],
)
def test_refuses_places_that_do_not_fit_together(changes, message, where):
    refused = refusal(**{"channels": [], **changes})

    assert str(refused) == message
    assert refused.facts["where"] == where


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule(kind="cutoff", sku="CPU"), "rules[0].sku: no such sku: 'CPU'"),
        (
            Rule(kind="safety_stock", location="olso"),
            "rules[0].location: no such location: 'olso'; there is oslo, rome",
        ),
        (Rule(kind="buffer", channel="shpo"), "rules[0].channel: no such channel: 'shpo'; there is shop, tills"),
        (
            Rule(kind="cutoff", sku=CUP, category="kitchen"),
            "rules[0].category: a rule is for a sku or for a category, not for both",
        ),
        (
            Rule(kind="safety_stock", channel="shop"),
            "rules[0].channel: safety_stock is kept at a location, from a channel keep a buffer",
        ),
        (
            Rule(kind="max_published", location="oslo"),
            "rules[0].location: max_published belongs to a channel, not to a location",
        ),
        (
            Rule(kind="cutoff", percent_bp=500),
            "rules[0].percent_bp: only a buffer has a percentage, cutoff has units",
        ),
    ],
)
def test_refuses_a_rule_that_says_nothing_sensible(rule, message):
    refused = refusal(rules=[rule])

    assert str(refused) == message
    assert message.startswith(refused.facts["where"] + ":")


def test_refuses_a_second_rule_for_the_same_scope_even_if_it_says_the_same():
    rule = Rule(kind="cutoff", sku=CUP, channel="shop", units=2)
    other = msgspec.structs.replace(rule, channel="tills")

    refused = refusal(rules=[rule, other, rule])

    assert str(refused) == "rules[2]: rules[0] is for the same scope already"
    assert refused.facts["where"] == "rules[2]"


def test_refuses_a_ranking_nobody_wrote_and_names_those_there_are():
    shop = msgspec.structs.replace(SHOP, routing=("channel_rank", "moon_phase"))

    refused = refusal(channels=[shop])

    assert str(refused).startswith("channels[0].routing[1]: no such ranking: 'moon_phase'; there is channel_rank, cost")
    assert refused.facts == {
        "where": "channels[0].routing[1]",
        "value": "moon_phase",
        "allowed": sorted(RANKINGS),
    }


def test_a_missing_sku_is_not_answered_with_the_whole_catalogue():
    assert refusal(rules=[Rule(kind="cutoff", sku="CPU")]).facts == {"where": "rules[0].sku", "value": "CPU"}
