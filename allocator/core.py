"""
The allocator: one method per verb, one script per method.

Each method builds the script's arguments, runs it and turns its outcome into an answer or an error. Rankings come
from the config the process has; when the script says that another config is in force, the process reads it and
asks again. When nobody knows whether a call ran, it is repeated with the same op, which can have one effect only.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from . import answers, errors
from .arguments import Argument, demand_rows, fingerprint, flat
from .config import Config, ConfigChange
from .explanation import Explained
from .foreseen import Foreseen
from .model import Extended, Held, HoldRequest, Level, OrderRequest, Placed, Released, ShipTo
from .movements import Movements
from .order_life import OrderLife
from .pending_orders import PendingOrders
from .records import SkuState, decode_states
from .repairs import Repair, Repaired
from .rules import changed_fields, compile_config
from .runs import Expired

FOR_NO_ORDER: Final[list[Argument]] = ["promise", "", "", "promise", "", ""]
"""What a cart's hold claims, and the order it is for."""

FIELDS_MAX = 1_000
"""Most config fields, or new skus, that one call of `configure` carries."""


class Allocator(Movements, OrderLife, PendingOrders):
    """
    One seller's stock, holds and orders.

    `now_ms` replaces the server's clock (tests only). Every mutating verb takes an `op`, the call's own name: the
    same op with the same request has one effect and one answer, with another request it is an OpConflict.

    `history` is asked about what has left the store (`forget`).

    Raises, everywhere: Unanswered (nobody knows: repeat with the same op), NotReady, Invalid, HistoryAway; and the
    Refusals a verb's script header lists.
    """

    # --- config ------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Mark the seller's empty keys as this epoch's. Raises NotReady when there are data of another."""
        await self._runner.run("begin", [self.epoch])

    async def configure(self, change: ConfigChange, actor: str = "") -> int:
        """
        Put one change of the compiled config in force, whole or not at all. Returns its version.

        Version and content are the op: whoever repeats the change has the same answer. Raises Invalid, StaleConfig
        (another version than `base` is in force).
        """
        values = [*change.fields.items(), *((field, b"") for field in change.removed)]
        arguments = [change.base, change.version, *flat(values), *flat([(sku,) for sku in change.skus])]
        print_ = fingerprint([change.base, values, change.skus])
        op = f"configure:{change.version}:{print_.decode()}"
        await self._runner.attempt("configure", [self.epoch, "", self._now(), op, print_, actor, *arguments])
        await self.reload()
        return change.version

    async def configure_all(self, config: Config, actor: str = "") -> int:
        """
        Put a whole config in force and make its skus known, a thousand fields and skus at a time.

        Returns the last version. Raises Invalid, StaleConfig.
        """
        await self.reload()
        # The version from before the fields are read: whoever changes them meanwhile makes this change stale.
        base = self.version
        fields, removed = changed_fields(await self._runner.config_fields(), compile_config(config))
        values = [*fields.items(), *((field, None) for field in removed)]
        skus = [sku.sku for sku in config.skus]
        for start in range(0, max(len(values), len(skus), 1), FIELDS_MAX):
            part = slice(start, start + FIELDS_MAX)
            fields = {field: value for field, value in values[part] if value is not None}
            removed = [field for field, value in values[part] if value is None]
            base = await self.configure(ConfigChange(base, base + 1, fields, removed, skus[part]), actor)
        return base

    # --- what may be promised ----------------------------------------------------------------------------------

    async def availability(
        self,
        skus: Sequence[str],
        channels: Sequence[str],
        *,
        owner: str = "",
        ship_to: ShipTo | None = None,
        overlay: Mapping[str, bytes] | None = None,
    ) -> list[Level]:
        """
        What these channels may promise of these skus now, sku by sku; at most 100 of each.

        `owner`'s own open holds count as his. With a `ship_to` only locations that may serve it count; then one
        channel only. With an `overlay` the numbers are as if these fields of the compiled config (b"" for none, at
        most 1,000) were in force. Raises UnknownChannel.
        """
        asked = [*flat([(channel,) for channel in channels]), *flat([(sku,) for sku in skus])]
        asked += flat([*(overlay or {}).items()])
        reply = await self._ask("availability", lambda: [owner, *self._in_force.allowed(channels, ship_to), *asked])
        return answers.levels(list(channels), reply.packed)

    async def stock(self, skus: Sequence[str]) -> list[SkuState | None]:
        """What is kept of these skus, in the order asked; None for one that is unknown. At most 100."""
        reply = await self._ask("stock", lambda: flat([(sku,) for sku in skus]))
        return decode_states(reply.packed)

    async def explain(self, sku: str, channel: str, *, owner: str = "", ship_to: ShipTo | None = None) -> Explained:
        """Every step of one channel's number for one sku, and which rules won and lost."""
        reply = await self._ask("explain", lambda: [owner, *self._in_force.allowed([channel], ship_to), channel, sku])
        return answers.explained(sku, channel, reply.packed)

    # --- holds -------------------------------------------------------------------------------------------------

    async def hold(self, request: HoldRequest, actor: str = "") -> Held:
        """Claim units for a time; the hold's id is the op. Raises Short, Unroutable, UnknownSku, UnknownChannel."""
        op = f"hold:{request.hold_id}"
        lines = demand_rows(request.lines)
        told: list[Argument] = [request.hold_id, request.channel, request.owner, "", request.ttl_ms]
        told += [int(request.partial), *FOR_NO_ORDER]
        print_ = fingerprint(request)

        def arguments() -> list[Argument]:
            ranked = self._in_force.ranked(request.channel, request.ship_to, request.prefer, relax=False)
            return [*self._head(op, print_, actor), *told, ranked, *lines]

        reply = await self._follow_config("hold", arguments)
        return answers.held(request.hold_id, reply.packed, replayed=reply.replayed)

    async def extend(self, hold_id: str, ttl_ms: int, *, op: str, actor: str = "") -> Extended:
        """Let an open hold live until `ttl_ms` from now, if that is later. Raises UnknownHold, HoldEnded."""
        reply = await self._mutate("extend", f"extend:{op}", [hold_id, ttl_ms], actor)
        return answers.extended(hold_id, reply.packed, replayed=reply.replayed)

    async def release(self, hold_id: str, *, op: str = "", actor: str = "") -> Released:
        """Let a hold go. Without an `op` the hold's id is it: releasing twice is one release."""
        reply = await self._mutate("release", f"release:{op or hold_id}", [hold_id], actor)
        return answers.released(hold_id, reply.packed, replayed=reply.replayed)

    async def expire(self, *, elapsed_ms: int | None, accept_clock: bool = False, limit: int = 100) -> Expired:
        """End holds whose time is over. `elapsed_ms` since this caller's last run (monotonic), None at first."""
        elapsed = "" if elapsed_ms is None else elapsed_ms
        reply = await self._runner.attempt("expire", [self.epoch, "", self._now(), elapsed, int(accept_clock), limit])
        return answers.expired(reply.word, reply.packed)

    # --- orders ------------------------------------------------------------------------------------------------

    async def order(self, request: OrderRequest, actor: str = "", *, preview: bool | Foreseen = False) -> Placed:
        """
        Take units for an order and decide where they ship from; (channel, external id, attempt) is the op.

        With `preview` the answer is the same and nothing is written; with one of `foresee` it is as if that were in
        force. Raises Short, AtCapacity, Unroutable, UnknownSku, UnknownChannel, UnknownLocation, OpConflict;
        StaleConfig when another version is in force than was foreseen.
        """
        op = f"order:{request.channel}:{request.external_id}:{request.attempt}"
        lines = demand_rows(request.lines)
        print_ = fingerprint(request.first_attempt())
        seen = preview if isinstance(preview, Foreseen) else None
        laid_over = flat(seen.overlay(request)) if seen else [0]
        mode: list[Argument] = ["preview", *laid_over] if preview else ["take"]

        def arguments() -> list[Argument]:
            if seen and seen.base != self.version:
                raise errors.StaleConfig
            known = seen.in_force if seen else self._in_force
            kind = request.kind or known.demand_of(request.channel)
            own: list[Argument] = [*mode, request.channel, request.external_id, kind, request.hold]
            own += [known.pending_hold(request) if not preview else "", int(request.partial)]
            ranked = known.candidates(request, kind)
            terms = known.terms(request, kind, ranked)
            return [*self._head(op, print_, actor), *own, ranked, terms, *lines]

        reply = await self._follow_config("order", arguments)
        return answers.placed(request.channel, request.external_id, reply.packed, replayed=reply.replayed)

    def foresee(self, change: ConfigChange | None = None) -> Foreseen:
        """
        The config as this change would make it, for previews of orders; without one as it is.

        Raises StaleConfig when the change is of another version than this process ranks with.
        """
        if change and change.base != self.version:
            raise errors.StaleConfig
        return Foreseen(self._in_force, change)

    async def repair(self, repair: Repair, *, op: str, why: str, actor: str = "") -> Repaired:
        """Put right what an inspection found, all or nothing. Raises ChangedMeanwhile: look again, with another op."""
        told = [why, *repair.arguments()]
        head = [self.epoch, "", self._now(), f"repair:{op}", fingerprint(told), actor]
        reply = await self._runner.attempt("repair", [*head, *told])
        return answers.repaired(reply.packed, replayed=reply.replayed)
