"""eBay's notifications: who speaks, of whom, and keeping it speaking."""

import base64
import hashlib
import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from channels.base import Delivery
from channels.ebay import EbaySettings
from channels.ebay.notice_words import SaidKey
from channels.ebay.notices import KEY_LIFE_MS, TOPICS
from channels.ebay.signatures import key_of, seal_of, signed_forms
from channels.errors import Nonsense, Refused, Unauthorized
from channels.sandbox.ebay_notices import FAILURES_MAX, RETRIES, Subscription
from tests.channels.contract import HOOK_URL, Bench
from tests.channels.ebay import SECRETS, URL, new_bench
from tests.servers import shared_data


@pytest.fixture
async def bench() -> Bench:
    bench = new_bench()
    await bench.run(bench.connector.subscribe(HOOK_URL))
    bench.sandbox.calls.clear()
    return bench


async def ordered(bench: Bench):
    """The notification of a new order, and the order's id."""
    id = bench.sandbox.buys("CUP", 1)
    await bench.sandbox.deliver()
    return bench.inbox[-1], id


# --- what is told -------------------------------------------------------------------------------------------------


async def test_a_parcel_that_was_told_at_ebay_names_its_order(bench):
    _, id = await ordered(bench)
    bench.sandbox.ships(id, {"lineItems": [{"lineItemId": bench.sandbox.orders[id].line, "quantity": 1}]})
    await bench.sandbox.deliver()

    news = await bench.hear(bench.inbox[-1])

    assert (news.topic, list(news.ask)) == ("ITEM_MARKED_SHIPPED", [id])


async def test_what_is_told_of_another_account_says_nothing(bench):
    bench.sandbox.board.user = {"userId": "u-2", "username": "seller-2"}
    message, _ = await ordered(bench)

    news = await bench.hear(message)

    assert (news.topic, list(news.ask)) == ("ORDER_CONFIRMATION", [])


async def test_a_buyer_who_has_left_ebay_is_heard_and_not_kept(bench):
    board = bench.sandbox.board
    board.subscriptions["s"] = Subscription("s", "MARKETPLACE_ACCOUNT_DELETION", next(iter(board.destinations)))
    board.tell("MARKETPLACE_ACCOUNT_DELETION", {"username": "ann", "userId": "x"}, "2026-11-21T07:00:00.000Z")
    await bench.sandbox.deliver()

    news = await bench.hear(bench.inbox[-1])

    assert (news.topic, list(news.ask), "ann" in str(news)) == ("MARKETPLACE_ACCOUNT_DELETION", [], False)


# --- who speaks ---------------------------------------------------------------------------------------------------


async def test_a_key_is_asked_for_once_an_hour(bench):
    message, _ = await ordered(bench)
    for _ in range(3):
        await bench.hear(message)
    bench.clock.ms += KEY_LIFE_MS

    await bench.hear(message)

    assert bench.sandbox.calls.count("key") == 2


async def test_a_key_that_ebay_has_turned_is_asked_for(bench):
    first, _ = await ordered(bench)
    bench.sandbox.board.turn_key()
    second, id = await ordered(bench)

    await bench.hear(first)
    news = await bench.hear(second)

    assert (list(news.ask), bench.sandbox.calls.count("key")) == ([id], 2)


async def test_the_applications_token_is_asked_for_again_when_it_has_ended(bench):
    message, id = await ordered(bench)
    bench.sandbox.tokens.clear()

    news = await bench.hear(message)

    assert (list(news.ask), bench.sandbox.calls) == ([id], ["key", "token", "key"])


async def test_a_body_that_was_written_again_with_spaces_is_still_ebays(bench):
    message, id = await ordered(bench)
    spaced = json.dumps(json.loads(message.body), indent=2).encode()

    news = await bench.hear(message._replace(body=spaced))

    assert list(news.ask) == [id]


@pytest.mark.parametrize("kid", ["key-99", "../destination", ""])
async def test_a_key_that_ebay_does_not_have_signs_nothing(bench, kid: str):
    message, _ = await ordered(bench)
    seal = json.loads(base64.b64decode(message.headers["X-EBAY-SIGNATURE"]))
    forged = base64.b64encode(json.dumps({**seal, "kid": kid}).encode()).decode()

    with pytest.raises(Unauthorized, match="key"):
        await bench.hear(message._replace(headers={"X-EBAY-SIGNATURE": forged}))


@pytest.mark.parametrize("header", ["%%%", "e30=", base64.b64encode(b'{"kid":"k","signature":"%"}').decode()])
def test_a_signature_that_cannot_be_read_is_none(header: str):
    with pytest.raises(Unauthorized, match="signature"):
        seal_of(header)


@pytest.mark.parametrize("key", ["", "AAAA", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="])
def test_a_key_of_another_kind_is_none(key: str):
    with pytest.raises(Nonsense, match="public key"):
        key_of(SaidKey(f"-----BEGIN PUBLIC KEY-----{key}-----END PUBLIC KEY-----"), 0)


@pytest.mark.needs_shared
@pytest.mark.parametrize(("vector", "is_ebays"), [("VALID", True), ("SIGNATURE_MISMATCH", False)])
def test_the_vendors_own_examples_are_told_apart(vector: str, is_ebays: bool):
    vectors = json.loads(shared_data("channels/specs/ebay/notification_signature_test_vectors.json").read_text())
    example, body = vectors[vector], json.dumps(vectors["VALID"]["message"]).encode()
    key = key_of(msgspec.convert(vectors["VALID"]["response"], SaidKey), 0)

    kid, signature = seal_of(example["signature"])

    assert kid == vectors["VALID"]["public_key"]
    assert any(key.has_signed(form, signature) for form in signed_forms(body)) is is_ebays


# --- keeping it speaking ------------------------------------------------------------------------------------------


def test_an_address_proves_itself_by_a_digest_of_question_token_and_address():
    """As eBay describes it, with the digest taken by other hands."""
    bench = new_bench()
    url = f"{HOOK_URL}?challenge_code=a71e"
    steps = bench.connector.hear(Delivery({}, b"", url, {"challenge_code": "a71e"}), 0)

    with pytest.raises(StopIteration) as done:
        next(steps)

    expected = hashlib.sha256(b"a71e" + SECRETS.verification_token.encode() + HOOK_URL.encode()).hexdigest()
    assert json.loads(done.value.value.reply) == {"challengeResponse": expected}


def bench_that_asks() -> Bench:
    """Its eBay asks the address of a destination, and the connector answers."""
    made: list[Bench] = []

    async def ask(url: str) -> bytes:
        params = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return (await made[0].run(made[0].connector.hear(Delivery({}, b"", url, params), 0))).reply

    made.append(new_bench(ask=ask))
    return made[0]


async def test_a_destination_is_made_when_its_address_has_proved_itself():
    bench = bench_that_asks()

    made = await bench.run(bench.connector.subscribe(HOOK_URL))

    [destination] = bench.sandbox.board.destinations.values()
    assert (made, destination.endpoint, destination.status) == (1 + len(TOPICS), HOOK_URL, "ENABLED")


async def test_an_address_that_proves_nothing_is_refused():
    async def ask(url: str) -> bytes:
        return b"hello"

    bench = new_bench(ask=ask)

    with pytest.raises(Refused) as refused:
        await bench.run(bench.connector.subscribe(HOOK_URL))

    assert refused.value.code == "195020"


async def test_an_address_that_fails_too_often_is_told_nothing_until_it_is_woken(bench):
    async def fail(message) -> int:
        bench.inbox.append(message)
        return 500

    async def take(message) -> int:
        bench.inbox.append(message)
        return 200

    bench.sandbox.courier.send = fail
    for _ in range(FAILURES_MAX):
        bench.sandbox.buys("CUP", 1)
        for _ in range(1 + RETRIES):
            await bench.sandbox.deliver()
    bench.sandbox.courier.send = take
    before = len(bench.inbox)
    bench.sandbox.buys("CUP", 1)
    await bench.sandbox.deliver()

    woken = await bench.run(bench.connector.subscribe(HOOK_URL))
    message, id = await ordered(bench)

    assert (before, len(bench.inbox), woken) == (FAILURES_MAX * (1 + RETRIES), before + 1, 1)
    assert list((await bench.hear(message)).ask) == [id]


async def test_a_notification_that_was_not_taken_comes_again_under_its_id(bench):
    async def fail(message) -> int:
        bench.inbox.append(message)
        return 500

    bench.sandbox.courier.send = fail
    bench.sandbox.buys("CUP", 1)
    await bench.sandbox.deliver()
    await bench.sandbox.deliver()

    first, again = [await bench.hear(message) for message in bench.inbox]

    assert first.id == again.id
    assert bench.inbox[0].body != bench.inbox[1].body


async def test_subscriptions_that_were_switched_off_or_point_elsewhere_are_mended(bench):
    board = bench.sandbox.board
    order, shipped = board.subscriptions.values()
    order.status, shipped.destination = "DISABLED", "dest-of-old"

    mended = await bench.run(bench.connector.subscribe(HOOK_URL))

    now = {(one.topic, one.status, one.destination) for one in board.subscriptions.values()}
    assert (mended, now) == (2, {(topic, "ENABLED", next(iter(board.destinations))) for topic in TOPICS})


async def test_a_topic_that_is_not_open_to_us_keeps_no_other_from_being_told():
    bench = new_bench()
    bench.sandbox.board.closed_topics.add("ITEM_MARKED_SHIPPED")

    made = await bench.run(bench.connector.subscribe(HOOK_URL))

    assert made == 2
    assert [one.topic for one in bench.sandbox.board.subscriptions.values()] == ["ORDER_CONFIRMATION"]


@pytest.mark.parametrize("email", ["", "ops@example.org"])
async def test_ebay_is_told_where_to_write_before_it_notifies_anybody(email: str):
    bench = new_bench(EbaySettings(url=URL, alert_email=email))
    bench.sandbox.board.alert_email = ""

    if email:
        assert await bench.run(bench.connector.subscribe(HOOK_URL)) == 1 + len(TOPICS)
    else:
        with pytest.raises(Refused, match="195003"):
            await bench.run(bench.connector.subscribe(HOOK_URL))

    assert bench.sandbox.board.alert_email == email


async def test_an_application_with_many_destinations_finds_its_own(bench):
    board = bench.sandbox.board
    mine = next(iter(board.destinations))
    others = {f"d-{n}": board.destinations[mine].__class__(f"d-{n}", "x", f"https://x/{n}", "t") for n in range(120)}
    board.destinations = {**others, mine: board.destinations[mine]}

    mended = await bench.run(bench.connector.subscribe(HOOK_URL))

    assert mended == 0
