"""Amazon: held against its published models."""

import gzip
import json
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest

from channels.amazon.bodies import order_of, read_as
from channels.amazon.feeds import results_of
from channels.amazon.notifications import news_of
from channels.amazon.words import Orders, SaidOrder
from channels.base import Delivery, Listing, Parcel, Window
from channels.errors import Refused
from channels.sandbox.amazon_feeds import FEED_MS
from tests.channels.amazon import SETTINGS, bench_with
from tests.channels.contract import HOOK_URL, Bench, orders_in
from tests.channels.published import Said, mistakes, mistakes_of_exchange, said
from tests.channels.shop import NOON_MS
from tests.servers import shared_data


@pytest.fixture
def bench() -> Bench:
    return bench_with()


def published(name: str) -> dict:
    return json.loads(shared_data(f"channels/specs/amazon/{name}.json").read_text())


async def everything(bench: Bench) -> None:
    """Whatever the connector can ask for, and most of what can be answered."""
    bench.sandbox.sells("FBA", None)
    bench.sandbox.faults.refuse.add("TEE")
    run, amazon = bench.run, bench.connector
    await run(amazon.subscribe(HOOK_URL))
    await run(amazon.push([bench.level(sku, 3) for sku in ("CUP", "TEE", "FBA", "NONE")]))
    await run(amazon.read([Listing("CUP"), Listing("FBA")]))
    await run(amazon.read([Listing("NONE")]))
    await run(amazon.list_listings(""))
    pending, paid, unwanted = (bench.sandbox.buys("CUP", 2, pending=pending) for pending in (True, False, False))
    bench.sandbox.asks_to_cancel(unwanted)
    bench.sandbox.gives_up(pending)
    for _ in range(101):
        bench.sandbox.buys("CUP", 0, pending=True)
    await orders_in(bench, Window(NOON_MS, NOON_MS + 1_000))
    [line] = (await run(amazon.order(paid))).lines
    parcel = Parcel("s-1", paid, {line.line: 1}, carrier="Bob", tracking="1", shipped_ms=NOON_MS)
    await run(amazon.ship(parcel))
    for wrong in (amazon.order("9"), amazon.ship(msgspec.structs.replace(parcel, tracking=""))):
        with suppress(Refused):
            await run(wrong)
    ticket = await run(amazon.push_bulk([bench.level("CUP", 3), bench.level("TEE", 3)]))
    for _ in range(2):
        await run(amazon.follow(ticket))
        bench.clock.ms += FEED_MS
    bench.sandbox.finds_fault("CUP")


@pytest.mark.needs_shared
async def test_what_we_ask_and_the_sandbox_answers_is_what_the_published_models_know(bench):
    heard: list[Said] = []

    async def listen(response: httpx.Response) -> None:
        if response.request.url.path.split("/")[1] in {"listings", "feeds", "orders", "notifications"}:
            heard.append(await said(response))

    bench.engine._means.http.event_hooks["response"].append(listen)
    names = ("listingsItems_2021-08-01", "feeds_2021-06-30", "orders_2026-01-01", "ordersV0", "notifications")
    models = [published(name) for name in names]

    await everything(bench)

    assert [mistake for one in heard for mistake in mistakes_of_exchange(models, one)] == []
    assert {one.status for one in heard} >= {200, 201, 202, 204, 400, 404}


@pytest.mark.needs_shared
async def test_a_feed_and_its_report_are_what_the_published_schemas_know(bench):
    await everything(bench)

    feed, report = [document.body for document in bench.sandbox.feeds.documents.values()]

    wanted, told = (
        published("feeds/listings-feed-schema-v2"),
        published("feeds/listings-feed-processing-report-schema-v2"),
    )
    assert list(mistakes(wanted, wanted, json.loads(feed))) == []
    assert list(mistakes(told, told, json.loads(gzip.decompress(report)))) == []


NOTIFICATIONS = {
    "ORDER_CHANGE": "OrderChangeNotification",
    "FEED_PROCESSING_FINISHED": "FeedProcessingFinishedNotification",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "ListingsItemMfnQuantityChange",
    "LISTINGS_ITEM_ISSUES_CHANGE": "ListingsItemIssuesChangeNotification",
}


@pytest.mark.needs_shared
async def test_the_sandbox_notifies_as_the_published_schemas_say(bench):
    await everything(bench)
    await bench.sandbox.deliver()

    found = []
    for message in bench.inbox:
        body = json.loads(message.body)
        detail = body.get("detail", body)
        schema = published(
            f"notifications/{NOTIFICATIONS[detail.get('NotificationType') or detail['notificationType']]}"
        )
        found += mistakes(schema, schema, detail)
    assert found == []
    assert {(await bench.hear(message)).topic for message in bench.inbox} == set(NOTIFICATIONS)


@pytest.mark.needs_shared
@pytest.mark.parametrize("type", NOTIFICATIONS)
def test_the_vendors_own_examples_of_notifications_are_understood(type):
    [example, *_] = published(f"notifications/{NOTIFICATIONS[type]}")["examples"]
    seller = find(example, "sellerid")
    settings = msgspec.structs.replace(SETTINGS, seller=seller)

    news = news_of(Delivery({}, json.dumps(example).encode()), settings)

    told = [*news.ask, *[one.listing for one in news.shown], *news.look]
    assert (news.topic, news.id) == (type, find(example, "notificationid"))
    assert told == (
        [] if type == "FEED_PROCESSING_FINISHED" else [find(example, "amazonorderid") or find(example, "sku")]
    )


def find(said: Any, name: str) -> Any:
    """The first value of this name, however deep it lies."""
    for key, inner in said.items():
        if key.lower() == name:
            return inner
        if isinstance(inner, dict) and (found := find(inner, name)):
            return found
    return None


@pytest.mark.needs_shared
def test_the_vendors_own_example_of_orders_is_understood():
    search = published("orders_2026-01-01")["paths"]["/orders/2026-01-01/orders"]["get"]
    said = read_as(search["responses"]["200"]["examples"]["application/json"], Orders)

    order = order_of(read_as(said.orders[0], SaidOrder))

    assert (order.external_id, order.state, order.country, order.region) == (
        "123-4567890-1234567",
        "shipped",
        "US",
        "WA",
    )
    assert [(line.sku, line.units, line.shipped) for line in order.lines] == [
        ("ECHO-DOT-4-CHARCOAL", 2, 2),
        ("FIRE-TV-4K-2021", 1, 1),
    ]


@pytest.mark.needs_shared
def test_the_vendors_own_example_of_a_report_is_understood():
    example = published("feeds/listings-feed-processing-report-schema-v2.example")

    results = results_of(json.dumps(example).encode())

    assert len({one.listing for one in results}) == len(results)
    refused = {one.listing for one in results if one.outcome == "refused"}
    assert refused == {issue["sku"] for issue in example["issues"] if issue["severity"] == "ERROR" and "sku" in issue}
    assert {one.listing for one in results} == refused | {item["sku"] for item in example["items"]}
