"""Tills: the contract of all channels as far as it is about numbers, and our own for what tills send."""

import httpx
import pytest
import stamina

from channels.base import Listing, Window
from channels.engine import ATTEMPTS_MAX
from channels.errors import Nonsense, Unauthorized
from channels.pos import Pos, PosSecrets, PosSettings
from channels.pos.signing import AGE_MAX_S, prove, signature
from channels.sandbox.pos import PosSandbox
from channels.sandbox.webhooks import send_over
from channels.wire import Answer
from tests.channels.contract import Bench, Clock, StockContract, bench_of, courier_of
from tests.channels.shop import NOON_MS

SECRETS = PosSecrets(signing_secret="whsec-till-1")
SETTINGS = PosSettings(address="https://hub.test/stock")
EVENTS_URL = "https://allot.test/v1/pos/tills/events"
NOON_S = NOON_MS // 1_000


def bench_with(settings: PosSettings = SETTINGS, secrets: PosSecrets = SECRETS) -> Bench:
    clock, inbox = Clock(), []
    sandbox = PosSandbox(courier_of(inbox), clock, SECRETS, url=EVENTS_URL, key="till-key-1")
    sandbox.opens("till-1", "STORE1")
    sandbox.sells("CUP", 10)
    sandbox.sells("TEE", 10)
    return bench_of(Pos(settings, secrets), sandbox, clock, inbox, ("CUP", "TEE"))


@pytest.fixture
def bench() -> Bench:
    return bench_with()


async def sent(bench: Bench) -> list:
    """The messages of what has happened so far."""
    await bench.sandbox.deliver()
    return bench.inbox


@pytest.fixture
def quick():
    stamina.set_testing(testing=True, attempts=ATTEMPTS_MAX, cap=True)
    yield
    stamina.set_testing(testing=False)


class TestPos(StockContract):
    unknown = "NOTHING"

    @pytest.fixture
    def bench(self) -> Bench:
        return bench_with()

    def stranger(self) -> Pos:
        return Pos(SETTINGS, PosSecrets(signing_secret="whsec-other"))


# --- numbers ------------------------------------------------------------------------------------------------------


async def test_without_a_hub_nothing_is_pushed_and_every_number_counts_as_told():
    bench = bench_with(PosSettings())

    [pushed] = await bench.run(bench.connector.push([bench.level("CUP", 3)]))
    [shown] = await bench.run(bench.connector.read([Listing("CUP")]))
    listed = await bench.run(bench.connector.list_listings(""))

    assert (pushed.outcome, pushed.applied, pushed.shown) == ("accepted", True, 3)
    assert (shown.units, listed, bench.sandbox.calls) == (None, ([], ""), [])


async def test_a_number_signed_earlier_than_the_one_that_is_shown_changes_nothing(bench):
    await bench.run(bench.connector.push([bench.level("CUP", 3)]))
    behind = bench_with()
    behind.clock.ms -= 60_000
    other = bench_of(behind.connector, bench.sandbox, behind.clock, [], ("CUP", "TEE"))

    [late] = await other.run(other.connector.push([other.level("CUP", 8)]))

    assert (late.outcome, late.shown, bench.sandbox.shows("CUP")) == ("stale", 3, 3)


async def test_the_hubs_articles_are_listed_page_by_page(bench):
    for number in range(500):
        bench.sandbox.sells(f"SKU-{number:03}", 1)
    cursor, listed = "", []
    for _ in range(2):
        page, cursor = await bench.run(bench.connector.list_listings(cursor))
        listed += [one.sku for one in page]

    assert (len(listed), len(set(listed)), cursor) == (502, 502, "")


async def test_many_articles_are_read_in_questions_of_a_bearable_length(bench):
    shown = await bench.run(bench.connector.read([Listing("CUP")] * 250))

    assert ({one.units for one in shown}, len(shown), bench.sandbox.calls) == ({10}, 250, ["read"] * 3)


async def test_results_of_other_articles_are_nonsense(bench):
    with pytest.raises(Nonsense):
        steps = bench.connector.push([bench.level("CUP", 3)])
        next(steps)
        steps.send(Answer(200, {}, b'{"results": [{"sku": "TEE", "status": "shown"}]}'))


@pytest.mark.usefixtures("quick")
async def test_a_hub_that_is_busy_is_asked_again_when_it_says(bench):
    bench.sandbox.faults.throttle["push"] = 1

    [pushed] = await bench.run(bench.connector.push([bench.level("CUP", 3)]))

    assert (pushed.outcome, bench.sandbox.calls) == ("accepted", ["push", "push"])


async def test_there_are_no_orders_to_ask_for(bench):
    bench.sandbox.buys("CUP", 1)

    page = await bench.run(bench.connector.orders(Window(0, NOON_MS), ""))

    assert (list(page.orders), page.cursor, page.watermark_ms) == ([], "", NOON_MS)


# --- what tills send ----------------------------------------------------------------------------------------------


async def test_what_happened_at_a_till_is_heard_as_it_was(bench):
    sale = bench.sandbox.buys("CUP", 2)
    bench.sandbox.brings_back("CUP", 1, of=sale)

    first, second = [await bench.hear(message) for message in await sent(bench)]

    [bought], [back] = first.events, second.events
    assert (bought.type, bought.event_id, bought.location) == ("sale", sale, "STORE1")
    assert [(line.sku, line.quantity) for line in bought.lines] == [("CUP", "2")]
    assert round(bought.occurred_at.timestamp() * 1_000) == NOON_MS
    assert (back.type, back.reference, back.disposition) == ("return", sale, "restock")
    assert (list(first.orders), list(first.ask), first.topic) == ([], [], "events")
    assert first.id != second.id


async def test_a_batch_that_comes_again_has_the_same_id(bench):
    bench.sandbox.buys("CUP", 1)
    [message] = await sent(bench)

    assert (await bench.hear(message)).id == (await bench.hear(message)).id


async def test_a_till_that_was_offline_sends_all_of_it_in_the_order_in_which_it_happened(bench):
    bench.sandbox.loses_connection("till-1")
    ids = []
    for _ in range(501):
        ids.append(bench.sandbox.buys("CUP", 1))
        bench.clock.ms += 1_000
    nothing = list(await sent(bench))
    bench.sandbox.is_back("till-1")

    batches = [await bench.hear(message) for message in await sent(bench)]

    assert (nothing, [len(batch.events) for batch in batches]) == ([], [500, 1])
    assert [event.event_id for batch in batches for event in batch.events] == ids
    assert batches[0].events[1].occurred_at > batches[0].events[0].occurred_at


async def test_a_batch_that_nobody_answered_is_sent_again(bench):
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(503)))
    bench.sandbox.courier.send = lambda message: send_over(http, message)
    bench.sandbox.buys("CUP", 1)

    [(first, status)] = await bench.sandbox.deliver()
    [(again, _)] = await bench.sandbox.deliver()

    assert (status, again) == (503, first)


async def test_a_till_with_another_secret_is_not_believed(bench):
    bench.sandbox.tills["till-1"].secret = "whsec-forged"
    bench.sandbox.buys("CUP", 1)
    [message] = await sent(bench)

    with pytest.raises(Unauthorized):
        await bench.hear(message)


async def test_a_batch_whose_body_was_changed_is_not_believed(bench):
    bench.sandbox.buys("CUP", 1)
    [message] = await sent(bench)

    with pytest.raises(Unauthorized):
        await bench.hear(message._replace(body=message.body.replace(b'"1"', b'"9"')))


async def test_a_batch_without_a_signature_is_not_believed(bench):
    bench.sandbox.buys("CUP", 1)
    [message] = await sent(bench)

    with pytest.raises(Unauthorized):
        await bench.hear(message._replace(headers={}))


async def test_a_connection_without_a_secret_believes_nobody_who_has_no_key():
    bench = bench_with(secrets=PosSecrets())
    bench.sandbox.buys("CUP", 1)
    [message] = await sent(bench)

    with pytest.raises(Unauthorized):
        await bench.hear(message)


@pytest.mark.parametrize("age_s", [-AGE_MAX_S - 1, AGE_MAX_S + 1])
async def test_a_signature_of_another_time_is_not_believed(bench, age_s: int):
    bench.sandbox.buys("CUP", 1)
    [message] = await sent(bench)
    bench.clock.ms += age_s * 1_000

    with pytest.raises(Unauthorized):
        await bench.hear(message)


@pytest.mark.parametrize("age_s", [-AGE_MAX_S, AGE_MAX_S])
async def test_a_clock_that_is_a_little_wrong_is_no_harm(bench, age_s: int):
    bench.sandbox.buys("CUP", 1)
    [message] = await sent(bench)
    bench.clock.ms += age_s * 1_000

    assert (await bench.hear(message)).events


async def test_what_is_no_batch_of_events_is_nonsense(bench):
    message = bench.sandbox.message([{"event_id": "1", "type": "theft"}])

    with pytest.raises(Nonsense):
        await bench.hear(message)


async def test_secrets_are_changed_without_a_moment_in_which_nobody_is_believed(bench):
    """First both sides take both, then tills sign with the new one, then the former goes."""
    rotated = PosSecrets(signing_secret="whsec-till-2", former_secret="whsec-till-1")
    changed = bench_with(secrets=rotated)

    bench.sandbox.buys("CUP", 1)
    [old] = await sent(bench)
    await changed.run(changed.connector.push([changed.level("CUP", 3)]))

    assert (await changed.hear(old)).events
    assert changed.sandbox.shows("CUP") == 3


# --- signatures ---------------------------------------------------------------------------------------------------


def test_the_signature_is_the_one_that_is_documented():
    """Made with: printf '1795262400.{}' | openssl dgst -sha256 -hmac secret."""
    said = signature(["secret"], b"{}", 1_795_262_400)

    assert said == "t=1795262400,v1=30ec5002948f9a3f19e66e797377fc293f0bcda552a0b8bd98d47406360a7f02"


def test_one_good_signature_among_several_is_enough():
    said = signature(["old", "new"], b"{}", NOON_S)

    prove(said, ["new"], b"{}", NOON_S)
    prove(said, ["old"], b"{}", NOON_S)
    with pytest.raises(Unauthorized):
        prove(said, ["other"], b"{}", NOON_S)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "v1=00",
        "t=,v1=00",
        "t=abc,v1=00",
        "t=1,t=2,v1=00",
        "t=" + "9" * 400 + ",v1=00",
        "t=٣,v1=00",
        "t=1,v1=\u00e9",
    ],
)
def test_a_header_of_another_form_proves_nothing(said: str):
    with pytest.raises(Unauthorized):
        prove(said, ["secret"], b"{}", NOON_S)
