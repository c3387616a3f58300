"""
What a draft would do to recent orders, before it is in force.

Each order is asked for twice as if it came now: with the config in force, and with the draft laid over it. The script
that places orders answers, without writing; there is one way of routing, and this is it. Of an order SQL has its lines,
its country and region, and how it leaves; its coordinates, its value and the locations it preferred are not kept.
"""

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final, NamedTuple

from msgspec import UNSET

from allocator import Allocator, Foreseen, Line, Order, OrderRequest, Placed, ShipTo, errors
from allocator.records import decode_order
from app.store.past_orders import OrderKey, WantedOrders, list_orders

from .drafts import Draft, plan_of
from .engine import Engine
from .foreseen_forms import DraftPreview, DraftPreviewAsked, LineRoute, OrderForeseen, Route
from .foreseen_totals import line_changes, totals_of

LINES_AT_ONCE: Final = 50
"""Most lines that are asked for together, or one order: nobody else waits for long behind them."""

SECONDS_MAX: Final = 20.0
"""How long one preview goes on asking."""

TRIES_MAX: Final = 3
"""How often an order is asked for again, because units moved between its two questions."""

STARTS_MAX: Final = 3
"""How often a preview begins anew, because the config changed under it."""

PAGES_MAX: Final = 5
"""How many times as many orders as are wanted are looked at; goods that had left are not routed, and passed over."""

DECIDED: Final = (errors.Refusal, errors.Invalid, errors.Frozen, errors.Checking)


class Answer(NamedTuple):
    """What an order would get: its route as callers hear it, and each of its lines."""

    route: Route
    lines: dict[str, LineRoute]

    @property
    def serves(self) -> bool:
        """Whether nothing of it would wait."""
        return self.route.outcome == "placed" and not self.route.missing


class Compared(NamedTuple):
    """An order with what it would get before and after."""

    order: Order
    before: Answer
    after: Answer


class Looked(NamedTuple):
    """What came of asking: the pairs, and how many orders were left out because units moved."""

    pairs: list[Compared]
    unsteady: int


async def foresee(engine: Engine, draft: Draft, asked: DraftPreviewAsked, actor: str) -> DraftPreview:
    """
    What the draft would do to recent orders now. Nothing is written.

    Raises DraftOver, what refuses the first of its rows, what `Engine.try_out` raises, and Unanswered when the config
    keeps changing.
    """
    orders = await _recent(engine, asked)
    for _ in range(STARTS_MAX):
        drawn = await engine.try_out(plan_of(draft, actor))
        for outcome in drawn.verdict.outcomes:
            if outcome.why is not None:
                raise outcome.why
        try:
            await engine.allocator.reload()
            sides = engine.allocator.foresee(), engine.allocator.foresee(drawn.compiled)
            looked = await _look(engine.allocator, sides, orders)
        except errors.StaleConfig:
            continue
        return _shown(draft, sides[0].base, len(orders), looked)
    raise errors.Unanswered("the config kept changing; nothing was done; repeat the request")


def _shown(draft: Draft, config_version: int, found: int, looked: Looked) -> DraftPreview:
    pairs = looked.pairs
    changed = [
        OrderForeseen(
            order.channel,
            order.external_id,
            order.placed_ms,
            before.route,
            after.route,
            line_changes(order, before.lines, after.lines),
        )
        for order, before, after in pairs
        if before != after
    ]
    return DraftPreview(
        version=draft.facts.version,
        config_version=config_version,
        found=found,
        compared=len(pairs),
        unsteady=looked.unsteady,
        totals=totals_of([(before, after) for _, before, after in pairs]),
        orders=changed,
    )


# --- which orders ------------------------------------------------------------------------------------------------


async def _recent(engine: Engine, asked: DraftPreviewAsked) -> list[Order]:
    """The newest orders that are routed, newest first."""
    channels = None if asked.channel is None else [asked.channel]
    found: list[Order] = []
    before: OrderKey | None = None
    for _ in range(PAGES_MAX):
        wanted = WantedOrders(channels=channels, from_ms=asked.since_ms, before=before)
        async with engine.database.reading() as session:
            packed = await list_orders(session, engine.seller, wanted, asked.orders)
        page = [decode_order(record).order for record in packed]
        found += [order for order in page if order.kind != "gone" and any(line.ordered for line in order.lines)]
        if len(page) < asked.orders or len(found) >= asked.orders:
            break
        before = page[-1].placed_ms, page[-1].channel, page[-1].external_id
    return found[: asked.orders]


def _request(order: Order, allocator: Allocator) -> OrderRequest:
    """The order as if it came now; one of its channel's own kind follows what the draft makes of that."""
    said = order.promised
    own = order.kind == allocator.demand_of(order.channel)
    return OrderRequest(
        channel=order.channel,
        external_id=order.external_id,
        lines=[Line(line.line, line.sku, line.ordered) for line in order.lines if line.ordered],
        kind=None if own else order.kind,  # type: ignore[arg-type]
        ship_to=ShipTo(country=said.country, region=said.region) if said else ShipTo(),
        ship_complete=True if said and said.ship_complete else UNSET,
        pickup=said.pickup if said and said.pickup else UNSET,
    )


# --- asking ------------------------------------------------------------------------------------------------------


async def _look(allocator: Allocator, sides: tuple[Foreseen, Foreseen], orders: Sequence[Order]) -> Looked:
    """Ask for all of them, a few at a time, while there is time. Raises StaleConfig."""
    until = monotonic() + SECONDS_MAX
    pairs: list[Compared] = []
    unsteady = 0
    for some in _chunks(orders):
        if monotonic() > until:
            break
        found = await asyncio.gather(*(_compare(allocator, sides, order) for order in some))
        pairs += [pair for pair in found if pair is not None]
        unsteady += found.count(None)
    return Looked(pairs, unsteady)


def _chunks(orders: Sequence[Order]) -> Iterator[list[Order]]:
    some: list[Order] = []
    for order in orders:
        if some and sum(len(one.lines) for one in some) + len(order.lines) > LINES_AT_ONCE:
            yield some
            some = []
        some.append(order)
    if some:
        yield some


async def _compare(allocator: Allocator, sides: tuple[Foreseen, Foreseen], order: Order) -> Compared | None:
    """
    What the order would get before and after; None when units kept moving.

    Answers that differ count only when the first one is still the same afterwards.
    """
    request = _request(order, allocator)
    for _ in range(TRIES_MAX):
        before, after = [await _ask(allocator, side, request) for side in sides]
        if before == after or before == await _ask(allocator, sides[0], request):
            return Compared(order, before, after)
    return None


async def _ask(allocator: Allocator, side: Foreseen, request: OrderRequest) -> Answer:
    try:
        placed = await allocator.order(request, preview=side)
    except DECIDED as refused:
        word = refused.outcome if isinstance(refused, errors.Refusal) else type(refused).__name__.lower()
        return Answer(
            Route(word, "none", 0, sum(line.units for line in request.lines), None, None, None),
            {line.line: LineRoute({}, line.units) for line in request.lines},
        )
    return _answer_of(placed, side, request)


def _answer_of(placed: Placed, side: Foreseen, request: OrderRequest) -> Answer:
    lines = {
        line.line: LineRoute(
            {take.location: take.units for take in sorted(line.takes, key=lambda take: take.location)},
            line.ordered - line.committed,
        )
        for line in placed.lines
    }
    used = sorted({code for line in lines.values() for code in line.locations})
    missing = sum(line.missing for line in lines.values())
    said = placed.promised
    times = (said.ship_by_ms, said.deliver_by_ms) if said else (None, None)
    cost = None if request.pickup else side.cost(used, request.ship_to)
    return Answer(Route("placed", placed.plan, len(used), missing, *times, cost), lines)
