"""Units that go from one location to another are on their way in between: on no shelf, and promised to nobody."""

import msgspec
import pytest

from allocator import AdjustLine, ArrivedLine, SentLine, StockLine
from allocator.balances import encode_state
from allocator.errors import Invalid, NotEnough, OpConflict, OverLimit, UnknownLocation, UnknownSku
from allocator.ledger import read
from allocator.reading import find_dependents
from allocator.records import decode_state

from . import raw
from .fixtures import CUP, TEE, assert_sound, atp, dump, hold, order, place, quota, state, stock

BILLION = 1_000_000_000


def sent(units: int, sku: str = CUP) -> list[SentLine]:
    return [SentLine(sku, units)]


def arrived(units: int, lost: int = 0, sku: str = CUP) -> list[ArrivedLine]:
    return [ArrivedLine(sku, units, lost)]


async def send(allocator, units: int, id: str = "T1"):
    """From Oslo to Rome."""
    return await allocator.transfer_out(id, "oslo", "rome", sent(units))


async def on_the_way(redis, location: str = "rome") -> dict[str, int]:
    return (await place(redis, location)).transit


async def test_units_that_were_sent_are_on_no_shelf_and_promised_to_nobody(allocator, redis):
    await stock(allocator, oslo=5)

    await send(allocator, 3)

    assert ((await place(redis, "oslo")).on_hand, (await place(redis, "rome")).on_hand) == (2, 0)
    assert await on_the_way(redis) == {"T1": 3}
    assert await atp(allocator) == 2
    await assert_sound(redis)


async def test_units_that_arrived_may_be_promised(allocator, redis):
    await stock(allocator, oslo=5)
    await send(allocator, 3)

    await allocator.transfer_in("T1", "rome", arrived(3), op="a1")

    assert ((await place(redis, "rome")).on_hand, await on_the_way(redis)) == (3, {})
    assert await atp(allocator) == 5
    await assert_sound(redis)


async def test_a_transfer_arrives_in_parts_and_what_is_lost_is_gone(allocator, redis):
    await stock(allocator, oslo=9)
    await send(allocator, 9)

    await allocator.transfer_in("T1", "rome", arrived(4), op="a1")
    between = await on_the_way(redis)
    await allocator.transfer_in("T1", "rome", arrived(3, lost=2), op="a2")

    assert (between, await on_the_way(redis)) == ({"T1": 5}, {})
    assert (await place(redis, "rome")).on_hand == 7


async def test_a_transfer_that_goes_back_arrives_at_its_sender(allocator, redis):
    await stock(allocator, oslo=5)
    await send(allocator, 3)

    await allocator.transfer_in("T1", "rome", arrived(3), op="a1", at="oslo")

    assert ((await place(redis, "oslo")).on_hand, await on_the_way(redis)) == (5, {})


async def test_the_ledger_says_what_left_and_where_it_is(allocator, redis):
    await stock(allocator, oslo=5)
    await send(allocator, 3)
    await allocator.transfer_in("T1", "rome", arrived(2, lost=1), op="a1", at="bergen")

    moves = [entry.changes[0].moves for _, entry in (await read(redis, "main", "0-0"))[-2:]]

    assert moves == [
        [("oslo", "on_hand", "", -3), ("rome", "in_transit", "T1", 3)],
        [("rome", "in_transit", "T1", -3), ("bergen", "on_hand", "", 2)],
    ]


async def test_two_transfers_to_one_place_are_kept_apart(allocator, redis):
    await stock(allocator, oslo=5)
    await send(allocator, 2, "T1")
    await send(allocator, 3, "T2")

    await allocator.transfer_in("T2", "rome", arrived(2), op="a1")

    assert await on_the_way(redis) == {"T1": 2, "T2": 1}


async def test_no_more_arrives_or_is_lost_than_is_on_the_way(allocator, redis):
    await stock(allocator, oslo=5)
    await send(allocator, 3)

    for number, line in enumerate((arrived(4), arrived(0, lost=4), arrived(2, lost=2))):
        with pytest.raises(NotEnough) as refused:
            await allocator.transfer_in("T1", "rome", line, op=f"a{number}")
        assert refused.value.facts == {"sku": CUP, "location": "rome", "units": 3}
    for transfer, destination in (("T2", "rome"), ("T1", "bergen")):
        with pytest.raises(NotEnough) as refused:
            await allocator.transfer_in(transfer, destination, arrived(1), op=f"{transfer} {destination}")
        assert refused.value.facts["units"] == 0


async def test_what_is_promised_or_out_of_sale_does_not_leave(allocator, redis):
    await stock(allocator, oslo=9)
    await allocator.hold(hold("h1", 1))
    await allocator.order(order("1", 2))
    await allocator.unavailable([StockLine(CUP, "oslo", 3)], op="wet", reason="damaged", direction="in")

    with pytest.raises(NotEnough) as refused:
        await send(allocator, 4)

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 3}
    await send(allocator, 3, "T2")


async def test_a_shelf_below_zero_has_nothing_to_send(allocator):
    await allocator.order(order("1", 3, channel="till"))

    with pytest.raises(NotEnough) as refused:
        await allocator.transfer_out("T1", "bergen", "rome", sent(1))

    assert refused.value.facts["units"] == 0


async def test_ring_fenced_units_leave_and_the_fence_stays(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "amazon", 4)

    await send(allocator, 3)

    assert (await place(redis, "oslo")).quotas["amazon"].quota == 4
    assert (await atp(allocator), await atp(allocator, "amazon")) == (0, 2)


async def test_all_lines_or_none(allocator, redis):
    await stock(allocator, oslo=5)
    before = await dump(redis)

    with pytest.raises(NotEnough):
        await allocator.transfer_out("T1", "oslo", "rome", [*sent(3), *sent(3)])
    with pytest.raises(NotEnough):
        await allocator.transfer_in("T1", "rome", [*arrived(0, lost=1)], op="a1")

    after = await dump(redis)
    assert {key for key in after if after[key] != before[key]} == {b"{main}:ops"}


async def test_a_sku_on_two_lines_counts_as_often(allocator, redis):
    await stock(allocator, oslo=5)

    await allocator.transfer_out("T1", "oslo", "rome", [*sent(2), *sent(3)])
    await allocator.transfer_in("T1", "rome", [*arrived(1), *arrived(2, lost=2)], op="a1")

    assert ((await place(redis, "oslo")).on_hand, (await place(redis, "rome")).on_hand) == (0, 3)
    assert await on_the_way(redis) == {}


async def test_units_that_arrive_serve_backorders_and_end_a_deficit(allocator, redis):
    await stock(allocator, oslo=5)
    await send(allocator, 4)
    await allocator.order(order("late", 3, channel="amazon"))
    await allocator.order(order("gone", 2, channel="till"))

    await allocator.transfer_in("T1", "rome", arrived(2), op="a1")
    served = await allocator.serve()
    await allocator.transfer_in("T1", "rome", arrived(2), op="a2", at="bergen")

    assert [(row.order, row.units) for row in served.lines] == [("amazon:late", 2)]
    assert (await place(redis, "bergen")).deficit == 0
    await assert_sound(redis)


async def test_a_transfer_is_sent_once_however_often_it_is_asked_for(allocator, redis):
    await stock(allocator, oslo=5)

    first = await send(allocator, 2)
    again = await send(allocator, 2)

    assert (first.replayed, again.replayed) == (False, True)
    assert await on_the_way(redis) == {"T1": 2}
    with pytest.raises(OpConflict):
        await send(allocator, 3)


async def test_units_sent_under_the_same_id_by_another_op_add_up(allocator, redis):
    await stock(allocator, oslo=5)

    for op in ("one", "two"):
        word, _ = await raw.call(redis, "transfer_out", raw.changed("transfer_out", op=op, units="2"))
        assert word == "moved"

    assert await on_the_way(redis) == {"t1": 4}


async def test_from_a_place_to_itself_and_an_arrival_of_nothing_make_no_sense(allocator):
    with pytest.raises(Invalid, match=r"^to must be another location than from$"):
        await allocator.transfer_out("T1", "oslo", "oslo", sent(1))
    with pytest.raises(Invalid, match=r"^arrived and lost must not both be 0$"):
        await allocator.transfer_in("T1", "rome", arrived(0), op="a1")


async def test_unknown_things_do_not_travel(allocator):
    await stock(allocator, oslo=5)

    with pytest.raises(UnknownSku):
        await allocator.transfer_out("T1", "oslo", "rome", sent(1, "POT"))
    with pytest.raises(UnknownLocation) as refused:
        await allocator.transfer_out("T2", "narvik", "paris", sent(1))
    assert refused.value.facts == {"locations": ["narvik", "paris"]}
    with pytest.raises(UnknownLocation):
        await allocator.transfer_in("T1", "rome", arrived(1), op="a1", at="paris")


async def test_no_more_is_on_the_way_or_arrives_than_a_place_can_count(allocator, redis):
    for number in range(10):
        await stock(allocator, oslo=BILLION)
        await raw.call(redis, "transfer_out", raw.changed("transfer_out", op=f"t{number}", units=str(BILLION)))
        await stock(allocator, bergen=BILLION)
    await stock(allocator, oslo=1)
    await allocator.adjust([AdjustLine(CUP, "bergen", -1)], op="one less", why="count")
    await allocator.transfer_in("t1", "rome", arrived(1), op="a0", at="bergen")
    await raw.call(redis, "transfer_out", raw.changed("transfer_out", op="full"))
    await stock(allocator, oslo=1)

    word, facts = await raw.call(redis, "transfer_out", raw.changed("transfer_out", op="more"))
    with pytest.raises(OverLimit) as refused:
        await allocator.transfer_in("t1", "rome", arrived(1), op="a1", at="bergen")

    assert (word, facts) == ("over_limit", [CUP, "rome", 10 * BILLION])
    assert refused.value.facts == {"sku": CUP, "location": "bergen", "units": 10 * BILLION}


async def test_a_place_that_units_are_on_their_way_to_is_in_use(allocator, redis):
    await stock(allocator, oslo=2)
    await send(allocator, 2)

    found = await find_dependents(redis, "main", locations=["oslo", "rome", "bergen"])

    assert found == {("location", "rome"): "has units or quotas of CUP"}


async def test_a_state_without_transfers_is_kept_as_it_always_was(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "amazon", 4)
    before = await state(redis)

    await send(allocator, 2)
    await allocator.transfer_in("T1", "rome", arrived(2), op="a1", at="oslo")

    [packed] = await redis.hmget("{main}:stock", CUP)
    assert msgspec.msgpack.decode(packed)[6] == [0, [], ["amazon", 4, 0, 0, 0]]
    assert decode_state(packed).places == before.places


async def test_a_place_that_units_are_only_on_their_way_to_is_remembered(allocator, redis):
    await stock(allocator, TEE, oslo=2)

    await allocator.transfer_out("T1", "oslo", "rome", sent(2, TEE))

    [packed] = await redis.hmget("{main}:stock", TEE)
    assert decode_state(packed).places.keys() == {"rome"}
    assert encode_state(decode_state(packed)) == packed
