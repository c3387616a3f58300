import json

import msgspec
import pytest

from allocator.config import Config
from allocator.rules import check
from app.requests import AvailabilityAsked, HoldAsked, OrderAsked
from app.seed import load_seed
from loadtests import scenarios
from loadtests.scenarios import RAW, SCENARIOS, Shop, all_were_placed
from loadtests.shop import CODES, HOT_STOCK, QUOTA_UNITS, batches, hot_sku, make_seed, sku_name

SHOP = Shop(1_000, "secret")
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def path_and_body(request: bytes) -> tuple[str, dict]:
    head, _, body = request.partition(b"\r\n\r\n")
    return head.split(b" ", 2)[1].decode(), json.loads(body) if body else {}


def body_of(name: str, number: int) -> dict:
    return path_and_body(BY_NAME[name].make(SHOP, number))[1]


def test_every_scenario_has_a_name_of_its_own():
    names = [scenario.name for scenario in (*SCENARIOS, *RAW)]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_request_carries_the_key(scenario):
    assert b"Authorization: Bearer secret\r\n" in scenario.make(SHOP, 0)


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.lines], ids=lambda scenario: scenario.name)
def test_no_two_requests_that_take_units_are_the_same(scenario):
    assert len({scenario.make(SHOP, number) for number in range(300)}) == 300


def test_no_two_scenarios_place_an_order_of_the_same_id():
    placing = [one for one in SCENARIOS if b" /v1/orders/shop/" in one.make(SHOP, 7)]

    assert len({path_and_body(one.make(SHOP, 7))[0] for one in placing}) == len(placing) == 4


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("availability, 50 skus", AvailabilityAsked),
        ("hold, spread", HoldAsked),
        ("hold, one hot sku", HoldAsked),
        ("order, 1 line", OrderAsked),
        ("order, one hot sku", OrderAsked),
        ("order, 3 lines", OrderAsked),
        ("order, 10 lines", OrderAsked),
    ],
)
def test_bodies_are_what_the_service_reads(name, struct):
    for number in range(20):
        msgspec.convert(body_of(name, number), struct)


@pytest.mark.parametrize(("name", "lines"), [("order, 1 line", 1), ("order, 3 lines", 3), ("order, 10 lines", 10)])
def test_an_order_has_its_lines_each_of_another_sku_of_the_shop(name, lines):
    known = {sku_name(number) for number in range(SHOP.skus)}

    for number in range(200):
        skus = {line["sku"] for line in body_of(name, number)["lines"]}
        assert len(skus) == lines
        assert skus <= known


def test_spread_requests_reach_every_sku_in_time():
    assert len({SHOP.sku(number) for number in range(SHOP.skus)}) == SHOP.skus


def test_hot_requests_are_all_for_one_sku():
    assert len({body_of("order, one hot sku", number)["lines"][0]["sku"] for number in range(50)}) == 1


def test_a_bulk_request_has_a_hundred_orders_of_ids_nobody_else_uses():
    first, second = (
        body_of("bulk, 100 orders of 1 line", 0)["orders"],
        body_of("bulk, 100 orders of 1 line", 1)["orders"],
    )

    assert len(first) == len(second) == 100
    assert len({order["external_id"] for order in [*first, *second]}) == 200


def test_a_bulk_answer_is_right_when_every_order_was_placed():
    placed = b'{"results":[' + b",".join([b'{"status":201,"order":{}}'] * 100) + b"]}"

    assert all_were_placed(placed)
    assert not all_were_placed(placed.replace(b"201", b"409", 1))


def test_the_raw_order_asks_for_what_the_order_over_http_does():
    assert scenarios.ship_to(3) == body_of("order, 1 line", 3)["ship_to"]


# --- the shop --------------------------------------------------------------------------------------------------


def test_each_burst_has_a_sku_of_its_own_with_every_unit_for_sale(tmp_path):
    file = tmp_path / "seed.yaml"
    file.write_text(json.dumps(make_seed(2)))

    seed = load_seed(file)

    units = {sku: sum(row.units for row in seed.stock if row.sku == sku) for sku in (hot_sku(0), hot_sku(1))}
    assert units == {"HOT-000": HOT_STOCK, "HOT-001": HOT_STOCK}
    kept_back = [rule.units or rule.percent_bp for rule in seed.rules if rule.sku in units]
    assert kept_back
    assert not any(kept_back)


def test_a_tenth_of_the_skus_has_rules_and_a_tenth_has_a_quota():
    made = list(batches(2_500, 40, 1_000))

    assert [len(batch.skus) for batch in made] == [1_000, 1_000, 500]
    assert len({rule.sku for batch in made for rule in batch.rules}) == 250
    quotas = [quota for batch in made for quota in batch.quotas]
    assert len({quota.sku for quota in quotas}) == 250
    assert {quota.location for quota in quotas} == set(CODES)
    assert {quota.units for quota in quotas} == {QUOTA_UNITS}
    assert sum(line.units for batch in made for line in batch.stock) == 2_500 * 4 * 40


def test_the_rules_of_a_batch_fit_the_seed(tmp_path):
    file = tmp_path / "seed.yaml"
    file.write_text(json.dumps(make_seed(1)))
    seed = load_seed(file).config()
    [batch] = batches(100, 1, 100)

    check(Config(locations=seed.locations, channels=seed.channels, skus=batch.skus, rules=batch.rules))
