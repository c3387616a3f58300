"""Notifications of Amazon, as they are forwarded to us."""

import json
from collections.abc import Callable

import msgspec
import pytest

from channels.amazon import Amazon, AmazonSecrets
from channels.amazon.notifications import prove
from channels.base import Delivery, News
from channels.errors import Nonsense, Refused, Unauthorized
from channels.sandbox.webhooks import Message
from tests.channels.amazon import SECRETS, SETTINGS, bench_with
from tests.channels.contract import HOOK_URL, HOUR_MS, Bench, bench_of


@pytest.fixture
def bench() -> Bench:
    return bench_with()


async def heard(bench: Bench, happens: Callable[[], object]) -> list[News]:
    """What notifications say of what happens."""
    await bench.run(bench.connector.subscribe(HOOK_URL))
    happens()
    await bench.sandbox.deliver()
    return [await bench.hear(message) for message in bench.inbox]


async def test_our_own_push_is_told_back_to_us_as_a_number_that_is_shown(bench):
    await bench.run(bench.connector.push([bench.level("CUP", 3)]))

    [news] = await heard(bench, bench.wait)

    assert (news.topic, [(one.listing, one.units) for one in news.shown]) == (
        "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
        [("CUP", 3)],
    )


async def test_a_number_that_somebody_changed_by_hand_is_told(bench):
    [news] = await heard(bench, lambda: bench.sandbox.edits("CUP", 99))

    assert [(one.listing, one.units) for one in news.shown] == [("CUP", 99)]


async def test_a_listing_with_which_something_is_wrong_is_to_be_looked_at(bench):
    [news] = await heard(bench, lambda: bench.sandbox.finds_fault("TEE"))

    assert list(news.look) == ["TEE"]


async def test_a_feed_that_is_done_is_told_by_its_ticket(bench):
    ticket = await bench.run(bench.connector.push_bulk([bench.level("CUP", 10)]))

    news = await heard(bench, bench.wait) + await heard(bench, bench.wait)

    assert [one.finished for one in news] == [[ticket]]


async def test_an_order_of_another_seller_or_shipped_by_amazon_is_none_of_ours(bench):
    bench.sandbox.sells("FBA", None)
    news = await heard(bench, lambda: (bench.sandbox.buys("CUP", 1), bench.sandbox.buys("FBA", 1)))
    stranger = Amazon(msgspec.structs.replace(SETTINGS, seller="A2SELLER"), SECRETS)
    theirs = bench._replace(engine=bench_of(stranger, bench.sandbox, bench.clock, [], ("CUP", "TEE")).engine)

    assert [len(one.ask) for one in news if one.topic == "ORDER_CHANGE"] == [1, 1, 0, 0]
    assert [list((await theirs.hear(message)).ask) for message in bench.inbox] == [[]] * len(bench.inbox)


async def test_an_order_of_a_marketplace_that_is_not_ours_is_none_of_ours(bench):
    message = await bare(bench)

    news = await bench.hear(message._replace(body=message.body.replace(b"ATVPDKIKX0DER", b"A2EUQ1WTGCTBG2")))

    assert list(news.ask) == []


async def bare(bench: Bench) -> Message:
    """A notification of an order, as it was put into the queue."""
    await heard(bench, lambda: bench.sandbox.buys("CUP", 1, pending=True))
    [message] = [message for message in bench.inbox if b"ORDER_CHANGE" in message.body]
    return message


@pytest.mark.parametrize(
    "wrap",
    [
        lambda said: said,
        lambda said: {"version": "0", "detail-type": "ORDER_CHANGE", "detail": said},
        lambda said: {"messageId": "1", "eventSource": "aws:sqs", "body": json.dumps(said)},
        lambda said: [{"messageId": "1", "body": said}],
    ],
)
async def test_a_notification_is_understood_whatever_it_comes_in(bench, wrap):
    message = await bare(bench)
    [id] = bench.sandbox.orders

    news = await bench.hear(message._replace(body=json.dumps(wrap(json.loads(message.body))).encode()))

    assert (news.topic, list(news.ask)) == ("ORDER_CHANGE", [id])
    assert news.id == json.loads(message.body)["NotificationMetadata"]["NotificationId"]


async def test_several_notifications_in_one_delivery_are_all_heard(bench):
    await heard(bench, lambda: (bench.sandbox.buys("CUP", 1), bench.sandbox.edits("TEE", 7)))
    said = [json.loads(message.body) for message in bench.inbox]

    news = await bench.hear(bench.inbox[0]._replace(body=json.dumps(said).encode()))

    assert set(news.ask) == set(bench.sandbox.orders)
    assert [(one.listing, one.units) for one in news.shown] == [("CUP", 9), ("TEE", 7)]
    assert len(news.id) == 64


@pytest.mark.parametrize("body", [b"[]", b"{}", b"no JSON", b'{"body":"{"}', b'{"detail":7}'])
async def test_a_delivery_that_is_no_notification_is_nonsense(bench, body):
    message = await bare(bench)

    with pytest.raises(Nonsense):
        await bench.hear(message._replace(body=body))


def proved(secrets: AmazonSecrets, given: str) -> bool:
    try:
        prove(Delivery({"x-allot-webhook-secret": given}, b""), secrets)
    except Unauthorized:
        return False
    return True


def test_while_the_secret_is_rotated_the_old_one_is_believed():
    secrets = msgspec.structs.replace(SECRETS, webhook_secret="new", previous_webhook_secret="old")

    assert [proved(secrets, given) for given in ("new", "old", "older", "")] == [True, True, False, False]


def test_without_a_secret_nobody_is_believed():
    assert not proved(msgspec.structs.replace(SECRETS, webhook_secret=""), "")


async def test_orders_and_feeds_go_to_the_queue_and_listings_to_the_event_bus(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))

    there = bench.sandbox.notices
    kinds = {
        type: next(iter(there.destinations[one["destinationId"]]["resource"]))
        for type, one in there.subscriptions.items()
    }
    assert kinds == {
        "ORDER_CHANGE": "sqs",
        "FEED_PROCESSING_FINISHED": "sqs",
        "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "eventBridge",
        "LISTINGS_ITEM_ISSUES_CHANGE": "eventBridge",
    }


async def test_without_a_queue_and_a_bus_there_is_nothing_to_subscribe():
    bench = bench_with(msgspec.structs.replace(SETTINGS, queue="", bus_account=""))

    assert await bench.run(bench.connector.subscribe(HOOK_URL)) == 0
    assert bench.sandbox.calls == []


async def test_a_subscription_to_a_destination_that_is_gone_is_replaced(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))
    bench.sandbox.notices.destinations.clear()
    bench.clock.ms += HOUR_MS

    assert await bench.run(bench.connector.subscribe(HOOK_URL)) == 2 + 4
    bench.clock.ms += HOUR_MS
    assert [len(await heard(bench, lambda: bench.sandbox.edits("CUP", 3)))] == [1]


async def test_a_subscription_that_leads_elsewhere_is_not_taken_away(bench):
    await bench.run(bench.connector.subscribe(HOOK_URL))
    bench.clock.ms += HOUR_MS
    other = bench_of(
        Amazon(msgspec.structs.replace(SETTINGS, queue="arn:aws:sqs:us-east-1:123456789012:other"), SECRETS),
        bench.sandbox,
        bench.clock,
        [],
        ("CUP", "TEE"),
    )

    with pytest.raises(Refused) as refused:
        await other.run(other.connector.subscribe(HOOK_URL))

    assert refused.value.code == "subscribed_elsewhere"
