"""Units of a channel's open orders, as far as the ledger is in SQL."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from allocator.records import decode_state

from .ledger_tables import BalanceRow, OrderLineRow, OrderTakeRow
from .statements import all_rows


class OpenUnits(NamedTuple):
    """
    What of a sku a channel's orders wait for, by location; '' for what has none yet.

    version: the sku's, of which this is true.
    """

    version: int
    places: dict[str, int]

    @property
    def units(self) -> int:
        """All of them."""
        return sum(self.places.values())


async def open_units(session: AsyncSession, seller: str, channel: str, skus: Collection[str]) -> dict[str, OpenUnits]:
    """For each of these skus (at most 500) that SQL knows: the units that orders of this channel wait for."""
    among = sorted(skus)
    states = select(col(BalanceRow.sku), col(BalanceRow.state)).where(
        col(BalanceRow.seller) == seller, col(BalanceRow.sku).in_(among)
    )
    found: dict[str, OpenUnits] = {}
    waits = []
    for sku, packed in await all_rows(session, states):
        state = decode_state(bytes(packed))
        found[sku] = OpenUnits(state.version, {})
        waits += [sku] if state.waits else []
    sku, location, units = col(OrderTakeRow.sku), col(OrderTakeRow.location), func.sum(col(OrderTakeRow.units))
    mine = [col(OrderTakeRow.seller) == seller, sku.in_(among), col(OrderTakeRow.channel) == channel]
    for code, place, taken in await all_rows(
        session, select(sku, location, units).where(*mine).group_by(sku, location)
    ):
        found[code].places[place] = int(taken)
    for code, missing in await _waiting(session, seller, channel, waits):
        found[code].places[""] = int(missing or 0)
    return found


async def _waiting(session: AsyncSession, seller: str, channel: str, skus: list[str]) -> list[tuple[str, int]]:
    """Units that wait for stock; only asked of skus that owe any, since every line there ever was is looked at."""
    if not skus:
        return []
    line = OrderLineRow
    missing = func.sum(col(line.backordered) + col(line.conflict))
    mine = [col(line.seller) == seller, col(line.sku).in_(skus), col(line.channel) == channel]
    rows = await all_rows(session, select(col(line.sku), missing).where(*mine).group_by(col(line.sku)))
    return [(sku, units) for sku, units in rows]
