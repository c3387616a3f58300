import asyncio
import re

import pytest
from structlog.testing import capture_logs

from tests.app.holders import bearer, make
from tests.app.listener import until
from tests.app.receiver import ERP, HOOKS, Receiver, add, is_signed
from tests.app.talk import new_op, slug


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"webhooks_allow_private": True})


async def test_a_webhook_is_made_with_a_secret_that_is_shown_once(client):
    made = await add(client)
    id, secret = made.json()["webhook"]["id"], made.json()["secret"]

    shown = await client.get(f"{HOOKS}/{id}")
    listed = await client.get(HOOKS)

    assert made.status_code == 201
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert shown.json() == listed.json()["data"][0] == made.json()["webhook"]
    assert shown.json()["secrets_end_with"] == [secret[-4:]]
    assert secret not in shown.text + listed.text


async def test_the_same_request_with_the_same_key_makes_one_webhook(client):
    first = await add(client, op="erp-1")
    again = await add(client, op="erp-1")
    other = await add(client, op="erp-1", url=f"{ERP}/2")

    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert again.json() == {**first.json(), "replayed": True}
    assert (other.status_code, slug(other)) == (422, "op-conflict")
    assert len((await client.get(HOOKS)).json()["data"]) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://user:pass@erp.example/", "neither a user nor a fragment"),
        ("https://erp.example/#x", "neither a user nor a fragment"),
        ("https:///allot/all", "https:// address"),
        ("https://erp.example:99999/", "no URL"),
        ("https://224.0.0.1/hook", "not the address of a server"),
        ("http://8.8.8.8/hook", "private addresses alone"),
    ],
)
async def test_a_url_nothing_can_be_sent_to_is_refused(client, url: str, says: str):
    answer = await add(client, url=url)

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "unfit", "body /url")
    assert says in answer.json()["detail"]


@pytest.mark.parametrize("body", [{"events": ["order.lost"]}, {"events": []}, {"url": "ftp://erp.example/x"}, {"x": 1}])
async def test_nonsense_is_refused(client, body: dict):
    answer = await client.post(HOOKS, json={"url": ERP, "events": ["order.placed"], **body}, headers=new_op())

    assert (answer.status_code, slug(answer)) == (422, "unfit")


async def test_channels_must_exist_and_deficits_have_none(client):
    unknown = await add(client, channels=["bazaar"])
    deficits = await add(client, channels=["shop"], events=["stock.deficit"])

    assert (unknown.status_code, slug(unknown)) == (404, "unknown-channel")
    assert (deficits.status_code, deficits.json()["where"]) == (422, "body /events")


async def test_a_webhook_can_be_changed_and_disabled_and_enabled(client):
    id = (await add(client)).json()["webhook"]["id"]
    body = {"url": f"{ERP}/2", "events": ["hold.ended"], "channels": ["shop"]}

    changed = await client.put(f"{HOOKS}/{id}", json=body)
    disabled = await client.put(f"{HOOKS}/{id}", json={**body, "active": False})
    enabled = await client.put(f"{HOOKS}/{id}", json=body)

    assert {name: changed.json()[name] for name in body} == body
    assert disabled.json()["active"] is False
    assert disabled.json()["disabled_why"].startswith("disabled by key:")
    assert (enabled.json()["active"], enabled.json()["disabled_why"]) == (True, "")


async def test_a_deleted_webhook_is_gone_with_its_deliveries(client):
    id = (await add(client)).json()["webhook"]["id"]
    delivery = (await client.post(f"{HOOKS}/{id}/test", headers=new_op())).json()["id"]

    deleted = await client.delete(f"{HOOKS}/{id}")

    assert deleted.json()["id"] == id
    assert slug(await client.get(f"{HOOKS}/{id}")) == "unknown-webhook"
    assert slug(await client.delete(f"{HOOKS}/{id}")) == "unknown-webhook"
    assert slug(await client.get(f"{HOOKS}/deliveries/{delivery}")) == "unknown-delivery"


async def test_a_test_event_arrives_signed(client, receiver):
    made = (await add(client, url=f"{receiver.url}/in?site=1")).json()

    said = await client.post(f"{HOOKS}/{made['webhook']['id']}/test", headers={"Idempotency-Key": "try"})
    [got] = await receiver.gets(1)

    assert (got.path, got.id) == ("/in?site=1", said.json()["id"])
    assert got.event["type"] == "webhook.test"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", got.event["timestamp"])
    assert is_signed(got, made["secret"])


async def test_the_log_says_what_became_of_a_delivery(client, receiver):
    id = (await add(client, url=receiver.url)).json()["webhook"]["id"]
    delivery = (await client.post(f"{HOOKS}/{id}/test", headers=new_op())).json()["id"]
    await receiver.gets(1)

    shown = await delivered(client, delivery)

    assert shown["delivery"]["attempts"] == 1
    assert (shown["delivery"]["last_status"], shown["delivery"]["last_error"]) == (200, "")
    assert shown["body"].encode() == receiver.got[0].body


async def delivered(client, delivery: str, state: str = "delivered") -> dict:
    shown: dict = {}

    async with asyncio.timeout(10):
        while shown.get("delivery", {}).get("state") != state:
            await asyncio.sleep(0.02)
            shown = (await client.get(f"{HOOKS}/deliveries/{delivery}")).json()
    return shown


async def test_the_same_test_is_one_event_and_a_resent_one_has_the_same_id(client, receiver):
    id = (await add(client, url=receiver.url)).json()["webhook"]["id"]
    first = await client.post(f"{HOOKS}/{id}/test", headers={"Idempotency-Key": "try"})
    await delivered(client, first.json()["id"])
    again = await client.post(f"{HOOKS}/{id}/test", headers={"Idempotency-Key": "try"})

    resent = await client.post(f"{HOOKS}/deliveries/{first.json()['id']}/resend")
    await receiver.gets(2)

    assert again.json()["id"] == first.json()["id"]
    assert again.json()["state"] == "delivered"
    assert resent.json()["state"] == "waiting"
    assert [got.id for got in receiver.got] == [first.json()["id"]] * 2


async def test_deliveries_are_listed_newest_first_in_pages_and_by_state(client):
    id = (await add(client, url="https://nowhere.invalid/")).json()["webhook"]["id"]
    ids = [(await client.post(f"{HOOKS}/{id}/test", headers=new_op())).json()["id"] for _ in range(5)]

    pages, cursor = [], ""
    while cursor is not None:
        page = (await client.get(f"{HOOKS}/{id}/deliveries", params={"limit": 2, "cursor": cursor})).json()
        pages.append([row["id"] for row in page["data"]])
        cursor = page["next_cursor"]
    done = await client.get(f"{HOOKS}/{id}/deliveries", params={"state": "delivered"})

    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(id for page in pages for id in page) == sorted(ids)
    assert done.json()["data"] == []


@pytest.mark.parametrize("cursor", ["!!", "YQ", "x" * 60])
async def test_a_cursor_that_is_none_of_ours_is_refused(client, cursor: str):
    id = (await add(client)).json()["webhook"]["id"]

    answer = await client.get(f"{HOOKS}/{id}/deliveries", params={"cursor": cursor})

    assert (answer.status_code, slug(answer)) == (422, "unfit")


async def test_after_a_rotation_both_secrets_sign_for_a_day(client, receiver, state):
    made = (await add(client, url=receiver.url)).json()
    id = made["webhook"]["id"]

    rotated = (await client.post(f"{HOOKS}/{id}/rotate", headers={"Idempotency-Key": "turn"})).json()
    again = (await client.post(f"{HOOKS}/{id}/rotate", headers={"Idempotency-Key": "turn"})).json()
    await client.post(f"{HOOKS}/{id}/test", headers=new_op())
    [got] = await receiver.gets(1)

    assert rotated["secret"] != made["secret"]
    assert again == {**rotated, "replayed": True}
    assert rotated["webhook"]["secrets_end_with"] == [rotated["secret"][-4:], made["secret"][-4:]]
    assert len(got.headers["webhook-signature"].split()) == 2
    assert is_signed(got, made["secret"])
    assert is_signed(got, rotated["secret"])


async def test_nothing_is_sent_to_a_disabled_webhook(client, receiver):
    id = (await add(client, url=receiver.url)).json()["webhook"]["id"]
    body = {"url": receiver.url, "events": ["order.placed"], "active": False}
    await client.put(f"{HOOKS}/{id}", json=body)

    answer = await client.post(f"{HOOKS}/{id}/test", headers=new_op())

    assert (answer.status_code, slug(answer)) == (409, "webhook-disabled")
    assert "disabled by" in answer.json()["detail"]


async def test_a_seller_has_a_limited_number_of_webhooks(client, monkeypatch):
    monkeypatch.setattr("app.webhooks.desk.ENDPOINTS_MAX", 2)

    answers = [await add(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert slug(answers[2]) == "too-many-webhooks"


async def test_a_limited_key_has_webhooks_of_its_channels_alone(client, stranger, state):
    limited = bearer(await make(state, "channel", channels=["shop"]))
    whole = (await add(client)).json()["webhook"]["id"]
    own = (await add(client, channels=["shop"])).json()["webhook"]["id"]
    wish = {"url": ERP, "events": ["order.placed"]}

    unnamed = await stranger.post(HOOKS, json=wish, headers={**limited, **new_op()})
    others = await stranger.post(HOOKS, json={**wish, "channels": ["till"]}, headers={**limited, **new_op()})
    listed = await stranger.get(HOOKS, headers=limited)
    hidden = await stranger.get(f"{HOOKS}/{whole}", headers=limited)

    assert {slug(unnamed), slug(others)} == {"outside-limits"}
    assert [row["id"] for row in listed.json()["data"]] == [own]
    assert slug(hidden) == "unknown-webhook"


async def test_a_key_limited_to_locations_hears_of_no_other_locations_deficit(client, stranger, state):
    limited = bearer(await make(state, "operator", locations=["oslo"]))
    whole = (await add(client, events=["stock.deficit"])).json()["webhook"]["id"]

    refused = await stranger.post(
        HOOKS, json={"url": ERP, "events": ["stock.deficit"]}, headers={**limited, **new_op()}
    )

    assert slug(refused) == "outside-limits"
    assert slug(await stranger.get(f"{HOOKS}/{whole}", headers=limited)) == "unknown-webhook"


async def test_every_change_of_a_webhook_is_in_the_audit_and_no_secret_is(client):
    made = (await add(client, url=f"{ERP}?token=hush")).json()
    id = made["webhook"]["id"]
    rotated = (await client.post(f"{HOOKS}/{id}/rotate", headers=new_op())).json()
    await client.put(f"{HOOKS}/{id}", json={"url": ERP, "events": ["hold.ended"]})
    await client.delete(f"{HOOKS}/{id}")

    audit = (await client.get("/v1/audit")).json()

    assert [row["action"] for row in audit["data"] if row["target"] == id][::-1] == [
        "webhook.make",
        "webhook.rotate",
        "webhook.put",
        "webhook.delete",
    ]
    for secret in (made["secret"], rotated["secret"], "hush"):
        assert secret not in str(audit)


async def test_no_log_line_has_a_secret_or_the_query_of_a_url(client, receiver: Receiver):
    receiver.statuses = [500]
    with capture_logs() as lines:
        made = (await add(client, url=f"{receiver.url}/?token=hush")).json()
        await client.post(f"{HOOKS}/{made['webhook']['id']}/test", headers=new_op())
        await receiver.gets(1)
        await until(lambda: any(line["event"] == "webhook_not_delivered" for line in lines))

    assert "hush" not in str(lines)
    assert made["secret"] not in str(lines)
