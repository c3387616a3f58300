"""Returns are announced before the goods are there, and taken off what is announced when they come."""

import pytest

from allocator import AnnounceLine, AnnounceRequest, ReturnLine
from allocator.errors import (
    Invalid,
    OpConflict,
    Superseded,
    TooManyReturns,
    UnknownLine,
    UnknownLocation,
    UnknownOrder,
)
from allocator.records import decode_entry, is_over

from .attic import Attic
from .fixtures import TEE, assert_sound, atp, dump, ledger_length, new_allocator, order, state, stock
from .raw import call, changed

ORDER = ("shop", "1")


def wish(revision: int = 1, *, location: str = "", due_ms: int | None = None, why: str = "", **units: int):
    """An announcement; a1=2 is two units of line 1."""
    lines = [AnnounceLine(name.removeprefix("a"), count) for name, count in units.items()]
    return AnnounceRequest(revision=revision, lines=lines, location=location, due_ms=due_ms, why=why)


def back(units: int, line: str = "1", disposition: str = "restock", at: str = "oslo") -> list[ReturnLine]:
    return [ReturnLine(line=line, location=at, units=units, disposition=disposition)]


def parts(announced) -> list[tuple[str, int, int, int]]:
    """(line, announced, arrived, expected) of a return."""
    return [(line.line, line.units, line.arrived, line.expected) for line in announced.lines]


@pytest.fixture
async def shipped(allocator):
    """Order 1 of the shop: three cups and two tees, shipped from oslo."""
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    await allocator.order(order("1", 3, (TEE, 2)))
    await allocator.ship(*ORDER, op="s1")
    return allocator


async def expected(allocator) -> dict[str, list[tuple[str, int, int, int]]]:
    """The order's returns with their lines."""
    found = await allocator.find_order(*ORDER)
    return {announced.return_id: parts(announced) for announced in found.announced}


async def test_what_is_announced_is_kept_with_the_order_and_moves_no_unit(shipped, redis):
    before, free = await state(redis), await atp(shipped)

    said = await shipped.announce_return(
        *ORDER, "R1", wish(1, location="bergen", due_ms=9_000, why="too small", a1=2), actor="ann"
    )

    assert (said.channel, said.external_id, said.replayed) == (*ORDER, False)
    [kept] = (await shipped.find_order(*ORDER)).announced
    assert kept == said.announced
    assert (kept.return_id, kept.revision, kept.location, kept.due_ms, kept.why) == (
        "R1",
        1,
        "bergen",
        9_000,
        "too small",
    )
    assert parts(kept) == [("1", 2, 0, 2)]
    assert (await state(redis), await atp(shipped)) == (before, free)
    await assert_sound(redis)


async def test_the_ledger_has_the_announcement_and_no_move(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(a1=2, why="too small"), actor="ann")

    entry = decode_entry((await redis.xrevrange("{main}:ledger", count=1))[0][1])
    assert (entry.verb, entry.op, entry.word) == ("announce_return", "announce_return:shop:1:R1:1", "announced")
    assert (entry.actor, entry.why, entry.changes, list(entry.records)) == ("ann", "too small", [], ["order:shop:1"])


async def test_the_same_announcement_again_has_one_effect_and_one_answer(shipped, redis):
    first = await shipped.announce_return(*ORDER, "R1", wish(a1=2))
    entries = await ledger_length(redis)

    again = await shipped.announce_return(*ORDER, "R1", wish(a1=2))

    assert (again.replayed, again.announced) == (True, first.announced)
    assert await ledger_length(redis) == entries


async def test_a_revision_says_one_thing_only(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(1, a1=2))

    for other in (wish(1, a1=1), wish(1, a1=2, location="oslo"), wish(1, a1=2, due_ms=5), wish(1, a1=2, why="x")):
        with pytest.raises(OpConflict):
            await shipped.announce_return(*ORDER, "R1", other)

    assert await expected(shipped) == {"R1": [("1", 2, 0, 2)]}


async def test_a_newer_revision_says_what_is_announced_as_a_whole(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(1, location="rome", due_ms=5, why="a", a1=2, a2=1))

    said = await shipped.announce_return(*ORDER, "R1", wish(2, a2=2))

    assert parts(said.announced) == [("2", 2, 0, 2)]
    assert (said.announced.location, said.announced.due_ms, said.announced.why) == ("", None, "")
    await assert_sound(redis)


async def test_a_revision_that_is_older_is_superseded_for_good(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(5, a1=1))
    entries = await ledger_length(redis)

    for _ in range(2):
        with pytest.raises(Superseded) as refused:
            await shipped.announce_return(*ORDER, "R1", wish(4, a1=3))

    assert refused.value.facts == {"return_id": "R1", "revision": 5}
    assert refused.value.replayed
    assert (await expected(shipped), await ledger_length(redis)) == ({"R1": [("1", 1, 0, 1)]}, entries)


async def test_another_op_does_not_announce_the_same_revision_again(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(2, a1=1))

    said = await call(redis, "announce_return", changed("announce_return", revision="2", op="another", config="1"))

    assert said == ("superseded", ["R1", 2])


async def test_a_stale_message_is_superseded_whatever_else_is_wrong_with_it(shipped):
    await shipped.announce_return(*ORDER, "R1", wish(5, a1=1))

    with pytest.raises(Superseded):
        await shipped.announce_return(*ORDER, "R1", wish(4, location="narvik", a7=9))


@pytest.mark.parametrize("nothing", [{}, {"a1": 0}])
async def test_no_units_withdraw_it_and_an_older_message_does_not_bring_it_back(shipped, nothing, redis):
    await shipped.announce_return(*ORDER, "R1", wish(2, a1=2))

    said = await shipped.announce_return(*ORDER, "R1", wish(3, **nothing))

    assert said.announced.lines == []
    with pytest.raises(Superseded):
        await shipped.announce_return(*ORDER, "R1", wish(1, a1=2))
    assert await expected(shipped) == {"R1": []}


async def test_what_was_withdrawn_may_be_announced_again(shipped):
    await shipped.announce_return(*ORDER, "R1", wish(1, a1=2))
    await shipped.announce_return(*ORDER, "R1", wish(2))

    assert parts((await shipped.announce_return(*ORDER, "R1", wish(3, a1=1))).announced) == [("1", 1, 0, 1)]


async def test_no_more_is_announced_over_all_returns_than_can_come_back(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(a1=2))
    before = await dump(redis)

    with pytest.raises(TooManyReturns) as refused:
        await shipped.announce_return(*ORDER, "R2", wish(a1=2, a2=3))

    rows = [{"line": "1", "expected": 4, "returnable": 3}, {"line": "2", "expected": 3, "returnable": 2}]
    assert refused.value.facts == {"lines": rows}
    after = await dump(redis)
    assert {key for key in after if after[key] != before[key]} == {b"{main}:ops"}


async def test_two_returns_of_one_line_may_take_all_that_was_shipped(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(a1=2))
    await shipped.announce_return(*ORDER, "R2", wish(a1=1))

    assert await expected(shipped) == {"R1": [("1", 2, 0, 2)], "R2": [("1", 1, 0, 1)]}
    await assert_sound(redis)


async def test_a_newer_revision_of_a_return_does_not_count_against_itself(shipped):
    await shipped.announce_return(*ORDER, "R1", wish(1, a1=3))

    assert parts((await shipped.announce_return(*ORDER, "R1", wish(2, a1=3))).announced) == [("1", 3, 0, 3)]


async def test_what_was_not_shipped_or_is_back_cannot_be_announced(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    with pytest.raises(TooManyReturns):
        await allocator.announce_return(*ORDER, "R1", wish(1, a1=1))

    await allocator.ship(*ORDER, op="s1")
    await allocator.return_units(back(2), op="b", order=ORDER)

    with pytest.raises(TooManyReturns):
        await allocator.announce_return(*ORDER, "R1", wish(2, a1=2))
    assert parts((await allocator.announce_return(*ORDER, "R1", wish(3, a1=1))).announced) == [("1", 1, 0, 1)]


async def test_nothing_comes_back_of_an_order_that_was_cancelled(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.cancel(*ORDER, op="c")

    with pytest.raises(TooManyReturns) as refused:
        await allocator.announce_return(*ORDER, "R1", wish(a1=1))

    assert refused.value.facts == {"lines": [{"line": "1", "expected": 1, "returnable": 0}]}


async def test_goods_that_come_with_the_return_are_taken_off_it(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(a1=3, location="bergen"))

    part = await shipped.return_units(back(2, at="rome"), op="b1", order=ORDER, return_id="R1")
    rest = await shipped.return_units(back(1, disposition="scrap"), op="b2", order=ORDER, return_id="R1")

    assert (part.announced.return_id, parts(part.announced)) == ("R1", [("1", 3, 2, 1)])
    assert (parts(rest.announced), rest.lines[0].returned) == ([("1", 3, 3, 0)], 3)
    await assert_sound(redis)


async def test_a_named_return_comes_once_under_one_op(shipped):
    await shipped.announce_return(*ORDER, "R1", wish(a1=3))
    first = await shipped.return_units(back(1), op="b1", order=ORDER, return_id="R1")

    again = await shipped.return_units(back(1), op="b1", order=ORDER, return_id="R1")

    assert (again.replayed, again.announced) == (True, first.announced)
    assert await expected(shipped) == {"R1": [("1", 3, 1, 2)]}
    with pytest.raises(OpConflict):
        await shipped.return_units(back(1), op="b1", order=ORDER)


async def test_more_and_other_goods_than_announced_may_come(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(a1=1))

    both = [*back(2), *back(1, line="2")]
    changed = await shipped.return_units(both, op="b1", order=ORDER, return_id="R1")

    assert parts(changed.announced) == [("1", 1, 2, 0), ("2", 0, 1, 0)]
    await assert_sound(redis)


async def test_what_has_arrived_counts_in_every_later_announcement_of_the_return(shipped):
    await shipped.announce_return(*ORDER, "R1", wish(1, a1=2))
    await shipped.return_units(back(1), op="b1", order=ORDER, return_id="R1")

    more = await shipped.announce_return(*ORDER, "R1", wish(2, a1=3))
    none = await shipped.announce_return(*ORDER, "R1", wish(3))

    assert (parts(more.announced), parts(none.announced)) == ([("1", 3, 1, 2)], [("1", 0, 1, 0)])


async def test_goods_that_come_before_they_are_announced_are_no_longer_expected(shipped):
    early = await shipped.return_units(back(2), op="b1", order=ORDER, return_id="R1")

    late = await shipped.announce_return(*ORDER, "R1", wish(1, a1=2))

    assert (early.announced.revision, parts(early.announced)) == (0, [("1", 0, 2, 0)])
    assert parts(late.announced) == [("1", 2, 2, 0)]


async def test_a_return_without_a_name_leaves_the_order_as_it_ever_was(shipped):
    changed = await shipped.return_units(back(1), op="b1", order=ORDER)

    assert not changed.announced
    assert (await shipped.find_order(*ORDER)).announced == []


async def test_goods_without_a_name_are_not_those_that_were_announced_while_others_may_come(shipped):
    await shipped.announce_return(*ORDER, "R1", wish(a1=2))

    await shipped.return_units(back(1), op="b1", order=ORDER)

    assert await expected(shipped) == {"R1": [("1", 2, 0, 2)]}


async def test_what_can_come_no_more_is_not_expected_the_first_return_first(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(a1=1, a2=1))
    await shipped.announce_return(*ORDER, "R2", wish(a1=2))

    await shipped.return_units(back(2), op="b1", order=ORDER)

    assert await expected(shipped) == {"R1": [("1", 1, 1, 0), ("2", 1, 0, 1)], "R2": [("1", 2, 1, 1)]}
    await assert_sound(redis)


async def test_an_exchange_leaves_no_more_expected_than_can_come(shipped, redis):
    await shipped.announce_return(*ORDER, "R1", wish(a1=3))

    await shipped.exchange(*ORDER, back(2), order("1-B", (TEE, 1)), op="x1")

    assert await expected(shipped) == {"R1": [("1", 3, 2, 1)]}
    await assert_sound(redis)


async def test_the_announcement_outlives_the_later_changes_of_the_order(shipped, allocator):
    await shipped.order(order("2", 1, (TEE, 1)))
    await shipped.ship("shop", "2", op="s2")
    await shipped.announce_return("shop", "2", "R1", wish(a1=1))
    before = (await shipped.find_order("shop", "2")).announced

    await shipped.return_units(back(1, line="2"), op="b1", order=("shop", "2"))

    assert (await shipped.find_order("shop", "2")).announced == before


async def test_an_order_of_which_goods_are_expected_stays_until_they_have_come_or_are_withdrawn(allocator, redis):
    attic = Attic(redis)
    shop = await new_allocator(redis, history=attic)
    await stock(shop, oslo=9)
    for id in ("1", "2", "3"):
        await shop.order(order(id, 1))
        await shop.ship("shop", id, op=f"s{id}")
        await shop.announce_return("shop", id, "R1", wish(a1=1))
    await shop.return_units(back(1), op="b", order=("shop", "2"), return_id="R1")
    await shop.announce_return("shop", "3", "R1", wish(2))

    packed = {id: await redis.hget("{main}:orders", f"shop:{id}") for id in ("1", "2", "3")}

    assert {id: is_over("order", record) for id, record in packed.items()} == {"1": False, "2": True, "3": True}
    await attic.clear_out(shop, lambda row: row.kind == "order")
    assert await redis.hkeys("{main}:orders") == [b"shop:1"]


async def test_a_return_of_an_order_that_left_the_store_brings_it_back(allocator, redis):
    attic = Attic(redis)
    shop = await new_allocator(redis, history=attic)
    await stock(shop, oslo=9)
    await shop.order(order("1", 3))
    await shop.ship(*ORDER, op="s1")
    await shop.announce_return(*ORDER, "R1", wish(3))
    await attic.clear_out(shop)
    assert await redis.hlen("{main}:orders") == 0

    assert (await shop.announce_return(*ORDER, "R1", wish(3))).replayed
    with pytest.raises(Superseded):
        await shop.announce_return(*ORDER, "R1", wish(2, a1=1))
    assert parts((await shop.announce_return(*ORDER, "R1", wish(4, a1=2))).announced) == [("1", 2, 0, 2)]
    with pytest.raises(UnknownOrder):
        await shop.announce_return("shop", "9", "R1", wish(1))


async def test_what_nobody_knows_cannot_be_announced(shipped):
    with pytest.raises(UnknownOrder):
        await shipped.announce_return("shop", "9", "R1", wish(a1=1))
    with pytest.raises(UnknownLine) as refused:
        await shipped.announce_return(*ORDER, "R1", wish(a7=1))
    assert refused.value.facts == {"line": "7"}
    with pytest.raises(UnknownLocation):
        await shipped.announce_return(*ORDER, "R2", wish(a1=1, location="narvik"))


async def test_nonsense_is_refused_and_not_remembered(shipped, redis):
    before = await dump(redis)
    twice = AnnounceRequest(revision=1, lines=[AnnounceLine("1", 1), AnnounceLine("1", 1)])
    with pytest.raises(Invalid) as refused:
        await shipped.announce_return(*ORDER, "R1", twice)
    assert refused.value.facts == {"what": "line is named twice"}
    for nonsense in (wish(0, a1=1), wish(10**13, a1=1), wish(a1=-1), wish(due_ms=0), wish(due_ms=10**13)):
        with pytest.raises(Invalid):
            await shipped.announce_return(*ORDER, "R1", nonsense)
    with pytest.raises(Invalid):
        await shipped.announce_return(*ORDER, "", wish(a1=1))
    with pytest.raises(Invalid, match="return_id"):
        await shipped.return_units(
            [ReturnLine(sku=TEE, location="oslo", units=1, disposition="scrap")], op="b", return_id="R1"
        )

    assert await dump(redis) == before


async def test_an_order_has_at_most_a_hundred_returns(shipped, redis):
    for number in range(100):
        await shipped.announce_return(*ORDER, f"R{number}", wish())
    before = await dump(redis)

    with pytest.raises(Invalid) as refused:
        await shipped.announce_return(*ORDER, "R100", wish())
    assert refused.value.facts == {"what": "an order has at most 100 announced returns"}

    assert await dump(redis) == before
    await shipped.announce_return(*ORDER, "R99", wish(2, a1=1))
    await shipped.return_units(back(1), op="b", order=ORDER, return_id="surprise")
