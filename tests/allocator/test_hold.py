"""A hold claims units for a time, all lines or none."""

import pytest

from allocator import Rule
from allocator.errors import OpConflict, Short, UnknownChannel, UnknownHold, UnknownSku, Unroutable

from .fixtures import (
    CONFIG,
    CUP,
    MINUTE,
    MUG,
    NOW,
    TEE,
    atp,
    buckets,
    dump,
    hold,
    ledger_length,
    place,
    quota,
    stock,
    units_at,
    with_channel,
    with_rules,
)


async def test_held_units_are_nobody_elses(allocator, redis):
    await stock(allocator, oslo=5)

    held = await allocator.hold(hold("h1", 3))

    assert units_at(held) == {"oslo": 3}
    assert await buckets(redis, "oslo") == (5, 3, 0)
    assert (await atp(allocator, "shop"), await atp(allocator, "amazon")) == (2, 2)


async def test_a_hold_ends_its_time_after_the_servers_clock(allocator):
    await stock(allocator, oslo=5)

    held = await allocator.hold(hold("h1", 3, ttl_ms=90_000))

    assert held.deadline_ms == NOW + 90_000
    assert (await allocator.find_hold("h1")).deadline_ms == NOW + 90_000


async def test_the_answer_says_what_each_line_got(allocator):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, rome=5)

    held = await allocator.hold(hold("h1", 2, (TEE, 4), 1))

    assert [(line.line, line.sku, line.units, line.held) for line in held.lines] == [
        ("1", CUP, 2, 2),
        ("2", TEE, 4, 4),
        ("3", CUP, 1, 1),
    ]
    assert [(take.sku, take.location, take.units) for take in held.takes] == [(CUP, "oslo", 3), (TEE, "rome", 4)]
    assert [(version.sku, version.version) for version in held.versions] == [(CUP, 2), (TEE, 2)]


async def test_more_than_may_be_promised_is_refused_with_the_numbers(allocator):
    await stock(allocator, oslo=2, rome=1)

    with pytest.raises(Short) as refused:
        await allocator.hold(hold("h1", 4))

    assert refused.value.facts == {"lines": [{"line": "1", "sku": CUP, "units": 4, "atp_now": 3}]}


async def test_one_short_line_refuses_all_lines(allocator, redis):
    await stock(allocator, oslo=5)

    with pytest.raises(Short):
        await allocator.hold(hold("h1", 1, (TEE, 1)))

    assert await buckets(redis, "oslo") == (5, 0, 0)
    assert await atp(allocator) == 5


async def test_two_lines_of_one_sku_are_counted_together(allocator):
    await stock(allocator, oslo=5)

    with pytest.raises(Short):
        await allocator.hold(hold("h1", 3, 3))

    assert await atp(allocator) == 5


async def test_a_partial_hold_takes_what_there_is(allocator, redis):
    await stock(allocator, oslo=2, rome=1)

    held = await allocator.hold(hold("h1", 4, (TEE, 1), partial=True))

    assert [(line.units, line.held) for line in held.lines] == [(4, 3), (1, 0)]
    assert units_at(held) == {"oslo": 2, "rome": 1}
    assert await atp(allocator) == 0


async def test_a_partial_hold_of_nothing_is_refused(allocator):
    with pytest.raises(Short):
        await allocator.hold(hold("h1", 4, partial=True))


async def test_a_partial_hold_stays_within_the_split_limit(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=2, rome=3)

    held = await allocator.hold(hold("h1", 5, partial=True))

    assert units_at(held) == {"rome": 3}
    assert [line.held for line in held.lines] == [3]


async def test_a_hold_does_not_open_the_buffer(allocator):
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=2)))
    await stock(allocator, oslo=5)

    with pytest.raises(Short):
        await allocator.hold(hold("h1", 4))

    await allocator.hold(hold("h2", 3))
    assert await atp(allocator) == 0


async def test_enough_units_at_too_many_places_is_unroutable_and_not_short(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=2, rome=3)

    with pytest.raises(Unroutable) as refused:
        await allocator.hold(hold("h1", 5))

    assert refused.value.facts["split_limit"] == 1
    assert refused.value.facts["lines"] == [{"line": "1", "sku": CUP, "units": 5, "atp_now": 5}]


async def test_a_hold_consumes_the_quota_it_takes_from(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 4)

    held = await allocator.hold(hold("h1", 6))

    assert [(part.source, part.units, part.quota) for part in held.takes[0].parts] == [
        ("own", 4, "shop"),
        ("shared", 2, ""),
    ]
    assert (await place(redis, "oslo")).quotas["shop"].consumed == 4


async def test_a_hold_may_borrow_above_the_floor(allocator, redis):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="borrow"))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "amazon", 10, floor=6)

    held = await allocator.hold(hold("h1", 4))

    assert [(part.source, part.units, part.quota) for part in held.takes[0].parts] == [("borrowed", 4, "amazon")]
    assert (await place(redis, "oslo")).quotas["amazon"].consumed == 4


async def test_an_unknown_sku_is_refused(allocator):
    with pytest.raises(UnknownSku) as refused:
        await allocator.hold(hold("h1", ("POT", 1), (CUP, 1), ("PAN", 1)))

    assert refused.value.facts == {"skus": ["POT", "PAN"]}


async def test_an_unknown_channel_is_refused(allocator):
    with pytest.raises(UnknownChannel) as refused:
        await allocator.hold(hold("h1", 1, channel="ebay"))

    assert refused.value.facts == {"channel": "ebay"}


# --- the owner's own hold


async def test_an_owners_new_hold_replaces_his_old_one_in_the_same_step(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 4, owner="ann"))

    held = await allocator.hold(hold("h2", 5, owner="ann"))

    assert held.replaced == "h1"
    assert (await allocator.find_hold("h1")).state == "replaced"
    assert await buckets(redis, "oslo") == (5, 5, 0)


async def test_when_the_new_hold_is_refused_the_old_one_stays(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 4, owner="ann"))

    with pytest.raises(Short) as refused:
        await allocator.hold(hold("h2", 6, owner="ann"))

    assert refused.value.facts["lines"][0]["atp_now"] == 5
    assert (await allocator.find_hold("h1")).state == "open"
    assert await buckets(redis, "oslo") == (5, 4, 0)


async def test_an_owner_may_hold_in_two_channels_at_once(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 2, owner="ann"))

    held = await allocator.hold(hold("h2", 2, owner="ann", channel="amazon"))

    assert held.replaced == ""
    assert (await allocator.find_hold("h1")).state == "open"


async def test_holds_without_an_owner_do_not_replace_each_other(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 2))

    held = await allocator.hold(hold("h2", 2))

    assert held.replaced == ""
    assert (await allocator.find_hold("h1")).state == "open"


async def test_after_his_hold_has_ended_the_owner_starts_anew(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 4, owner="ann"))
    await allocator.release("h1")

    held = await allocator.hold(hold("h2", 2, owner="ann"))

    assert held.replaced == ""
    assert (await allocator.find_hold("h1")).state == "released"


async def test_a_replaced_holds_other_skus_are_free_again(allocator, redis):
    await stock(allocator, oslo=5)
    await stock(allocator, MUG, oslo=5)
    await allocator.hold(hold("h1", 4, (MUG, 3), owner="ann"))

    await allocator.hold(hold("h2", 1, owner="ann"))

    assert await buckets(redis, "oslo", CUP) == (5, 1, 0)
    assert await buckets(redis, "oslo", MUG) == (5, 0, 0)


# --- the id is the op


async def test_a_hold_sent_twice_is_one_hold(allocator, redis):
    await stock(allocator, oslo=5)
    first = await allocator.hold(hold("h1", 3))

    again = await allocator.hold(hold("h1", 3))

    assert (first.replayed, again.replayed) == (False, True)
    assert (again.takes, again.deadline_ms, again.versions) == (first.takes, first.deadline_ms, first.versions)
    assert await buckets(redis, "oslo") == (5, 3, 0)


async def test_a_holds_id_cannot_be_used_for_another_hold(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))

    with pytest.raises(OpConflict):
        await allocator.hold(hold("h1", 2))

    assert await buckets(redis, "oslo") == (5, 3, 0)


async def test_a_refused_hold_writes_no_ledger_entry(allocator, redis):
    before = await ledger_length(redis)

    with pytest.raises(Short):
        await allocator.hold(hold("h1", 3))

    assert await ledger_length(redis) == before


async def test_a_hold_nobody_made_cannot_be_found(allocator, redis):
    before = await dump(redis)

    with pytest.raises(UnknownHold):
        await allocator.find_hold("h9")

    assert await dump(redis) == before


async def test_a_hold_of_a_minute_lasts_until_it_is_expired(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))

    allocator.now_ms = NOW + 10 * MINUTE

    assert await atp(allocator) == 2
    assert (await allocator.find_hold("h1")).state == "open"
