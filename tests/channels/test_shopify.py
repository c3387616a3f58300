"""Shopify: the contract of all channels, and Shopify's own quirks."""

import base64
import hashlib
import hmac
from types import MappingProxyType

import pytest
from graphql import build_schema, parse, validate

from channels.base import Delivery, Listing, Parcel, Window
from channels.errors import Unauthorized
from channels.sandbox.shopify import ShopifySandbox
from channels.shopify import Shopify, ShopifySecrets, ShopifySettings
from channels.shopify.queries import ALL
from tests.channels.contract import HOOK_URL, Bench, ChannelContract, Clock, TokenContract, bench_of, courier_of
from tests.channels.shop import NOON_MS
from tests.servers import shared_data

SETTINGS = ShopifySettings(url="https://shop.myshopify.test", location="5")
SECRETS = ShopifySecrets(client_id="id-1", client_secret="shpss_1")
OSLO = "gid://shopify/Location/5"
ROME = "gid://shopify/Location/6"


def new_bench(secrets: ShopifySecrets = SECRETS) -> Bench:
    clock, inbox = Clock(), []
    sandbox = ShopifySandbox(courier_of(inbox), clock, SECRETS, OSLO)
    sandbox.sells(11, "CUP", 10)
    sandbox.sells(12, "TEE", 10)
    return bench_of(Shopify(SETTINGS, secrets), sandbox, clock, inbox, ("11", "12"))


@pytest.fixture
def bench() -> Bench:
    return new_bench()


class TestShopify(TokenContract, ChannelContract):
    unknown = "99"
    orders_of_two_pages = 26
    unpaid = MappingProxyType({"financial": "PENDING"})
    secrets = ("shpss_1", "shpat_")

    @pytest.fixture
    def bench(self) -> Bench:
        return new_bench()

    def stranger(self) -> Shopify:
        return Shopify(SETTINGS, ShopifySecrets(client_id="id-2", client_secret="shpss_2"))

    def switch_off(self, sandbox: ShopifySandbox) -> None:
        del sandbox.hooks[next(iter(sandbox.hooks))]

    def is_of_order(self, message) -> bool:
        return message.headers["X-Shopify-Topic"] == "orders/create"

    def spoil(self, sandbox: ShopifySandbox, id: str) -> None:
        sandbox.orders[int(id)].financial = "UNHEARD_OF"

    def parcels(self, sandbox: ShopifySandbox, id: str) -> list:
        return sandbox.orders[int(id)].parcels


async def test_a_number_that_changed_meanwhile_is_not_overwritten_and_we_are_told_what_is_shown(bench):
    bench.sandbox.buys("11", 4)

    levels = [bench.level("11", 9, shown=10), bench.level("12", 3, shown=10)]
    [cup, tee] = await bench.run(bench.connector.push(levels))

    assert (cup.outcome, cup.shown, tee.outcome) == ("stale", 6, "accepted")
    assert (bench.sandbox.shows("11"), bench.sandbox.shows("12")) == (6, 3)


async def test_a_number_that_is_too_high_is_lowered_at_once_whatever_was_sold_meanwhile(bench):
    """While a shop sells, what it shows is never what it was seen to show."""
    bench.sandbox.buys("11", 4)

    [cup] = await bench.run(bench.connector.push([bench.level("11", 2, shown=10)]))

    assert (cup.outcome, cup.applied, cup.shown) == ("accepted", True, 2)
    assert bench.sandbox.shows("11") == 2


async def test_one_bad_row_among_many_keeps_none_of_the_others_from_being_set(bench):
    for id in range(100, 400):
        bench.sandbox.sells(id, f"S-{id}", 10)
    bench.sandbox.faults.refuse |= {"S-117", "S-390"}

    pushed = await bench.run(bench.connector.push([bench.level(str(id), 1) for id in range(100, 400)]))

    refused = [one.listing for one in pushed if one.outcome == "refused"]
    assert refused == ["117", "390"]
    assert sum(bench.sandbox.shows(str(id)) for id in range(100, 400)) == 298 + 20


async def test_a_push_whose_answer_was_lost_is_repeated_under_its_key_and_has_one_effect(bench):
    bench.sandbox.faults.lose["push"] = 1
    level = bench.level("11", 3, shown=10, key="attempt-1")

    [pushed] = await bench.run(bench.connector.push([level]))

    assert pushed.outcome == "accepted"
    assert (bench.sandbox.shows("11"), bench.sandbox.calls.count("SetQuantities")) == (3, 2)


async def test_a_key_whose_attempt_failed_there_is_good_for_nothing_and_another_one_is(bench):
    bench.sandbox.spoils = 1

    outcomes = []
    for key in ("spoiled", "spoiled", "another"):
        [pushed] = await bench.run(bench.connector.push([bench.level("11", 3, shown=10, key=key)]))
        outcomes.append((pushed.outcome, pushed.code))

    spoiled = ("failed", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")
    assert outcomes == [spoiled, spoiled, ("accepted", "")]
    assert bench.sandbox.shows("11") == 3


def test_whoever_looks_lets_those_who_push_go_first(bench):
    looks = [
        bench.connector.orders(Window(0, NOON_MS), ""),
        bench.connector.list_listings(""),
        bench.connector.read([Listing("11")]),
    ]

    assert [next(steps).yields for steps in looks] == [True, True, True]
    assert not next(bench.connector.push([bench.level("11", 3)])).yields


async def test_the_same_number_pushed_later_is_another_push(bench):
    for key, units in (("a", 7), ("b", 9), ("c", 7)):
        await bench.run(bench.connector.push([bench.level("11", units, key=key)]))

    assert bench.sandbox.shows("11") == 7


async def test_numbers_go_to_the_locations_they_are_told_for(bench):
    bench.sandbox.items["gid://shopify/InventoryItem/11"].available[ROME] = 0

    [pushed] = await bench.run(bench.connector.push([bench.level("11", 5, places={"5": 3, "6": 2})]))

    assert bench.sandbox.items["gid://shopify/InventoryItem/11"].available == {OSLO: 3, ROME: 2}
    assert (pushed.outcome, pushed.shown, pushed.places) == ("accepted", 5, {"5": 3, "6": 2})


async def test_an_item_whose_stock_is_not_tracked_shows_no_number(bench):
    bench.sandbox.items["gid://shopify/InventoryItem/11"].tracked = False

    [shown] = await bench.run(bench.connector.read([Listing("11")]))

    assert shown.units is None


async def test_units_taken_off_an_order_are_no_longer_wanted(bench):
    id = bench.sandbox.buys("11", 5)
    bench.sandbox.takes_off(id, 2)

    [line] = (await bench.run(bench.connector.order(str(id)))).lines

    assert (line.units, line.cancelled, line.shipped, line.returned) == (3, 2, 0, 0)


async def test_units_that_came_back_were_shipped(bench):
    id = bench.sandbox.buys("11", 5)
    order = bench.sandbox.orders[id]
    order.fulfilled, order.returned = 5, 2

    [line] = (await bench.run(bench.connector.order(str(id)))).lines

    assert (line.units, line.cancelled, line.shipped, line.returned) == (5, 0, 5, 2)


async def test_part_of_an_order_ships_and_the_rest_follows(bench):
    id = str(bench.sandbox.buys("11", 5))
    [line] = (await bench.run(bench.connector.order(id))).lines

    await bench.run(bench.connector.ship(Parcel("s-1", id, {line.line: 2}, is_last=False, tracking="1Z1")))
    await bench.run(bench.connector.ship(Parcel("s-2", id, {line.line: 3}, tracking="1Z2")))

    [line] = (await bench.run(bench.connector.order(id))).lines
    assert (line.shipped, len(bench.sandbox.orders[int(id)].parcels)) == (5, 2)


async def test_our_own_push_is_told_back_to_us_as_a_number_that_is_shown(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))

    await bench.run(bench.connector.push([bench.level("11", 3)]))
    await bench.sandbox.deliver()

    [shown] = (await bench.hear(bench.inbox[0])).shown
    assert (shown.listing, shown.units, shown.places) == ("11", 3, {"5": 3})


async def test_while_the_secret_is_rotated_webhooks_of_the_old_one_are_believed():
    secrets = ShopifySecrets(client_id="id-1", client_secret="new", previous_secret="old")
    connector = Shopify(SETTINGS, secrets)
    body = b'{"id":7}'

    def signed(secret: str) -> Delivery:
        digest = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        return Delivery({"x-shopify-topic": "orders/create", "x-shopify-hmac-sha256": digest}, body)

    def hear(delivery: Delivery):
        with pytest.raises(StopIteration) as done:
            next(connector.hear(delivery, 0))
        return done.value.value

    assert [hear(signed(secret)).ask for secret in ("new", "old")] == [["7"], ["7"]]
    with pytest.raises(Unauthorized):
        next(connector.hear(signed("older"), 0))


async def test_orders_that_are_cancelled_on_the_channel_give_their_units_back(bench):
    id = bench.sandbox.buys("11", 4)

    assert await bench.run(bench.connector.cancel(str(id), "out of stock"))

    assert bench.sandbox.shows("11") == 10


@pytest.mark.needs_shared
@pytest.mark.parametrize("version", ["2026-04", "2026-07", "2026-10"])
def test_what_we_ask_is_what_the_published_schema_knows(version: str):
    schema = build_schema(shared_data(f"channels/specs/shopify/admin_{version}.trimmed.graphql").read_text())

    errors = {name: [error.message for error in validate(schema, parse(query))] for name, query in ALL.items()}

    assert {name: found for name, found in errors.items() if found} == {}
