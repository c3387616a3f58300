"""What happens to an order after it was accepted."""

from collections.abc import Sequence
from typing import Final

from . import answers, errors
from .announced import Announced, AnnounceRequest
from .arguments import Argument, demand_rows, fingerprint, flat
from .config import RejectReason
from .finding import Finding
from .model import CancelLine, Changed, EditRequest, Exchanged, OrderRequest, ReturnLine, ShipLine, ShipTo, UnitsLine
from .pending import owner_field
from .runs import Rescued, Served

REJECTS_MAX: Final = 3
"""With so many rejects an order is not routed again."""

OWN_RANKING: Final = "[]"
"""For an order that is routed again as it was before."""


class OrderLife(Finding):
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
        picked: bool = False,
        actor: str = "",
    ) -> Changed:
        """
        Units are no longer wanted; no lines means the whole order.

        With `picked` those whose pick has started, too: they wait, unavailable, to be put away. An order that is only
        pending lets its hold go, as a whole. Raises PickStarted, NotCommitted, UnknownLine.
        """
        order_id = f"{channel}:{external_id}"
        op = f"cancel:{order_id}:{op}"
        told: list[Argument] = [order_id, why, int(picked)]
        rows = flat([(line.line, "" if line.units is None else line.units) for line in lines])
        print_ = fingerprint([*told, *rows])

        def arguments() -> list[Argument]:
            pending = owner_field(channel, external_id) if channel in self._in_force.pending else ""
            return [*self._head(op, print_, actor), *told, pending, *rows]

        reply = await self._follow_config("cancel", arguments)
        return answers.changed(channel, external_id, reply.packed, replayed=reply.replayed)

    async def edit(self, channel: str, external_id: str, request: EditRequest, *, op: str, actor: str = "") -> Changed:
        """
        Give the order other units, other lines or another way, all of it or nothing; `op` is the channel's revision.

        Raises OtherSku, UnknownSku, PickStarted, NotCommitted, HasLeft, UnknownChannel, Short, Unroutable.
        """
        order_id = f"{channel}:{external_id}"
        print_ = fingerprint([order_id, request])
        flags = [int(request.replan), int(request.partial)]
        lines = flat([(line.line, line.sku, line.units) for line in request.lines])

        def arguments() -> list[Argument]:
            ranked = self._rankings(channel, request)
            return [*self._head(f"edit:{order_id}:{op}", print_, actor), order_id, request.why, *ranked, *flags, *lines]

        reply = await self._follow_config("edit", arguments)
        return answers.changed(channel, external_id, reply.packed, replayed=reply.replayed)

    def _rankings(self, channel: str, request: EditRequest) -> list[Argument]:
        """What a promise and what a firm order is to be ranked with; the order's kind only the script knows."""
        if request.ship_to is None:
            if request.prefer:
                raise errors.Invalid("preferred locations need a ship-to to be ranked for", {"where": "/prefer"})
            return ["", ""]
        asked = channel, request.ship_to, request.prefer
        return [self._in_force.ranked(*asked, relax=relax) for relax in (False, True)]

    async def exchange(
        self,
        channel: str,
        external_id: str,
        lines: Sequence[ReturnLine],
        order: OrderRequest,
        *,
        op: str,
        why: str = "",
        actor: str = "",
    ) -> Exchanged:
        """
        Take goods of an order back and place another one for them, both or nothing; restocked units may go with it.

        Raises Invalid for a new order with a hold or `partial`, and what `return_units` and `order` do. OpConflict: the
        new order was placed before, by the op in its facts.
        """
        if order.hold or order.partial:
            raise errors.Invalid("an order that goods are exchanged for has no hold and is not partial")
        order_id = f"{channel}:{external_id}"
        print_ = fingerprint([order_id, why, list(lines), order.first_attempt()])
        back = flat([(line.line, line.location, line.units, line.disposition) for line in lines])

        def arguments() -> list[Argument]:
            kind = order.kind or self._in_force.demand_of(order.channel)
            ranked = self._in_force.candidates(order, kind)
            head = self._head(f"exchange:{order_id}:{op}", print_, actor)
            return [
                *head,
                order_id,
                why,
                *back,
                order.channel,
                order.external_id,
                kind,
                ranked,
                *demand_rows(order.lines),
            ]

        reply = await self._follow_config("exchange", arguments)
        new = order.channel, order.external_id
        return answers.exchanged((channel, external_id), new, reply.packed, replayed=reply.replayed)

    async def announce_return(
        self, channel: str, external_id: str, return_id: str, request: AnnounceRequest, *, actor: str = ""
    ) -> Announced:
        """
        Say that goods of the order come back, before they do; `return_units` with this return id books them.

        No unit moves. Raises Invalid, Superseded, UnknownLine, UnknownLocation, TooManyReturns.
        """
        order_id = f"{channel}:{external_id}"
        due_ms: Argument = "" if request.due_ms is None else request.due_ms
        lines = flat([(line.line, line.units) for line in request.lines])
        told: list[Argument] = [order_id, request.why, return_id, request.revision, request.location, due_ms, *lines]
        op = f"announce_return:{order_id}:{return_id}:{request.revision}"
        reply = await self._mutate("announce_return", op, told, actor)
        return answers.announced(channel, external_id, reply.packed, replayed=reply.replayed)

    async def reject(
        self,
        channel: str,
        external_id: str,
        location: str,
        lines: Sequence[UnitsLine] = (),
        *,
        op: str,
        reason: str,
        rejects_max: int = REJECTS_MAX,
        ship_to: ShipTo | None = None,
        prefer: Sequence[str] = (),
        actor: str = "",
    ) -> Changed:
        """
        A location refuses units; no lines means all the order has there. They are routed again.

        By the order's own ranking, or for another `ship_to`. What the `reason` says of the stock there, the config in
        force says. Raises UnknownReason, NotCommitted, UnknownLine.
        """
        rows = flat([(line.line, line.units) for line in lines])
        order_id, op = f"{channel}:{external_id}", f"reject:{channel}:{external_id}:{op}"
        # Not of what the reason means: a repetition is the same request, whatever the config has made of it since.
        print_ = fingerprint([order_id, location, reason, rejects_max, ship_to, prefer, rows])
        repeated = await self._means_nothing(reason) and await self.find_remembered(op) is not None

        def arguments() -> list[Argument]:
            meant = RejectReason(code=reason) if repeated else self._in_force.reason_of(reason)
            ranked = self._in_force.ranked(channel, ship_to, prefer, relax=True) if ship_to else OWN_RANKING
            told: list[Argument] = [order_id, location, reason, meant.effect, int(meant.recount), rejects_max]
            return [*self._head(op, print_, actor), *told, ranked, *rows]

        reply = await self._follow_config("reject", arguments)
        return answers.changed(channel, external_id, reply.packed, replayed=reply.replayed)

    async def _means_nothing(self, reason: str) -> bool:
        """Whether no reason has this code, in the newest config there is."""
        if reason not in self._in_force.reasons:
            await self.reload()
        return reason not in self._in_force.reasons

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
