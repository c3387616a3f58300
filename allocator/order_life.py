"""What happens to an order after it was accepted."""

from collections.abc import Sequence
from typing import Final, Literal

from . import answers
from .arguments import Argument, fingerprint, flat
from .calling import Calling
from .model import CancelLine, Changed, Rescued, Served, ShipLine, ShipTo, UnitsLine

RejectEffect = Literal["none", "less", "zero", "unavailable"]
"""What a reject says of the stock: it is there, less is there, nothing is there, it cannot be sold."""

REJECTS_MAX: Final = 3
"""With so many rejects an order is not routed again."""

OWN_RANKING: Final = "[]"
"""For an order that is routed again as it was before."""


class OrderLife(Calling):
    """The later verbs of an order. Raises, everywhere, UnknownOrder."""

    async def pick(self, channel: str, external_id: str, *, op: str, location: str = "", actor: str = "") -> Changed:
        """The pick has started, at one location or everywhere. Raises NotCommitted."""
        return await self._change("pick", (channel, external_id), op, [location], actor)

    async def ship(
        self, channel: str, external_id: str, lines: Sequence[ShipLine] = (), *, op: str, actor: str = ""
    ) -> Changed:
        """Units have left; no lines means all that is committed. Raises NotCommitted, UnknownLine."""
        rows = [(line.line, line.location, line.units) for line in lines]
        return await self._change("ship", (channel, external_id), op, flat(rows), actor)

    async def cancel(
        self,
        channel: str,
        external_id: str,
        lines: Sequence[CancelLine] = (),
        *,
        op: str,
        why: str = "",
        actor: str = "",
    ) -> Changed:
        """Units are no longer wanted; no lines means the whole order. Raises PickStarted, NotCommitted, UnknownLine."""
        rows = [(line.line, "" if line.units is None else line.units) for line in lines]
        return await self._change("cancel", (channel, external_id), op, [why, *flat(rows)], actor)

    async def reject(
        self,
        channel: str,
        external_id: str,
        location: str,
        lines: Sequence[UnitsLine] = (),
        *,
        op: str,
        reason: str,
        effect: RejectEffect = "none",
        rejects_max: int = REJECTS_MAX,
        ship_to: ShipTo | None = None,
        prefer: Sequence[str] = (),
        actor: str = "",
    ) -> Changed:
        """
        A location refuses units; no lines means all the order has there. They are routed again.

        By the order's own ranking, or for another `ship_to`. Raises NotCommitted, UnknownLine.
        """
        rows = flat([(line.line, line.units) for line in lines])
        order_id, op = f"{channel}:{external_id}", f"reject:{channel}:{external_id}:{op}"
        told: list[Argument] = [order_id, location, reason, effect, rejects_max]
        print_ = fingerprint([*told, ship_to, prefer, rows])

        def arguments() -> list[Argument]:
            ranked = self._in_force.ranked(channel, ship_to, prefer, relax=True) if ship_to else OWN_RANKING
            return [*self._head(op, print_, actor), *told, ranked, *rows]

        reply = await self._follow_config("reject", arguments)
        return answers.changed(channel, external_id, reply.packed, replayed=reply.replayed)

    async def move(
        self,
        channel: str,
        external_id: str,
        to: str,
        lines: Sequence[UnitsLine] = (),
        *,
        op: str,
        origin: str = "",
        why: str = "",
        actor: str = "",
    ) -> Changed:
        """
        Units go from the `origin`, or '' from those that wait, to another location; no lines means all that may.

        Raises NotCommitted, NotEnough, UnknownLine, UnknownLocation.
        """
        rows = flat([(line.line, line.units) for line in lines])
        return await self._change("move", (channel, external_id), op, [why, origin, to, *rows], actor)

    async def rescue(self, sku: str, location: str, orders: Sequence[tuple[str, str]]) -> Rescued:
        """Units missing at a location leave these orders, the first first, and go elsewhere. At most 100 orders."""
        ids = flat([(":".join(order),) for order in orders])
        reply = await self._runner.attempt("rescue", [self.epoch, "", self._now(), sku, location, *ids])
        return answers.rescued(reply.packed)

    async def serve(self, *, sweep: bool = False, skus: int = 50, lines: int = 50) -> Served:
        """Give units that have arrived to the backorders that wait for them."""
        reply = await self._runner.attempt("serve", [self.epoch, "", self._now(), int(sweep), skus, lines])
        return answers.served(reply.packed)
