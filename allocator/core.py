"""
The allocator: one method per verb, one script per method.

Each method builds the script's arguments, runs it and turns its outcome into an answer or an error. Rankings come
from the config the process has; when the script says that another config is in force, the process reads it and
asks again. When nobody knows whether a call ran, it is repeated with the same op, which can have one effect only.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy

import msgspec

from . import answers, errors
from .arguments import Argument, demand_rows, fingerprint, flat
from .config import Config, ConfigChange
from .explanation import Explained
from .finding import Finding
from .in_force import InForce
from .keys import SellerKeys
from .model import (
    AdjustLine,
    CancelLine,
    Changed,
    Expired,
    Extended,
    Held,
    HoldRequest,
    Level,
    Moved,
    OrderRequest,
    Placed,
    Released,
    ReturnLine,
    Served,
    ShipLine,
    ShipTo,
    StockLine,
)
from .pipe import Pipe
from .records import SkuState, decode_states
from .remembering import History, Remembering
from .repairs import Repair, Repaired
from .rules import changed_fields, compile_config
from .runner import Reply, Retries

RELOADS_MAX = 8
"""How often one call follows a config that keeps changing under it."""

RETRIES = Retries()

FIELDS_MAX = 1_000
"""Most config fields, or new skus, that one call of `configure` carries."""


class Allocator(Finding):
    """
    One seller's stock, holds and orders.

    `now_ms` replaces the server's clock (tests only). Every mutating verb takes an `op`, the call's own name: the
    same op with the same request has one effect and one answer, with another request it is an OpConflict.

    `history` is asked about what has left the store (`forget`).

    Raises, everywhere: Unanswered (nobody knows: repeat with the same op), NotReady, Invalid, HistoryAway; and the
    Refusals a verb's script header lists.
    """

    def __init__(
        self, pipe: Pipe, seller: str, epoch: str, *, retries: Retries = RETRIES, history: History | None = None
    ) -> None:
        self.seller = seller
        self.epoch = epoch
        self.now_ms: int | None = None
        self._runner = Remembering(pipe, SellerKeys(seller), retries, history)
        # In a list, so that a copy of this allocator follows the config too.
        self._known = [InForce()]

    @property
    def _in_force(self) -> InForce:
        return self._known[0]

    @property
    def raised(self) -> Mapping[str, str]:
        """The channels whose answers wait for more than `fsynced`, and for what: `replicated` or `ledger`."""
        return self._known[0].raised

    def replicated(self) -> "Allocator":
        """The same allocator; what it is asked to change is answered when replicas have it, or is Unanswered."""
        second = copy(self)
        second._runner = self._runner.replicating  # noqa: SLF001 - it is one of us
        return second

    # --- config ------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Mark the seller's empty keys as this epoch's. Raises NotReady when there are data of another."""
        await self._runner.run("begin", [self.epoch])

    async def reload(self) -> None:
        """Read the config in force: its version, and the document that rankings need."""
        self._known[0] = InForce(*answers.unpack((await self._find("config", "document")).packed))

    @property
    def version(self) -> int:
        """The config version this process ranks with; 0 before the first."""
        return int(self._in_force.version)

    @property
    def config(self) -> Config:
        """The config this process ranks with; it has no skus and no rules."""
        return self._in_force.config

    def demand_of(self, channel: str) -> str:
        """The channel's own kind of demand, in the config this process ranks with."""
        return self._in_force.demand_of(channel)

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
        fields, removed = changed_fields(await self._runner.config_fields(), compile_config(config))
        values = [*fields.items(), *((field, None) for field in removed)]
        skus = [sku.sku for sku in config.skus]
        for start in range(0, max(len(values), len(skus), 1), FIELDS_MAX):
            part = slice(start, start + FIELDS_MAX)
            fields = {field: value for field, value in values[part] if value is not None}
            removed = [field for field, value in values[part] if value is None]
            await self.configure(ConfigChange(self.version, self.version + 1, fields, removed, skus[part]), actor)
        return self.version

    # --- stock movements ---------------------------------------------------------------------------------------

    async def receive(self, lines: Sequence[StockLine], *, op: str, why: str = "", actor: str = "") -> Moved:
        """Put units on shelves, all lines or none."""
        rows = [(line.sku, line.location, line.units) for line in lines]
        return await self._movement("receive", op, [why, *flat(rows)], actor)

    async def adjust(self, lines: Sequence[AdjustLine], *, op: str, why: str, actor: str = "") -> Moved:
        """Correct on_hand, with a reason; what falls below what is promised is a deficit from then on."""
        rows = [(line.sku, line.location, line.units) for line in lines]
        return await self._movement("adjust", op, [why, *flat(rows)], actor)

    async def unavailable(
        self, lines: Sequence[StockLine], *, op: str, reason: str, direction: str, actor: str = ""
    ) -> Moved:
        """Take units out of sale (`direction` "in" to unavailable) for a reason, or put them back ("out")."""
        rows = [(line.sku, line.location, line.units) for line in lines]
        return await self._movement("unavailable", op, [reason, direction, *flat(rows)], actor)

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
        why: str = "",
        actor: str = "",
    ) -> Changed | Moved:
        """Book goods that came back, for the order (channel, external id) or without one."""
        rows = [(line.line if order else line.sku, line.location, line.units, line.disposition) for line in lines]
        order_id = ":".join(order) if order else ""
        reply = await self._mutate("return_units", f"return:{op}", [order_id, why, *flat(rows)], actor)
        if order and reply.word == "changed":
            return answers.changed(*order, reply.packed, replayed=reply.replayed)
        return answers.moved(reply.packed, replayed=reply.replayed)

    async def _movement(self, verb: str, op: str, arguments: list[Argument], actor: str) -> Moved:
        reply = await self._mutate(verb, f"{verb}:{op}", arguments, actor)
        return answers.moved(reply.packed, replayed=reply.replayed)

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
        told: list[Argument] = [request.hold_id, request.channel, request.owner, request.ttl_ms, int(request.partial)]
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

    async def order(self, request: OrderRequest, actor: str = "", *, preview: bool = False) -> Placed:
        """
        Take units for an order and decide where they ship from; (channel, external id, attempt) is the op.

        With `preview` the answer is the same and nothing is written. Raises Short, Unroutable, UnknownSku,
        UnknownChannel, UnknownLocation, OpConflict.
        """
        op = f"order:{request.channel}:{request.external_id}:{request.attempt}"
        lines = demand_rows(request.lines)
        print_ = fingerprint(msgspec.structs.replace(request, attempt=1))
        mode = "preview" if preview else "take"

        def arguments() -> list[Argument]:
            kind = request.kind or self._in_force.demand_of(request.channel)
            own: list[Argument] = [mode, request.channel, request.external_id, kind, request.hold, int(request.partial)]
            return [*self._head(op, print_, actor), *own, self._in_force.candidates(request, kind), *lines]

        reply = await self._follow_config("order", arguments)
        return answers.placed(request.channel, request.external_id, reply.packed, replayed=reply.replayed)

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

    async def _change(
        self, verb: str, order: tuple[str, str], op: str, arguments: list[Argument], actor: str
    ) -> Changed:
        order_id = ":".join(order)
        reply = await self._mutate(verb, f"{verb}:{order_id}:{op}", [order_id, *arguments], actor)
        return answers.changed(*order, reply.packed, replayed=reply.replayed)

    async def serve(self, *, sweep: bool = False, skus: int = 50, lines: int = 50) -> Served:
        """Give units that have arrived to the backorders that wait for them."""
        reply = await self._runner.attempt("serve", [self.epoch, "", self._now(), int(sweep), skus, lines])
        return answers.served(reply.packed)

    async def repair(self, repair: Repair, *, op: str, why: str, actor: str = "") -> Repaired:
        """Put right what an inspection found, all or nothing. Raises ChangedMeanwhile: look again, with another op."""
        told = [why, *repair.arguments()]
        head = [self.epoch, "", self._now(), f"repair:{op}", fingerprint(told), actor]
        reply = await self._runner.attempt("repair", [*head, *told])
        return answers.repaired(reply.packed, replayed=reply.replayed)

    # --- arguments and config ----------------------------------------------------------------------------------

    def _now(self) -> Argument:
        return "" if self.now_ms is None else self.now_ms

    def _head(self, op: str, print_: bytes, actor: str) -> list[Argument]:
        return [self.epoch, self._in_force.version, self._now(), op, print_, actor]

    async def _mutate(self, verb: str, op: str, arguments: list[Argument], actor: str) -> Reply:
        print_ = fingerprint(arguments)
        return await self._follow_config(verb, lambda: [*self._head(op, print_, actor), *arguments])

    async def _ask(self, verb: str, arguments: Callable[[], list[Argument]]) -> Reply:
        return await self._follow_config(verb, lambda: [self.epoch, self._in_force.version, self._now(), *arguments()])

    async def _follow_config(self, verb: str, arguments: Callable[[], list[Argument]]) -> Reply:
        """Run with arguments made from the config we know; when another is in force, read it and run again."""
        for _ in range(RELOADS_MAX):
            try:
                return await self._runner.attempt(verb, arguments())
            except errors.StaleConfig:
                await self.reload()
        raise errors.Unanswered("the config kept changing; nothing was done; repeat the request")
