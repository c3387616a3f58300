"""Webhooks of channels: proved, written down once, and taken whenever that is possible."""

from dataclasses import replace

import httpx
import msgspec
import pytest
import stamina

from app.lines import mended
from app.main import create_app
from app.metrics import Metrics, registry_of, written
from app.opening import make_first_key
from app.store.heard import page_heard
from app.survey import Survey
from app.sync.intake import take_waiting
from app.sync.pulling import pull
from app.sync.subscribing import AGAIN_MS, EVERY_MS, keep_subscribed
from app.times import now_ms
from channels.sandbox.ebay_notices import ask_over
from channels.sandbox.webhooks import Message
from tests.app.heard_shop import HOOK, There, connected, subscribed
from tests.app.talk import slug
from tests.servers import Server, present

CHANNELS = ("shopify", "woocommerce", "amazon", "ebay")


@pytest.fixture(autouse=True)
def quick():
    stamina.set_testing(testing=True, attempts=2, cap=True)
    yield
    stamina.set_testing(testing=False)


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"public_url": "https://allot.test"})


@pytest.fixture(params=CHANNELS)
async def there(request, app, client) -> There:
    there = await subscribed(app, client, request.param)
    there.answers.clear()
    return there


@pytest.fixture
async def woo(app, client) -> There:
    return await subscribed(app, client, "woocommerce")


async def delivered(there: There) -> None:
    """Webhooks arrive; while one is proved the channel may be asked."""
    there.clock.is_asked = True
    await there.sandbox.deliver()
    there.clock.is_asked = False


async def test_an_order_that_a_webhook_tells_is_ours(there):
    id = there.buys(2)

    await delivered(there)
    heard = await there.heard(id)
    await there.run(take_waiting)

    assert (heard.state, heard.via) == ("waiting", "hook")
    assert set(there.answers) == {200}
    assert await there.lines(id) == {"ordered": 2, "committed": 2}


async def test_a_webhook_that_comes_again_changes_nothing(there):
    there.buys(2)
    again = list(there.sandbox.courier.waiting)
    await delivered(there)
    await there.run(take_waiting)
    before = await every(there)

    there.sandbox.courier.waiting = again
    await delivered(there)

    assert set(there.answers) == {200}
    assert await every(there) == before


async def every(there: There) -> list:
    async with there.state.database.reading() as session:
        return await page_heard(session, "main", "there", state="", before=None, limit=99)


async def test_a_webhook_and_a_look_at_the_same_order_are_one_order(there):
    id = there.buys(2)
    await delivered(there)
    await there.set(pulled_ms=0, watermark_ms=there.clock.began_ms - 60_000)

    await there.run(pull, take_waiting, pull)

    assert [(one.external_id, one.state) for one in await every(there)] == [(id, "taken")]
    assert await there.lines(id) == {"ordered": 2, "committed": 2}


async def test_a_webhook_that_is_not_from_its_channel_is_refused_without_a_word(there, stranger):
    there.buys(2)
    [message, *_] = there.sandbox.courier.waiting
    proofs = ("signature", "hmac", "secret")
    bare = {name: value for name, value in message.headers.items() if not any(one in name.lower() for one in proofs)}

    answer = await stranger.post(HOOK, headers=bare, content=message.body)

    assert (answer.status_code, slug(answer)) == (401, "forged-webhook")
    assert await every(there) == []


async def test_a_webhook_for_nobody_is_not_found(there, stranger):
    for path in ("/v1/hooks/main/nobody", "/v1/hooks/other/there"):
        answer = await stranger.post(path, content=b"{}")
        assert (answer.status_code, slug(answer)) == (404, "unknown-connection")


async def test_a_paused_connection_hears_and_acts_later(there, client):
    await client.post("/v1/connections/there/pause")
    there.state.lines._open["main", "there"] = replace(there.work.line, facts=await there.facts())
    id = there.buys(2)

    await delivered(there)

    assert set(there.answers) == {200}
    assert (await there.heard(id)).state == "waiting"


async def test_an_old_picture_that_comes_late_changes_nothing(woo):
    id = woo.buys(2)
    late = list(woo.sandbox.courier.waiting)
    woo.sandbox.courier.waiting = []
    woo.pass_s()
    woo.sandbox.gives_up(int(id))
    await delivered(woo)
    await woo.run(take_waiting)

    woo.sandbox.courier.waiting = late
    await delivered(woo)
    await woo.run(take_waiting)

    heard = await woo.heard(id)
    assert (heard.state, heard.code) == ("taken", "never_taken")


async def test_a_payment_that_overtakes_its_order_is_not_undone_by_it(woo):
    id = woo.buys(2, paid=False)
    placed = list(woo.sandbox.courier.waiting)
    woo.sandbox.courier.waiting = []
    woo.pass_s()
    woo.sandbox.pays(int(id))
    await delivered(woo)
    await woo.run(take_waiting)

    woo.sandbox.courier.waiting = placed
    await delivered(woo)
    await woo.run(take_waiting)

    assert await woo.lines(id) == {"ordered": 2, "committed": 2}


async def test_two_changes_within_one_second_are_both_seen(woo):
    id = woo.buys(2)
    await delivered(woo)
    await woo.run(take_waiting)

    woo.sandbox.gives_up(int(id))
    await delivered(woo)
    await woo.run(take_waiting)

    assert await woo.lines(id) == {"ordered": 2, "cancelled": 2}


async def test_an_order_in_a_state_nobody_explains_is_parked_until_somebody_does(woo, client):
    id = str(woo.sandbox.buys(woo.cup, 2, status="awaiting-pickup"))
    await delivered(woo)
    heard = await woo.heard(id)

    woo.pass_s()
    woo.sandbox.pays(int(id))
    await delivered(woo)
    await woo.run(take_waiting)

    assert (heard.state, heard.code) == ("parked", "odd")
    assert "awaiting-pickup" in heard.says
    assert await woo.lines(id) == {"ordered": 2, "committed": 2}


async def test_a_body_that_is_too_large_is_refused(there, stranger):
    answer = await stranger.post(HOOK, content=b"x" * 4_194_305)

    assert (answer.status_code, slug(answer)) == (413, "body-too-large")


async def test_ebay_is_told_that_the_address_is_ours(app, client, stranger):
    there = await connected(app, client, "ebay")
    there.sandbox.board._ask = lambda url: ask_over(stranger, url)

    await there.run(keep_subscribed)

    assert {one.status for one in there.sandbox.board.destinations.values()} == {"ENABLED"}


# --- webhooks' health -----------------------------------------------------------------------------------------------


async def test_webhooks_that_a_vendor_switched_off_are_made_again(there):
    switch_off(there)
    await there.set(subscribed_ms=(await there.facts()).subscribed_ms - EVERY_MS)

    await there.run(keep_subscribed)
    id = there.buys(1)
    await delivered(there)

    assert (await there.heard(id)).via == "hook"
    assert (await there.facts()).subscribed_url == HOOK


async def test_every_process_tells_how_many_webhooks_the_workers_have_mended(there, app, client):
    service = app.service
    before = await mended.kept(service.pipe.client, "main", "there")
    switch_off(there)
    await there.set(subscribed_ms=(await there.facts()).subscribed_ms - EVERY_MS)
    await there.run(keep_subscribed)
    after = await mended.kept(service.pipe.client, "main", "there")
    other = Metrics()

    await Survey().look(replace(service, metrics=other))

    page, _ = written(registry_of(other), "")
    assert 0 < before < after
    assert f'allot_webhooks_mended_total{{connection="there",seller="main"}} {after}.0' in page.decode()


def switch_off(there: There) -> None:
    match there.connector:
        case "shopify":
            there.sandbox.hooks.clear()
        case "woocommerce":
            for hook in there.sandbox.hooks.values():
                hook.status = "disabled"
        case "amazon":
            there.sandbox.notices.subscriptions.clear()
        case _:
            for one in there.sandbox.board.destinations.values():
                one.status = "MARKED_DOWN"


async def test_webhooks_are_looked_after_once_an_hour_and_when_the_address_is_another(woo):
    calls = woo.sandbox.calls.count("webhooks")
    await woo.run(keep_subscribed)
    same = woo.sandbox.calls.count("webhooks")
    await woo.set(subscribed_url="https://old.test/v1/hooks/main/there", subscribed_ms=now_ms() - AGAIN_MS)

    await woo.run(keep_subscribed)

    assert same == calls
    assert woo.sandbox.calls.count("webhooks") > calls


async def test_what_the_channel_cannot_be_asked_for_now_is_asked_for_later(app, client):
    there = await connected(app, client, "shopify")
    await there.run(keep_subscribed)
    id = there.buys(1)
    await delivered(there)
    there.sandbox.faults.outage["order"] = 9

    await there.run(take_waiting)
    before = await there.heard(id)
    there.sandbox.faults.outage.clear()
    await there.due_now(id)
    await there.run(take_waiting)

    assert (before.state, before.code, before.attempts) == ("waiting", "later", 1)
    assert await there.lines(id) == {"ordered": 1, "committed": 1}


async def test_a_message_whose_body_makes_no_sense_is_answered_and_left_to_polling(woo, stranger):
    [message] = [one for one in _told(woo) if one.headers["X-WC-Webhook-Topic"] == "order.created"]
    body = b'{"id": "none"}'
    hook = woo.sandbox.hooks[int(message.headers["X-WC-Webhook-ID"])]
    signed = woo.sandbox._message(hook, "order.created", body)

    answer = await stranger.post(HOOK, headers=signed.headers, content=body)

    assert answer.status_code == 200
    assert await every(woo) == []


def _told(woo: There) -> list[Message]:
    woo.buys(1)
    found, woo.sandbox.courier.waiting = list(woo.sandbox.courier.waiting), []
    return found


async def test_what_was_heard_carries_nothing_of_the_buyer(there):
    id = there.buys(1)
    await delivered(there)
    await there.run(take_waiting)

    heard = await there.heard(id)
    picture = msgspec.json.decode(heard.picture)
    assert "Ann" not in heard.picture
    assert "ann@example.org" not in heard.picture
    assert picture["country"] == "NO"


@pytest.mark.from_nothing
async def test_a_webhook_needs_neither_the_store_nor_mostly_the_channel(settings):
    server = Server(present()[0])
    app = create_app(settings.model_copy(update={"redis_url": server.url}))
    try:
        async with app.router.lifespan_context(app):
            key = await make_first_key(app.service, None)
            headers = {"Authorization": f"Bearer {key}"}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://allot", headers=headers) as client:
                there = await connected(app, client, "woocommerce")
            await there.run(keep_subscribed)
            id = there.buys(2)
            calls = len(there.sandbox.calls)
            server.kill()

            await delivered(there)
            await there.run(take_waiting)

            heard = await there.heard(id)
            assert (set(there.answers), heard.state, heard.attempts) == ({200}, "waiting", 1)
            assert len(there.sandbox.calls) == calls
    finally:
        server.stop()


async def test_webhooks_that_cannot_be_made_are_tried_again_in_minutes(app, client):
    there = await connected(app, client, "woocommerce")
    there.sandbox.faults.outage["webhooks"] = 9
    failed = await there.run_and_facts(keep_subscribed)
    there.sandbox.faults.outage.clear()
    await there.run(keep_subscribed)
    soon = await there.facts()

    await there.set(subscribed_ms=failed.subscribed_ms - AGAIN_MS)
    await there.run(keep_subscribed)

    assert (failed.subscribed_url, soon.subscribed_url) == ("", "")
    assert (await there.facts()).subscribed_url == HOOK


async def test_a_connection_that_was_made_again_waits_for_no_failure_of_the_former_one(app, client):
    there = await connected(app, client, "woocommerce")
    there.sandbox.faults.outage["webhooks"] = 9
    await there.set(created_ms=there.work.facts.created_ms + 1)

    again = await there.run_and_facts(keep_subscribed)

    assert (again.subscribed_ms, again.subscribed_url) == (0, "")


async def test_a_paused_connection_makes_no_webhooks(app, client):
    there = await connected(app, client, "woocommerce")
    await client.post("/v1/connections/there/pause")

    await there.run(keep_subscribed)

    assert there.sandbox.hooks == {}
