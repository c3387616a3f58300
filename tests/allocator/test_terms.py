"""What an order asks for besides units: what is no such thing is refused, and what may be promised about time."""

import json

import msgspec
import pytest

from allocator import Location

from . import raw
from .fixtures import CONFIG, shelves, stock, units_at, with_channel
from .raw import DAY, terms

SLOTS = "{main}:slots"
NO_TERMS = "terms must be what is asked besides units: six values, and up to 15 locations with their days"
EXACTLY = terms().rjust(16_000)


async def placed(redis, text: str, **told: str) -> tuple[str, list]:
    """The answer to an order of a cup on each of two lines, with these terms."""
    return await raw.call(redis, "order", raw.changed("order", external_id="1", terms=text, **told))


@pytest.mark.parametrize("text", [*raw.TERMS_JUST_RIGHT, EXACTLY])
async def test_terms_that_only_just_keep_their_limits_are_heard(allocator, redis, text):
    await stock(allocator, oslo=5)

    word, _ = await placed(redis, text)

    assert word != "invalid"


@pytest.mark.parametrize("text", [*raw.NO_TERMS, f" {EXACTLY}"])
async def test_what_is_no_terms_is_told_so(allocator, redis, text):
    word, facts = await placed(redis, text)

    assert word == "invalid"
    assert facts[0].startswith("terms must be")


async def test_what_terms_are_is_told(allocator, redis):
    assert await placed(redis, "[]") == ("invalid", [NO_TERMS])


@pytest.mark.parametrize(
    ("oslo", "rome", "promised"),
    [(5, 9, 9), (9, 5, 9), (0, 9, 0), (9, 0, 0), (1, 1, 1), (0, 1, 0), (1, 0, 0), (0, 0, 0)],
)
async def test_an_order_from_two_places_is_delivered_by_the_later_day_if_both_are_known(
    allocator, redis, oslo, rome, promised
):
    await stock(allocator, oslo=1, rome=1)

    _, facts = await placed(redis, terms(p5={"oslo": [1, DAY[0], 7, oslo], "rome": [1, DAY[0], 8, rome]}))

    ship_by, deliver_by, *_ = facts[8]
    assert (ship_by, deliver_by) == (8, promised)


async def test_what_is_asked_is_answered_in_its_place(allocator, redis):
    await stock(allocator, bergen=2)

    _, facts = await placed(redis, terms(p0=1, p1="NO", p2="west", p3="bergen"), candidates='["bergen",0]')

    assert facts[8][2:6] == [1, "NO", "west", "bergen"]


async def test_nothing_is_promised_when_one_of_the_places_says_nothing(allocator, redis):
    await stock(allocator, oslo=1, rome=1)

    _, facts = await placed(redis, terms(p5={"rome": [1, DAY[0], 8, 9]}))

    assert facts[8][:2] == [0, 0]


async def test_what_was_promised_stays_promised_while_the_order_goes_on(allocator, redis):
    await stock(allocator, oslo=2)
    await placed(redis, terms(p5={"oslo": [1, DAY[0], 7, 9]}))
    promised = (await allocator.find_order("shop", "1")).promised

    await allocator.pick("shop", "1", op="p1")

    [place] = promised.locations
    assert (place.location, place.day, place.ship_by_ms, place.deliver_by_ms) == ("oslo", DAY[0], 7, 9)
    assert (await allocator.find_order("shop", "1")).promised == promised


async def test_a_firm_order_has_a_place_where_no_order_leaves_at_all(allocator, redis):
    await stock(allocator, oslo=2)

    await placed(redis, terms(p5={"oslo": [0, *DAY]}), kind="firm")

    assert await redis.zrange(SLOTS, 0, -1) == [f"{DAY[0]}\0oslo\0shop:1".encode()]


@pytest.mark.parametrize("category", ["", "kitchen"])
@pytest.mark.parametrize("days", [{}, {"oslo": [1, *DAY]}])
async def test_a_limit_of_splits_binds_whatever_else_is_asked(allocator, redis, category, days):
    await stock(allocator, oslo=1, rome=1)

    word, facts = await placed(redis, terms(p4=[[category, 1]], p5=days))

    assert (word, facts[0]) == ("unroutable", 1)


async def test_two_locations_without_a_place_left_are_both_no_choice(allocator, redis):
    await stock(allocator, oslo=2, rome=2)

    word, facts = await placed(redis, terms(p5={"oslo": [0, *DAY], "rome": [0, *DAY]}))

    assert (word, facts[2][1::3]) == ("at_capacity", ["at_capacity", "at_capacity"])


async def test_a_full_location_that_has_none_of_it_is_empty_and_not_full(allocator, redis):
    await stock(allocator, rome=2)

    _, facts = await placed(redis, terms(p5={"oslo": [0, *DAY]}))

    assert facts[6] == ["oslo", "nothing_open", 0, "rome", "taken", 2]


async def test_a_firm_order_is_split_by_its_own_limit_and_not_by_the_channels(allocator, redis):
    cities = [f"city-{number}" for number in range(1, 10)]
    places = [Location(code=code) for code in cities]
    wide = with_channel(CONFIG, "shop", locations=shelves(*cities), split_limit=3)
    others = [channel for channel in wide.channels if channel.code == "shop"]
    await allocator.configure_all(msgspec.structs.replace(wide, locations=places, channels=others))
    await stock(allocator, **dict.fromkeys(cities[:8], 4), **{cities[8]: 9})
    ranking = json.dumps([value for rank, code in enumerate(cities) for value in (code, rank)])

    await placed(redis, terms(p4=[["", 2]], p5={}), kind="firm", units="5", candidates=ranking)

    assert units_at(await allocator.find_order("shop", "1")) == {"city-9": 9, "city-1": 1}
