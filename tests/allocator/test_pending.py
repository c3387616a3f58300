"""Orders whose payment or check is pending: kept with a deadline, paid, replaced by their next attempt, cancelled."""

import msgspec
import pytest

from allocator import CancelLine, Carrier, Location, Rate, Rule, ShipTo, SplitRule, errors
from allocator.answers import unpack
from allocator.pending import owner_of
from allocator.records import Kept
from tests.allocator.attic import Attic, forget

from .fixtures import (
    CONFIG,
    MINUTE,
    atp,
    buckets,
    dump,
    hold,
    ledger_length,
    new_allocator,
    order,
    quota,
    sources,
    stock,
    with_channel,
    with_rules,
)
from .raw import call, changed

MINUTES = 30
PENDING = with_channel(with_channel(CONFIG, "shop", pending_minutes=MINUTES), "amazon", pending_minutes=MINUTES)


@pytest.fixture
async def shop(allocator):
    """The shop and the marketplace keep orders for half an hour until they are paid."""
    await allocator.configure_all(PENDING)
    return allocator


async def lapse(shop) -> None:
    await shop.expire(elapsed_ms=None)
    shop.now_ms += MINUTES * MINUTE
    await shop.expire(elapsed_ms=MINUTES * MINUTE)


async def test_a_pending_order_claims_what_a_promise_would(shop, redis):
    await stock(shop, oslo=5)

    kept = await shop.keep_pending(order("1", 3), "payment")

    assert (kept.state, kept.deadline_ms, kept.hold_id) == (
        "pending",
        shop.now_ms + MINUTES * MINUTE,
        "pending:shop:1:1",
    )
    assert await buckets(redis, "oslo") == (5, 3, 0)
    with pytest.raises(errors.Short):
        await shop.keep_pending(order("2", 3), "payment")


async def test_a_firm_one_is_never_refused_and_waits_for_nothing(shop):
    await shop.configure_all(with_rules(Rule(kind="safety_stock", units=2), config=PENDING))
    await stock(shop, oslo=5)
    await quota(shop, "oslo", "shop", 1)

    kept = await shop.keep_pending(order("1", 9, channel="amazon"), "fraud_check")

    assert (kept.lines[0].held, kept.kind) == (5, "firm")
    assert [part.source for part in kept.takes[0].parts] == ["shared", "safety", "borrowed"]
    assert await atp(shop) == 0


async def test_where_the_payment_lowers_the_stock_a_pending_order_claims_nothing(shop):
    await shop.configure_all(with_channel(PENDING, "shop", lowers_at="payment"))
    await stock(shop, oslo=5)

    kept = await shop.keep_pending(order("1", 9), "payment")
    free = await atp(shop)
    paid = await shop.keep_pending(order("2", 2), "payment"), await shop.pay("shop", "2")

    assert (kept.lines[0].held, kept.takes, free) == (0, [], 5)
    assert (paid[1].hold, paid[1].state) == ("used", "committed")


async def test_payment_takes_the_units_where_they_lie_and_the_rest_by_kind(shop, redis):
    await stock(shop, rome=2)
    await shop.keep_pending(order("1", 4, channel="amazon"), "payment")
    await stock(shop, oslo=1)

    paid = await shop.pay("amazon", "1")

    line = paid.lines[0]
    assert (paid.hold, line.committed, line.backordered) == ("used", 3, 1)
    assert await buckets(redis, "rome") == (2, 0, 2)
    assert (await shop.find_hold("pending:amazon:1:1")).state == "ordered"


async def test_paid_by_the_order_itself_or_by_its_kept_lines_is_one_and_the_same(shop):
    await stock(shop, oslo=5)
    wanted = order("1", 2, prefer=["rome"])
    await shop.keep_pending(wanted, "payment")

    first, again = await shop.pay("shop", "1"), await shop.order(wanted)
    by_hold = await shop.pay("shop", "1", hold_id="pending:shop:1:1")

    assert [answer.replayed for answer in (first, again, by_hold)] == [False, True, True]
    assert again == msgspec.structs.replace(first, replayed=True)


async def test_the_next_attempt_replaces_what_was_kept_and_a_refused_one_does_not(shop, redis):
    await stock(shop, oslo=5)
    await shop.keep_pending(order("1", 3), "payment")

    second = await shop.keep_pending(order("1", 5, attempt=2), "payment")
    with pytest.raises(errors.Short):
        await shop.keep_pending(order("1", 6, attempt=3), "payment")

    assert second.replaced == "pending:shop:1:1"
    assert (await shop.find_pending("shop", "1")).hold_id == "pending:shop:1:2"
    assert await buckets(redis, "oslo") == (5, 5, 0)


async def test_a_payment_of_an_earlier_attempt_takes_over_what_is_kept(shop, redis):
    await stock(shop, oslo=5)
    await shop.keep_pending(order("1", 3), "payment")
    await shop.keep_pending(order("1", 5, attempt=2), "payment")

    paid = await shop.order(order("1", 3))

    assert paid.hold == "used"
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_a_carts_hold_becomes_the_pending_orders(shop, redis):
    await stock(shop, oslo=5)
    await shop.hold(hold("cart", 5))

    kept = await shop.keep_pending(order("1", 5, hold="cart"), "payment")
    paid = await shop.order(order("1", 5, hold="cart"))

    assert kept.replaced == "cart"
    assert (paid.hold, paid.lines[0].committed) == ("used", 5)
    assert await buckets(redis, "oslo") == (5, 0, 5)


async def test_a_carts_hold_that_has_ended_stays_as_it_ended(shop, redis):
    await stock(shop, oslo=5)
    await shop.hold(hold("cart", 3))
    await shop.release("cart")

    kept = await shop.keep_pending(order("1", 3, hold="cart"), "payment")

    assert (kept.replaced, (await shop.find_hold("cart")).state) == ("", "released")
    assert await buckets(redis, "oslo") == (5, 3, 0)


async def test_an_order_takes_over_both_what_was_kept_and_the_hold_it_names(shop, redis):
    await stock(shop, oslo=5)
    await shop.keep_pending(order("1", 2), "payment")
    await shop.hold(hold("cart", 3))

    paid = await shop.order(order("1", 5, hold="cart"))

    assert (paid.hold, paid.lines[0].committed) == ("used", 5)
    assert await buckets(redis, "oslo") == (5, 0, 5)


async def test_a_pending_order_that_comes_after_the_accepted_one_holds_nothing(shop, redis):
    await stock(shop, oslo=5)
    await shop.order(order("1", 2))
    entries = await ledger_length(redis)

    for _ in range(2):
        with pytest.raises(errors.AlreadyAccepted):
            await shop.keep_pending(order("1", 2), "payment")

    assert await buckets(redis, "oslo") == (5, 0, 2)
    assert await ledger_length(redis) == entries


async def test_that_an_order_was_accepted_is_known_when_it_has_left_for_sql(redis, shop):
    attic = Attic(redis)
    late = await new_allocator(redis, history=attic)
    await stock(shop, oslo=5)
    await shop.order(order("1", 2))
    await shop.ship("shop", "1", op="parcel")
    await attic.clear_out(shop)

    with pytest.raises(errors.AlreadyAccepted):
        await late.keep_pending(order("1", 2), "payment")

    assert ("order", "shop:1") in attic.asked


async def test_a_lapsed_order_that_is_paid_is_placed_by_its_kind(shop):
    await stock(shop, oslo=2)
    await shop.keep_pending(order("firm", 2, channel="amazon"), "payment")
    await lapse(shop)
    await shop.keep_pending(order("promise", 2), "payment")

    firm = await shop.pay("amazon", "firm", hold_id="pending:amazon:firm:1")
    await lapse(shop)
    with pytest.raises(errors.Short):
        await shop.pay("shop", "promise", hold_id="pending:shop:promise:1")

    assert (firm.hold, firm.lines[0].backordered) == ("expired", 2)


async def test_a_lapsed_order_holds_nothing_and_keeps_its_lines(shop, redis):
    await stock(shop, oslo=2)
    await shop.keep_pending(order("1", 2), "payment")

    await lapse(shop)
    lapsed = await shop.find_pending("shop", "1", "pending:shop:1:1")

    assert (lapsed.state, lapsed.takes) == ("lapsed", [])
    assert [(line.line, line.units, line.held) for line in lapsed.lines] == [("1", 2, 0)]
    assert await buckets(redis, "oslo") == (2, 0, 0)


async def test_a_pending_order_is_cancelled_as_a_whole_in_one_step(shop, redis):
    await stock(shop, oslo=2)
    await shop.keep_pending(order("1", 2), "payment")
    entries = await ledger_length(redis)

    cancelled = await shop.cancel("shop", "1", op="no", why="no money")
    again = await shop.cancel("shop", "1", op="no", why="no money")

    assert (cancelled.state, cancelled.lines[0].cancelled, again.replayed) == ("cancelled", 2, True)
    assert await ledger_length(redis) == entries + 1
    assert await buckets(redis, "oslo") == (2, 0, 0)
    assert (await shop.find_pending("shop", "1", "pending:shop:1:1")).state == "cancelled"


async def test_a_pending_order_may_be_kept_longer(shop):
    await stock(shop, oslo=2)
    await shop.keep_pending(order("1", 2), "payment")

    await shop.extend("pending:shop:1:1", 60 * MINUTE, op="more")
    await lapse(shop)

    assert (await shop.find_pending("shop", "1")).state == "pending"


async def test_units_come_back_to_where_they_came_from(shop):
    await stock(shop, oslo=3)
    await quota(shop, "oslo", "shop", 2)
    await shop.keep_pending(order("1", 3), "payment")

    paid = await shop.pay("shop", "1")
    await shop.cancel("shop", "1", op="no")

    assert sources(paid) == [("own", 2, "shop"), ("shared", 1, "")]
    assert await atp(shop) == 3


async def test_the_hold_of_a_cart_is_stored_as_ever(shop, redis):
    await stock(shop, oslo=2)
    await shop.hold(hold("cart", 1))
    await shop.keep_pending(order("1", 1), "payment")

    cart, kept = await redis.hget("{main}:holds", "cart"), await redis.hget("{main}:holds", "pending:shop:1:1")

    assert (len(unpack(cart)), len(unpack(kept))) == (5, 6)
    assert unpack(kept)[1] == owner_of("shop", "1")


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (order("1", 1, channel="till"), errors.Invalid),
        (order("1", 1, kind="gone", at="oslo"), errors.Invalid),
        (order("1", 1, channel="nowhere"), errors.UnknownChannel),
        (order("1", ("NONE", 1)), errors.UnknownSku),
    ],
)
async def test_what_cannot_be_pending_is_refused(shop, wanted, error):
    with pytest.raises(error):
        await shop.keep_pending(wanted, "payment")


async def test_a_hold_that_is_no_order_is_none(shop):
    await stock(shop, oslo=2)
    await shop.hold(hold("cart", 1))

    for ask in (shop.find_pending, shop.pay):
        with pytest.raises(errors.UnknownOrder):
            await ask("shop", "1", hold_id="cart")
        with pytest.raises(errors.UnknownOrder):
            await ask("shop", "1")


async def test_a_channel_whose_orders_always_come_paid_has_no_hold_of_its_orders(allocator):
    await stock(allocator, oslo=2)

    placed = await allocator.order(order("1", 2))

    assert placed.hold == ""


async def test_a_pending_order_is_promised_a_day_when_it_is_paid(shop, redis):
    oslo = Location(code="oslo", daily_orders=1, time_zone="UTC")
    places = [oslo, *(place for place in PENDING.locations if place.code != "oslo")]
    await shop.configure_all(msgspec.structs.replace(PENDING, locations=places))
    await stock(shop, oslo=5)

    await shop.keep_pending(order("1", 2), "payment")
    before = await redis.exists("{main}:slots")
    paid = await shop.pay("shop", "1")

    assert before == 0
    assert [place.day for place in paid.promised.locations] == ["2025-11-24"]


# --- payment keeps what was asked for ----------------------------------------------------------------------------

POST = Carrier(code="post", zones={"NO": "home"}, rates=[Rate(zone="home", cost=5, transit_days=2)])
PLACES = [
    Location(code="oslo", time_zone="UTC", carriers=("post",)),
    Location(code="rome", time_zone="UTC"),
    Location(code="bergen", kind="store", pickup=True, time_zone="UTC"),
]


async def with_days(shop) -> None:
    """Every location promises days; from Oslo the post goes to Norway."""
    await shop.configure_all(msgspec.structs.replace(PENDING, locations=PLACES, carriers=[POST]))
    await stock(shop, oslo=5, bergen=5)


async def paid_both_ways(shop, *wanted, channel="shop", **told):
    """Two alike: one paid by what was kept, the other by the order once more."""
    first, second = (order(id, *wanted, channel=channel, **told) for id in "12")
    await shop.keep_pending(first, "payment")
    await shop.keep_pending(second, "payment")
    return await shop.pay(channel, "1"), await shop.order(second)


@pytest.mark.parametrize(
    "told",
    [{"ship_to": ShipTo(country="NO", region="east")}, {"ship_complete": True}, {"pickup": "bergen"}],
    ids=["ship_to", "ship_complete", "pickup"],
)
async def test_what_was_asked_for_besides_units_holds_when_it_is_paid(shop, told):
    await with_days(shop)

    kept, again = await paid_both_ways(shop, 1, **told)

    assert kept.promised == again.promised
    assert [take.location for take in kept.lines[0].takes] == ["bergen" if "pickup" in told else "oslo"]


async def test_a_delivery_is_promised_to_where_the_pending_order_goes(shop):
    await with_days(shop)

    await shop.keep_pending(order("1", 1, ship_to=ShipTo(country="NO", region="east")), "payment")
    paid = await shop.pay("shop", "1")

    assert (paid.promised.country, paid.promised.region) == ("NO", "east")
    assert paid.promised.deliver_by_ms > paid.promised.ship_by_ms


async def test_what_is_fetched_is_kept_at_the_store_and_ready_when_it_is_paid(shop, redis):
    await with_days(shop)

    kept = await shop.keep_pending(order("1", 2, pickup="bergen"), "payment")
    at_the_store = await buckets(redis, "bergen")
    paid = await shop.pay("shop", "1")

    assert (kept.terms.pickup, at_the_store) == ("bergen", (5, 2, 0))
    assert (paid.promised.pickup, await buckets(redis, "bergen")) == ("bergen", (5, 0, 2))


async def test_what_leaves_all_at_once_still_does_after_its_payment(shop):
    await stock(shop, oslo=1)
    await shop.keep_pending(order("1", 2, channel="amazon", ship_complete=True), "payment")
    await shop.pay("amazon", "1")

    with pytest.raises(errors.Incomplete):
        await shop.pick("amazon", "1", op="pick")


async def test_the_split_limit_of_the_orders_value_binds_its_hold(shop):
    await shop.configure_all(with_channel(PENDING, "shop", split_rules=(SplitRule(to_value=1_000, split_limit=1),)))
    await stock(shop, oslo=2, rome=2)

    with pytest.raises(errors.Unroutable):
        await shop.keep_pending(order("cheap", 3, value=999), "payment")
    dear = await shop.keep_pending(order("dear", 3, value=1_000), "payment")

    assert [take.location for take in dear.takes] == ["oslo", "rome"]


async def test_the_split_limit_of_the_orders_value_binds_what_is_taken_when_it_is_paid(shop):
    rules = (SplitRule(to_value=1_000, split_limit=1),)
    changed = with_channel(PENDING, "shop", split_rules=rules, lowers_at="payment")
    await shop.configure_all(changed)
    await stock(shop, oslo=2, rome=2)
    for id, value in (("cheap", 999), ("dear", 1_000)):
        await shop.keep_pending(order(id, 3, value=value), "payment")

    with pytest.raises(errors.Unroutable):
        await shop.pay("shop", "cheap")
    dear = await shop.pay("shop", "dear")

    assert [take.location for take in dear.lines[0].takes] == ["oslo", "rome"]


async def test_a_lapsed_order_is_paid_as_it_was_asked(shop):
    await with_days(shop)
    await shop.keep_pending(order("1", 2, pickup="bergen"), "payment")
    await lapse(shop)

    lapsed = await shop.find_pending("shop", "1", "pending:shop:1:1")
    paid = await shop.pay("shop", "1", hold_id="pending:shop:1:1")

    assert (lapsed.terms.pickup, paid.promised.pickup) == ("bergen", "bergen")
    assert [take.location for take in paid.lines[0].takes] == ["bergen"]


async def test_a_pending_order_that_asks_for_nothing_else_is_stored_as_ever(shop, redis):
    await stock(shop, oslo=5)
    await shop.keep_pending(order("plain", 1), "payment")
    await shop.keep_pending(order("special", 1, ship_complete=True), "payment")

    rows = [unpack(await redis.hget("{main}:holds", f"pending:shop:{id}:1"))[5] for id in ("plain", "special")]

    assert [len(row) for row in rows] == [7, 8]
    assert (await shop.find_pending("shop", "plain")).terms is None


@pytest.mark.parametrize("told", [{"pickup": "oslo"}, {"ship_complete": True, "partial": True}])
async def test_what_no_order_may_ask_for_no_pending_one_may(shop, told):
    with pytest.raises(errors.Invalid):
        await shop.keep_pending(order("1", 1, **told), "payment")


# --- what is cancelled ---------------------------------------------------------------------------------------------


async def test_a_hold_under_the_name_of_an_order_is_not_cancelled_with_it(shop, redis):
    await stock(shop, oslo=2)
    await shop.hold(hold("cart", 1, owner=owner_of("shop", "1")))

    with pytest.raises(errors.UnknownOrder):
        await shop.cancel("shop", "1", op="no")

    assert await buckets(redis, "oslo") == (2, 1, 0)


async def test_an_order_stays_pending_when_the_cancel_is_meant_for_other_data(shop, redis):
    await stock(shop, oslo=2)
    await shop.keep_pending(order("1", 2), "payment")
    before = await dump(redis)
    stranger = await new_allocator(redis)
    stranger.epoch = "another"

    with pytest.raises(errors.NotReady):
        await stranger.cancel("shop", "1", op="no")

    assert await dump(redis) == before


async def test_of_an_order_that_was_placed_beside_its_pending_one_the_order_is_cancelled(shop, redis):
    await stock(shop, oslo=9)
    await shop.keep_pending(order("1", 2), "payment")
    await call(redis, "order", changed("order", config="2", external_id="1", units="1"))

    cancelled = await shop.cancel("shop", "1", op="no")

    assert [line.cancelled for line in cancelled.lines] == [1, 1]
    assert await buckets(redis, "oslo") == (9, 2, 0)


async def test_a_part_of_a_pending_order_cannot_be_cancelled(shop, redis):
    await stock(shop, oslo=2)
    await shop.keep_pending(order("1", 2), "payment")

    with pytest.raises(errors.UnknownOrder):
        await shop.cancel("shop", "1", [CancelLine("1", 1)], op="no")

    assert await buckets(redis, "oslo") == (2, 2, 0)


# --- how it is asked -----------------------------------------------------------------------------------------------


TOO_LONG = "must be text of at most 16 bytes without control characters"


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"reason": ""}, "reason is missing"),
        ({"order_fingerprint": "f" * 15}, "order_fingerprint must be 16 bytes"),
        (
            {"order_fingerprint": "f" * 17},
            "order_fingerprint must be text of at most 16 bytes without control characters",
        ),
    ],
)
async def test_what_is_wrong_with_a_pending_order_is_told(redis, shop, wrong, what):
    assert await call(redis, "hold", changed("hold", config="2", **wrong)) == ("invalid", [what])


async def test_a_hold_without_a_number_of_its_attempt_is_found_by_its_whole_name(redis, shop):
    await stock(shop, oslo=2)

    word, facts = await call(redis, "order", changed("order", config="2", pending="kept"))

    assert (word, facts[4]) == ("placed", "")


# --- which holds an order takes over -------------------------------------------------------------------------------


async def test_an_order_that_names_the_hold_it_was_itself_takes_it_once(shop, redis):
    await stock(shop, oslo=5)
    await shop.keep_pending(order("1", 2), "payment")

    paid = await shop.order(order("1", 2, hold="pending:shop:1:1"))

    assert (paid.hold, await buckets(redis, "oslo")) == ("used", (5, 0, 2))


@pytest.mark.parametrize(("named", "said"), [("pending:shop:1:1", "unknown"), ("none", "unknown"), ("", "")])
async def test_a_hold_that_never_was_is_unknown_only_when_it_is_named(shop, named, said):
    await stock(shop, oslo=5)

    assert (await shop.order(order("1", 2, hold=named))).hold == said


async def test_a_pending_order_may_be_one_whose_hold_has_left_for_sql(shop, redis):
    head = changed("hold", config="2")
    await redis.hset("{main}:ops", "hold:h9", b"nothing")
    await forget(shop, [Kept("answer", "hold:h9", b"nothing")])

    assert await call(redis, "hold", head) == ("ask_history", ["hold", "h9"])
