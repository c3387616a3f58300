"""eBay: the contract of all channels, and eBay's own quirks."""

from types import MappingProxyType

import pytest
import stamina

from channels.base import Listing, Parcel, Window
from channels.ebay import Ebay, EbaySecrets, EbaySettings
from channels.ebay.bodies import order_of
from channels.ebay.words import Line, SaidOrder, ShippingStep, Start
from channels.engine import ATTEMPTS_MAX
from channels.errors import Busy, Nonsense, Refused, Unauthorized, Unclear
from channels.sandbox.ebay import EbaySandbox
from tests.channels.contract import Bench, ChannelContract, TokenContract, orders_in
from tests.channels.ebay import SECRETS, SETTINGS, URL, new_bench, unsent
from tests.channels.shop import NOON_MS

DAY_MS = 86_400_000
HOUR = Window(NOON_MS - 3_600_000, NOON_MS)


@pytest.fixture
def bench() -> Bench:
    return new_bench()


@pytest.fixture
def quick():
    """Nobody waits before asking again."""
    stamina.set_testing(testing=True, attempts=ATTEMPTS_MAX, cap=True)
    yield
    stamina.set_testing(testing=False)


class TestEbay(TokenContract, ChannelContract):
    unknown = "PEN"
    orders_of_two_pages = 201
    unpaid = MappingProxyType({"payment": "PENDING"})
    secrets = ("cert-1", "refresh-1", "proof-7", "v^1.1#", "aWQtMTpjZXJ0LTE")

    @pytest.fixture
    def bench(self) -> Bench:
        return new_bench()

    def stranger(self) -> Ebay:
        proof = SECRETS.verification_token
        return Ebay(
            SETTINGS, EbaySecrets(client_id="id-2", client_secret="c", refresh_token="r", verification_token=proof)
        )

    def switch_off(self, sandbox: EbaySandbox) -> None:
        next(iter(sandbox.board.destinations.values())).status = "MARKED_DOWN"

    def is_of_order(self, message) -> bool:
        return b'"ORDER_CONFIRMATION"' in message.body

    def spoil(self, sandbox: EbaySandbox, id: str) -> None:
        sandbox.orders[id].payment = "UNHEARD_OF"

    def parcels(self, sandbox: EbaySandbox, id: str) -> list:
        return sandbox.orders[id].parcels


async def push(bench: Bench, listing: str, units: int, **more):
    [pushed] = await bench.run(bench.connector.push([bench.level(listing, units, **more)]))
    return pushed


def revisions(bench: Bench, sku: str) -> int:
    return sum(sum(offer.revised.values()) for offer in bench.sandbox.offers_of(sku))


# --- stock: two numbers of one listing ----------------------------------------------------------------------------


async def test_an_offer_with_a_number_of_its_own_is_told_besides_its_item(bench):
    [offer] = bench.sandbox.offers_of("CUP")

    pushed = await push(bench, "CUP", 14)

    assert (bench.sandbox.items["CUP"].units, offer.units) == (14, 14)
    assert pushed.refs == {"offers": offer.id}


async def test_an_offer_that_shows_its_items_number_gets_none_of_its_own(bench):
    bench.sandbox.sells("MUG", 10, own=False)

    pushed = await push(bench, "MUG", 14)

    [offer] = bench.sandbox.offers_of("MUG")
    assert (bench.sandbox.shows("MUG"), offer.units, pushed.refs) == (14, None, {"offers": ""})


async def test_what_is_shown_is_the_smaller_one_of_the_items_number_and_the_offers(bench):
    bench.sandbox.items["CUP"].units = 30
    bench.sandbox.items["TEE"].units = 4

    shown = await bench.run(bench.connector.read([Listing("CUP"), Listing("TEE")]))

    assert [one.units for one in shown] == [10, 4]


async def test_an_auction_keeps_its_one_unit(bench):
    auction = bench.sandbox.offers_it("CUP", 1, kind="AUCTION")

    pushed = await push(bench, "CUP", 3)

    assert (pushed.outcome, bench.sandbox.shows("CUP"), auction.units) == ("accepted", 3, 1)


async def test_offers_that_are_known_are_not_asked_for_again(bench):
    refs = (await push(bench, "CUP", 3)).refs
    bench.sandbox.calls.clear()

    await push(bench, "CUP", 5, refs=refs)

    assert bench.sandbox.calls == ["read", "push"]
    assert bench.sandbox.shows("CUP") == 5


async def test_an_offer_that_was_made_anew_is_found(bench):
    refs = (await push(bench, "CUP", 3)).refs
    del bench.sandbox.offers[refs["offers"]]
    new = bench.sandbox.offers_it("CUP", 3)

    pushed = await push(bench, "CUP", 5, refs=refs)

    assert (pushed.outcome, pushed.refs, bench.sandbox.shows("CUP")) == ("accepted", {"offers": new.id}, 5)


async def test_what_is_not_on_sale_gets_its_number_and_shows_none(bench):
    bench.sandbox.sells("OLD", 10, live=False)

    pushed = await push(bench, "OLD", 3)

    [shown] = await bench.run(bench.connector.read([Listing("OLD")]))
    assert (pushed.outcome, pushed.applied, pushed.shown) == ("accepted", False, None)
    assert (bench.sandbox.items["OLD"].units, shown.units) == (3, None)


async def test_numbers_go_to_the_locations_they_are_told_for(bench):
    pushed = await push(bench, "CUP", 5, places={"oslo": 3, "rome": 2})

    [shown] = await bench.run(bench.connector.read([Listing("CUP")]))
    assert pushed.places == shown.places == {"oslo": 3, "rome": 2}


async def test_a_catalogue_is_listed_page_by_page(bench):
    for number in range(250):
        bench.sandbox.sells(f"S-{number}", 1)

    first, cursor = await bench.run(bench.connector.list_listings(""))
    second, end = await bench.run(bench.connector.list_listings(cursor))

    assert (len({one.listing for one in [*first, *second]}), end) == (252, "")


# --- stock: what was bought meanwhile -----------------------------------------------------------------------------


async def test_units_that_somebody_has_committed_to_are_not_put_back_on_sale(bench):
    basket = bench.sandbox.commits("CUP", 4)

    pushed = await push(bench, "CUP", 10, shown=10)

    assert (pushed.outcome, pushed.shown, bench.sandbox.shows("CUP")) == ("stale", 6, 6)
    assert await orders_in(bench, HOUR) == []
    assert bench.sandbox.baskets[basket].units == 4


async def test_a_lower_number_is_set_whatever_was_bought_meanwhile(bench):
    bench.sandbox.commits("CUP", 4)

    pushed = await push(bench, "CUP", 5, shown=10)

    assert (pushed.outcome, bench.sandbox.shows("CUP")) == ("accepted", 5)


async def test_a_purchase_becomes_an_order_under_another_id_when_it_is_paid(bench):
    basket = bench.sandbox.commits("CUP", 4)

    id = bench.sandbox.pays(basket)

    [order] = await orders_in(bench, HOUR)
    assert (order.external_id, order.state, order.lines[0].units) == (id, "paid", 4)
    assert id != basket


async def test_a_number_that_ebay_shows_already_costs_no_revision(bench):
    bench.sandbox.buys("CUP", 4)

    pushed = await push(bench, "CUP", 6, shown=10)

    assert (pushed.outcome, pushed.applied, pushed.shown) == ("accepted", True, 6)
    assert revisions(bench, "CUP") == 0


async def test_a_push_whose_answer_is_lost_is_cleared_up_by_looking_and_not_sent_again(bench):
    bench.sandbox.faults.lose["push"] = 1

    pushed = await push(bench, "CUP", 3)

    assert (pushed.outcome, pushed.shown) == ("accepted", 3)
    assert (bench.sandbox.calls.count("push"), revisions(bench, "CUP")) == (1, 1)


async def test_a_push_that_never_arrived_may_work_later(bench):
    steps = unsent(bench.connector.push([bench.level("CUP", 3)]), "POST", "/bulk_update_price_quantity")

    [pushed] = await bench.run(steps)

    assert (pushed.outcome, pushed.code, pushed.shown) == ("failed", "unclear", 10)


async def test_a_push_whose_answer_is_lost_and_cannot_be_seen_either_stays_unclear(bench, quick):
    refs = (await push(bench, "CUP", 3)).refs
    bench.sandbox.faults.lose["push"] = 1
    bench.sandbox.faults.outage["offers"] = ATTEMPTS_MAX

    with pytest.raises(Unclear):
        await push(bench, "CUP", 5, refs=refs)


# --- stock: what eBay refuses -------------------------------------------------------------------------------------


async def test_a_listing_is_revised_as_often_as_it_may_be_in_a_day_and_then_tomorrow(bench):
    bench.sandbox.revisions_max = 2
    today = [await push(bench, "CUP", units) for units in (3, 4, 5)]
    bench.clock.ms += DAY_MS

    tomorrow = await push(bench, "CUP", 5)

    assert [one.outcome for one in (*today, tomorrow)] == ["accepted", "accepted", "failed", "accepted"]
    assert today[2].code == "revisions_spent"


@pytest.mark.parametrize("number", [25001, 25025])
async def test_a_listing_at_which_ebay_stumbles_may_work_later_and_the_others_are_set(bench, number: int):
    bench.sandbox.stumbles["CUP"] = number

    [cup, tee] = await bench.run(bench.connector.push([bench.level("CUP", 3), bench.level("TEE", 4)]))

    assert (cup.outcome, cup.code, tee.outcome) == ("failed", str(number), "accepted")


async def test_an_account_that_takes_one_sku_a_call_gets_one_a_call(bench):
    bench.sandbox.one_a_call = True
    levels = [bench.level("CUP", 3), bench.level("TEE", 4)]
    await bench.run(bench.connector.push(levels))
    bench.sandbox.calls.clear()

    pushed = await bench.run(bench.connector.push([bench.level("CUP", 5), bench.level("TEE", 6)]))

    assert [one.outcome for one in pushed] == ["accepted", "accepted"]
    assert (bench.sandbox.shows("CUP"), bench.sandbox.shows("TEE")) == (5, 6)
    assert bench.sandbox.calls.count("push") == 2


async def test_a_listing_that_zero_would_end_is_not_set_to_zero(bench):
    bench.sandbox.keeps_zero = False

    pushed = await push(bench, "CUP", 0)

    assert (pushed.outcome, pushed.code, bench.sandbox.shows("CUP")) == ("refused", "out_of_stock_control_off", 10)


async def test_a_listing_may_end_with_its_last_unit_where_the_seller_says_so():
    bench = new_bench(EbaySettings(url=URL, ends_listings=True))
    bench.sandbox.keeps_zero = False

    pushed = await push(bench, "CUP", 0)

    [offer] = bench.sandbox.offers_of("CUP")
    assert (pushed.outcome, offer.live) == ("accepted", False)


async def test_a_listing_that_ebay_does_not_know_is_refused_by_its_number(bench):
    pushed = await push(bench, "PEN", 3)

    assert (pushed.outcome, pushed.code) == ("refused", "25702")
    assert "push" not in bench.sandbox.calls


async def test_a_name_that_can_be_no_sku_spoils_no_other(bench):
    levels = [bench.level("CUP", 3), bench.level("X" * 51, 3), bench.level("TEE", 4)]

    pushed = await bench.run(bench.connector.push(levels))

    assert [(one.outcome, one.code) for one in pushed] == [("accepted", ""), ("refused", "25707"), ("accepted", "")]


# --- every call ---------------------------------------------------------------------------------------------------


async def test_a_consent_that_was_withdrawn_is_told_as_such():
    gone = EbaySecrets(
        client_id="id-1", client_secret="cert-1", refresh_token="gone", verification_token=SECRETS.verification_token
    )
    bench = new_bench()
    bench.connector.secrets = gone

    with pytest.raises(Unauthorized, match="consent"):
        await bench.run(bench.connector.read([Listing("CUP")]))


async def test_too_many_requests_are_told_by_their_number(bench):
    bench.sandbox.faults.throttle["push"] = 1

    with pytest.raises(Busy, match="Too many"):
        await push(bench, "CUP", 3)


# --- orders -------------------------------------------------------------------------------------------------------


async def test_an_order_that_changes_between_two_pages_hides_no_other(bench):
    made = [bench.sandbox.buys("CUP", 0) for _ in range(205)]
    bench.clock.ms += 60_000
    window = Window(NOON_MS - 60_000, NOON_MS + 1_000)
    page = await bench.run(bench.connector.orders(window, ""))
    for id in made[:5]:
        bench.sandbox.refunds(id, whole=False)

    rest = await bench.run(bench.connector.orders(window, page.cursor))

    found = {order.external_id for order in [*page.orders, *rest.orders]}
    assert (found, rest.cursor) == (set(made), "")


async def test_a_clock_ahead_of_ebays_asks_for_no_future(bench):
    id = bench.sandbox.buys("CUP", 1)

    found = await orders_in(bench, Window(NOON_MS - 60_000, NOON_MS + 90_000))

    assert [order.external_id for order in found] == [id]


async def test_a_buyer_who_wants_to_cancel_is_heard_in_lists_too(bench):
    id = bench.sandbox.buys("CUP", 1)
    bench.sandbox.asks_to_cancel(id)

    [listed] = await orders_in(bench, HOUR)

    assert (listed.state, (await bench.run(bench.connector.order(id))).state) == ("cancel_requested",) * 2


async def test_a_line_that_has_left_in_part_says_how_much(bench):
    id = bench.sandbox.buys("CUP", 5)
    [line] = (await bench.run(bench.connector.order(id))).lines
    await bench.run(
        bench.connector.ship(Parcel("s-1", id, {line.line: 2}, is_last=False, carrier="UPS", tracking="1Z"))
    )

    order = await bench.run(bench.connector.order(id))

    assert (order.state, order.lines[0].units, order.lines[0].shipped) == ("paid", 5, 2)


def said(**more) -> SaidOrder:
    line = Line("7", 3, "CUP", "110", "", more.pop("line", "NOT_STARTED"))
    at = "2026-11-21T07:00:00.000Z"
    fields = {"order_payment_status": "PAID", "order_fulfillment_status": "NOT_STARTED", "line_items": [line], **more}
    return SaidOrder("01-1", at, at, **fields)


@pytest.mark.parametrize(
    ("payment", "fulfilled", "state", "wanted"),
    [
        ("FAILED", "NOT_STARTED", "unpaid", 3),
        ("PARTIALLY_REFUNDED", "NOT_STARTED", "paid", 3),
        ("FULLY_REFUNDED", "NOT_STARTED", "cancelled", 0),
        ("FULLY_REFUNDED", "FULFILLED", "shipped", 3),
    ],
)
def test_money_paid_back_cancels_only_what_has_not_left(payment: str, fulfilled: str, state: str, wanted: int):
    order = order_of(said(order_payment_status=payment, order_fulfillment_status=fulfilled, line=fulfilled), {})

    [line] = order.lines
    assert (order.state, line.units, line.cancelled) == (state, wanted, 3 - wanted)


def test_what_ebay_ships_itself_is_not_ours_to_take():
    order = order_of(said(fulfillment_start_instructions=[Start("FULFILLED_BY_EBAY", ShippingStep())]), {})

    assert order.fulfilled_elsewhere


def test_a_listing_without_a_sku_is_called_by_ebays_own_number():
    lines = [Line("7", 1, None, "110", ""), Line("8", 1, "", "110", "55")]

    order = order_of(said(line_items=lines), {})

    assert [line.listing for line in order.lines] == ["110", "110/55"]


def test_a_state_of_payment_that_nobody_knows_is_nonsense():
    with pytest.raises(Nonsense, match="SOON"):
        order_of(said(order_payment_status="SOON"), {})


# --- back ---------------------------------------------------------------------------------------------------------


async def shipped(bench: Bench, id: str, *parcels: Parcel) -> list[dict]:
    for parcel in parcels:
        await bench.run(bench.connector.ship(parcel))
    return bench.sandbox.orders[id].parcels


@pytest.mark.parametrize(("units", "later_ms"), [(2, 60_000), (1, 0)])
async def test_a_parcel_without_a_number_told_twice_is_one_and_another_one_is_another(bench, units: int, later_ms: int):
    id = bench.sandbox.buys("CUP", 4)
    line = bench.sandbox.orders[id].line
    first = Parcel("s-1", id, {line: 2}, shipped_ms=NOON_MS)
    second = Parcel("s-2", id, {line: units}, shipped_ms=NOON_MS + later_ms)

    parcels = await shipped(bench, id, first, first, second, second)

    assert [parcel["lineItems"][0]["quantity"] for parcel in parcels] == [2, units]


async def test_a_tracking_number_is_told_with_its_carrier_and_without_what_ebay_does_not_take():
    bench = new_bench(EbaySettings(url=URL, carriers={"post": "NorwayPost"}))
    id = bench.sandbox.buys("CUP", 2)
    line = bench.sandbox.orders[id].line
    known = Parcel("s-1", id, {line: 1}, carrier="post", tracking="37-05 1", shipped_ms=NOON_MS)
    nameless = Parcel("s-2", id, {line: 1}, tracking="99", shipped_ms=NOON_MS)

    parcels = await shipped(bench, id, known, known, nameless)

    told = [(parcel["shippingCarrierCode"], parcel["shipmentTrackingNumber"]) for parcel in parcels]
    assert told == [("NorwayPost", "37051"), ("Other", "99")]


async def test_a_parcel_whose_answer_is_lost_is_looked_for(bench):
    id = bench.sandbox.buys("CUP", 2)
    parcel = Parcel("s-1", id, {bench.sandbox.orders[id].line: 2}, carrier="UPS", tracking="1Z9")
    steps = bench.connector.ship(parcel)
    await bench.run(bench.connector.order(id))

    with pytest.raises(Unclear):
        await bench.run(unsent(steps, "POST", "/shipping_fulfillment"))
    parcels = await shipped(bench, id, parcel)

    assert len(parcels) == 1


async def test_what_a_buyer_asked_for_is_approved(bench):
    id = bench.sandbox.buys("CUP", 1)
    bench.sandbox.asks_to_cancel(id)

    assert await bench.run(bench.connector.cancel(id, "the buyer wants it"))

    order = bench.sandbox.orders[id]
    assert (order.cancel, order.requests[0]["cancelRequestState"]) == ("CANCELED", "COMPLETED")


async def test_an_order_is_cancelled_once_however_often_it_is_asked_for(bench):
    id = bench.sandbox.buys("CUP", 1)

    assert await bench.run(bench.connector.cancel(id, "out of stock"))
    assert await bench.run(bench.connector.cancel(id, "out of stock"))

    assert (bench.sandbox.orders[id].cancel, bench.sandbox.calls.count("cancel")) == ("CANCELED", 1)


async def test_a_cancellation_whose_answer_is_lost_is_looked_for(bench):
    id = bench.sandbox.buys("CUP", 1)
    bench.sandbox.faults.lose["cancel"] = 1

    assert await bench.run(bench.connector.cancel(id, "out of stock"))

    assert bench.sandbox.calls.count("cancel") == 1


async def test_an_order_that_has_left_cannot_be_cancelled(bench):
    id = bench.sandbox.buys("CUP", 1)
    line = bench.sandbox.orders[id].line
    await bench.run(bench.connector.ship(Parcel("s-1", id, {line: 1})))

    with pytest.raises(Refused) as refused:
        await bench.run(bench.connector.cancel(id, "out of stock"))

    assert refused.value.code == "not_eligible"


async def test_sellers_whose_calls_must_be_signed_cancel_by_hand():
    bench = new_bench(EbaySettings(url=URL, cancels=False))
    id = bench.sandbox.buys("CUP", 1)

    assert not await bench.run(bench.connector.cancel(id, "out of stock"))

    assert bench.sandbox.orders[id].cancel == "NONE_REQUESTED"
