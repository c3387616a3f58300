"""Which places serve an order together: fewest first, then best ranked, then those with most."""

import msgspec
import pytest

from allocator import Config, Location, ShipTo, SkuConfig
from allocator.errors import Short, Unroutable

from .fixtures import (
    CONFIG,
    CUP,
    MUG,
    SHOP,
    TEE,
    atp,
    buckets,
    hold,
    order,
    shelves,
    stock,
    units_at,
    with_channel,
    with_inactive,
)
from .raw import call, changed

EIGHT = ["aarhus", "bergen", "cork", "delft", "essen", "florence", "ghent", "helsinki"]
MANY = [*EIGHT, "izmir", "jena", "kiel", "lyon", "malmo", "nice", "oslo", "paris", "quimper"]


def network(*codes: str, equal: bool = False, split_limit: int = 3, **told: object) -> Config:
    """A shop that sells from these places, in this order of preference, or with no preference at all."""
    shop = msgspec.structs.replace(
        SHOP,
        locations=shelves(*codes),
        routing=("priority",) if equal else ("channel_rank",),
        split_limit=split_limit,
        **told,
    )
    skus = [SkuConfig(sku=sku) for sku in (CUP, TEE, MUG)]
    return Config(locations=[Location(code=code) for code in codes], channels=[shop], skus=skus)


def verdicts(answer) -> dict[str, tuple[str, int]]:
    return {step.location: (step.verdict, step.units) for step in answer.trace}


# --- how many places


async def test_one_place_beats_two_better_ranked_ones(allocator):
    await stock(allocator, oslo=2, rome=2, bergen=3)

    placed = await allocator.order(order("1", 3))

    assert (placed.plan, units_at(placed)) == ("single", {"bergen": 3})


async def test_of_places_that_can_each_serve_all_the_best_ranked_does(allocator):
    await stock(allocator, oslo=3, rome=30, bergen=300)

    placed = await allocator.order(order("1", 3))

    assert units_at(placed) == {"oslo": 3}


async def test_the_best_pair_among_eight(allocator):
    await allocator.configure_all(network(*EIGHT))
    await stock(allocator, aarhus=1, bergen=1, cork=4, delft=1, essen=6, florence=6, ghent=8, helsinki=9)

    # pairs that reach 10: cork + essen (ranks 2 + 4 = 6), aarhus + helsinki (0 + 7), cork + florence (2 + 5), ...
    placed = await allocator.order(order("1", 10))

    assert (placed.plan, units_at(placed)) == ("pair", {"cork": 4, "essen": 6})


async def test_the_best_triple_among_eight(allocator):
    await allocator.configure_all(network(*EIGHT))
    await stock(allocator, aarhus=3, bergen=1, cork=3, delft=1, essen=4, florence=4, ghent=4, helsinki=4)

    # 10 from three: aarhus 3 + cork 3 + essen 4 (ranks 0+2+4 = 6) is the best ranked that reaches it
    placed = await allocator.order(order("1", 10))

    assert (placed.plan, units_at(placed)) == ("triple", {"aarhus": 3, "cork": 3, "essen": 4})


async def test_a_pair_beats_a_better_ranked_triple(allocator):
    await allocator.configure_all(network(*EIGHT))
    await stock(allocator, aarhus=3, bergen=3, cork=3, ghent=5, helsinki=4)

    # aarhus + bergen + cork would do with ranks 0+1+2; ghent + helsinki is a parcel less
    placed = await allocator.order(order("1", 9))

    assert (placed.plan, units_at(placed)) == ("pair", {"ghent": 5, "helsinki": 4})


async def test_empty_places_are_not_counted_among_the_eight(allocator):
    await allocator.configure_all(network("empty-1", "empty-2", *EIGHT))
    await stock(allocator, **dict.fromkeys(EIGHT[:-1], 1), helsinki=9)

    placed = await allocator.order(order("1", 10))

    assert (placed.plan, units_at(placed)) == ("pair", {"aarhus": 1, "helsinki": 9})


async def test_a_ninth_place_is_not_combined_but_found_greedily(allocator):
    await allocator.configure_all(network(*EIGHT, "izmir"))
    await stock(allocator, **dict.fromkeys(EIGHT, 1), izmir=9)

    placed = await allocator.order(order("1", 10))

    assert (placed.plan, units_at(placed)) == ("greedy", {"izmir": 9, "aarhus": 1})


async def test_beyond_three_each_place_is_the_one_that_covers_most_of_what_is_missing(allocator):
    await allocator.configure_all(network(*EIGHT, split_limit=5))
    await stock(allocator, aarhus=1, bergen=2, cork=3, delft=4, essen=5, florence=1)

    # 14 of 16: the three fullest have 12; greedy takes essen 5, delft 4, cork 3, bergen 2
    placed = await allocator.order(order("1", 14))

    assert placed.plan == "greedy"
    assert units_at(placed) == {"essen": 5, "delft": 4, "cork": 3, "bergen": 2}


async def test_a_place_beyond_the_first_eight_is_found_greedily(allocator):
    await allocator.configure_all(network(*MANY[:15], split_limit=2))
    units = dict.fromkeys(MANY[:15], 1) | {"malmo": 5, "nice": 5}
    await stock(allocator, **units)

    placed = await allocator.order(order("1", 10))

    assert (placed.plan, units_at(placed)) == ("greedy", {"malmo": 5, "nice": 5})


async def test_the_split_limit_of_a_firm_order_is_kept_where_it_can_be_though_three_better_places_would_do(allocator):
    await allocator.configure_all(network(*MANY[:15], split_limit=2))
    units = dict.fromkeys(MANY[:15], 1) | {"aarhus": 4, "bergen": 4, "cork": 4, "malmo": 5, "nice": 5}
    await stock(allocator, **units)

    placed = await allocator.order(order("1", 10, kind="firm"))

    assert (placed.plan, units_at(placed)) == ("greedy", {"malmo": 5, "nice": 5})


# --- ties


async def test_equal_places_are_told_apart_by_their_open_units(allocator):
    await allocator.configure_all(network("oslo", "rome", "bergen", equal=True))
    await stock(allocator, oslo=3, rome=9, bergen=5)

    placed = await allocator.order(order("1", 3))

    assert units_at(placed) == {"rome": 3}


async def test_rank_comes_before_open_units(allocator):
    await allocator.configure_all(network("oslo", "rome"))
    await stock(allocator, oslo=3, rome=900)

    placed = await allocator.order(order("1", 3))

    assert units_at(placed) == {"oslo": 3}


async def test_equal_places_with_equal_units_keep_the_channels_order(allocator):
    await allocator.configure_all(network("oslo", "rome", "bergen", equal=True))
    await stock(allocator, bergen=5, rome=5, oslo=5)

    placed = await allocator.order(order("1", 3))

    assert units_at(placed) == {"oslo": 3}


async def test_of_equal_pairs_the_one_with_more_open_units_is_taken(allocator):
    await allocator.configure_all(network("oslo", "rome", "bergen", equal=True))
    await stock(allocator, oslo=3, rome=3, bergen=4)

    placed = await allocator.order(order("1", 6))

    # rome and oslo have 6 together, bergen and either of them 7
    assert "bergen" in units_at(placed)
    assert placed.plan == "pair"


async def test_of_pairs_of_equal_rank_the_one_with_more_open_units_is_taken(allocator):
    await allocator.configure_all(network("aarhus", "bergen", "cork", "delft"))
    await stock(allocator, aarhus=1, bergen=6, cork=6, delft=9)

    # aarhus + delft (ranks 0 + 3) have 10, bergen + cork (1 + 2) have 12; better ranked pairs have 7
    placed = await allocator.order(order("1", 10))

    assert units_at(placed) == {"bergen": 6, "cork": 4}


async def test_of_many_equal_places_those_with_most_are_combined(allocator):
    await allocator.configure_all(network(*MANY[:10], equal=True))
    await stock(allocator, **dict.fromkeys(MANY[:8], 1), izmir=5, jena=5)

    placed = await allocator.order(order("1", 10))

    assert (placed.plan, units_at(placed)) == ("pair", {"izmir": 5, "jena": 5})


async def test_a_preferred_place_comes_first_if_it_can_serve(allocator):
    await stock(allocator, oslo=5, rome=5, bergen=2)

    served = await allocator.order(order("1", 3, prefer=["rome"]))
    too_little = await allocator.order(order("2", 3, prefer=["bergen"]))

    assert units_at(served) == {"rome": 3}
    assert units_at(too_little) == {"oslo": 3}


# --- limits


async def test_the_split_limit_holds_for_orders_and_holds(allocator):
    await allocator.configure_all(network(*EIGHT, split_limit=2))
    await stock(allocator, aarhus=3, bergen=3, cork=3)

    with pytest.raises(Unroutable) as order_refused:
        await allocator.order(order("1", 7))
    with pytest.raises(Unroutable):
        await allocator.hold(hold("h1", 7))

    assert order_refused.value.facts["split_limit"] == 2
    assert units_at(await allocator.order(order("2", 6))) == {"aarhus": 3, "bergen": 3}


async def test_unroutable_is_another_answer_than_short(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=2, rome=2)

    with pytest.raises(Unroutable) as unroutable:
        await allocator.order(order("1", 3))
    with pytest.raises(Short):
        await allocator.order(order("2", 5))

    assert unroutable.value.facts["lines"] == [{"line": "1", "sku": CUP, "units": 3, "atp_now": 4}]


async def test_at_most_fifteen_places_are_considered(allocator):
    await allocator.configure_all(network(*MANY, split_limit=15))
    await stock(allocator, **dict.fromkeys(MANY, 1))

    placed = await allocator.order(order("1", 15))
    with pytest.raises(Unroutable):
        await allocator.order(order("2", 1))

    assert set(units_at(placed)) == set(MANY[:15])
    assert len(placed.trace) == 15
    assert await atp(allocator) == 2


# --- many lines


async def test_one_place_that_has_all_lines_is_chosen_for_all(allocator):
    await stock(allocator, CUP, oslo=5, rome=5)
    await stock(allocator, TEE, oslo=5, bergen=5, rome=5)
    await stock(allocator, MUG, rome=5)

    placed = await allocator.order(order("1", (CUP, 1), (TEE, 1), (MUG, 1)))

    assert (placed.plan, units_at(placed)) == ("single", {"rome": 3})


async def test_a_pair_is_chosen_for_the_order_and_not_line_by_line(allocator):
    await stock(allocator, CUP, oslo=1, rome=1)
    await stock(allocator, TEE, oslo=1, bergen=1)
    await stock(allocator, MUG, bergen=1)

    # line by line: cups oslo, tees oslo, mugs bergen; rome never
    placed = await allocator.order(order("1", (CUP, 1), (TEE, 1), (MUG, 1)))

    assert placed.plan == "pair"
    assert [line.takes[0].location for line in placed.lines] == ["oslo", "oslo", "bergen"]


async def test_lines_of_one_sku_count_together_at_each_place(allocator):
    await stock(allocator, CUP, oslo=3, rome=4)

    placed = await allocator.order(order("1", 2, 2))

    assert units_at(placed) == {"rome": 4}


async def test_a_hold_is_routed_as_an_order_is(allocator):
    await stock(allocator, oslo=2, rome=2, bergen=3)

    held = await allocator.hold(hold("h1", 3))

    assert (held.plan, units_at(held)) == ("single", {"bergen": 3})


# --- who may serve


async def test_a_place_that_is_not_the_channels_is_never_used(allocator, redis):
    await stock(allocator, oslo=1, bergen=99)

    with pytest.raises(Short):
        await allocator.order(order("1", 2, channel="amazon", kind="promise", prefer=["bergen"]))
    placed = await allocator.order(order("2", 2, channel="amazon", prefer=["bergen"]))

    assert units_at(placed) == {"oslo": 1}
    assert await buckets(redis, "bergen") == (99, 0, 0)


async def test_an_inactive_place_is_never_used(allocator):
    await allocator.configure_all(with_inactive("oslo"))
    await stock(allocator, oslo=9, rome=1)

    placed = await allocator.order(order("1", 1, prefer=["oslo"]))

    assert units_at(placed) == {"rome": 1}


async def test_a_hard_constraint_binds_a_promise(allocator):
    north = Location(code="oslo", country="NO", region="north")
    south = Location(code="rome", country="IT", region="south")
    config = network("oslo", "rome", same_region_only=True)
    await allocator.configure_all(msgspec.structs.replace(config, locations=[north, south]))
    await stock(allocator, oslo=1, rome=9)
    here = ShipTo(country="NO", region="north")

    with pytest.raises(Unroutable):
        await allocator.order(order("1", 2, ship_to=here))
    placed = await allocator.order(order("2", 1, ship_to=here))

    assert units_at(placed) == {"oslo": 1}


# --- the trace


async def test_the_trace_says_what_became_of_each_candidate(allocator):
    await stock(allocator, oslo=1, bergen=5)

    placed = await allocator.order(order("1", 3))

    assert verdicts(placed) == {"oslo": ("not_needed", 0), "rome": ("nothing_open", 0), "bergen": ("taken", 3)}


async def test_the_trace_counts_the_units_of_all_lines(allocator):
    await stock(allocator, oslo=2, rome=9)
    await stock(allocator, TEE, oslo=4)

    placed = await allocator.order(order("1", 3, (TEE, 4)))

    assert {step.location: step.units for step in placed.trace} == {"oslo": 6, "rome": 1, "bergen": 0}


async def test_a_refused_route_says_who_had_units_that_the_split_limit_left_out(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=1, rome=1)

    with pytest.raises(Unroutable) as refused:
        await allocator.order(order("1", 2))

    assert [(step["location"], step["verdict"]) for step in refused.value.facts["trace"]] == [
        ("oslo", "left_out"),
        ("rome", "left_out"),
        ("bergen", "nothing_open"),
    ]


async def test_a_partial_hold_and_order_say_who_had_units_that_the_split_limit_left_out(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=4, rome=4)

    held = await allocator.hold(hold("h1", 3, (CUP, 3), partial=True))
    placed = await allocator.order(order("1", 4, partial=True))

    assert verdicts(held) == {"oslo": ("taken", 4), "rome": ("left_out", 0), "bergen": ("nothing_open", 0)}
    assert verdicts(placed) == {"oslo": ("nothing_open", 0), "rome": ("taken", 4), "bergen": ("nothing_open", 0)}


async def test_the_trace_names_candidates_that_may_not_serve(allocator, redis):
    await allocator.configure_all(with_inactive("rome"))
    await stock(allocator, oslo=2, bergen=5)
    ranked = '["oslo",0,"rome",1,"atlantis",2]'

    word, facts = await call(redis, "order", changed("order", candidates=ranked))

    assert word == "placed"
    assert facts[6] == ["oslo", "taken", 2, "rome", "inactive", 0, "atlantis", "not_eligible", 0]


# --- what a hold has found already


async def test_places_of_a_hold_count_towards_the_split_limit(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=2))
    await stock(allocator, oslo=2)
    await allocator.hold(hold("h1", 2))
    await stock(allocator, rome=1, bergen=1)

    with pytest.raises(Unroutable):
        await allocator.order(order("1", 4, hold="h1"))
    placed = await allocator.order(order("2", 3, hold="h1"))

    assert units_at(placed) == {"oslo": 2, "rome": 1}


async def test_a_place_that_two_lines_of_a_hold_use_counts_once(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=2))
    await stock(allocator, oslo=2)
    await stock(allocator, TEE, oslo=2)
    await allocator.hold(hold("h1", 2, (TEE, 2)))
    await stock(allocator, rome=1)

    placed = await allocator.order(order("1", 3, (TEE, 2), hold="h1"))

    assert units_at(placed) == {"oslo": 4, "rome": 1}


async def test_a_partial_order_gets_its_hold_when_nothing_else_is_open(allocator):
    await stock(allocator, oslo=2)
    await allocator.hold(hold("h1", 2))

    placed = await allocator.order(order("1", 3, hold="h1", partial=True))

    assert (placed.lines[0].committed, placed.lines[0].cancelled) == (2, 1)


async def test_a_partial_order_gets_its_hold_when_the_split_limit_allows_no_more(allocator):
    await stock(allocator, oslo=2)
    await allocator.hold(hold("h1", 2))
    await stock(allocator, rome=5)
    await allocator.configure_all(with_channel(CONFIG, "shop", locations=shelves("rome"), split_limit=1))

    placed = await allocator.order(order("1", 3, hold="h1", partial=True))

    assert (placed.plan, units_at(placed)) == ("none", {"oslo": 2})


@pytest.mark.parametrize(("wanted", "taken"), [(3, {"cork": 3}), (5, {"bergen": 1, "cork": 4})])
async def test_of_equal_places_those_with_more_of_what_is_still_wanted_serve(allocator, wanted, taken):
    await allocator.configure_all(network("aarhus", "bergen", "cork", "delft", equal=True))
    await stock(allocator, TEE, aarhus=1)
    await allocator.hold(hold("h1", (TEE, 1)))
    await stock(allocator, bergen=3, cork=4, delft=2)
    await stock(allocator, TEE, bergen=40, delft=50)

    placed = await allocator.order(order("1", (TEE, 1), wanted, hold="h1"))

    assert units_at(placed) == {"aarhus": 1, **taken}


async def test_of_equal_pairs_one_unit_more_decides(allocator):
    await allocator.configure_all(network("aarhus", "bergen", "cork", equal=True))
    await stock(allocator, aarhus=5, bergen=5, cork=6)

    placed = await allocator.order(order("1", 10))

    assert set(units_at(placed)) == {"aarhus", "cork"}
