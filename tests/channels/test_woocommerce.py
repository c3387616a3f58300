"""WooCommerce: the contract of all channels, and Woo's own quirks."""

import json
from types import MappingProxyType

import pytest

from channels.base import Listing, Page, Parcel, Window
from channels.errors import Down, Nonsense
from channels.sandbox.woocommerce import FAILURES_MAX, Product, WooSandbox
from channels.woocommerce import WooCommerce, WooSecrets, WooSettings
from tests.channels.contract import HOOK_URL, Bench, ChannelContract, Clock, bench_of, courier_of
from tests.channels.shop import NOON_MS
from tests.servers import shared_data

SECRETS = WooSecrets(consumer_key="ck_1", consumer_secret="cs_1", webhook_secret="whsec_1")
SETTINGS = WooSettings(url="https://shop.test")
DAY = Window(NOON_MS - 86_400_000, NOON_MS + 86_400_000)


def bench_with(settings: WooSettings) -> Bench:
    clock, inbox = Clock(), []
    sandbox = WooSandbox(courier_of(inbox), clock, SECRETS)
    sandbox.sells(Product(733, "CUP", stock=10))
    sandbox.sells(Product(720, "", manage_stock=False))
    sandbox.sells(Product(734, "TEE", parent=720, stock=10))
    return bench_of(WooCommerce(settings, SECRETS), sandbox, clock, inbox, ("733", "720/734"))


@pytest.fixture
def bench() -> Bench:
    return bench_with(SETTINGS)


class TestWooCommerce(ChannelContract):
    unknown = "999"
    orders_of_two_pages = 101
    unpaid = MappingProxyType({"status": "pending"})
    secrets = ("ck_1", "cs_1", "whsec_1", "Y2tfMTpjc18x")

    @pytest.fixture
    def bench(self) -> Bench:
        return bench_with(SETTINGS)

    def stranger(self) -> WooCommerce:
        return WooCommerce(SETTINGS, WooSecrets(consumer_key="ck_2", consumer_secret="cs_2", webhook_secret="w"))

    def switch_off(self, sandbox: WooSandbox) -> None:
        next(iter(sandbox.hooks.values())).status = "disabled"

    def is_of_order(self, message) -> bool:
        return message.headers.get("X-WC-Webhook-Topic") == "order.created"

    def spoil(self, sandbox: WooSandbox, id: str) -> None:
        sandbox.orders[int(id)]["line_items"][0]["quantity"] = "two"

    def parcels(self, sandbox: WooSandbox, id: str) -> list:
        return sandbox.notes[int(id)]


async def test_variations_go_by_their_product_and_everything_else_together(bench):
    bench.sandbox.sells(Product(735, "TEE-L", parent=720, stock=10))
    bench.sandbox.sells(Product(800, "PEN", stock=10))
    levels = [bench.level(listing, 4) for listing in ("733", "720/734", "720/735", "800")]

    await bench.run(bench.connector.push(levels))

    assert bench.sandbox.calls == ["push", "push"]


async def test_a_shop_that_takes_fewer_at_once_gets_fewer_at_once(bench):
    for id in range(1_000, 1_007):
        bench.sandbox.sells(Product(id, f"S-{id}", stock=10))
    bench.sandbox.batch_max = 2

    pushed = await bench.run(bench.connector.push([bench.level(str(id), 1) for id in range(1_000, 1_007)]))

    assert {one.outcome for one in pushed} == {"accepted"}
    assert {bench.sandbox.shows(str(id)) for id in range(1_000, 1_007)} == {1}


async def test_stock_that_the_product_keeps_is_not_pushed_to_its_variation(bench):
    bench.sandbox.products[734].manage_stock = "parent"
    [shown] = await bench.run(bench.connector.read([Listing("720/734")]))

    [pushed] = await bench.run(bench.connector.push([bench.level("720/734", 3, refs=shown.refs)]))

    assert (pushed.outcome, pushed.code) == ("refused", "managed_by_parent")
    assert bench.sandbox.calls == ["read"]


async def test_the_answer_says_what_is_shown_now(bench):
    [pushed] = await bench.run(bench.connector.push([bench.level("733", 3)]))

    assert (pushed.applied, pushed.shown) == (True, 3)


async def test_a_page_of_the_host_in_place_of_json_is_an_outage(bench):
    bench.sandbox.faults.page["read"] = 10

    with pytest.raises(Down, match="host"):
        await bench.run(bench.connector.read([Listing("733")]))


async def test_an_order_on_hold_is_unpaid_and_a_failed_payment_may_come_back(bench):
    id = bench.sandbox.buys("733", 1, status="on-hold")
    states = [(await bench.run(bench.connector.order(str(id)))).state]

    for status in ("failed", "processing"):
        bench.sandbox.gives_up(id, status)
        states.append((await bench.run(bench.connector.order(str(id)))).state)

    assert states == ["unpaid", "cancelled", "paid"]


async def test_units_refunded_before_they_left_are_cancelled(bench):
    id = bench.sandbox.buys("733", 5)
    bench.sandbox.refunds_units(id, 2)

    [line] = (await bench.run(bench.connector.order(str(id)))).lines

    assert (line.units, line.cancelled, line.returned) == (3, 2, 0)


async def test_units_refunded_after_they_left_have_come_back(bench):
    id = bench.sandbox.buys("733", 5, status="completed")
    bench.sandbox.refunds_units(id, 2)

    [line] = (await bench.run(bench.connector.order(str(id)))).lines

    assert (line.units, line.shipped, line.returned) == (5, 5, 2)


async def test_a_webhook_of_a_refunded_order_only_names_it(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))
    id = bench.sandbox.buys("733", 5)
    await bench.sandbox.deliver()
    bench.inbox.clear()
    bench.sandbox.refunds_units(id, 2)
    await bench.sandbox.deliver()

    [message] = [message for message in bench.inbox if message.headers["X-WC-Webhook-Topic"] == "order.updated"]
    news = await bench.hear(message)

    assert (list(news.orders), news.ask) == ([], [str(id)])


async def test_the_ping_of_a_new_webhook_is_answered_and_says_nothing(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))
    await bench.sandbox.deliver()

    news = await bench.hear(bench.inbox[0])

    assert (news.topic, list(news.orders), list(news.ask)) == ("ping", [], [])


async def test_our_own_push_is_told_back_to_us_as_a_number_that_is_shown(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))
    await bench.sandbox.deliver()
    bench.inbox.clear()

    await bench.run(bench.connector.push([bench.level("720/734", 3)]))
    await bench.sandbox.deliver()

    [shown] = (await bench.hear(bench.inbox[0])).shown
    assert (shown.listing, shown.units) == ("720/734", 3)


async def test_woo_switches_a_webhook_off_that_fails_too_often(bench):
    async def fail(message) -> int:
        return 500

    await bench.run(bench.connector.subscribe(HOOK_URL))
    bench.sandbox.courier.send = fail
    for _ in range(FAILURES_MAX + 1):
        bench.sandbox.buys("733", 1)
        await bench.sandbox.deliver()

    assert {hook.topic for hook in bench.sandbox.hooks.values() if hook.status == "disabled"} >= {"order.created"}
    assert await bench.run(bench.connector.subscribe(HOOK_URL)) > 0


async def test_keys_go_into_the_query_where_the_host_strips_the_header():
    bench = bench_with(WooSettings(url="https://shop.test/", key_in_query=True))

    [shown] = await bench.run(bench.connector.read([Listing("733")]))

    assert shown.units == 10
    assert "cs_1" not in bench.notes.exchanges[0].request


async def test_a_state_that_a_plugin_added_must_be_explained(bench):
    id = bench.sandbox.buys("733", 1, status="awaiting-shipment")
    known = bench_with(WooSettings(url="https://shop.test", states={"awaiting-shipment": "paid"}))
    known.sandbox.orders = bench.sandbox.orders

    with pytest.raises(Nonsense, match="awaiting-shipment"):
        await bench.run(bench.connector.order(str(id)))

    assert (await known.run(known.connector.order(str(id)))).state == "paid"


async def all_orders(bench) -> Page:
    """What is found by looking, page by page."""
    window, cursor, orders, odd = Window(NOON_MS - 60_000, NOON_MS + 60_000), "", [], []
    while True:
        page = await bench.run(bench.connector.orders(window, cursor))
        orders, odd, cursor = [*orders, *page.orders], [*odd, *page.odd], page.cursor
        if not cursor:
            return Page(orders, "", page.watermark_ms, odd)


async def test_orders_in_a_state_that_nobody_explains_are_found_by_looking_too(bench):
    id = bench.sandbox.buys("733", 1, status="awaiting-pickup")

    found = await all_orders(bench)

    assert [(one.external_id, "awaiting-pickup" in one.says) for one in found.odd] == [(str(id), True)]


async def test_orders_in_the_bin_are_found_and_those_that_nobody_has_placed_yet_are_not(bench):
    paid, binned, _ = (bench.sandbox.buys("733", 1, status=one) for one in ("processing", "trash", "checkout-draft"))

    found = await all_orders(bench)

    assert {order.external_id: order.state for order in found.orders} == {str(paid): "paid", str(binned): "cancelled"}
    assert list(found.odd) == []


async def test_a_shop_too_old_to_filter_by_change_is_found_out(bench):
    bench.sandbox.buys("733", 1)
    bench.sandbox.knows_changes = False

    with pytest.raises(Nonsense, match=r"5\.8"):
        await bench.run(bench.connector.orders(Window(NOON_MS + 60_000, NOON_MS + 120_000), ""))


async def test_a_fulfilment_carries_its_tracking_and_is_made_once():
    bench = bench_with(WooSettings(url="https://shop.test", fulfillments=True))
    id = bench.sandbox.buys("733", 2)
    line = bench.sandbox.orders[id]["line_items"][0]["id"]
    parcel = Parcel("s-1", str(id), {str(line): 1}, is_last=False, carrier="ups", tracking="1Z9")

    await bench.run(bench.connector.ship(parcel))
    await bench.run(bench.connector.ship(parcel))

    [one] = bench.sandbox.fulfillments[id]
    meta = {row["key"]: row["value"] for row in one["meta_data"]}
    assert meta["_items"] == [{"item_id": line, "qty": 1}]
    assert (meta["_tracking_number"], meta["_shipment_provider"]) == ("1Z9", "ups")
    assert bench.sandbox.orders[id]["status"] == "processing"


# --- against the vendor's model -----------------------------------------------------------------------------------


def fields(model: dict, resource: str, section: str) -> set[str]:
    tables = model["resources"][resource]["tables"]
    return {row["name"] for table in tables if table["section"] == section for row in table["rows"]}


@pytest.mark.needs_shared
def test_the_sandbox_says_nothing_that_the_vendors_model_does_not_know(bench):
    model = json.loads(shared_data("channels/specs/woocommerce/wc-v3-docs-models.json").read_text())
    id = bench.sandbox.buys("733", 1)
    order = bench.sandbox.orders[id]

    assert order.keys() <= fields(model, "orders", "Order properties")
    assert order["line_items"][0].keys() <= fields(model, "orders", "Order properties / Order - Line items properties")


async def test_a_webhook_of_an_order_in_a_state_that_nobody_explains_names_it_as_odd(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))
    bench.sandbox.buys("733", 1, status="awaiting-pickup")
    await bench.sandbox.deliver()

    [message] = [message for message in bench.inbox if message.headers.get("X-WC-Webhook-Topic") == "order.created"]
    news = await bench.hear(message)

    assert (list(news.orders), list(news.ask)) == ([], [])
    assert "awaiting-pickup" in news.odd[0].says
