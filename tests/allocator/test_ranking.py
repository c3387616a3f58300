"""Every ranking keeps one contract; each has its own taste; routing composes them."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from allocator.carriers import Carriers
from allocator.config import Carrier, Channel, ChannelLocation, Config, Location, Rate
from allocator.in_force import InForce
from allocator.model import CANDIDATES_MAX, ShipTo
from allocator.ranking import FIXED, LAST, RANKINGS, Ranker, Spot, Wish, distance_km, rejected_percent
from allocator.rules import compile_config

NOWHERE = ShipTo()
BERGEN = ShipTo(country="NO", region="vest", latitude=60.39, longitude=5.32)
LAZIO = ShipTo(country="IT", region="lazio")

OSLO = Location(
    code="oslo", country="NO", region="ost", latitude=59.91, longitude=10.75, priority=2, costs={"north": 490}
)
ROME = Location(
    code="rome", country="IT", region="lazio", latitude=41.9, longitude=12.5, priority=1, costs={"north": 1900}
)
TURIN = Location(code="turin", country="IT", region="piemonte", latitude=45.07, longitude=7.69, priority=2)
DEPOT = Location(code="depot")
BONN = Location(code="bonn", country="DE", cut_off="12:00", handling_days=1, carriers=("dpd",))
RATES = [Rate(zone="north", cost=1, transit_days=1), Rate(zone="south", cost=1, transit_days=3)]
CARRIERS = Carriers([Carrier(code="dpd", zones={"NO": "north", "IT": "south"}, rates=RATES)])
MORNING_MS = 1_795_244_400_000
ZONES = {"NO": "north", "IT": "south", "IT/lazio": "capital"}

every_ranking = pytest.mark.parametrize("name", sorted(RANKINGS))


def ranker(locations: Sequence[Location], *routing: str, same_region_only: bool = False) -> Ranker:
    shelves = [ChannelLocation(code=location.code) for location in locations]
    shop = Channel(code="shop", locations=shelves, routing=routing, same_region_only=same_region_only)
    return Ranker(Config(locations=list(locations), channels=[shop], zones=ZONES))


def ties(
    ranked: Ranker, ship_to: ShipTo = NOWHERE, prefer: Sequence[str] = (), *, relax: bool = False
) -> list[tuple[str, int]]:
    return [(candidate.location, candidate.tie) for candidate in ranked.rank("shop", ship_to, prefer, relax=relax)]


def crowd(size: int, seed: int) -> list[Location]:
    """Locations that differ, agree and keep silent about everything a ranking may look at."""
    draw = random.Random(seed)
    return [
        Location(
            code=f"place-{number}",
            country=draw.choice(["NO", "IT", ""]),
            region=draw.choice(["vest", "lazio", ""]),
            priority=draw.randint(1, 3),
            latitude=draw.choice([None, 60.0, 41.5]),
            longitude=draw.choice([None, 5.0, 12.0]),
            costs=draw.choice([{}, {"north": 5}, {"south": 7, "north": 5}]),
        )
        for number in range(size)
    ]


# --- the contract of every ranking


@every_ranking
@pytest.mark.parametrize("ship_to", [NOWHERE, BERGEN, LAZIO])
def test_names_every_location_exactly_once_and_ties_count_from_zero_without_gaps(name, ship_to):
    places = crowd(CANDIDATES_MAX, seed=1)

    ranked = ties(ranker(places, name), ship_to, ["place-3"])

    assert sorted(code for code, _ in ranked) == sorted(place.code for place in places)
    classes = [tie for _, tie in ranked]
    assert classes == sorted(classes)
    assert set(classes) == set(range(classes[-1] + 1))


@every_ranking
def test_the_same_question_has_the_same_answer_whatever_the_order_of_the_document(name):
    places = crowd(CANDIDATES_MAX, seed=2)
    shelves = [ChannelLocation(code=place.code) for place in places]
    shop = Channel(code="shop", locations=shelves, routing=(name,))

    one = Ranker(Config(locations=places, channels=[shop], zones=ZONES))
    other = Ranker(Config(locations=places[::-1], channels=[shop], zones=ZONES))

    assert ties(one, BERGEN, ["place-5"]) == ties(other, BERGEN, ["place-5"]) == ties(one, BERGEN, ["place-5"])


@every_ranking
@pytest.mark.parametrize("ship_to", [NOWHERE, BERGEN, LAZIO])
def test_judges_every_location_in_whole_numbers_up_to_last(name, ship_to):
    spots = [Spot(place, position) for position, place in enumerate([*crowd(30, seed=3), OSLO, ROME, DEPOT])]

    judged = [RANKINGS[name](spot, Wish(ship_to, ["rome"], "north")) for spot in spots]

    assert all(type(value) is int and 0 <= value <= LAST for value in judged)


@every_ranking
def test_is_fixed_exactly_if_the_order_cannot_change_it(name):
    spots = [Spot(place, position) for position, place in enumerate([OSLO, ROME, TURIN, DEPOT, BONN])]
    wishes = [
        Wish(NOWHERE, (), ""),
        Wish(BERGEN, ["rome"], "north", MORNING_MS, CARRIERS),
        Wish(LAZIO, ["depot"], "capital", MORNING_MS + 8 * 3_600_000, CARRIERS),
    ]

    answers = {tuple(RANKINGS[name](spot, wish) for spot in spots) for wish in wishes}

    assert (len(answers) == 1) == (name in FIXED)


# --- what each ranking prefers


def test_channel_rank_keeps_the_order_of_the_channel():
    assert ties(ranker([ROME, DEPOT, OSLO], "channel_rank")) == [("rome", 0), ("depot", 1), ("oslo", 2)]


def test_priority_prefers_the_lower_number_and_ties_equal_ones():
    assert ties(ranker([TURIN, OSLO, ROME], "priority")) == [("rome", 0), ("turin", 1), ("oslo", 1)]


def test_distance_prefers_the_nearest_and_places_without_coordinates_last():
    places = [DEPOT, ROME, OSLO, TURIN]

    ranked = ties(ranker(places, "distance"), BERGEN)

    assert ranked == [("oslo", 0), ("turin", 1), ("rome", 2), ("depot", 3)]


def test_distance_ties_everything_if_the_ship_to_has_no_coordinates():
    assert ties(ranker([DEPOT, ROME, OSLO], "distance"), LAZIO) == [("depot", 0), ("rome", 0), ("oslo", 0)]


def test_cost_prefers_the_cheapest_to_the_zone_and_unknown_costs_last():
    assert ties(ranker([TURIN, ROME, OSLO], "cost"), BERGEN) == [("oslo", 0), ("rome", 1), ("turin", 2)]


def test_the_zone_of_a_region_wins_over_that_of_its_country():
    places = [msgspec.structs.replace(OSLO, costs={"south": 5}), msgspec.structs.replace(ROME, costs={"capital": 9})]
    by_cost = ranker(places, "cost")

    assert ties(by_cost, LAZIO) == [("rome", 0), ("oslo", 1)]
    assert ties(by_cost, ShipTo(country="IT", region="umbria")) == [("oslo", 0), ("rome", 1)]


def test_cost_ties_everything_if_no_zone_is_known():
    assert ties(ranker([ROME, OSLO], "cost"), ShipTo(country="JP")) == [("rome", 0), ("oslo", 0)]


def test_region_match_prefers_the_region_then_the_country_then_others():
    places = [OSLO, TURIN, DEPOT, ROME]

    ranked = ties(ranker(places, "region_match"), LAZIO)

    assert ranked == [("rome", 0), ("turin", 1), ("oslo", 2), ("depot", 2)]


def test_a_region_of_the_same_name_in_another_country_is_another_region():
    belgian = Location(code="hasselt", country="BE", region="limburg")
    dutch = Location(code="venlo", country="NL", region="limburg")

    ranked = ties(ranker([belgian, dutch], "region_match"), ShipTo(country="NL", region="limburg"))

    assert ranked == [("venlo", 0), ("hasselt", 1)]


def test_two_unnamed_countries_or_regions_do_not_match():
    assert ties(ranker([OSLO, DEPOT], "region_match"), NOWHERE) == [("oslo", 0), ("depot", 0)]


def test_preferred_keeps_the_callers_order_and_ties_the_rest():
    ranked = ties(ranker([OSLO, ROME, TURIN, DEPOT], "preferred"), prefer=["turin", "rome", "turin"])

    assert ranked == [("turin", 0), ("rome", 1), ("oslo", 2), ("depot", 2)]


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ((52.0907, 5.1214), (52.0907, 5.1214), 0),
        ((59.9139, 10.7522), (41.9028, 12.4964), 2008),  # Oslo, Rome
        ((51.5074, -0.1278), (40.7128, -74.0060), 5570),  # London, New York
        ((-36.8485, 174.7633), (21.3069, -157.8583), 7086),  # Auckland, Honolulu: over the date line
        ((90.0, 0.0), (-90.0, 0.0), 20015),  # pole to pole
        ((0.0, 0.0), (0.0, 180.0), 20015),  # antipodes, where rounding could leave the domain of asin
    ],
)
def test_distances_are_those_of_the_atlas(one, other, km):
    there, back = distance_km(*one, *other), distance_km(*other, *one)

    assert there == back
    assert there == pytest.approx(km, abs=km * 0.003)


# --- how a channel composes them


def test_the_first_ranking_that_does_not_tie_decides():
    places = [DEPOT, TURIN, OSLO, ROME]

    ranked = ties(ranker(places, "priority", "distance"), BERGEN)

    assert ranked == [("rome", 0), ("oslo", 1), ("turin", 2), ("depot", 3)]


def test_locations_equal_in_every_ranking_share_a_tie_in_the_channels_order():
    twin = msgspec.structs.replace(OSLO, code="asker")

    ranked = ties(ranker([ROME, twin, OSLO], "region_match", "distance", "cost"), BERGEN)

    assert ranked == [("asker", 0), ("oslo", 0), ("rome", 1)]


def test_without_routing_every_location_ties():
    assert ties(ranker([ROME, OSLO])) == [("rome", 0), ("oslo", 0)]


@pytest.mark.parametrize("routing", [["channel_rank"], ["distance", "channel_rank"]])
def test_what_the_caller_prefers_comes_before_the_channels_routing(routing):
    ranked = ties(ranker([OSLO, TURIN, ROME], *routing), BERGEN, ["rome"])

    assert ranked == [("rome", 0), ("oslo", 1), ("turin", 2)]


def test_a_preferred_location_the_channel_may_not_sell_from_is_not_offered():
    assert ties(ranker([OSLO], "channel_rank"), prefer=["rome", "atlantis"]) == [("oslo", 0)]


def test_preferring_once_leaves_the_next_order_alone():
    by_rank = ranker([OSLO, ROME], "channel_rank")

    ties(by_rank, prefer=["rome"])

    assert ties(by_rank) == [("oslo", 0), ("rome", 1)]


def test_inactive_locations_are_left_out_and_do_not_hide_the_next_ones():
    closed = msgspec.structs.replace(OSLO, active=False)
    many = [closed, *crowd(CANDIDATES_MAX, seed=4)]

    ranked = ties(ranker(many, "channel_rank"), prefer=["oslo"])

    assert [code for code, _ in ranked] == [f"place-{number}" for number in range(CANDIDATES_MAX)]


def test_offers_the_best_of_many_and_no_more_than_the_script_takes():
    places = [*crowd(CANDIDATES_MAX + 5, seed=5), OSLO]

    ranked = ties(ranker(places, "channel_rank"), prefer=["oslo"])

    assert len(ranked) == CANDIDATES_MAX
    assert ranked[0] == ("oslo", 0)


def test_a_location_listed_twice_is_offered_once():
    assert ties(ranker([OSLO, ROME, OSLO], "channel_rank")) == [("oslo", 0), ("rome", 1)]


def test_an_unknown_channel_has_no_candidates():
    assert ranker([OSLO]).rank("amazon", BERGEN, relax=True) == ()


# --- hard constraints


@pytest.mark.parametrize("prefer", [(), ("oslo",)])
def test_a_promise_stays_inside_the_ship_tos_region(prefer):
    strict = ranker([OSLO, TURIN, ROME], "channel_rank", same_region_only=True)

    assert ties(strict, LAZIO, prefer) == [("rome", 0)]


def test_relaxed_the_other_regions_follow_in_later_ties():
    strict = ranker([OSLO, TURIN, ROME], "region_match", same_region_only=True)

    assert ties(strict, LAZIO, relax=True) == [("rome", 0), ("turin", 1), ("oslo", 2)]


def test_a_preferred_location_outside_the_region_follows_the_region():
    strict = ranker([TURIN, OSLO, ROME], "channel_rank", same_region_only=True)

    assert ties(strict, LAZIO, ["oslo"], relax=True) == [("rome", 0), ("oslo", 1), ("turin", 2)]


def test_a_broken_constraint_never_shares_a_tie_with_a_kept_one():
    strict = ranker([OSLO, ROME], same_region_only=True)

    assert ties(strict, LAZIO, relax=True) == [("rome", 0), ("oslo", 1)]


def test_a_ship_to_without_region_keeps_no_region_constraint():
    strict = ranker([ROME, DEPOT], "channel_rank", same_region_only=True)

    assert ties(strict, ShipTo(country="IT")) == []
    assert ties(strict, NOWHERE, relax=True) == [("rome", 0), ("depot", 1)]


# --- rates of rejects


def rejecting(rates: dict[str, int], *routing: str) -> Ranker:
    shelves = [ChannelLocation(code=code) for code in ("oslo", "rome", "depot")]
    shop = Channel(code="shop", locations=shelves, routing=routing)
    return Ranker(Config(locations=[OSLO, ROME, DEPOT], channels=[shop], zones=ZONES), rates)


def test_who_rejects_less_is_preferred_in_steps_of_five_percent():
    ranked = rejecting({"oslo": 14, "rome": 10, "depot": 9}, "reject_rate")

    assert ties(ranked) == [("depot", 0), ("oslo", 1), ("rome", 1)]


def test_who_is_not_known_to_reject_ties_with_who_hardly_does():
    ranked = rejecting({"rome": 4, "oslo": 5}, "reject_rate", "channel_rank")

    assert ties(ranked) == [("rome", 0), ("depot", 1), ("oslo", 2)]


def test_rates_change_nothing_for_a_channel_that_does_not_ask_for_them():
    assert ties(rejecting({"oslo": 90}, "channel_rank")) == ties(rejecting({}, "channel_rank"))


@pytest.mark.parametrize(
    ("taken", "rejected", "percent"), [(100, 0, 0), (100, 7, 7), (3, 2, 66), (10, 40, 100), (0, 3, 100), (0, 0, 0)]
)
def test_a_rate_is_whole_percent_rounded_down(taken, rejected, percent):
    assert rejected_percent(taken, rejected) == percent


def test_another_set_of_rates_is_another_ranking_and_the_same_set_is_not():
    shelves = [ChannelLocation(code=code) for code in ("oslo", "rome")]
    shop = Channel(code="shop", locations=shelves, routing=("reject_rate",))
    config = Config(locations=[OSLO, ROME], channels=[shop], zones=ZONES)
    document = compile_config(config)["document"].decode()
    first = InForce("1", document)

    second = first.ranking_with({OSLO.code: 30})

    assert first.ranking_with({}) is first
    assert second.ranking_with({OSLO.code: 30}) is second
    assert second.version == first.version
    told = [one.ranked("shop", NOWHERE, (), relax=False) for one in (first, second)]
    assert [msgspec.json.decode(text)[::2] for text in told] == [["oslo", "rome"], ["rome", "oslo"]]
