"""Who loses units where some are missing: each order of the criteria, from the same promises."""

from itertools import permutations

import pytest

from app.settings import Settings
from app.store import ledger
from app.store.desk import LOSING, Missing, list_losers
from app.store.sellers import ensure_seller

RANKS = {"shop": 1, "amazon": 5, "ebay": 5}
"""Amazon and eBay tie."""

TAKES = {
    # (channel, external id): when it was promised, units
    ("shop", "S1"): (400, 1),
    ("amazon", "A1"): (100, 2),
    ("amazon", "A2"): (300, 3),
    ("ebay", "E1"): (200, 4),
    ("gone", "G1"): (50, 5),
}

EXPECTED = {
    ("channel_rank", "newest"): ["G1", "A2", "E1", "A1", "S1"],
    ("newest", "channel_rank"): ["S1", "A2", "E1", "A1", "G1"],
    ("newest",): ["S1", "A2", "E1", "A1", "G1"],
    ("channel_rank",): ["G1", "A1", "A2", "E1", "S1"],
    ("ship_by",): ["E1", "G1", "A1", "S1", "A2"],
    ("ship_by", "newest"): ["E1", "G1", "S1", "A1", "A2"],
    ("channel_rank", "ship_by"): ["G1", "E1", "A1", "A2", "S1"],
    ("newest", "ship_by"): ["S1", "A2", "E1", "A1", "G1"],
}

SHIP_BY = {"S1": 800, "A1": 800, "A2": 700}
"""When the orders are to leave; eBay's may leave when they like."""


def take(channel: str, external_id: str, placed_ms: int, units: int, **more: object) -> dict[str, object]:
    key = {"seller": "main", "channel": channel, "external_id": external_id, "line": "1", "place": 0}
    facts = {"placed_ms": placed_ms, "sku": "CUP", "location": "oslo", "units": units, "picking": False}
    return {**key, **facts, **more}


def head(channel: str, external_id: str) -> dict[str, object]:
    key = {"seller": "main", "channel": channel, "external_id": external_id, "number": 1, "record": b""}
    said = {"kind": "promise", "state": "committed", "placed_ms": 1, "ship_by_ms": SHIP_BY.get(external_id)}
    return {**key, **said, "deliver_by_ms": None, "country": "", "region": ""}


@pytest.fixture
async def promised(database):
    """What is promised in Oslo; what is being picked, lies elsewhere or is of another sku does not lose."""
    rows = [take(*key, *facts) for key, facts in TAKES.items()]
    rows.append(take("amazon", "A2", 300, 6, line="2"))
    rows.append(take("amazon", "picking", 999, 9, picking=True))
    rows.append(take("amazon", "rome", 999, 9, location="rome"))
    rows.append(take("amazon", "tee", 999, 9, sku="TEE"))
    async with database.writing() as session:
        await ensure_seller(session, "main", "Main")
        await ledger.put_orders(session, [head(*key) for key in TAKES if key[0] != "gone"], [], rows)
    return database


@pytest.mark.parametrize("criteria", EXPECTED, ids="-".join)
async def test_the_first_criterion_that_does_not_tie_decides(promised, criteria):
    async with promised.reading() as session:
        found = await list_losers(session, "main", Missing("CUP", "oslo", 9), 100, criteria=criteria, ranks=RANKS)

    assert list(dict.fromkeys(loser.external_id for loser in found)) == EXPECTED[criteria]
    assert sum(loser.units for loser in found if loser.external_id == "A2") == 9


async def test_no_more_are_named_than_are_asked_for(promised):
    async with promised.reading() as session:
        found = await list_losers(session, "main", Missing("CUP", "oslo", 9), 2, criteria=("newest",), ranks=RANKS)

    assert [loser.external_id for loser in found] == ["S1", "A2"]


def test_every_order_of_criteria_can_be_asked_for():
    for number in range(1, len(LOSING) + 1):
        for words in permutations(LOSING, number):
            assert Settings(losers=",".join(words)).losers == words
    assert Settings().losers == ("channel_rank", "newest")
