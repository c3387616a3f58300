"""Units come, go and are counted, whoever has ordered them."""

from collections.abc import Sequence

from . import answers
from .arguments import Argument, fingerprint, flat
from .calling import Calling
from .model import AdjustLine, ArrivedLine, Changed, Moved, ReturnLine, SentLine, StockLine


class Movements(Calling):
    """The verbs of stock: all their lines or none."""

    async def receive(self, lines: Sequence[StockLine], *, op: str, why: str = "", actor: str = "") -> Moved:
        """Put units on shelves, all lines or none."""
        rows = [(line.sku, line.location, line.units) for line in lines]
        return await self._movement("receive", op, [why, *flat(rows)], actor)

    async def adjust(self, lines: Sequence[AdjustLine], *, op: str, why: str, actor: str = "") -> Moved:
        """Correct on_hand, with a reason; what falls below what is promised is a deficit from then on."""
        rows = [(line.sku, line.location, line.units) for line in lines]
        return await self._movement("adjust", op, [why, *flat(rows)], actor)

    async def count(
        self, lines: Sequence[AdjustLine], *, op: str, source: str, why: str = "", actor: str = ""
    ) -> Moved:
        """
        Change on_hand by what a count of `source` found more or fewer, below what is promised and below 0 too.

        The ledger keeps source and reason together, at most 256 characters.
        """
        rows = [(line.sku, line.location, line.units) for line in lines]
        return await self._movement("count", op, [f"{source}: {why}" if why else source, *flat(rows)], actor)

    async def unavailable(
        self, lines: Sequence[StockLine], *, op: str, reason: str, direction: str, actor: str = ""
    ) -> Moved:
        """Take units out of sale (`direction` "in" to unavailable) for a reason, or put them back ("out")."""
        rows = [(line.sku, line.location, line.units) for line in lines]
        return await self._movement("unavailable", op, [reason, direction, *flat(rows)], actor)

    async def transfer_out(
        self,
        transfer: str,
        from_location: str,
        to_location: str,
        lines: Sequence[SentLine],
        *,
        why: str = "",
        actor: str = "",
    ) -> Moved:
        """
        Send units on their way to another location; the transfer's id names the op, so it is sent once.

        Raises NotEnough unless every line is available there: free of holds and orders, and for sale.
        """
        rows = [(line.sku, line.units) for line in lines]
        return await self._movement(
            "transfer_out", transfer, [why, transfer, from_location, to_location, *flat(rows)], actor
        )

    async def transfer_in(
        self,
        transfer: str,
        location: str,
        lines: Sequence[ArrivedLine],
        *,
        op: str,
        at: str = "",
        why: str = "",
        actor: str = "",
    ) -> Moved:
        """
        Book units of a transfer to this location that have arrived, there or `at` another one, and those that are lost.

        Raises NotEnough for more than it has on its way.
        """
        rows = [(line.sku, line.arrived, line.lost) for line in lines]
        return await self._movement("transfer_in", op, [why, transfer, location, at or location, *flat(rows)], actor)

    async def set_quota(
        self,
        sku: str,
        location: str,
        channel: str,
        quota: int,
        *,
        op: str,
        floor: int = 0,
        why: str = "",
        actor: str = "",
    ) -> Moved:
        """Ring-fence units for one channel at one location; `floor` of them nobody else may borrow."""
        return await self._movement("set_quota", op, [why, sku, location, channel, quota, floor], actor)

    async def move_quota(
        self,
        sku: str,
        location: str,
        from_channel: str,
        to_channel: str,
        units: int,
        *,
        op: str,
        why: str = "",
        actor: str = "",
    ) -> Moved:
        """Hand ring-fenced units that are not consumed yet to another channel."""
        return await self._movement("move_quota", op, [why, sku, location, from_channel, to_channel, units], actor)

    async def return_units(
        self,
        lines: Sequence[ReturnLine],
        *,
        op: str,
        order: tuple[str, str] | None = None,
        return_id: str = "",
        why: str = "",
        actor: str = "",
    ) -> Changed | Moved:
        """
        Book goods that came back, for the order (channel, external id) or without one.

        With a `return_id` they are taken off what is announced of that return of the order; they need not be what was.
        """
        rows = [(line.line if order else line.sku, line.location, line.units, line.disposition) for line in lines]
        order_id = ":".join(order) if order else ""
        told = flat(rows)
        # A return without a name has the fingerprint that it always had.
        print_ = fingerprint([order_id, why, return_id, *told] if return_id else [order_id, why, *told])

        def arguments() -> list[Argument]:
            return [*self._head(f"return:{op}", print_, actor), order_id, why, return_id, *told]

        reply = await self._follow_config("return_units", arguments)
        if order and reply.word == "changed":
            return answers.changed(*order, reply.packed, replayed=reply.replayed)
        return answers.moved(reply.packed, replayed=reply.replayed)
