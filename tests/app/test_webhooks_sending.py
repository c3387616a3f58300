"""What happens when receivers do not do what they should."""

import asyncio
import ipaddress
import socket

import pytest

from app.addresses import BadUrl, judge, parse, resolve
from app.metrics import Metrics
from app.store.webhooks import (
    NewDelivery,
    add_deliveries,
    change_delivery,
    change_endpoint,
    claim,
    find_delivery,
    find_endpoint,
    list_deliveries,
)
from app.times import now_ms
from app.webhooks import courier, sending, signing
from app.webhooks.courier import RETRY_SECONDS, Courier
from app.webhooks.sending import Postman
from tests.app.receiver import add, is_signed, receiving

DAY_MS = 24 * 3_600_000


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"webhooks_allow_private": True})


@pytest.fixture
async def by_hand(app):
    """The service's courier, with the jobs that run it at rest."""
    webhooks = app.state.webhooks
    webhooks.courier._stopping = True
    other = Courier(app.service.database, Postman(allow_private=True, timeout_s=0.5), Metrics())
    yield other
    await other.close()


@pytest.fixture
async def endpoint(client, receiver, by_hand) -> str:
    return (await add(client, url=receiver.url)).json()["webhook"]["id"]


async def put_event(state, endpoint: str, id: str = "msg_1") -> None:
    async with state.database.writing() as session:
        await add_deliveries(
            session, [NewDelivery(id, endpoint, "main", "webhook.test", '{"type":"webhook.test"}')], now_ms=now_ms()
        )


async def send(by_hand) -> None:
    await by_hand.run()
    await by_hand.idle()


async def look(state, id: str = "msg_1"):
    async with state.database.reading() as session:
        return await find_delivery(session, "main", id)


async def see(state, endpoint: str):
    async with state.database.reading() as session:
        return await find_endpoint(session, "main", endpoint)


async def make_due(state, id: str = "msg_1") -> None:
    async with state.database.writing() as session:
        await change_delivery(session, id, next_ms=now_ms())


async def test_an_event_is_tried_again_on_schedule_with_the_same_id_and_body(state, endpoint, receiver, by_hand):
    receiver.statuses = [500] * 20
    await put_event(state, endpoint)
    waits = []

    for _ in range(len(RETRY_SECONDS)):
        await send(by_hand)
        found = await look(state)
        waits.append((found.next_ms - found.last_ms) / 1000)
        await make_due(state)
    await send(by_hand)

    found = await look(state)
    assert all(planned <= wait <= planned * 1.1 + 0.1 for planned, wait in zip(RETRY_SECONDS, waits, strict=True))
    assert (found.state, found.attempts, found.last_status) == ("failed", 8, 500)
    assert found.last_error == "answered 500: status 500"
    assert {(got.id, got.body) for got in receiver.got} == {("msg_1", b'{"type":"webhook.test"}')}
    assert len(receiver.got) == 8


async def test_every_attempt_is_signed_anew(state, endpoint, receiver, by_hand, monkeypatch):
    receiver.statuses = [500]
    await put_event(state, endpoint)
    await send(by_hand)
    await make_due(state)
    monkeypatch.setattr(sending, "now_ms", lambda: now_ms() + 60_000)

    await send(by_hand)

    secret = (await see(state, endpoint)).secrets[0]["secret"]
    first, second = receiver.got
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 60
    assert is_signed(first, secret)
    assert is_signed(second, secret)


async def test_a_receiver_that_hangs_holds_up_nobody(client, state, receiver, by_hand, endpoint):
    async with receiving() as slow:
        slow.hangs = True
        hanging = (await add(client, url=slow.url)).json()["webhook"]["id"]
        await put_event(state, hanging, "msg_slow")
        await put_event(state, endpoint, "msg_fast")

        await by_hand.run()
        await receiver.gets(1, seconds=0.4)
        await by_hand.idle()

    found = await look(state, "msg_slow")
    assert (found.state, found.last_status, found.last_error) == ("waiting", None, "no answer within 0.5 s")
    assert (await look(state, "msg_fast")).state == "delivered"


async def test_an_endless_answer_is_not_read_to_its_end(state, endpoint, receiver, by_hand):
    receiver.endless, receiver.statuses = True, [503]
    await put_event(state, endpoint)

    async with asyncio.timeout(5):
        await send(by_hand)
    receiver.endless = False

    found = await look(state)
    assert found.last_status == 503
    assert len(found.last_error) < 300


async def test_a_receiver_that_is_gone_is_not_sent_to_again(state, endpoint, receiver, by_hand):
    receiver.statuses = [410]
    await put_event(state, endpoint)

    await send(by_hand)
    await put_event(state, endpoint, "msg_2")
    await send(by_hand)

    shown = await see(state, endpoint)
    assert (shown.active, shown.disabled_why) == (False, "the receiver answered 410 Gone")
    assert (await look(state)).state == "failed"
    assert len(receiver.got) == 1


async def test_redirects_are_not_followed(state, endpoint, receiver, by_hand):
    receiver.statuses = [302]
    await put_event(state, endpoint)

    await send(by_hand)

    assert (await look(state)).last_status == 302
    assert [got.path for got in receiver.got] == ["/"]


async def test_nobody_listening_is_an_error_like_any_other(state, client, by_hand):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    closed = (await add(client, url=f"http://127.0.0.1:{port}/")).json()["webhook"]["id"]
    await put_event(state, closed)

    await send(by_hand)

    found = await look(state)
    assert (found.state, found.last_status) == ("waiting", None)
    assert "ConnectError" in found.last_error


async def test_after_five_days_of_failure_an_endpoint_is_disabled_and_says_why(state, endpoint, receiver, by_hand):
    receiver.statuses = [500, 500]
    await put_event(state, endpoint)
    await send(by_hand)
    since = (await see(state, endpoint)).failing_since_ms
    async with state.database.writing() as session:
        await change_endpoint(session, endpoint, failing_since_ms=since - 5 * DAY_MS)
    await make_due(state)

    await send(by_hand)

    shown = await see(state, endpoint)
    assert since is not None
    assert not shown.active
    assert shown.disabled_why == "nothing was delivered for 5 days: answered 500: status 500"


async def test_one_success_and_an_endpoint_is_no_longer_failing(state, endpoint, receiver, by_hand):
    receiver.statuses = [500]
    await put_event(state, endpoint)
    await send(by_hand)
    await make_due(state)

    await send(by_hand)

    assert (await see(state, endpoint)).failing_since_ms is None


async def test_a_failing_endpoint_is_asked_with_one_event_first(state, endpoint, receiver, by_hand):
    receiver.statuses = [500, 500]
    await put_event(state, endpoint)
    await send(by_hand)
    for number in range(2, 6):
        await put_event(state, endpoint, f"msg_{number}")

    async with state.database.writing() as session:
        await change_delivery(session, "msg_1", next_ms=now_ms() + DAY_MS)
    await send(by_hand)
    while_failing = len(receiver.got)
    await send(by_hand)

    assert while_failing == 2
    assert len(receiver.got) == 5
    assert (await see(state, endpoint)).failing_since_ms is None


async def test_two_couriers_send_every_event_once(state, endpoint, receiver, by_hand):
    # Patient ones: on a busy machine 60 answers take longer than half a second.
    couriers = [Courier(state.database, Postman(allow_private=True), Metrics()) for _ in range(2)]
    for number in range(60):
        await put_event(state, endpoint, f"msg_{number}")

    await asyncio.gather(*map(send, couriers))

    assert sorted(got.id for got in receiver.got) == sorted(f"msg_{number}" for number in range(60))
    for each in couriers:
        await each.close()


async def test_what_a_dead_courier_claimed_is_sent_by_the_next_one(state, endpoint, receiver, by_hand):
    await put_event(state, endpoint)
    now = now_ms()
    async with state.database.writing() as session:
        claimed = await claim(session, endpoint, now_ms=now, until_ms=now + 300, limit=10)

    await send(by_hand)
    before = len(receiver.got)
    await asyncio.sleep(0.35)
    await send(by_hand)

    assert (len(claimed), before) == (1, 0)
    assert [got.id for got in receiver.got] == ["msg_1"]


async def test_a_courier_that_stops_gives_back_what_it_had_not_sent(state, endpoint, receiver, by_hand, monkeypatch):
    monkeypatch.setattr(courier, "GRACE_SECONDS", 0.05)
    receiver.hangs = True
    patient = Courier(state.database, Postman(allow_private=True), Metrics())
    await put_event(state, endpoint)
    await patient.run()
    await receiver.gets(1)

    await patient.close()

    found = await look(state)
    assert (found.state, found.attempts) == ("waiting", 0)
    assert found.next_ms <= now_ms()


# --- where nothing may be sent to --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.8",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
    ],
)
def test_addresses_inside_a_network_are_refused(address: str):
    with pytest.raises(BadUrl):
        judge("https", ipaddress.ip_address(address), allow_private=False)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"])
def test_public_addresses_are_not(address: str):
    judge("https", ipaddress.ip_address(address), allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/x",
        "http://erp.example/",
        "http://127.0.0.1/",
        "gopher://erp.example/",
    ],
)
def test_urls_that_lead_inside_are_refused_at_once(url: str):
    with pytest.raises(BadUrl):
        parse(url, allow_private=False)


@pytest.mark.parametrize("url", ["https://localhost/", "https://2130706433/", "https://0x7f.1/", "https://127.1/"])
async def test_names_that_lead_inside_are_refused_when_they_are_looked_up(url: str):
    with pytest.raises(BadUrl, match="private"):
        await resolve(parse(url, allow_private=False), allow_private=False)


async def test_a_name_that_leads_nowhere_is_said(monkeypatch):
    with pytest.raises(BadUrl, match="leads nowhere"):
        await resolve(parse("https://nowhere.invalid/", allow_private=False), allow_private=False)


async def test_the_address_that_was_judged_is_the_one_connected_to(state, receiver, endpoint, monkeypatch):
    """A name that leads elsewhere at every look-up is looked up once."""
    port = int(receiver.url.rpartition(":")[2])
    looked_up = []

    async def getaddrinfo(host, *_, **__):
        looked_up.append(host)
        address = "127.0.0.1" if len(looked_up) == 1 else "127.0.0.99"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with state.database.writing() as session:
        facts = await change_endpoint(session, endpoint, url=f"http://rebinding.test:{port}/in")
    await put_event(state, endpoint)
    postman = Postman(allow_private=True)

    outcome = await postman.deliver(facts, await look(state))

    assert outcome == (200, "")
    assert [name for name in looked_up if not name.startswith("127.")] == ["rebinding.test"]
    assert receiver.got[0].headers["host"] == f"rebinding.test:{port}"
    await postman.close()


async def test_without_the_setting_nothing_is_sent_to_a_private_address(state, receiver, endpoint):
    await put_event(state, endpoint)
    careful = Postman(allow_private=False)

    outcome = await careful.deliver(await see(state, endpoint), await look(state))

    assert outcome.status is None
    assert "https" in outcome.error
    assert receiver.got == []
    await careful.close()


def test_an_old_secret_signs_until_its_end():
    first = signing.rotated([], "a", now_ms=0)
    second = signing.rotated(first, "b", now_ms=1_000)
    third = signing.rotated(second, "c", now_ms=2_000)

    assert signing.valid_secrets(second, now_ms=1_000 + signing.OVERLAP_MS - 1) == [
        second[0]["secret"],
        first[0]["secret"],
    ]
    assert signing.valid_secrets(second, now_ms=1_000 + signing.OVERLAP_MS) == [second[0]["secret"]]
    assert [secret["op"] for secret in third] == ["c", "b"]


async def test_old_deliveries_are_forgotten(app, state, endpoint):
    await put_event(state, endpoint, "msg_old")
    await put_event(state, endpoint, "msg_new")
    async with state.database.writing() as session:
        await change_delivery(session, "msg_old", created_ms=now_ms() - 31 * DAY_MS)

    await app.state.webhooks.forget_deliveries(state, None)

    async with state.database.reading() as session:
        found = await list_deliveries(session, endpoint, state="", before=None, limit=10)
    assert [delivery.id for delivery in found] == ["msg_new"]
