"""What channels may promise, many skus and channels in one answer; reading changes nothing."""

import msgspec
import pytest

from allocator import Channel, Location, Rule, ShipTo
from allocator.errors import Invalid, UnknownChannel
from allocator.rules import compile_config

from .fixtures import (
    CONFIG,
    CUP,
    MUG,
    TEE,
    atp,
    dump,
    hold,
    order,
    quota,
    shelves,
    sold_at_the_till,
    stock,
    with_channel,
    with_rules,
)

NORTH, SOUTH = ShipTo(country="NO", region="north"), ShipTo(country="IT", region="south")


def regional(**channel: object):
    """The shop's places in two regions; it serves a region from its own places only."""
    locations = [
        Location(code="oslo", country="NO", region="north"),
        Location(code="rome", country="IT", region="south"),
        Location(code="bergen", country="NO", region="north"),
    ]
    config = with_channel(CONFIG, "shop", **({"same_region_only": True} | channel))
    return msgspec.structs.replace(config, locations=locations)


async def test_skus_and_channels_are_answered_in_the_order_asked(allocator):
    await stock(allocator, CUP, oslo=5, bergen=2)
    await stock(allocator, TEE, rome=3)

    levels = await allocator.availability([TEE, CUP], ["till", "shop"])

    assert [(level.sku, level.channel, level.atp_now, level.version) for level in levels] == [
        (TEE, "till", 0, 1),
        (TEE, "shop", 3, 1),
        (CUP, "till", 2, 1),
        (CUP, "shop", 7, 1),
    ]


async def test_an_unknown_sku_is_told_from_an_empty_one(allocator):
    levels = await allocator.availability(["POT", MUG], ["shop"])

    assert [(level.sku, level.atp_now, level.published, level.version) for level in levels] == [
        ("POT", 0, 0, -1),
        (MUG, 0, 0, 0),
    ]


async def test_an_unknown_channel_is_refused(allocator):
    with pytest.raises(UnknownChannel) as refused:
        await allocator.availability([CUP], ["shop", "ebay"])

    assert refused.value.facts == {"channel": "ebay"}


async def test_the_same_sku_twice_is_answered_twice(allocator):
    await stock(allocator, oslo=5)

    levels = await allocator.availability([CUP, CUP], ["shop", "shop"])

    assert [level.atp_now for level in levels] == [5, 5, 5, 5]


async def test_reading_writes_nothing(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 2, owner="ann"))
    before = await dump(redis)

    await allocator.availability([CUP, TEE], ["shop", "amazon"], owner="ann")
    await allocator.explain(CUP, "shop", owner="ann")
    await allocator.find_hold("h1")

    assert await dump(redis) == before


async def test_a_hundred_skus_and_channels_are_the_most(allocator):
    levels = await allocator.availability([CUP] * 100, ["shop"] * 100)

    assert len(levels) == 10_000
    with pytest.raises(Invalid):
        await allocator.availability([CUP] * 101, ["shop"])
    with pytest.raises(Invalid):
        await allocator.availability([CUP], ["shop"] * 101)


# --- the owner's own holds


async def test_an_owner_sees_what_he_holds_as_his(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3, owner="ann"))

    [his] = await allocator.availability([CUP], ["shop"], owner="ann")
    [others] = await allocator.availability([CUP], ["shop"], owner="bob")

    assert (his.atp_now, others.atp_now) == (5, 2)


async def test_his_hold_counts_in_the_channel_it_was_made_for_alone(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3, owner="ann"))

    levels = await allocator.availability([CUP], ["amazon", "shop", "amazon"], owner="ann")

    assert [level.atp_now for level in levels] == [2, 5, 2]


async def test_his_hold_on_another_sku_changes_nothing(allocator):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    await allocator.hold(hold("h1", 3, (TEE, 1), owner="ann"))

    levels = await allocator.availability([MUG, TEE], ["shop"], owner="ann")

    assert [level.atp_now for level in levels] == [0, 5]


async def test_a_quota_his_hold_consumed_is_his_again(allocator):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "shop", 4)
    await allocator.hold(hold("h1", 3, owner="ann"))

    [his] = await allocator.availability([CUP], ["shop"], owner="ann")

    assert his.atp_now == 5


async def test_a_deficit_under_his_hold_is_no_debt_to_himself(allocator):
    await stock(allocator, bergen=5)
    await allocator.hold(hold("h1", 5, owner="ann"))
    await sold_at_the_till(allocator, "T1", 2)

    [his] = await allocator.availability([CUP], ["shop"], owner="ann")

    # 3 are there, and nobody else was promised any
    assert his.atp_now == 3
    assert await atp(allocator) == 0


async def test_an_ended_hold_adds_nothing(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3, owner="ann"))
    await allocator.order(order("1", 3, hold="h1"))

    [his] = await allocator.availability([CUP], ["shop"], owner="ann")

    assert his.atp_now == 2


async def test_what_an_owner_sees_he_can_hold(allocator):
    await stock(allocator, oslo=5, rome=2)
    await allocator.hold(hold("h1", 3, owner="ann"))
    [his] = await allocator.availability([CUP], ["shop"], owner="ann")

    held = await allocator.hold(hold("h2", his.atp_now, owner="ann"))

    assert held.lines[0].held == 7


# --- a ship-to


async def test_only_places_that_may_serve_the_ship_to_count(allocator):
    await allocator.configure_all(regional())
    await stock(allocator, oslo=5, rome=3, bergen=1)

    [north] = await allocator.availability([CUP], ["shop"], ship_to=NORTH)
    [south] = await allocator.availability([CUP], ["shop"], ship_to=SOUTH)
    [anywhere] = await allocator.availability([CUP], ["shop"])

    assert (north.atp_now, south.atp_now, anywhere.atp_now) == (6, 3, 9)


async def test_where_no_place_may_serve_nothing_can_be_promised(allocator):
    await allocator.configure_all(regional())
    await stock(allocator, oslo=5)

    [level] = await allocator.availability([CUP], ["shop"], ship_to=ShipTo(country="FR", region="west"))
    told = await allocator.explain(CUP, "shop", ship_to=ShipTo(country="FR", region="west"))

    assert (level.atp_now, level.published, told.atp_now) == (0, 0, 0)


async def test_a_ship_to_follows_the_config_in_force(allocator, redis):
    await stock(allocator, oslo=5, rome=3)
    behind = type(allocator)(allocator._runner._pipe, "main", allocator.epoch)
    await behind.reload()
    await allocator.configure_all(regional())

    [south] = await behind.availability([CUP], ["shop"], ship_to=SOUTH)

    assert south.atp_now == 3


async def test_a_ship_to_of_a_channel_without_constraints_sees_all(allocator):
    await stock(allocator, oslo=5, rome=3)

    [level] = await allocator.availability([CUP], ["shop"], ship_to=NORTH)

    assert level.atp_now == 8


async def test_a_ship_to_is_asked_for_one_channel(allocator):
    with pytest.raises(Invalid, match="one channel"):
        await allocator.availability([CUP], ["shop", "amazon"], ship_to=NORTH)


async def test_a_ship_to_of_an_unknown_channel_is_refused(allocator):
    with pytest.raises(UnknownChannel):
        await allocator.availability([CUP], ["ebay"], ship_to=NORTH)


async def test_each_channel_has_its_own_published_number(allocator):
    rules = [Rule(kind="max_published", channel="amazon", units=3), Rule(kind="cutoff", channel="shop", units=9)]
    await allocator.configure_all(with_rules(*rules))
    await stock(allocator, oslo=9)

    levels = await allocator.availability([CUP], ["shop", "amazon"])

    assert [(level.atp_now, level.published) for level in levels] == [(9, 0), (9, 3)]


# --- what would be


async def test_a_config_that_is_only_laid_over_gives_the_numbers_it_would_give_in_force(allocator, redis):
    await stock(allocator, CUP, oslo=10)
    await stock(allocator, TEE, oslo=10)
    wanted = with_rules(Rule(kind="buffer", sku=CUP, units=3), Rule(kind="buffer", category="kitchen", units=1))
    overlay = {
        field: value
        for field, value in compile_config(wanted).items()
        if field in {f"sku:{CUP}", "category:kitchen", "rules"}
    }
    before = await dump(redis)

    would_be = await allocator.availability([CUP, TEE, MUG], ["shop", "amazon"], overlay=overlay)
    untouched = await dump(redis)
    await allocator.configure_all(wanted)

    assert untouched == before
    numbers = [(level.sku, level.channel, level.atp_now) for level in would_be]
    now = await allocator.availability([CUP, TEE, MUG], ["shop", "amazon"])
    assert numbers == [(level.sku, level.channel, level.atp_now) for level in now]
    assert numbers[0] == (CUP, "shop", 7)


async def test_a_field_laid_over_with_nothing_is_taken_out(allocator):
    await stock(allocator, oslo=10)
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=4)))

    [level] = await allocator.availability([CUP], ["shop"], overlay={"rules": b""})

    assert level.atp_now == 10
    assert await atp(allocator) == 6


async def test_a_channel_laid_over_with_nothing_is_unknown(allocator):
    with pytest.raises(UnknownChannel):
        await allocator.availability([CUP], ["shop"], overlay={"channel:shop": b""})

    assert await atp(allocator) == 0


async def test_a_channel_laid_over_can_be_new(allocator):
    await stock(allocator, oslo=10)
    with pytest.raises(UnknownChannel):
        await allocator.availability([CUP], ["kiosk"])
    config = msgspec.structs.replace(CONFIG, channels=[Channel(code="kiosk", locations=shelves("oslo"))])

    field = "channel:kiosk"
    [level] = await allocator.availability([CUP], ["kiosk"], overlay={field: compile_config(config)[field]})

    assert level.atp_now == 10


# --- what is kept of a sku


async def test_stock_has_every_number_of_a_sku_and_nothing_of_one_nobody_knows(allocator):
    await stock(allocator, oslo=5, rome=2)
    await allocator.hold(hold("h1", 1))
    await allocator.order(order("1", 2))

    known, unknown, empty = await allocator.stock([CUP, "NOBODYS", MUG])

    assert unknown is None
    assert empty is not None
    assert empty.places == {}
    oslo, rome = known.places["oslo"], known.places["rome"]
    assert (oslo.on_hand, oslo.held, oslo.committed, rome.on_hand) == (5, 1, 2, 2)
