"""What tills send: each event booked once, as what it is, whatever else is in the batch."""

import asyncio

import pytest

from allocator import Line, OrderRequest
from allocator.gate import Gate
from app.rescuing import rescue
from app.store.connections import find_connection
from app.times import DAY_MS
from tests.app.away import sql_away
from tests.app.holders import bearer, make
from tests.app.talk import atp, line, order, slug
from tests.app.test_counts_api import at_work
from tests.app.tills import (
    CONNECTION,
    EVENTS,
    HERE,
    MINUTE_MS,
    SECRET,
    add_sku,
    event,
    on_hand,
    results,
    send,
)


@pytest.fixture
async def worker(state, settings):
    async with at_work(state, settings):
        yield


@pytest.fixture
async def tills(client):
    """Somebody with a key, and a connection to tills."""
    assert (await client.put(HERE, json=CONNECTION)).status_code == 201
    return client


# --- each type ----------------------------------------------------------------------------------------------------


async def test_a_sale_takes_its_units_off_the_shelf_and_is_an_order(tills):
    sale = event("sale", ("CUP", "2"), ("PLATE", "1"), ("CUP", "1"), reference="till 3/1234")

    answer = await send(tills, sale)

    assert answer.status_code == 200
    assert answer.json()["results"] == [
        {
            "event_id": sale["event_id"],
            "status": "applied",
            "code": "",
            "says": "",
            "available_after": {"CUP": "7", "PLATE": "2"},
        }
    ]
    found = (await tills.get(f"/v1/orders/till/tills:{sale['event_id']}")).json()
    assert [(row["line"], row["shipped"]) for row in found["lines"]] == [("CUP", 3), ("PLATE", 1)]
    assert (found["kind"], await on_hand(tills)) == ("gone", 7)


@pytest.mark.parametrize(
    ("made", "left"),
    [
        (("sale", ("CUP", "2")), 8),
        (("return", ("CUP", "2")), 12),
        (("adjustment", ("CUP", "-2")), 8),
        (("adjustment", ("CUP", "2")), 12),
    ],
)
async def test_an_event_that_comes_again_has_one_effect(tills, made, left):
    sent = event(*made)

    first = await results(tills, sent)
    again = await results(tills, sent)
    both = await results(tills, sent, sent)

    assert (first, again) == ([("applied", "")], [("duplicate", "")])
    assert both == [("duplicate", ""), ("duplicate", "")]
    assert await on_hand(tills) == left


async def test_an_event_twice_in_one_batch_is_applied_once(tills):
    sale = event("sale", ("CUP", "2"))

    assert await results(tills, sale, sale) == [("applied", ""), ("duplicate", "")]
    assert await on_hand(tills) == 8


async def test_many_at_once_who_send_the_same_batch_have_one_effect(tills):
    batch = [event("sale", ("CUP", "1")), event("return", ("CUP", "2")), event("adjustment", ("PLATE", "-1"))]

    answers = await asyncio.gather(*(send(tills, *batch) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert (await on_hand(tills), await on_hand(tills, "PLATE")) == (11, 3)


async def test_another_event_under_an_id_that_was_used_is_rejected(tills):
    sale = event("sale", ("CUP", "2"))
    other = {**sale, "lines": [{"sku": "CUP", "quantity": "3"}]}

    assert await results(tills, sale, other) == [("applied", ""), ("rejected", "other_request")]
    assert await results(tills, other) == [("rejected", "other_request")]
    assert await on_hand(tills) == 8


async def test_a_return_of_a_sale_is_booked_on_its_order(tills):
    sale = event("sale", ("CUP", "2"))
    back = event("return", ("CUP", "1"), reference=sale["event_id"])

    assert await results(tills, sale, back) == [("applied", ""), ("applied", "")]

    found = (await tills.get(f"/v1/orders/till/tills:{sale['event_id']}")).json()
    assert (found["lines"][0]["returned"], await on_hand(tills)) == (1, 9)


async def test_a_return_before_its_sale_in_the_batch_is_booked_after_it(tills):
    sale = event("sale", ("CUP", "2"), ago_ms=MINUTE_MS)
    back = event("return", ("CUP", "1"), reference=sale["event_id"])

    assert await results(tills, back, sale) == [("applied", ""), ("applied", "")]

    found = (await tills.get(f"/v1/orders/till/tills:{sale['event_id']}")).json()
    assert found["lines"][0]["returned"] == 1


async def test_goods_that_come_back_are_there_whatever_sale_they_are_said_to_be_of(tills):
    sale = event("sale", ("CUP", "1"))
    too_many = event("return", ("CUP", "2"), reference=sale["event_id"])
    nobodys = event("return", ("CUP", "1"), reference="nobody knows")

    found = await results(tills, sale, too_many, nobodys)

    assert found == [("applied", ""), ("applied", "without_sale"), ("applied", "without_sale")]
    assert await results(tills, too_many) == [("duplicate", "without_sale")]
    assert await on_hand(tills) == 12


async def test_returned_goods_go_where_the_disposition_says(tills):
    scrap = event("return", ("CUP", "1"), disposition="scrap")
    quarantine = event("return", ("CUP", "2"), disposition="quarantine")

    await results(tills, scrap, quarantine)

    place = (await tills.get("/v1/stock/CUP")).json()["places"][0]
    assert (place["on_hand"], place["reasons"]) == (12, [{"reason": "quarantine", "units": 2}])


async def test_an_adjustment_below_nothing_is_rejected_for_good(tills):
    down = event("adjustment", ("CUP", "-11"))

    assert await results(tills, down) == [("rejected", "not_enough")]
    assert await results(tills, down) == [("rejected", "not_enough")]
    assert await on_hand(tills) == 10


async def test_a_transfer_leaves_one_place_and_arrives_at_another(tills):
    leaves = event("transfer", ("CUP", "4"), to_location="rome", reference="T-1")
    arrives = event("transfer", ("CUP", "3"), location="rome", reference="T-1")

    assert await results(tills, leaves, arrives) == [("applied", ""), ("applied", "")]
    assert await results(tills, arrives, leaves) == [("duplicate", ""), ("duplicate", "")]

    assert (await on_hand(tills), await on_hand(tills, location="rome")) == (6, 8)
    more = event("transfer", ("CUP", "2"), location="rome", reference="T-1")
    assert await results(tills, more) == [("rejected", "not_enough")]


@pytest.mark.usefixtures("worker")
async def test_a_count_says_what_lies_there_and_comes_again_without_effect(tills):
    count = event("count", ("CUP", "7"))

    first = await results(tills, count)
    await results(tills, event("sale", ("CUP", "1")))
    again = await results(tills, count)

    assert (first, again, await on_hand(tills)) == ([("applied", "")], [("duplicate", "")], 6)
    [found] = (await tills.get("/v1/counts")).json()["data"]
    assert (found["source"], found["state"]) == ("tills", "applied")


async def test_a_count_while_nobody_copies_the_ledger_is_kept_and_finished_later(tills, state, settings):
    assert await results(tills, event("count", ("CUP", "7"))) == [("applied", "pending")]
    before = await on_hand(tills)

    async with at_work(state, settings):
        for _ in range(200):
            if await on_hand(tills) == 7:
                break
            await asyncio.sleep(0.05)

    assert (before, await on_hand(tills)) == (10, 7)


# --- beyond what is there -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("worker")
async def test_a_sale_of_goods_that_were_promised_leaves_a_deficit_and_the_promise_is_moved_or_in_conflict(
    tills, state, allocator
):
    """Ten cups at Oslo and five at Rome: what the till takes the shop's orders lose, as far as Rome has none."""
    await order(tills, "shop/1", line("CUP", 9))

    assert await results(tills, event("sale", ("CUP", "8"))) == [("applied", "")]

    found = (await tills.get("/v1/stock/CUP")).json()
    assert (found["deficit"], found["owed"], await atp(tills, "CUP")) == (7, 7, 0)
    for _ in range(100):
        await rescue(state.database, allocator)
        if not (await tills.get("/v1/stock/CUP")).json()["deficit"]:
            break
        await asyncio.sleep(0.05)
    rescued = (await tills.get("/v1/orders/shop/1")).json()["lines"][0]
    at = {take["location"]: take["units"] for take in rescued["takes"]}
    assert (at, rescued["conflict"], rescued["committed"]) == ({"oslo": 2, "rome": 5}, 2, 7)


# --- what does not fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lines": [{"sku": "POT", "quantity": "1"}]}, "unknown_sku"),
        ({"location": "STORE9"}, "unknown_location"),
        ({"lines": [{"sku": "CUP", "quantity": "0"}]}, "unfit_quantity"),
        ({"lines": [{"sku": "CUP", "quantity": "-1"}]}, "unfit_quantity"),
        ({"lines": [{"sku": "CUP", "quantity": "1.5"}]}, "unfit_quantity"),
        ({"lines": [{"sku": "CUP", "quantity": "1000000001"}]}, "unfit_quantity"),
        ({"type": "adjustment", "lines": [{"sku": "CUP", "quantity": "0"}]}, "unfit_quantity"),
        ({"type": "transfer"}, "no_destination"),
        ({"type": "transfer", "to_location": "oslo"}, "no_destination"),
        ({"type": "transfer", "to_location": "rome", "reference": "with blanks"}, "no_destination"),
        ({"type": "transfer", "to_location": "nowhere"}, "unknown_location"),
    ],
)
async def test_what_cannot_be_booked_is_rejected_alone_and_may_come_again_when_it_is_right(tills, change, code):
    good, wrong = event("sale", ("CUP", "1")), {**event("sale", ("CUP", "1")), **change}

    found = await results(tills, wrong, good)
    corrected = await results(tills, {**good, "event_id": wrong["event_id"]})

    assert found == [("rejected", code), ("applied", "")]
    assert (corrected, await on_hand(tills)) == ([("applied", "")], 8)


async def test_every_rejection_says_what_to_do(tills):
    answer = await send(tills, event("sale", ("POT", "1")), event("sale", ("CUP", "1"), ago_ms=8 * DAY_MS))

    first, second = answer.json()["results"]
    assert (first["says"], first["available_after"]) == ("there is no sku POT: add it, and send the event again", {})
    assert second["says"] == "it happened more than 7 days ago: count what lies there, and send that"


@pytest.mark.parametrize(
    ("ago_ms", "found"),
    [
        (-299_000, ("applied", "")),
        (-301_000, ("rejected", "from_the_future")),
        (7 * DAY_MS - 5_000, ("applied", "")),
        (7 * DAY_MS + 1, ("rejected", "too_old")),
    ],
)
async def test_events_are_taken_up_to_seven_days_late_and_five_minutes_early(tills, ago_ms, found):
    assert await results(tills, event("sale", ("CUP", "1"), ago_ms=ago_ms)) == [found]


async def test_quantities_are_decimals_in_the_unit_of_the_sku(tills):
    await add_sku(tills, "CHEESE", unit="kg", scale=1_000)

    answer = await send(tills, event("return", ("CHEESE", "2.5")), event("sale", ("CHEESE", "0.25")))

    assert [row["available_after"] for row in answer.json()["results"]] == [{"CHEESE": "2.25"}] * 2
    assert await on_hand(tills, "CHEESE") == 2_250
    assert await results(tills, event("sale", ("CHEESE", "0.0001"))) == [("rejected", "unfit_quantity")]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"type": "theft"}, "body /events/0/type"),
        ({"occurred_at": "2026-11-22T10:00:00"}, "body /events/0/occurred_at"),
        ({"colour": "red"}, "body /events/0"),
        ({"lines": []}, "body /events/0/lines"),
        ({"event_id": "with blanks"}, "body /events/0/event_id"),
    ],
)
async def test_a_batch_of_another_form_is_refused_with_the_place(tills, change, where):
    answer = await send(tills, {**event("sale", ("CUP", "1")), **change})

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "unfit", where)
    assert await on_hand(tills) == 10


# --- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"secret": "whsec-other"}, {"at_s": 1_000_000}, {"at_s": 9_000_000_000}])
async def test_a_batch_that_is_not_signed_as_it_must_be_is_refused(tills, wrong):
    answer = await send(tills, event("sale", ("CUP", "1")), **wrong)

    assert (answer.status_code, slug(answer)) == (403, "wrong-signature")
    assert (answer.json()["outcome"], await on_hand(tills)) == ("not_applied", 10)
    assert SECRET not in answer.text


async def test_a_batch_without_a_signature_is_refused(tills):
    answer = await tills.post(EVENTS, json={"events": [event("sale", ("CUP", "1"))]})

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (403, "wrong-signature", "header X-Signature")


async def test_without_a_secret_the_key_alone_says_who_is_there(tills):
    await tills.put(HERE, json={**CONNECTION, "secrets": {}})

    answer = await tills.post(EVENTS, json={"events": [event("sale", ("CUP", "1"))]})

    assert answer.json()["results"][0]["status"] == "applied"


async def test_the_tills_key_alone_is_enough_and_never_goes_beyond_its_places(tills, state, stranger):
    own, elsewhere = await make(state, "pos", locations=["oslo"]), await make(state, "pos", locations=["rome"])
    other = await make(state, "pos", channels=["shop"])

    stranger.headers.update(bearer(own))
    assert (await send(stranger, event("sale", ("CUP", "1")))).status_code == 200
    away = await send(stranger, event("transfer", ("CUP", "1"), to_location="rome"))
    assert (slug(away), away.json()["where"]) == ("outside-limits", "body /events/0/to_location")
    for key in (elsewhere, other):
        stranger.headers.update(bearer(key))
        answer = await send(stranger, event("sale", ("CUP", "1")))
        assert (answer.status_code, slug(answer)) == (403, "outside-limits")
    assert await on_hand(tills) == 9


async def test_a_connection_that_is_none_to_tills_is_unknown(tills):
    other = {"connector": "woocommerce", "channel": "shop", "settings": {"url": "https://shop.example"}}
    secrets = {"consumer_key": "a", "consumer_secret": "b", "webhook_secret": "c"}
    await tills.put("/v1/connections/woo", json={**other, "secrets": secrets})

    for code in ("woo", "nothing"):
        answer = await send(tills, event("sale", ("CUP", "1")), path=f"/v1/pos/{code}/events")
        assert (answer.status_code, slug(answer)) == (404, "unknown-connection")


async def test_the_secret_is_kept_sealed(tills, state):
    async with state.database.reading() as session:
        kept = await find_connection(session, "main", "tills")

    assert SECRET not in repr(kept)
    assert (await tills.get(HERE)).json()["secrets"] == ["signing_secret"]


# --- when something is away ---------------------------------------------------------------------------------------


async def test_a_batch_that_broke_off_is_finished_when_it_comes_again(tills, allocator, redis_of_service):
    """The store is another one for a while; and of what was planned then one sale is booked by somebody who dies."""
    batch = [event("sale", ("CUP", "1"), ago_ms=1_000 * (3 - number)) for number in range(3)]
    await redis_of_service.hset("{main}:seller", "epoch", "another")
    away = await send(tills, *batch)
    await redis_of_service.hset("{main}:seller", "epoch", allocator.epoch)
    sold = OrderRequest(
        channel="till",
        external_id=f"tills:{batch[1]['event_id']}",
        lines=[Line("CUP", "CUP", 1)],
        kind="gone",
        at="oslo",
    )
    await allocator.order(sold)

    found = await results(tills, *batch), await results(tills, *batch)

    assert (away.status_code, slug(away)) == (503, "not-ready")
    assert found == ([("applied", "")] * 3, [("duplicate", "")] * 3)
    assert await on_hand(tills) == 7


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_while_sql_is_away_a_batch_waits_and_nothing_of_it_is_booked(tills, state):
    sale = event("sale", ("CUP", "1"))
    async with sql_away(state):
        away = await send(tills, sale)

    assert (away.status_code, slug(away)) == (503, "database-away")
    assert await results(tills, sale) == [("applied", "")]


async def test_a_sku_that_is_frozen_keeps_the_batch_waiting_but_no_other_event(tills, allocator, redis_of_service):
    await Gate(redis_of_service, "main", allocator.epoch).freeze("PLATE", "units that nobody received")
    batch = [event("sale", ("PLATE", "1"), ago_ms=1_000), event("sale", ("CUP", "1"))]

    answer = await send(tills, *batch)

    assert (answer.status_code, slug(answer), await on_hand(tills)) == (503, "sku-frozen", 9)
