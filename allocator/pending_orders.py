"""Orders whose payment or check is pending: kept, looked up, and paid."""

from typing import Final

import msgspec

from . import answers, errors
from .arguments import Argument, demand_rows, fingerprint, flat
from .finding import Finding
from .model import Held, Hold, OrderRequest, Placed, Take, Traced, Version
from .pending import AskedTerms, PendingLine, PendingReason, asked_terms, attempt_of, hold_id_of, owner_field, owner_of

MINUTE_MS: Final = 60_000

HELD_FOR: Final = 5
"""Where a hold's record has the order it is."""

STATES: Final = {"open": "pending", "expired": "lapsed", "released": "cancelled"}
"""What the state of its hold makes of an order that was never accepted; any other hold is not its last one."""


class PendingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """
    An order that waits for its payment or its fraud check; nothing of it is accepted yet.

    state: pending until the deadline, then lapsed; or cancelled. What is not held of a line when it is paid is taken by
    its kind. terms: None when nothing was asked for besides units.
    """

    channel: str
    external_id: str
    state: str
    reason: str
    kind: str
    hold_id: str
    deadline_ms: int
    lines: list[PendingLine]
    takes: list[Take]
    terms: AskedTerms | None = None


class KeptOrder(PendingOrder, frozen=True, kw_only=True):
    """A pending order was kept; `replaced` is the hold it took the place of, or ''."""

    plan: str
    trace: list[Traced]
    replaced: str
    versions: list[Version]
    replayed: bool


class _Asked(msgspec.Struct, frozen=True, array_like=True):
    """What a hold keeps of the order it is (lua/shared/holds.lua)."""

    external_id: str
    reason: str
    kind: str
    partial: int
    fingerprint: str
    candidates: str
    lines: list[tuple[str, str, int, int]]
    terms: str = ""


class PendingOrders(Finding):
    """The part of the allocator that keeps orders which are not paid or checked yet."""

    async def keep_pending(self, request: OrderRequest, reason: PendingReason, actor: str = "") -> KeptOrder:
        """
        Keep an order until it is paid or checked, as a hold of the channel's `pending_minutes`.

        It takes the place of the hold of its last attempt, or else of the one it names. Raises AlreadyAccepted, Short,
        Unroutable, UnknownSku, UnknownChannel, UnknownLocation, OpConflict; Invalid for goods that are gone, what
        `order` finds invalid, and on a channel whose orders always come paid.
        """
        channel, external_id = request.channel, request.external_id
        hold_id = hold_id_of(channel, external_id, request.attempt)
        print_ = fingerprint([request, reason])
        order_print = fingerprint(request.first_attempt())
        lines = demand_rows(request.lines)
        if channel not in self._in_force.pending:
            # Another process may have changed that a moment ago.
            await self.reload()

        def arguments() -> list[Argument]:
            kind, claims, ttl_ms = self._terms(request)
            whose: list[Argument] = [hold_id, channel, owner_of(channel, external_id), request.hold, ttl_ms]
            what: list[Argument] = [int(request.partial), claims, external_id, reason, kind, order_print]
            what += [self._in_force.kept_terms(request, kind)]
            candidates = self._in_force.candidates(request, kind)
            return [*self._head(f"hold:{hold_id}", print_, actor), *whose, *what, candidates, *lines]

        reply = await self._follow_config("hold", arguments)
        held = answers.held(hold_id, reply.packed, replayed=reply.replayed)
        kind = request.kind or self.demand_of(channel)
        return _kept_order(request, kind, reason, held, asked_terms(self._in_force.kept_terms(request, kind)))

    def _terms(self, request: OrderRequest) -> tuple[str, str, int]:
        """The order's kind, what it claims until it is paid, and for how long in ms."""
        kind = request.kind or self._in_force.demand_of(request.channel)
        if kind == "gone":
            raise errors.Invalid("goods that are gone cannot wait for their payment", {"where": "/pending"})
        lowers_at, minutes = self._in_force.pending_terms(request.channel)
        return kind, kind if lowers_at == "order" else "none", minutes * MINUTE_MS

    async def pending_hold(self, channel: str, external_id: str) -> str:
        """The open hold that a pending order is. Raises UnknownOrder."""
        [hold_id] = answers.unpack((await self._find("pending", owner_field(channel, external_id))).packed)
        return str(hold_id)

    async def find_pending(self, channel: str, external_id: str, hold_id: str = "") -> PendingOrder:
        """
        The order by its open hold, or by the one that is named, which may have ended.

        Raises UnknownOrder, also when that hold was replaced or has become the order.
        """
        hold = await self.find_hold(hold_id or await self.pending_hold(channel, external_id))
        return pending_order(hold)

    async def pay(self, channel: str, external_id: str, *, hold_id: str = "", actor: str = "") -> Placed:
        """
        Place a pending order as it was asked, by its open hold or the one that is named: it is paid, or was checked.

        Raises UnknownOrder, and what `order` does.
        """
        hold_id = hold_id or await self.pending_hold(channel, external_id)
        asked = _as_asked((await self._find("hold", hold_id)).packed)
        op = f"order:{channel}:{external_id}:{attempt_of(hold_id)}"
        whose: list[Argument] = ["take", channel, external_id, asked.kind, "", hold_id, asked.partial, asked.candidates]
        rows = flat([line[:3] for line in asked.lines])

        def arguments() -> list[Argument]:
            terms = self._in_force.terms_again(channel, asked.terms, asked.candidates)
            return [*self._head(op, asked.fingerprint.encode(), actor), *whose, terms, *rows]

        reply = await self._follow_config("order", arguments)
        return answers.placed(channel, external_id, reply.packed, replayed=reply.replayed)


def _kept_order(request: OrderRequest, kind: str, reason: str, held: Held, terms: AskedTerms | None) -> KeptOrder:
    return KeptOrder(
        channel=request.channel,
        external_id=request.external_id,
        state=STATES["open"],
        reason=reason,
        kind=kind,
        hold_id=held.hold_id,
        deadline_ms=held.deadline_ms,
        lines=[PendingLine(line.line, line.sku, line.units, line.held) for line in held.lines],
        takes=held.takes,
        terms=terms,
        plan=held.plan,
        trace=held.trace,
        replaced=held.replaced,
        versions=held.versions,
        replayed=held.replayed,
    )


def _as_asked(packed: bytes) -> _Asked:
    """The order that a hold is. Raises UnknownOrder."""
    row = answers.unpack(packed)
    if len(row) <= HELD_FOR:
        raise errors.UnknownOrder
    return msgspec.convert(row[HELD_FOR], _Asked)


def pending_order(hold: Hold) -> PendingOrder:
    """The order that a hold is. Raises UnknownOrder for one that is none, or is not the last word about it."""
    if hold.order is None or hold.state not in STATES:
        raise errors.UnknownOrder(facts={"order": hold.hold_id})
    return PendingOrder(
        channel=hold.channel,
        external_id=hold.order.external_id,
        state=STATES[hold.state],
        reason=hold.order.reason,
        kind=hold.order.kind,
        hold_id=hold.hold_id,
        deadline_ms=hold.deadline_ms,
        lines=hold.order.lines,
        takes=hold.takes,
        terms=hold.order.terms,
    )
