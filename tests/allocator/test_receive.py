"""Units arrive on shelves, all lines or none."""

import msgspec
import pytest

from allocator import Location, StockLine
from allocator.errors import OverLimit, UnknownLocation, UnknownSku

from .fixtures import CONFIG, CUP, TEE, atp, order, place, state, stock, with_inactive

BILLION = 1_000_000_000


async def test_received_units_can_be_sold_at_once(allocator, redis):
    moved = await allocator.receive([StockLine(CUP, "oslo", 5), StockLine(TEE, "rome", 2)], op="r1")

    assert [(version.sku, version.version) for version in moved.versions] == [(CUP, 1), (TEE, 1)]
    assert (await atp(allocator), await atp(allocator, sku=TEE)) == (5, 2)
    assert (await place(redis, "oslo")).on_hand == 5


async def test_units_of_one_sku_at_two_places_are_one_effect(allocator, redis):
    moved = await allocator.receive([StockLine(CUP, "oslo", 5), StockLine(CUP, "rome", 2)], op="r1")

    assert [(version.sku, version.version) for version in moved.versions] == [(CUP, 1)]
    assert {code: found.on_hand for code, found in (await state(redis)).places.items()} == {"oslo": 5, "rome": 2}


async def test_units_add_up(allocator):
    for number in range(3):
        await allocator.receive([StockLine(CUP, "oslo", 5)], op=f"r{number}")

    assert await atp(allocator) == 15


async def test_an_unknown_sku_refuses_all_lines(allocator):
    with pytest.raises(UnknownSku) as refused:
        await allocator.receive([StockLine(CUP, "oslo", 5), StockLine("POT", "oslo", 1)], op="r1")

    assert refused.value.facts == {"skus": ["POT"]}
    assert await atp(allocator) == 0


async def test_an_unknown_location_refuses_all_lines(allocator):
    with pytest.raises(UnknownLocation) as refused:
        await allocator.receive([StockLine(CUP, "oslo", 5), StockLine(CUP, "narvik", 1)], op="r1")

    assert refused.value.facts == {"locations": ["narvik"]}
    assert await atp(allocator) == 0


async def test_a_place_that_is_switched_off_can_still_be_filled(allocator, redis):
    await allocator.configure_all(with_inactive("oslo"))

    await allocator.receive([StockLine(CUP, "oslo", 5)], op="r1")

    assert (await place(redis, "oslo")).on_hand == 5
    assert await atp(allocator) == 0


async def test_a_place_counts_to_ten_billion_and_no_further(allocator, redis):
    await allocator.receive([StockLine(CUP, "oslo", BILLION)] * 10, op="r1")

    with pytest.raises(OverLimit) as refused:
        await allocator.receive([StockLine(TEE, "oslo", 1), StockLine(CUP, "oslo", 1)], op="r2")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 10 * BILLION}
    assert await atp(allocator, sku=TEE) == 0


async def test_a_sku_at_very_many_places_has_each_of_them_once(allocator, redis):
    many = [Location(code=f"place-{number}") for number in range(20)]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, locations=[*CONFIG.locations, *many]))
    await allocator.receive([StockLine(CUP, place.code, 1) for place in many], op="r1")

    await allocator.receive([StockLine(CUP, code, 1) for code in ("oslo", "oslo", "place-19", "rome", "oslo")], op="r2")

    places = (await state(redis)).places
    assert (len(places), places["oslo"].on_hand, places["place-19"].on_hand, places["rome"].on_hand) == (22, 3, 2, 1)


async def test_five_hundred_lines_arrive_together(allocator, redis):
    await allocator.receive([StockLine(CUP, "oslo", 1), StockLine(TEE, "rome", 2)] * 250, op="r1")

    assert (await place(redis, "oslo")).on_hand == 250
    assert (await place(redis, "rome", TEE)).on_hand == 500


async def test_what_arrives_is_first_owed_to_those_who_wait(allocator):
    await allocator.order(order("A1", 4, channel="amazon"))

    await stock(allocator, oslo=6)

    assert await atp(allocator) == 2
