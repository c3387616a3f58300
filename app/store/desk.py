"""What is promised and missing, who would lose it, and what is in conflict: asked of what the drain has written."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, bindparam, case, select, tuple_
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import number, words
from .ledger_tables import BalancePlaceRow, OrderLineRow, OrderRow, OrderTakeRow
from .past_orders import OrderKey
from .statements import all_rows, execute

_PLACES: Final[Table] = BalancePlaceRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_TAKES: Final[Table] = OrderTakeRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
WORST_RANK: Final = 10_001
"""What a channel that is not there any more ranks as: its orders lose first."""

_MISSING: Final = (
    select(_PLACES.c.sku, _PLACES.c.location, _PLACES.c.deficit)
    .where(_PLACES.c.seller == bindparam("of"), _PLACES.c.deficit > 0)
    .order_by(_PLACES.c.sku, _PLACES.c.location)
    .limit(bindparam("most"))
)
_ORDERS: Final[Table] = OrderRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_SHIP_BY: Final = (
    select(_ORDERS.c.ship_by_ms)
    .where(*(_ORDERS.c[name] == _TAKES.c[name] for name in ("seller", "channel", "external_id")))
    .scalar_subquery()
)

Ranks = Mapping[str, int]
"""Channel -> rank, 1 is the best."""

LOSING: Final[Mapping[str, Callable[[Ranks], Any]]] = {
    "channel_rank": lambda ranks: case(dict(ranks), value=_TAKES.c.channel, else_=WORST_RANK).desc(),
    "newest": lambda _: _TAKES.c.placed_ms.desc(),
    "ship_by": lambda _: _SHIP_BY.desc().nulls_first(),
}
"""How orders may be sorted by who loses first: lowest ranked channel, latest promise, latest or no time to ship by."""


@dataclass(frozen=True)
class Missing:
    """Units that are promised at a place and not there."""

    sku: str
    location: str
    units: int


class Loser(NamedTuple):
    """Units that an order has at a place where some are missing."""

    channel: str
    external_id: str
    units: int


@dataclass(frozen=True)
class ConflictFacts:
    """Units of an order's line that lost their location and found no other."""

    channel: str
    external_id: str
    line: str
    placed_ms: int
    sku: str
    units: int


async def list_missing(session: AsyncSession, seller: str, limit: int) -> list[Missing]:
    """Places where something is missing."""
    found = await execute(session, _MISSING, {"of": seller, "most": limit})
    return [Missing(*row) for row in found]


async def list_losers(
    session: AsyncSession, seller: str, missing: Missing, limit: int, *, criteria: Sequence[str], ranks: Ranks
) -> list[Loser]:
    """
    Takes of orders that have units there which are not being picked, by who loses first.

    criteria: words of LOSING, the first that does not tie decides; what ties goes by the names of orders.
    """
    order = [*(LOSING[word](ranks) for word in criteria), _TAKES.c.channel, _TAKES.c.external_id, _TAKES.c.line]
    query = select(_TAKES.c.channel, _TAKES.c.external_id, _TAKES.c.units).where(
        _TAKES.c.seller == seller,
        _TAKES.c.sku == missing.sku,
        _TAKES.c.location == missing.location,
        _TAKES.c.picking.is_(False),
    )
    return [Loser(*row) for row in await all_rows(session, query.order_by(*order).limit(limit))]


async def list_conflicts(
    session: AsyncSession,
    seller: str,
    limit: int,
    *,
    channels: Collection[str] | None = None,
    sku: str = "",
    after: tuple[OrderKey, str] | None = None,
) -> list[ConflictFacts]:
    """Lines in conflict, those of the oldest orders first; `after` the last one seen."""
    columns = [col(getattr(OrderLineRow, name)) for name in ("placed_ms", "channel", "external_id", "line")]
    conditions: list[Any] = [col(OrderLineRow.seller) == seller, col(OrderLineRow.conflict) > 0]
    if channels is not None:
        conditions.append(col(OrderLineRow.channel).in_(sorted(channels)))
    if sku:
        conditions.append(col(OrderLineRow.sku) == sku)
    if after:
        (placed_ms, channel, external_id), line = after
        seen = number(placed_ms), words(channel), words(external_id), words(line)
        conditions.append(tuple_(*columns) > tuple_(*seen))
    query = select(*columns, col(OrderLineRow.sku), col(OrderLineRow.conflict)).where(*conditions)
    rows = await all_rows(session, query.order_by(*columns).limit(limit))
    return [
        ConflictFacts(channel, external_id, line, placed_ms, sku, units)
        for placed_ms, channel, external_id, line, sku, units in rows
    ]
