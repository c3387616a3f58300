"""Why each location is a candidate or not: the same ranking that orders get, with its grounds."""

import random

import msgspec
import pytest

from allocator.config import Channel, ChannelLocation, Config, Location
from allocator.model import CANDIDATES_MAX, ShipTo
from allocator.ranking import RANKINGS, Ranker, Reason, reasons

BERGEN = ShipTo(country="NO", region="vest", latitude=60.39, longitude=5.32)

OSLO = Location(code="oslo", country="NO", region="ost", latitude=59.91, longitude=10.75, costs={"north": 490})
VOSS = Location(code="voss", country="NO", region="vest", costs={"north": 290})
ROME = Location(code="rome", country="IT", region="lazio", costs={"north": 1900})
SHUT = Location(code="shut", active=False)
DEPOT = Location(code="depot")
SHOP = Channel(
    code="shop",
    routing=("cost", "distance"),
    locations=[ChannelLocation(code=code) for code in ("oslo", "shut", "rome", "voss")],
)
CONFIG = Config(locations=[DEPOT, ROME, SHUT, OSLO, VOSS], channels=[SHOP], zones={"NO": "north"})


def with_shop(**changes) -> Config:
    return msgspec.structs.replace(CONFIG, channels=[msgspec.structs.replace(SHOP, **changes)])


def test_every_location_is_there_candidates_first_in_their_order():
    found = reasons(CONFIG, "shop", BERGEN, relax=False)

    assert found == [
        Reason("voss", "", {"cost": 290, "distance": None}, 0),
        Reason("oslo", "", {"cost": 490, "distance": 305}, 1),
        Reason("rome", "", {"cost": 1900, "distance": None}, 2),
        Reason("shut", "inactive", {"cost": None, "distance": None}, None),
        Reason("depot", "not_listed", {}, None),
    ]


def test_without_a_ship_to_what_depends_on_it_is_not_known_and_ties():
    found = reasons(CONFIG, "shop", ShipTo(), relax=False)

    assert [(reason.location, reason.values, reason.tie) for reason in found[:3]] == [
        (code, {"cost": None, "distance": None}, 0) for code in ("oslo", "rome", "voss")
    ]


def test_another_region_removes_unless_the_constraint_is_relaxed():
    config = with_shop(same_region_only=True)

    kept, relaxed = (reasons(config, "shop", BERGEN, relax=relax) for relax in (False, True))

    assert {reason.location: reason.removed for reason in kept} == {
        "voss": "",
        "oslo": "other_region",
        "rome": "other_region",
        "shut": "inactive",
        "depot": "not_listed",
    }
    assert [reason.location for reason in relaxed if reason.tie is not None] == ["voss", "oslo", "rome"]


def test_preferred_locations_are_a_ranking_of_their_own_when_there_are_any():
    found = reasons(CONFIG, "shop", BERGEN, ["rome"], relax=False)

    assert found[0] == Reason("rome", "", {"preferred": 0, "cost": 1900, "distance": None}, 0)
    assert found[1].values["preferred"] is None


def test_behind_the_last_candidate_that_is_passed_on_a_location_says_so():
    codes = [f"place-{number:02}" for number in range(CANDIDATES_MAX + 2)]
    shop = Channel(code="shop", locations=[ChannelLocation(code=code) for code in codes])
    config = Config(locations=[Location(code=code) for code in codes], channels=[shop])

    found = reasons(config, "shop", ShipTo(), relax=False)

    assert [reason.removed for reason in found] == [""] * CANDIDATES_MAX + ["beyond_limit"] * 2
    assert found[-1].values == {"channel_rank": CANDIDATES_MAX + 1}


def test_a_channel_nobody_knows_has_no_reasons():
    assert reasons(CONFIG, "bazaar", BERGEN, relax=False) == []


@pytest.mark.parametrize("seed", range(30))
def test_candidates_and_ties_are_those_that_orders_get(seed):
    draw = random.Random(seed)
    codes = [f"place-{number}" for number in range(draw.randint(1, 20))]
    locations = [
        Location(
            code=code,
            active=draw.random() < 0.8,
            priority=draw.randint(1, 3),
            country="NO",
            region=draw.choice(["vest", "ost", ""]),
            costs=draw.choice([{}, {"north": draw.randint(1, 3)}]),
        )
        for code in codes
    ]
    listed = [ChannelLocation(code=code) for code in draw.sample(codes, draw.randint(1, len(codes)))]
    routing = tuple(draw.sample(sorted(RANKINGS), 2))
    shop = Channel(code="shop", locations=listed, routing=routing, same_region_only=draw.random() < 0.5)
    config = Config(locations=locations, channels=[shop], zones={"NO": "north"})
    prefer, relax = draw.sample(codes, draw.randint(0, 1)), draw.random() < 0.5

    found = reasons(config, "shop", BERGEN, prefer, relax=relax)

    ranked = Ranker(config).rank("shop", BERGEN, prefer, relax=relax)
    assert [(row.location, row.tie) for row in found if row.tie is not None] == [
        (row.location, row.tie) for row in ranked
    ]
    assert sorted(row.location for row in found) == sorted(codes)
    assert all((row.removed == "") == (row.tie is not None) for row in found)


def test_the_rate_of_rejects_is_shown_in_the_steps_it_ranks_by():
    found = reasons(with_shop(routing=("reject_rate",)), "shop", BERGEN, relax=False, rates={"oslo": 13, "rome": 4})

    assert [(reason.location, reason.values, reason.tie) for reason in found[:3]] == [
        ("rome", {"reject_rate": 0}, 0),
        ("voss", {"reject_rate": 0}, 0),
        ("oslo", {"reject_rate": 10}, 1),
    ]
