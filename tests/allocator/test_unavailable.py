"""Units are taken out of sale for a reason, and put back."""

import pytest

from allocator import StockLine
from allocator.errors import Invalid, NotEnough, UnknownLocation, UnknownSku

from .fixtures import CUP, TEE, atp, hold, order, place, quota, stock


async def set_aside(allocator, units: int, *, op: str, reason: str = "damaged", direction: str = "in", at="oslo"):
    lines = [StockLine(CUP, at, units)]
    return await allocator.unavailable(lines, op=op, reason=reason, direction=direction)


async def test_units_out_of_sale_stay_on_hand(allocator, redis):
    await stock(allocator, oslo=5)

    await set_aside(allocator, 2, op="u1")

    found = await place(redis, "oslo")
    assert (found.on_hand, found.reasons, await atp(allocator)) == (5, {"damaged": 2}, 3)


async def test_each_reason_is_counted_for_itself(allocator, redis):
    await stock(allocator, oslo=5)
    await set_aside(allocator, 2, op="u1")
    await set_aside(allocator, 1, op="u2", reason="quality_hold")

    await set_aside(allocator, 1, op="u3", direction="out")

    assert (await place(redis, "oslo")).reasons == {"damaged": 1, "quality_hold": 1}
    assert await atp(allocator) == 3


async def test_a_reason_that_is_empty_again_is_forgotten(allocator, redis):
    await stock(allocator, oslo=5)
    await set_aside(allocator, 2, op="u1")

    await set_aside(allocator, 2, op="u2", direction="out")

    assert (await place(redis, "oslo")).reasons == {}
    assert await atp(allocator) == 5


async def test_no_more_can_be_put_back_than_was_set_aside_for_that_reason(allocator):
    await stock(allocator, oslo=5)
    await set_aside(allocator, 2, op="u1")

    with pytest.raises(NotEnough) as refused:
        await set_aside(allocator, 1, op="u2", reason="quality_hold", direction="out")
    with pytest.raises(NotEnough):
        await set_aside(allocator, 3, op="u3", direction="out")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 0}


async def test_no_more_can_be_set_aside_than_is_on_hand(allocator):
    await stock(allocator, oslo=5)
    await set_aside(allocator, 3, op="u1")

    with pytest.raises(NotEnough) as refused:
        await set_aside(allocator, 3, op="u2", reason="quality_hold")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 2}


async def test_damage_to_what_is_promised_is_a_fact_and_a_deficit(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.hold(hold("h1", 1))

    await set_aside(allocator, 4, op="u1")

    found = await place(redis, "oslo")
    assert (found.on_hand, found.unavailable, found.committed, found.held, found.deficit) == (5, 4, 3, 1, 3)


async def test_what_is_repaired_ends_the_deficit(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5))
    await set_aside(allocator, 4, op="u1")

    await set_aside(allocator, 4, op="u2", direction="out")

    assert (await place(redis, "oslo")).deficit == 0


async def test_damage_is_a_deficit_at_every_place_behind_an_empty_one_with_a_quota(allocator, redis):
    await quota(allocator, "bergen", "shop", 1)
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5))

    await allocator.unavailable([StockLine(CUP, "oslo", 2)], op="u1", reason="wet", direction="in")

    assert (await place(redis, "oslo")).deficit == 2


async def test_a_direction_is_in_or_out(allocator):
    with pytest.raises(Invalid, match="direction"):
        await set_aside(allocator, 1, op="u1", direction="up")


async def test_all_lines_or_none(allocator, redis):
    await stock(allocator, oslo=5)
    lines = [StockLine(CUP, "oslo", 2), StockLine(TEE, "oslo", 1)]

    with pytest.raises(NotEnough):
        await allocator.unavailable(lines, op="u1", reason="damaged", direction="in")

    assert (await place(redis, "oslo")).reasons == {}


async def test_unknown_things_cannot_be_set_aside(allocator):
    with pytest.raises(UnknownLocation):
        await set_aside(allocator, 1, op="u1", at="narvik")
    with pytest.raises(UnknownSku):
        await allocator.unavailable([StockLine("POT", "oslo", 1)], op="u2", reason="damaged", direction="in")
