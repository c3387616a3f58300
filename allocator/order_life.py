"""What happens to an order after it was accepted."""

from collections.abc import Sequence

from . import answers
from .arguments import flat
from .calling import Calling
from .model import CancelLine, Changed, Served, ShipLine


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

    async def serve(self, *, sweep: bool = False, skus: int = 50, lines: int = 50) -> Served:
        """Give units that have arrived to the backorders that wait for them."""
        reply = await self._runner.attempt("serve", [self.epoch, "", self._now(), int(sweep), skus, lines])
        return answers.served(reply.packed)
