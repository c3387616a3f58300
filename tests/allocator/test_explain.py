"""Every number can be explained: each step, each rule that won and each that lost."""

import pytest

from allocator import Rule, SentLine
from allocator.errors import UnknownChannel, UnknownSku
from allocator.explanation import Quota, RuleChoice, RuleSaid

from .fixtures import (
    CUP,
    TEE,
    atp,
    hold,
    order,
    published,
    quota,
    sold_at_the_till,
    stock,
    with_channel,
    with_rules,
)


async def test_a_plain_sku_is_explained_in_every_step(allocator):
    await stock(allocator, oslo=5)

    told = await allocator.explain(CUP, "shop")

    assert (told.sku, told.channel, told.version, told.overflow) == (CUP, "shop", 1, "shared")
    assert [shelf.location for shelf in told.shelves] == ["oslo", "rome", "bergen"]
    assert (told.open, told.owed, told.pool, told.buffer, told.atp_now) == (5, 0, 5, 0, 5)
    assert (told.cutoff, told.max_published, told.published) == (0, -1, 5)
    assert told.spread == {"oslo": 5, "rome": 0, "bergen": 0}


async def test_a_shelf_shows_each_bucket_and_each_part(allocator):
    config = with_channel(with_rules(Rule(kind="safety_stock", units=2)), "shop", overflow="borrow")
    await allocator.configure_all(config)
    await stock(allocator, oslo=20)
    await quota(allocator, "oslo", "shop", 4)
    await quota(allocator, "oslo", "amazon", 6, floor=5)
    await allocator.order(order("1", 3))
    await allocator.hold(hold("h1", 2))

    [shelf, *_] = (await allocator.explain(CUP, "shop")).shelves

    # available 20 - 3 - 2 = 15, free 13; own 4 - 4 consumed = 0; amazon 6; shared 7; borrowable 6 - 5
    assert (shelf.on_hand, shelf.held, shelf.committed, shelf.available) == (20, 2, 3, 15)
    assert (shelf.safety_stock, shelf.free) == (2, 13)
    assert (shelf.own, shelf.shared, shelf.borrowable, shelf.open) == (0, 7, 1, 8)
    assert shelf.quotas == [Quota("amazon", 6, 0, 5), Quota("shop", 4, 4, 0)]


async def test_nothing_is_borrowable_for_a_channel_that_may_not_borrow(allocator):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "amazon", 5)

    [shelf, *_] = (await allocator.explain(CUP, "shop")).shelves

    assert (shelf.borrowable, shelf.open) == (0, 0)


async def test_debts_are_named_by_kind(allocator):
    await allocator.order(order("A1", 4, channel="amazon"))
    await sold_at_the_till(allocator, "T1", 2)

    told = await allocator.explain(CUP, "shop")

    assert (told.backordered, told.conflict, told.deficits, told.owed) == (4, 0, 2, 6)
    assert told.shelves[2].deficit == 2


async def test_debts_at_places_of_other_channels_are_owed_too(allocator):
    await sold_at_the_till(allocator, "T1", 2)

    told = await allocator.explain(CUP, "amazon")

    assert (told.deficits, [shelf.location for shelf in told.shelves]) == (2, ["oslo", "rome"])


async def test_the_rule_that_won_and_those_that_lost_are_named(allocator):
    rules = [
        Rule(kind="buffer", units=1),
        Rule(kind="buffer", channel="shop", units=2, percent_bp=500),
        Rule(kind="buffer", sku=CUP, units=3),
        Rule(kind="safety_stock", category="kitchen", location="rome", units=4),
    ]
    await allocator.configure_all(with_rules(*rules))

    told = await allocator.explain(CUP, "shop")

    said = {(choice.kind, choice.place): choice.rules for choice in told.rules}
    assert said["buffer", "shop"] == [RuleSaid("sku", 3, 0), RuleSaid("channel", 2, 500), RuleSaid("global", 1, 0)]
    assert said["safety_stock", "rome"] == [RuleSaid("category and location", 4, 0)]
    assert said["safety_stock", "oslo"] == []


async def test_every_kind_of_rule_is_answered_for_even_when_none_speaks(allocator):
    told = await allocator.explain(TEE, "amazon")

    assert told.rules == [
        RuleChoice("safety_stock", "oslo", []),
        RuleChoice("safety_stock", "rome", []),
        RuleChoice("buffer", "amazon", []),
        RuleChoice("cutoff", "amazon", []),
        RuleChoice("max_published", "amazon", []),
    ]


async def test_the_numbers_explained_are_the_numbers_answered(allocator):
    rules = [
        Rule(kind="safety_stock", units=1),
        Rule(kind="buffer", percent_bp=1_250),
        Rule(kind="cutoff", units=3),
        Rule(kind="max_published", units=8),
    ]
    await allocator.configure_all(with_rules(*rules))
    await stock(allocator, oslo=9, rome=2, bergen=4)
    await quota(allocator, "oslo", "amazon", 4)
    await allocator.order(order("1", 2))

    for channel in ("shop", "amazon", "till"):
        told = await allocator.explain(CUP, channel)
        assert (told.atp_now, told.published) == (await atp(allocator, channel), await published(allocator, channel))
        assert sum(told.spread.values()) == told.published


async def test_an_owners_hold_is_given_back_in_the_explanation_too(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3, owner="ann"))

    told = await allocator.explain(CUP, "shop", owner="ann")

    assert (told.shelves[0].held, told.atp_now) == (0, 5)


async def test_unknown_things_cannot_be_explained(allocator):
    with pytest.raises(UnknownSku) as refused:
        await allocator.explain("POT", "shop")
    with pytest.raises(UnknownChannel):
        await allocator.explain(CUP, "ebay")

    assert refused.value.facts == {"skus": ["POT"]}


async def test_units_in_transit_are_told_and_counted_nowhere(allocator):
    await stock(allocator, oslo=5, rome=6)
    await allocator.transfer_out("T1", "rome", "oslo", [SentLine(CUP, 2)])
    await allocator.transfer_out("T2", "rome", "oslo", [SentLine(CUP, 1)])

    told = await allocator.explain(CUP, "shop")

    shelves = {shelf.location: (shelf.on_hand, shelf.in_transit) for shelf in told.shelves}
    assert (shelves["oslo"], shelves["rome"]) == ((5, 3), (3, 0))
    assert told.atp_now == 8
