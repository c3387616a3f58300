"""Amazon: the contract of all channels, and how its numbers and its answers are."""

from types import MappingProxyType

import pytest

from channels.amazon import Amazon, AmazonSecrets
from channels.amazon.bodies import pushed_of
from channels.amazon.words import Issue, Submission
from channels.base import Listing, Token
from channels.errors import Busy, Down, Refused, Unauthorized, Unclear
from channels.pacing import Rate
from channels.sandbox.amazon import AmazonSandbox
from channels.wire import Answer, get
from tests.channels.amazon import SETTINGS, bench_with, lead_days
from tests.channels.contract import Bench, ChannelContract, TokenContract


@pytest.fixture
def bench() -> Bench:
    return bench_with()


class TestAmazon(TokenContract, ChannelContract):
    cancels = False
    unknown = "NONE"
    orders_of_two_pages = 101
    unpaid = MappingProxyType({"pending": True})
    secrets = ("amzn1.cs.1", "Atzr|1", "Atza|", "knock-knock", "X-Amz-Signature")

    @pytest.fixture
    def bench(self) -> Bench:
        return bench_with()

    def stranger(self) -> Amazon:
        return Amazon(
            SETTINGS, AmazonSecrets(client_id="amzn1.client.1", client_secret="amzn1.cs.1", refresh_token="x")
        )

    def switch_off(self, sandbox: AmazonSandbox) -> None:
        del sandbox.notices.subscriptions["ORDER_CHANGE"]

    def is_of_order(self, message) -> bool:
        return b"ORDER_CHANGE" in message.body

    def spoil(self, sandbox: AmazonSandbox, id: str) -> None:
        sandbox.orders[id].status = "HALF_WAY"

    def parcels(self, sandbox: AmazonSandbox, id: str) -> list:
        return list(sandbox.orders[id].packages)


# --- stock out ----------------------------------------------------------------------------------------------------


async def test_a_number_is_merged_so_that_the_time_to_ship_stays(bench):
    bench.sandbox.listings["CUP"].availability[0]["lead_time_to_ship_max_days"] = 5

    await bench.run(bench.connector.push([bench.level("CUP", 3)]))
    bench.wait()

    assert (bench.sandbox.shows("CUP"), lead_days(bench, "CUP")) == (3, 5)


def test_a_warning_beside_an_error_is_not_why_it_was_refused(bench):
    issues = [Issue("18448", "incomplete", "WARNING"), Issue("90220", "not supplied", "ERROR")]

    pushed = pushed_of(bench.level("CUP", 3), Submission("INVALID", issues), {})

    assert (pushed.code, pushed.says) == ("90220", "not supplied")


async def test_what_is_accepted_is_not_shown_yet(bench):
    [pushed] = await bench.run(bench.connector.push([bench.level("CUP", 3)]))
    [soon] = await bench.run(bench.connector.read([Listing("CUP")]))
    bench.wait()
    [later] = await bench.run(bench.connector.read([Listing("CUP")]))

    assert (pushed.outcome, pushed.applied, pushed.shown) == ("accepted", False, None)
    assert (soon.units, later.units) == (10, 3)


async def test_a_refusal_that_comes_with_status_200_has_its_code(bench):
    bench.sandbox.faults.refuse.add("CUP")

    [pushed] = await bench.run(bench.connector.push([bench.level("CUP", 3)]))

    assert (pushed.outcome, pushed.code) == ("refused", "90220")
    assert "CUP" in pushed.says


async def test_what_amazon_ships_is_never_pushed(bench):
    bench.sandbox.sells("FBA", None)

    [fba, cup] = await bench.run(bench.connector.push([bench.level("FBA", 3), bench.level("CUP", 3)]))
    bench.wait()

    assert (fba.outcome, fba.code, cup.outcome) == ("refused", "fulfilled_by_amazon", "accepted")
    assert bench.sandbox.calls.count("patchListingsItem") == 1
    assert bench.sandbox.listings["FBA"].availability == [{"fulfillment_channel_code": "AMAZON_NA"}]


async def test_what_amazon_ships_shows_no_number_of_ours(bench):
    bench.sandbox.sells("FBA", None)

    [shown] = await bench.run(bench.connector.read([Listing("FBA")]))

    assert (shown.units, shown.refs["fulfilled_by"]) == (None, "AMAZON")


async def test_a_listing_whose_numbers_are_kept_by_supply_source_is_not_given_another_one(bench):
    bench.sandbox.listings["CUP"].availability.append({"fulfillment_channel_code": "b4a-oslo", "quantity": 4})

    [pushed] = await bench.run(bench.connector.push([bench.level("CUP", 3)]))

    assert (pushed.outcome, pushed.code) == ("refused", "has_supply_sources")
    assert "patchListingsItem" not in bench.sandbox.calls


async def test_what_is_known_of_a_listing_is_not_asked_for_again(bench):
    [first] = await bench.run(bench.connector.push([bench.level("CUP", 3)]))
    bench.sandbox.calls.clear()

    await bench.run(bench.connector.push([bench.level("CUP", 4, refs=first.refs)]))

    assert first.refs == {"fulfilled_by": "MERCHANT", "product_type": "LUGGAGE"}
    assert bench.sandbox.calls == ["patchListingsItem"]


async def test_skus_may_be_written_with_anything(bench):
    skus = ["A/B c+1", "1,2%20", "Ø-8"]
    for sku in skus:
        bench.sandbox.sells(sku, 10)

    pushed = await bench.run(bench.connector.push([bench.level(sku, 2) for sku in skus]))
    bench.wait()

    shown = await bench.run(bench.connector.read([Listing(sku) for sku in skus]))
    assert {one.outcome for one in pushed} == {"accepted"}
    assert [(one.listing, one.units) for one in shown] == [(sku, 2) for sku in skus]


def test_when_amazon_fails_in_between_the_rest_has_failed_and_the_first_has_not(bench):
    known = {"fulfilled_by": "MERCHANT"}
    steps = bench.connector.push([bench.level(sku, 3, refs=known) for sku in ("CUP", "TEE", "PEN")])

    next(steps)
    steps.send(Answer(200, {}, b'{"sku":"CUP","status":"ACCEPTED","submissionId":"s"}'))
    with pytest.raises(StopIteration) as done:
        steps.throw(Down("status 503"))

    outcomes = [(one.listing, one.outcome) for one in done.value.value]
    assert outcomes == [("CUP", "accepted"), ("TEE", "failed"), ("PEN", "failed")]


def test_when_amazon_lets_nobody_in_any_more_nothing_has_failed_but_that(bench):
    known = {"fulfilled_by": "MERCHANT"}
    steps = bench.connector.push([bench.level(sku, 3, refs=known) for sku in ("CUP", "TEE")])

    next(steps)
    steps.send(Answer(200, {}, b'{"sku":"CUP","status":"ACCEPTED","submissionId":"s"}'))
    with pytest.raises(Unauthorized):
        steps.throw(Unauthorized("revoked"))


async def test_a_patch_whose_answer_was_lost_is_not_sent_again(bench):
    bench.sandbox.faults.lose["push"] = 1

    with pytest.raises(Unclear):
        await bench.run(bench.connector.push([bench.level("CUP", 3)]))

    assert bench.sandbox.calls.count("patchListingsItem") == 1


async def test_more_listings_than_a_search_turns_to_are_all_listed(bench):
    bench.sandbox.search_max = 40
    for number in range(60):
        bench.clock.ms += 1_000
        bench.sandbox.sells(f"S-{number:02}", 1)

    listed, cursor = await bench.run(bench.connector.list_listings(""))
    while cursor:
        more, cursor = await bench.run(bench.connector.list_listings(cursor))
        listed += more

    assert {one.sku for one in listed} == {"CUP", "TEE"} | {f"S-{number:02}" for number in range(60)}


# --- letting in, limits, errors -----------------------------------------------------------------------------------


def test_every_call_has_the_token_the_time_and_our_name(bench):
    call = bench.connector.authorize(get("read", "/"), Token("Atza|1", 0), 1_795_246_761_000)

    assert call.headers["x-amz-access-token"] == "Atza|1"
    assert call.headers["x-amz-date"] == "20261121T073921Z"
    assert "Language=Python" in call.headers["user-agent"]


async def test_who_is_too_fast_waits_as_long_as_the_rate_says(bench):
    bench.sandbox.faults.throttle["read"] = 1

    [shown] = await bench.run(bench.connector.read([Listing("CUP")]))

    assert shown.units == 10
    assert bench.sandbox.calls == ["getListingsItem", "getListingsItem"]


@pytest.mark.parametrize(("header", "wait_s"), [({}, 1 / 0.0056), ({"x-amzn-ratelimit-limit": "0.05"}, 20.0)])
def test_nobody_says_how_long_to_wait_but_the_rate_does(bench, header, wait_s):
    answer = Answer(429, header, b'{"errors":[{"code":"QuotaExceeded","message":"too fast"}]}')

    with pytest.raises(Busy) as busy:
        bench.connector.judge(get("orders", "/"), answer)

    assert busy.value.wait_s == pytest.approx(wait_s)


@pytest.mark.parametrize("said", ["", "nan", "-1", "0", "soon"])
def test_a_limit_that_is_no_number_is_not_learned(bench, said):
    assert bench.connector.learn(get("orders", "/"), Answer(200, {"x-amzn-ratelimit-limit": said})) is None


async def test_the_limit_of_this_seller_is_learned(bench):
    learned = bench.connector.learn(get("orders", "/"), Answer(200, {"x-amzn-ratelimit-limit": "0.0167"}))

    assert learned.rate == Rate(0.0167, 20.0)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b'{"errors":[{"code":"Unauthorized","message":"denied"}]}', Unauthorized),
        (400, b'{"error":"invalid_grant","error_description":"no"}', Unauthorized),
        (403, b"<html>", Down),
        (500, b'{"errors":[{"code":"InternalFailure","message":"oops"}]}', Down),
        (400, b'{"errors":[{"code":"InternalFailure","message":"oops"}]}', Down),
        (503, b"", Down),
        (404, b'{"errors":[{"code":"NotFound","message":"none","details":null}]}', Refused),
    ],
)
def test_what_an_answer_means(bench, status, body, error):
    with pytest.raises(error):
        bench.connector.judge(get("read", "/"), Answer(status, {}, body))
