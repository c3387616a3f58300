"""Orders of Amazon, and what it is told of them."""

import json
from typing import Any

import msgspec
import pytest

from channels.amazon.bodies import order_of, package_of
from channels.amazon.words import Cancellation, Fulfillment, Line, Request, SaidOrder
from channels.base import Parcel, Window
from channels.errors import Nonsense, Refused
from tests.channels.amazon import SETTINGS, bench_with
from tests.channels.contract import HOUR_MS, Bench, orders_in
from tests.channels.shop import NOON_MS


@pytest.fixture
def bench() -> Bench:
    return bench_with()


async def test_a_pending_order_is_unpaid_and_its_units_are_off_already(bench):
    id = bench.sandbox.buys("CUP", 4, pending=True)

    order = await bench.run(bench.connector.order(id))

    [line] = order.lines
    assert (order.state, order.country, line.units, line.cancelled) == ("unpaid", "", 4, 0)
    assert bench.sandbox.shows("CUP") == 6


async def test_nothing_of_the_buyer_is_told_but_country_and_region(bench):
    id = bench.sandbox.buys("CUP", 4)

    order = await bench.run(bench.connector.order(id))

    assert (order.country, order.region) == ("NO", "Oslo")
    assert not [word for word in ("Ann", "Storgata", "0155") if word in str(order)]


async def test_where_goods_go_is_not_asked_without_the_role_for_it():
    bench = bench_with(msgspec.structs.replace(SETTINGS, ship_to=False))
    id = bench.sandbox.buys("CUP", 4)

    order = await bench.run(bench.connector.order(id))

    assert (order.country, order.state) == ("", "paid")


async def test_a_buyer_who_wants_to_cancel_is_heard_until_it_is_done(bench):
    id = bench.sandbox.buys("CUP", 4)
    states = []
    for happens in (lambda: None, lambda: bench.sandbox.asks_to_cancel(id), lambda: bench.sandbox.gives_up(id)):
        happens()
        states.append((await bench.run(bench.connector.order(id))).state)

    assert states == ["paid", "cancel_requested", "cancelled"]


@pytest.mark.parametrize(
    ("requester", "done", "state"),
    [("BUYER", None, "cancel_requested"), ("BUYER", {"cancelledBy": "MERCHANT"}, "paid"), ("SOMEBODY", None, "paid")],
)
def test_only_a_buyers_wish_that_nobody_has_granted_yet_is_one(requester, done, state):
    line = Line("1", 2, cancellation=Cancellation(Request(requester), done))
    at = "2026-11-22T00:00:00Z"

    assert order_of(SaidOrder("1", at, at, Fulfillment("UNSHIPPED"), [line])).state == state


async def test_changes_of_one_second_are_changes_too(bench):
    id = bench.sandbox.buys("CUP", 4, pending=True)
    [line] = (await bench.run(bench.connector.order(id))).lines
    parcel = Parcel("s-1", id, {line.line: 2}, tracking="1", shipped_ms=NOON_MS)
    revisions = [(await bench.run(bench.connector.order(id))).revision]
    for happens in (bench.sandbox.pays, bench.sandbox.asks_to_cancel):
        happens(id)
        revisions.append((await bench.run(bench.connector.order(id))).revision)
    for key in ("s-1", "s-2"):
        await bench.run(bench.connector.ship(msgspec.structs.replace(parcel, key=key)))
        revisions.append((await bench.run(bench.connector.order(id))).revision)

    assert revisions == sorted(set(revisions))
    assert revisions[-1] < NOON_MS + 1_000


async def test_units_of_a_cancelled_order_are_no_longer_wanted(bench):
    id = bench.sandbox.buys("CUP", 4)
    bench.sandbox.gives_up(id)

    [line] = (await bench.run(bench.connector.order(id))).lines

    assert (line.units, line.cancelled, line.shipped) == (0, 4, 0)


async def test_what_amazon_ships_is_found_only_by_those_who_want_it():
    told = []
    for fba in (False, True):
        bench = bench_with(msgspec.structs.replace(SETTINGS, fba=fba))
        bench.sandbox.sells("FBA", None)
        bench.sandbox.buys("FBA", 2)
        told.append(await orders_in(bench, Window(NOON_MS - 1_000, NOON_MS + 1_000)))

    assert told[0] == []
    assert [order.fulfilled_elsewhere for order in told[1]] == [True]


async def test_how_far_a_search_looked_is_amazons_to_say(bench):
    bench.sandbox.buys("CUP", 1)
    looks = []
    for _ in range(2):
        page = await bench.run(bench.connector.orders(Window(NOON_MS - 600_000, bench.clock.ms), ""))
        looks.append((len(page.orders), page.watermark_ms))
        bench.clock.ms += 180_000

    assert looks == [(0, NOON_MS - 180_000), (1, NOON_MS)]


async def test_a_window_of_long_ago_ends_where_it_ends(bench):
    bench.sandbox.buys("CUP", 1)
    bench.clock.ms += HOUR_MS
    bench.sandbox.buys("CUP", 1)
    bench.clock.ms += HOUR_MS

    page = await bench.run(bench.connector.orders(Window(NOON_MS - 1_000, NOON_MS + 600_000), ""))

    assert (len(page.orders), page.watermark_ms) == (1, NOON_MS + 420_000)


async def test_a_search_that_younger_orders_were_asked_of_is_refused_by_amazon(bench):
    """Why the end of a window is put off: the sandbox is as strict as Amazon."""
    with pytest.raises(Refused, match="two minutes"):
        await bench.run(bench.connector.orders(Window(NOON_MS, NOON_MS + 180_000), ""))


async def test_an_order_says_until_when_it_must_leave(bench):
    id = bench.sandbox.buys("CUP", 1)

    assert (await bench.run(bench.connector.order(id))).ship_by_ms == NOON_MS + 172_800_000


def test_a_status_nobody_knows_is_nonsense():
    said = SaidOrder("1", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", Fulfillment("ON_THE_MOON"))

    with pytest.raises(Nonsense, match="ON_THE_MOON"):
        order_of(said)


# --- back ---------------------------------------------------------------------------------------------------------


async def test_part_of_an_order_ships_and_the_rest_follows(bench):
    id = bench.sandbox.buys("CUP", 5)
    [line] = (await bench.run(bench.connector.order(id))).lines
    parcels = [
        Parcel(f"s-{n}", id, {line.line: n}, carrier="ups", tracking=f"1Z{n}", shipped_ms=NOON_MS) for n in (2, 3)
    ]
    told = []
    for parcel in parcels:
        await bench.run(bench.connector.ship(parcel))
        order = await bench.run(bench.connector.order(id))
        told.append((order.state, order.lines[0].shipped, order.lines[0].units))

    assert told == [("paid", 2, 5), ("shipped", 5, 5)]


async def test_a_package_has_a_number_that_is_always_the_same(bench):
    parcel = Parcel("shipment 7/a", "1", {"2": 3}, carrier="UPS", tracking="1Z9", shipped_ms=NOON_MS)

    packages = [
        package_of(parcel, {}),
        package_of(parcel, {}),
        package_of(msgspec.structs.replace(parcel, key="b"), {}),
    ]

    first, again, other = [package["packageReferenceId"] for package in packages]
    assert (first == again, first == other, first.isdecimal(), int(first) > 0) == (True, False, True, True)


@pytest.mark.parametrize(
    ("carrier", "said"),
    [
        ("fedex", {"carrierCode": "FedEx"}),
        ("bring", {"carrierCode": "Bring"}),
        ("Bike Bob", {"carrierCode": "Other", "carrierName": "Bike Bob"}),
        ("", {"carrierCode": "Other", "carrierName": "Other"}),
    ],
)
def test_a_carrier_amazon_does_not_know_goes_by_its_name(carrier, said):
    package = package_of(Parcel("s-1", "1", {"2": 3}, carrier=carrier), {"bring": "Bring"})

    assert {name: package[name] for name in package if name.startswith("carrier")} == said


async def test_a_seller_in_several_marketplaces_says_where_the_order_was_placed():
    bench = bench_with(msgspec.structs.replace(SETTINGS, marketplaces=("ATVPDKIKX0DER", "A2EUQ1WTGCTBG2")))
    id = bench.sandbox.buys("CUP", 1)
    bench.sandbox.orders[id].market = "A2EUQ1WTGCTBG2"
    [line] = (await bench.run(bench.connector.order(id))).lines

    sent = await sent_by(
        bench, bench.connector.ship(Parcel("s-1", id, {line.line: 1}, tracking="1Z9", shipped_ms=NOON_MS))
    )

    assert sent[-1]["marketplaceId"] == "A2EUQ1WTGCTBG2"


async def sent_by(bench: Bench, steps: Any) -> list[Any]:
    """The bodies of what is sent."""
    before = len(bench.notes.exchanges)
    await bench.run(steps)
    return [json.loads(exchange.sent) for exchange in bench.notes.exchanges[before:] if exchange.sent]


async def test_only_people_can_cancel_an_order_at_amazon(bench):
    id = bench.sandbox.buys("CUP", 1)

    assert await bench.run(bench.connector.cancel(id, "out of stock")) is False
