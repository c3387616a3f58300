"""Explanations as people read them. Each text is written out, so that a change of it is seen."""

import re

import msgspec
import pytest

from allocator import Explained
from allocator.explanation import Quota, RuleChoice, RuleSaid, Shelf
from app.explaining import aligned, availability_text, listed, sentence

BIKE = "CITY-28-BLACK"

UTRECHT = Shelf(
    location="utrecht",
    on_hand=40,
    unavailable=1,
    held=2,
    committed=7,
    available=30,
    safety_stock=5,
    free=25,
    own=4,
    shared=15,
    borrowable=0,
    open=19,
    deficit=0,
    quotas=[Quota("shop", 6, 2, 0), Quota("amazon", 8, 2, 3)],
)
GENT = Shelf("gent", 3, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, [])

WHOLE = Explained(
    sku=BIKE,
    channel="shop",
    version=31,
    overflow="shared",
    shelves=[UTRECHT, GENT],
    open=19,
    backordered=2,
    conflict=0,
    deficits=1,
    owed=3,
    pool=16,
    buffer=2,
    atp_now=14,
    cutoff=2,
    max_published=10,
    published=10,
    spread={"utrecht": 10, "gent": 0},
    rules=[
        RuleChoice("safety_stock", "utrecht", [RuleSaid("category and location", 5, 0), RuleSaid("global", 2, 0)]),
        RuleChoice("safety_stock", "gent", []),
        RuleChoice("buffer", "shop", [RuleSaid("sku and channel", 1, 1250), RuleSaid("channel", 0, 1000)]),
        RuleChoice("cutoff", "shop", [RuleSaid("global", 2, 0)]),
        RuleChoice("max_published", "shop", [RuleSaid("channel", 10, 0)]),
    ],
)

WHOLE_TEXT = """\
CITY-28-BLACK for shop, version 31: it sells its own quotas and what no quota covers

  location  on hand  unavailable  held  committed  available  safety  free  own  shared  borrowable  open
  utrecht        40            1     2          7         30       5    25    4      15           0    19
  gent            3            0     0          3          0       0     0    0       0           0     0
  together       43            1     2         10         30       5    25    4      15           0    19

Ring-fenced
  utrecht: 6 for shop, 2 of them consumed
  utrecht: 8 for amazon, 2 of them consumed, 3 never lent

  open at all locations          19
  owed to earlier orders         -3  backordered 2, in conflict 0, deficits 1
  pool                           16
  buffer                         -2  12.5 %, at least 1 (sku and channel)
  may be promised now (atp_now)  14
  cutoff                          2  2 (global)
  cap                            10  10 (channel)
  published                      10
  shown by location: utrecht 10

Rules, the most specific wins
  safety stock at utrecht: 5 (category and location); lost: 2 (global)
  buffer for shop: 12.5 %, at least 1 (sku and channel); lost: 10 % (channel)
  cutoff for shop: 2 (global)
  cap on the published number for shop: 10 (channel)

shop may promise 14 CITY-28-BLACK: 19 open at utrecht, less 3 owed to earlier orders and 2 kept back as its buffer; \
it is told 10, its cap.
"""

PLAIN = Explained(
    sku="CUP",
    channel="till",
    version=1,
    overflow="none",
    shelves=[Shelf("oslo", 4, 0, 0, 0, 4, 0, 4, 4, 0, 0, 4, 0, [])],
    open=4,
    backordered=0,
    conflict=0,
    deficits=0,
    owed=0,
    pool=4,
    buffer=0,
    atp_now=4,
    cutoff=0,
    max_published=-1,
    published=4,
    spread={"oslo": 4},
    rules=[],
)

PLAIN_TEXT = """\
CUP for till, version 1: it sells its own quotas only

  location  on hand  unavailable  held  committed  available  safety  free  own  shared  borrowable  open
  oslo            4            0     0          0          4       0     4    4       0           0     4

  open at all locations             4
  owed to earlier orders            0
  pool                              4
  buffer                            0
  may be promised now (atp_now)     4
  cutoff                         none
  cap                            none
  published                         4
  shown by location: oslo 4

till may promise 4 CUP: 4 open at oslo; it is told 4.
"""


def shelf(**changes: int) -> Shelf:
    """A shelf with nothing on it but what is named."""
    figures = ("on_hand", "unavailable", "held", "committed", "available", "safety_stock", "free", "own", "shared")
    return Shelf("oslo", *(changes.get(name, 0) for name in (*figures, "borrowable", "open", "deficit")), [])


def nothing(*shelves: Shelf, **changes) -> Explained:
    """A channel that may promise nothing."""
    told = {name: getattr(PLAIN, name) for name in Explained.__struct_fields__}
    empty = {"shelves": list(shelves), "open": 0, "pool": 0, "atp_now": 0, "published": 0, "spread": {}}
    return Explained(**{**told, "overflow": "shared", **empty, **changes})


def test_every_step_is_shown_with_the_rules_that_won_and_lost():
    assert availability_text(WHOLE) == WHOLE_TEXT


def test_a_channel_without_rules_quotas_or_debts_has_a_short_text():
    assert availability_text(PLAIN) == PLAIN_TEXT


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (nothing(), "there is no location that it may sell from"),
        (nothing(shelf()), "no unit is on hand where it may sell from"),
        (nothing(shelf(on_hand=3, held=3)), "every unit on hand is held, committed or unavailable"),
        (nothing(shelf(on_hand=3, available=3, safety_stock=3)), "every unit available is kept as safety stock"),
        (nothing(shelf(on_hand=3, available=3, free=3)), "every free unit is ring-fenced for other channels"),
        (nothing(shelf(on_hand=3, available=3, free=3), overflow="none"), "it sells its own ring-fence only"),
        (nothing(shelf(on_hand=3, available=3, free=3, open=3), open=3, owed=3), "the 3 open ones are owed"),
        (
            nothing(shelf(on_hand=3, available=3, free=3, open=3), open=3, pool=3, buffer=5),
            "its buffer keeps back all 3",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_nothing_may_be_promised_is_said_in_one_sentence(said, why):
    assert sentence(said).startswith(f"till may promise 0 CUP: {why}")
    assert sentence(said).endswith("; it is told 0.")


def test_a_number_at_or_below_the_cutoff_is_told_as_0_and_why():
    told = {name: getattr(PLAIN, name) for name in Explained.__struct_fields__}
    said = Explained(**{**told, "cutoff": 4, "published": 0, "spread": {}})

    text = availability_text(said)

    assert re.search(r"\n  cutoff +4  4 is not more than that, so 0 is published\n", text)
    assert text.endswith("till may promise 4 CUP: 4 open at oslo; it is told 0, because its cutoff is 4.\n")


def test_debts_beyond_what_is_open_leave_a_pool_of_0():
    said = nothing(shelf(on_hand=3, available=3, free=3, open=3), open=3, owed=5, backordered=5)

    assert "pool                              0  never less than 0" in availability_text(said)


def test_words_are_listed_as_people_do():
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_columns_stand_under_one_another():
    assert aligned([["oslo", "7"], ["rome", "123"]]) == ["  oslo    7", "  rome  123"]


def test_units_in_transit_are_told_beside_the_shelves():
    travelling = msgspec.structs.replace(PLAIN, shelves=[msgspec.structs.replace(PLAIN.shelves[0], in_transit=6)])

    text = availability_text(travelling)

    assert "In transit, counted nowhere until they arrive\n  6 to oslo\n" in text
    assert "In transit" not in availability_text(PLAIN)
