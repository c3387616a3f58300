"""
Counts of tills against what happened before and after them, whichever is heard first.

The model is a shelf that lives through everything in the order in which it happened: a count says what lies there,
and everything else adds to it or takes from it. However late, doubled and mixed up the tills say it, the books end up
there.
"""

import asyncio
import random
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock

import msgspec
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.counts.desk import Desk
from app.counts.service import desk_of
from app.store.database import DatabaseAway
from app.store.ledger_tables import LedgerEntryRow
from app.tills.booking import Booker
from app.tills.taking import Tills
from app.times import DAY_MS, ms_of, now_ms
from channels.pos import TillEvent
from tests.app.test_counts_api import at_work
from tests.app.tills import CONNECTION, HERE, MINUTE_MS, adjust, event, on_hand, results, send

HOUR_MS = 60 * MINUTE_MS
SEEDS = range(12)

sqlite_only = pytest.mark.sqlite_only
"""What hours say of every database, so that one is enough here: their events are of these kinds, one by one."""


@pytest.fixture
async def tills(client, state, settings):
    """A connection to tills of a shop that has been open for a day, and somebody who copies the ledger into SQL."""
    async with at_work(state, settings):
        await state.levels.arrivals.arrived("main")
        async with state.database.writing() as session:
            await session.exec(update(LedgerEntryRow).values(at_ms=col(LedgerEntryRow.at_ms) - DAY_MS))
        assert (await client.put(HERE, json=CONNECTION)).status_code == 201
        yield client


@sqlite_only
async def test_a_sale_after_the_count_is_booked_on_top_even_if_it_is_heard_first(tills):
    count = event("count", ("CUP", "6"), ago_ms=10 * MINUTE_MS)

    await results(tills, event("sale", ("CUP", "2"), ago_ms=5 * MINUTE_MS))
    await results(tills, count)

    assert await on_hand(tills) == 6 - 2


@sqlite_only
async def test_a_sale_before_the_count_that_was_heard_before_it_is_in_the_count(tills):
    await results(tills, event("sale", ("CUP", "2"), ago_ms=10 * MINUTE_MS))

    await results(tills, event("count", ("CUP", "8"), ago_ms=5 * MINUTE_MS))

    assert await on_hand(tills) == 8


@sqlite_only
async def test_a_sale_before_the_count_that_is_heard_after_it_is_in_the_count(tills):
    await results(tills, event("count", ("CUP", "8"), ago_ms=5 * MINUTE_MS))
    sale = event("sale", ("CUP", "2"), ago_ms=10 * MINUTE_MS)

    assert await results(tills, sale) == [("applied", "contained")]
    assert await results(tills, sale) == [("duplicate", "contained")]

    assert await on_hand(tills) == 8
    order = (await tills.get(f"/v1/orders/till/tills:{sale['event_id']}")).json()
    assert order["lines"][0]["shipped"] == 2


@sqlite_only
async def test_of_two_counts_the_one_that_was_later_stands(tills):
    await results(tills, event("count", ("CUP", "8"), ago_ms=5 * MINUTE_MS))

    assert await results(tills, event("count", ("CUP", "3"), ago_ms=10 * MINUTE_MS)) == [("applied", "older")]

    assert await on_hand(tills) == 8


@sqlite_only
async def test_what_the_warehouse_did_meanwhile_stays_on_top_of_a_late_count(tills):
    await results(tills, event("count", ("CUP", "6"), at_ms=now_ms() - HOUR_MS))
    late = event("count", ("CUP", "5"), ago_ms=30 * MINUTE_MS)

    await adjust(tills, "CUP", 4)
    await results(tills, late)

    assert await on_hand(tills) == 5 + 4


@sqlite_only
@pytest.mark.parametrize("type", ["sale", "return", "adjustment"])
async def test_each_kind_of_event_is_in_a_later_count(tills, type):
    await results(tills, event("count", ("CUP", "8"), ago_ms=5 * MINUTE_MS))

    assert await results(tills, event(type, ("CUP", "2"), ago_ms=10 * MINUTE_MS)) == [("applied", "contained")]

    assert await on_hand(tills) == 8


@sqlite_only
async def test_a_till_whose_clock_is_ahead_counts_what_lies_there_now(tills):
    await results(tills, event("sale", ("CUP", "2"), ago_ms=-200_000))
    await results(tills, event("count", ("CUP", "7"), ago_ms=-210_000))
    await results(tills, event("sale", ("CUP", "1"), ago_ms=-220_000))

    assert await on_hand(tills) == 6


@sqlite_only
async def test_of_what_a_clock_that_is_ahead_says_at_once_the_order_is_kept(tills):
    batch = [
        event("sale", ("CUP", "2"), ago_ms=-200_000),
        event("count", ("CUP", "7"), ago_ms=-210_000),
        event("sale", ("CUP", "1"), ago_ms=-220_000),
    ]

    assert await results(tills, *reversed(batch)) == [("applied", "")] * 3

    assert await on_hand(tills) == 6


# --- heard at the same time ----------------------------------------------------------------------------------------


@asynccontextmanager
async def standing_still(monkeypatch, owner: type, name: str):
    """Whoever comes first to this step of his work stands still there while the block lasts; it begins when he does."""
    reached, goes_on = asyncio.Event(), asyncio.Event()
    step = getattr(owner, name)

    async def stands(*args, **named):
        if not reached.is_set():
            reached.set()
            await goes_on.wait()
        return await step(*args, **named)

    monkeypatch.setattr(owner, name, stands)
    yield reached
    goes_on.set()


async def heard_within(tills, first: dict[str, Any], standing, *others: dict[str, Any]) -> None:
    """The first one stands still somewhere while the others are heard, one after the other."""
    async with asyncio.TaskGroup() as group, standing as reached:
        group.create_task(results(tills, first))
        await reached.wait()
        for other in others:
            await results(tills, other)


async def test_goods_that_came_back_before_a_count_are_in_it_if_they_are_heard_before_it_is_booked(tills, monkeypatch):
    """More is sold than lies there by the books, so they are taken back below nothing."""
    await results(tills, event("sale", ("CUP", "12"), ago_ms=20 * MINUTE_MS))
    count = event("count", ("CUP", "8"), ago_ms=5 * MINUTE_MS)
    back = event("return", ("CUP", "1"), ago_ms=10 * MINUTE_MS)

    await heard_within(tills, count, standing_still(monkeypatch, Desk, "finish"), back)

    assert await on_hand(tills) == 8


async def test_goods_that_a_count_contained_are_in_the_next_one_too_before_they_are_settled(tills, monkeypatch):
    await results(tills, event("count", ("CUP", "8"), ago_ms=15 * MINUTE_MS))
    await results(tills, event("sale", ("CUP", "10"), ago_ms=14 * MINUTE_MS))
    back = event("return", ("CUP", "1"), ago_ms=16 * MINUTE_MS)
    count = event("count", ("CUP", "5"), ago_ms=12 * MINUTE_MS)

    await heard_within(tills, back, standing_still(monkeypatch, Tills, "_settle"), count)

    assert await on_hand(tills) == 5


REFUSED = [
    ("adjustment", "-11", {}),
    ("transfer", "11", {"to_location": "rome", "reference": "T-1"}),
    ("transfer", "3", {"reference": "T-2"}),
]


@pytest.mark.parametrize(("type", "quantity", "more"), REFUSED)
async def test_what_was_refused_is_in_no_count(tills, type, quantity, more):
    refused = event(type, ("CUP", quantity), ago_ms=10 * MINUTE_MS, **more)
    counts = [
        event("count", ("CUP", units), ago_ms=ago_ms) for units, ago_ms in (("2", 5 * MINUTE_MS), ("4", MINUTE_MS))
    ]

    found = await results(tills, refused, counts[0])
    between = await on_hand(tills)
    await results(tills, counts[1], refused)

    assert [status for status, _ in found] == ["rejected", "applied"]
    assert (between, await on_hand(tills)) == (2, 4)


async def test_what_is_refused_after_a_count_reckoned_with_it_leaves_the_shelf_as_it_was_counted(tills, monkeypatch):
    """The count is booked as 13, for 11 are to leave; then 5 are sold, and 8 are too few for that."""
    refused = event("adjustment", ("CUP", "-11"), ago_ms=10 * MINUTE_MS)
    count = event("count", ("CUP", "2"), ago_ms=5 * MINUTE_MS)
    sale = event("sale", ("CUP", "5"), ago_ms=4 * MINUTE_MS)

    await heard_within(tills, refused, standing_still(monkeypatch, Booker, "book"), count, sale)

    assert await results(tills, refused) == [("rejected", "not_enough")]
    assert await on_hand(tills) == 2 - 5


async def test_a_refusal_that_broke_off_before_it_was_settled_is_the_same_when_it_comes_again(tills, monkeypatch):
    batch = [
        event("adjustment", ("CUP", "-11"), ago_ms=10 * MINUTE_MS),
        event("count", ("CUP", "2"), ago_ms=5 * MINUTE_MS),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(Tills, "_settle", AsyncMock(side_effect=DatabaseAway("gone")))
        assert (await send(tills, *batch)).status_code == 503

    assert [status for status, _ in await results(tills, *batch)] == ["rejected", "applied"]

    assert await on_hand(tills) == 2


# --- an hour offline ----------------------------------------------------------------------------------------------


def an_hour(chance: random.Random, skus: list[str]) -> list[dict[str, Any]]:
    """What happened within an hour, in the order in which it did; no two things in the same moment."""
    begin = now_ms() - HOUR_MS
    moments = sorted(chance.sample(range(HOUR_MS - MINUTE_MS), 40))
    made: list[dict[str, Any]] = []
    for moment in moments:
        type = chance.choice(["sale", "sale", "sale", "return", "adjustment", "count"])
        quantity = chance.randint(0, 20) if type == "count" else chance.randint(1, 3)
        made.append(event(type, (chance.choice(skus), str(quantity)), at_ms=begin + moment))
    return made


def lived(events: list[dict[str, Any]], shelves: dict[str, int]) -> dict[str, int]:
    """What lies there at the end."""
    shelves = dict(shelves)
    for one in sorted(events, key=lambda one: ms_of(msgspec.convert(one, TillEvent).occurred_at)):
        [line] = one["lines"]
        units = int(line["quantity"])
        if one["type"] == "count":
            shelves[line["sku"]] = units
        else:
            shelves[line["sku"]] += -units if one["type"] == "sale" else units
    return shelves


async def hear(tills, seed: int) -> None:
    """An hour that is heard late, doubled and mixed up, in batches."""
    chance = random.Random(seed)
    happened = an_hour(chance, ["CUP", "PLATE"])
    heard = [*happened, *chance.sample(happened, 10)]
    chance.shuffle(heard)
    size = chance.choice([1, 3, 7, len(heard)])

    for start in range(0, len(heard), size):
        found = await results(tills, *heard[start : start + size])
        assert {status for status, _ in found} <= {"applied", "duplicate"}

    shelves = {"CUP": await on_hand(tills), "PLATE": await on_hand(tills, "PLATE")}
    assert shelves == lived(happened, {"CUP": 10, "PLATE": 4})


@pytest.mark.parametrize("seed", SEEDS[:3])
async def test_however_late_doubled_and_mixed_up_an_hour_is_heard_the_shelves_are_as_they_are(tills, seed):
    await hear(tills, seed)


@sqlite_only
@pytest.mark.parametrize("seed", SEEDS[3:])
async def test_the_shelves_are_as_they_are_after_other_hours_too(tills, seed):
    await hear(tills, seed)


@pytest.mark.parametrize("seed", range(4))
async def test_tills_that_speak_at_the_same_time_end_there_too(tills, state, seed):
    chance = random.Random(100 + seed)
    happened = an_hour(chance, ["CUP", "PLATE"])
    heard = [*happened, *chance.sample(happened, 10)]
    chance.shuffle(heard)
    batches = [heard[start : start + 3] for start in range(0, len(heard), 3)]

    for start in range(0, len(batches), 4):
        await asyncio.gather(*(results(tills, *batch) for batch in batches[start : start + 4]))
    # A count whose place another one had just then is finished by the schedule, which does not run here.
    await desk_of(state, state.allocators["main"]).work(10)

    shelves = {"CUP": await on_hand(tills), "PLATE": await on_hand(tills, "PLATE")}
    assert shelves == lived(happened, {"CUP": 10, "PLATE": 4})
