"""
One table of an order's life: from every state, every verb leads to one other, or is refused and changes nothing.

A legal step leaves exactly one entry in the ledger, with who, when and why.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from redis.asyncio import Redis

from allocator import (
    AdjustLine,
    Allocator,
    AnnounceLine,
    AnnounceRequest,
    EditLine,
    EditRequest,
    ReturnLine,
    ShipLine,
    StockLine,
    errors,
)
from allocator.ledger import newest
from allocator.pending import hold_id_of

from .fixtures import CONFIG, CUP, MINUTE, assert_sound, dump, ledger_length, new_allocator, order, with_channel

PENDING = with_channel(CONFIG, "shop", pending_minutes=30)
ID = ("shop", "1")
SECOND = 1_000

Step = Callable[[Allocator], Awaitable[Any]]

TABLE = """
               nothing         pending         lapsed          withdrawn       committed       picking
keep           pending         pending         pending         pending         !accepted       !accepted
order          committed       committed       committed       committed       =               =
pay            !unknown_hold   committed       committed       committed       =               =
edit_up        !unknown_order  !unknown_order  !unknown_order  !unknown_order  committed       picking
edit_down      !unknown_order  !unknown_order  !unknown_order  !unknown_order  committed       !pick_started
pick           !unknown_order  !unknown_order  !unknown_order  !unknown_order  picking         picking
ship           !unknown_order  !unknown_order  !unknown_order  !unknown_order  shipped         shipped
ship_some      !unknown_order  !unknown_order  !unknown_order  !unknown_order  partly_shipped  picking
cancel         !unknown_order  withdrawn       !unknown_order  !unknown_order  cancelled       !pick_started
cancel_picked  !unknown_order  withdrawn       !unknown_order  !unknown_order  cancelled       cancelled
reject         !unknown_order  !unknown_order  !unknown_order  !unknown_order  conflict        conflict
move           !unknown_order  !unknown_order  !unknown_order  !unknown_order  committed       !not_committed
rescue         .               .               .               .               conflict        .
serve          .               .               .               .               .               .
announce       !unknown_order  !unknown_order  !unknown_order  !unknown_order  !too_many_returns !too_many_returns
return         !unknown_order  !unknown_order  !unknown_order  !unknown_order  !not_shipped    !not_shipped
exchange       !unknown_order  !unknown_order  !unknown_order  !unknown_order  !not_shipped    !not_shipped

               partly_shipped  shipped         returned        backordered   conflict        cancelled
keep           !accepted       !accepted       !accepted       !accepted     !accepted       !accepted
order          =               =               =               =             =               =
pay            =               =               =               =             =               =
edit_up        partly_shipped  partly_shipped  partly_shipped  backordered   conflict        committed
edit_down      !not_committed  !not_committed  !not_committed  committed     conflict        committed
pick           picking         !not_committed  !not_committed  backordered   !not_committed  !not_committed
ship           shipped         !not_committed  !not_committed  backordered   !not_committed  !not_committed
ship_some      partly_shipped  !not_committed  !not_committed  backordered   !not_committed  !not_committed
cancel         shipped         !not_committed  !not_committed  cancelled     cancelled       !not_committed
cancel_picked  shipped         !not_committed  !not_committed  cancelled     cancelled       !not_committed
reject         conflict        !not_committed  !not_committed  conflict      !not_committed  !not_committed
move           partly_shipped  !not_committed  !not_committed  backordered   !not_committed  !not_committed
rescue         conflict        .               .               conflict      .               .
serve          .               .               .               committed     committed       .
announce       partly_shipped  shipped         !too_many_returns !too_many_returns !too_many_returns !too_many_returns
return         partly_shipped  shipped         !not_shipped    !not_shipped  !not_shipped    !not_shipped
exchange       partly_shipped  shipped         !not_shipped    !not_shipped  !not_shipped    !not_shipped
"""
"""
What a verb (a row) makes of an order in a state (a column): the state afterwards; `!word`, the refusal; `=`, the answer
of the first time; `.`, nothing was to be done. `withdrawn` is a pending order that was cancelled.
"""


async def receive(shop: Allocator, units: int = 9, location: str = "oslo") -> None:
    await shop.receive([StockLine(CUP, location, units)], op=f"more-{units}-{location}")


async def lose(shop: Allocator) -> None:
    """The shelf is empty, whatever was promised of it."""
    await shop.count([AdjustLine(CUP, "oslo", -9)], op="lost", source="erp")


def wish(attempt: int = 1):
    return order("1", 4, kind="firm", attempt=attempt)


def keep(shop: Allocator, attempt: int = 1) -> Awaitable[Any]:
    return shop.keep_pending(wish(attempt), "payment", "ann")


def edit(units: int) -> Step:
    request = EditRequest(lines=[EditLine("1", CUP, units)], why="because")
    return lambda shop: shop.edit(*ID, request, op="edit", actor="ann")


COMING = AnnounceRequest(revision=1, lines=[AnnounceLine("1", 1)], why="because")
BACK = ReturnLine(line="1", location="oslo", units=1, disposition="restock")


async def is_nothing(shop: Allocator) -> None:
    await receive(shop)


async def is_pending(shop: Allocator) -> None:
    await receive(shop)
    await keep(shop)


async def is_lapsed(shop: Allocator) -> None:
    await is_pending(shop)
    await shop.expire(elapsed_ms=None)
    shop.now_ms += 30 * MINUTE
    await shop.expire(elapsed_ms=30 * MINUTE)


async def is_withdrawn(shop: Allocator) -> None:
    await is_pending(shop)
    await shop.cancel(*ID, op="before")


async def is_committed(shop: Allocator) -> None:
    await is_pending(shop)
    await shop.order(wish())


async def is_picking(shop: Allocator) -> None:
    await is_committed(shop)
    await shop.pick(*ID, op="before")


async def is_partly_shipped(shop: Allocator) -> None:
    await is_committed(shop)
    await shop.ship(*ID, [ShipLine("1", "oslo", 2)], op="before")


async def is_shipped(shop: Allocator) -> None:
    await is_committed(shop)
    await shop.ship(*ID, op="before")


async def is_returned(shop: Allocator) -> None:
    await is_shipped(shop)
    await shop.return_units([ReturnLine(line="1", location="oslo", units=4, disposition="restock")], op="b", order=ID)


async def is_backordered(shop: Allocator) -> None:
    await receive(shop, 3)
    await keep(shop)
    await shop.order(wish())


async def is_conflict(shop: Allocator) -> None:
    await is_committed(shop)
    await lose(shop)
    await shop.rescue(CUP, "oslo", [ID])


async def is_cancelled(shop: Allocator) -> None:
    await is_committed(shop)
    await shop.cancel(*ID, op="before")


STATES: dict[str, Step] = {
    "nothing": is_nothing,
    "pending": is_pending,
    "lapsed": is_lapsed,
    "withdrawn": is_withdrawn,
    "committed": is_committed,
    "picking": is_picking,
    "partly_shipped": is_partly_shipped,
    "shipped": is_shipped,
    "returned": is_returned,
    "backordered": is_backordered,
    "conflict": is_conflict,
    "cancelled": is_cancelled,
}


class Verb(NamedTuple):
    """A verb of an order's life: how it is called, what the ledger says of it, and what the world does before."""

    call: Step
    word: str
    why: str = ""
    who: str = "ann"
    before: Step | None = None


PARCEL = [ShipLine("1", "oslo", 1)]

VERBS = {
    "keep": Verb(lambda shop: keep(shop, 2), "hold"),
    "order": Verb(lambda shop: shop.order(wish(2), "ann"), "order", "firm"),
    "pay": Verb(lambda shop: shop.pay(*ID, hold_id=hold_id_of(*ID, 1), actor="ann"), "order", "firm"),
    "edit_up": Verb(edit(5), "edit", "because"),
    "edit_down": Verb(edit(1), "edit", "because"),
    "pick": Verb(lambda shop: shop.pick(*ID, op="pick", actor="ann"), "pick"),
    "ship": Verb(lambda shop: shop.ship(*ID, op="ship", actor="ann"), "ship"),
    "ship_some": Verb(lambda shop: shop.ship(*ID, PARCEL, op="some", actor="ann"), "ship"),
    "cancel": Verb(lambda shop: shop.cancel(*ID, op="no", why="because", actor="ann"), "cancel", "because"),
    "cancel_picked": Verb(
        lambda shop: shop.cancel(*ID, op="tote", why="because", picked=True, actor="ann"), "cancel", "because"
    ),
    "reject": Verb(
        lambda shop: shop.reject(*ID, "oslo", op="rej", reason="closed", actor="ann"), "reject", "oslo closed"
    ),
    "move": Verb(
        lambda shop: shop.move(*ID, "rome", op="move", origin="oslo", why="because", actor="ann"),
        "move",
        "because",
        before=lambda shop: receive(shop, location="rome"),
    ),
    "rescue": Verb(lambda shop: shop.rescue(CUP, "oslo", [ID]), "rescue", "oslo", who="", before=lose),
    "serve": Verb(lambda shop: shop.serve(), "serve", who="", before=lambda shop: receive(shop, 20)),
    "announce": Verb(
        lambda shop: shop.announce_return(*ID, "R1", COMING, actor="ann"),
        "announce_return",
        "because",
    ),
    "return": Verb(
        lambda shop: shop.return_units([BACK], op="back", order=ID, why="because", actor="ann"),
        "return",
        "because",
    ),
    "exchange": Verb(
        lambda shop: shop.exchange(*ID, [BACK], order("2", 1), op="swap", why="because", actor="ann"),
        "exchange",
        "because",
    ),
}


def cells_of(table: str) -> dict[tuple[str, str], str]:
    """The words by state and verb; each part of the table has some of the states as columns."""
    cells = {}
    for part in table.strip().split("\n\n"):
        head, *rows = part.splitlines()
        for verb, *words in map(str.split, rows):
            cells |= {(state, verb): word for state, word in zip(head.split(), words, strict=True)}
    return cells


EXPECTED = cells_of(TABLE)


async def state_of(shop: Allocator) -> str:
    with suppress(errors.UnknownOrder):
        return (await shop.find_order(*ID)).state
    with suppress(errors.UnknownOrder):
        return (await shop.find_pending(*ID)).state
    with suppress(errors.UnknownHold, errors.UnknownOrder):
        known = await shop.find_pending(*ID, hold_id=hold_id_of(*ID, 1))
        return {"cancelled": "withdrawn"}.get(known.state, known.state)
    return "nothing"


async def kept(redis: Redis) -> dict[bytes, object]:
    """All that is stored but for remembered answers, how many were given again, and what may be served soon."""
    found = await dump(redis)
    found.pop(b"{main}:ops", None)
    found.pop(b"{main}:servable", None)
    seller = found[b"{main}:seller"]
    assert isinstance(seller, dict)
    seller.pop(b"replays", None)
    return found


async def try_verb(redis: Redis, shop: Allocator, verb: Verb) -> str:
    """What became of it, in the words of the table; every promise of a step is checked."""
    if verb.before:
        await verb.before(shop)
    shop.now_ms += SECOND
    before, entries = await kept(redis), await ledger_length(redis)
    refused, answer = "", None
    try:
        answer = await verb.call(shop)
    except errors.Refusal as refusal:
        refused = f"!{refusal.outcome}"
    if await ledger_length(redis) == entries:
        assert await kept(redis) == before
        return refused or ("=" if getattr(answer, "replayed", False) else ".")
    _, entry = await newest(redis, "main")
    assert await ledger_length(redis) == entries + 1
    assert (entry.verb, entry.actor, entry.at_ms, entry.why) == (verb.word, verb.who, shop.now_ms, verb.why)
    return await state_of(shop)


@pytest.mark.parametrize("state", STATES)
async def test_every_verb_does_to_an_order_what_the_table_says(redis, state):
    found = {}
    for name, verb in VERBS.items():
        await redis.flushall()
        shop = await new_allocator(redis)
        await shop.configure_all(PENDING)
        await STATES[state](shop)
        assert await state_of(shop) == state
        found[state, name] = await try_verb(redis, shop, verb)
        await assert_sound(redis)

    assert found == {cell: word for cell, word in EXPECTED.items() if cell[0] == state}


def test_the_table_has_every_state_and_every_verb():
    assert set(EXPECTED) == {(state, verb) for state in STATES for verb in VERBS}
