"""
How every verb is called: with the epoch, the config this process ranks with, and the op's name and fingerprint.

When the script says that another config is in force, the process reads it and asks again. When nobody knows whether a
call ran, it is repeated with the same op, which can have one effect only.
"""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Self

from . import answers, errors
from .arguments import Argument, fingerprint
from .config import Config, RejectReason
from .in_force import InForce, wall_ms
from .keys import SellerKeys
from .model import Changed, Moved
from .pipe import Pipe
from .ranking import RejectRates
from .remembering import History, Remembering
from .runner import Reply, Retries

RELOADS_MAX = 8
"""How often one call follows a config that keeps changing under it."""

RETRIES = Retries()


class Calling:
    """One seller's store, and the config this process knows. Raises, everywhere, what `Allocator` says."""

    def __init__(
        self, pipe: Pipe, seller: str, epoch: str, *, retries: Retries = RETRIES, history: History | None = None
    ) -> None:
        self.seller = seller
        self.epoch = epoch
        self.now_ms: int | None = None
        self._runner = Remembering(pipe, SellerKeys(seller), retries, history)
        # In a list, so that a copy of this allocator follows the config too.
        self._known = [InForce(moment_ms=self._moment_ms)]

    @property
    def _in_force(self) -> InForce:
        return self._known[0]

    @property
    def raised(self) -> Mapping[str, str]:
        """The channels whose answers wait for more than `fsynced`, and for what: `replicated` or `ledger`."""
        return self._known[0].raised

    def replicated(self) -> Self:
        """The same allocator; what it is asked to change is answered when replicas have it, or is Unanswered."""
        second = copy(self)
        second._runner = self._runner.replicating  # noqa: SLF001 - it is one of us
        return second

    async def reload(self) -> None:
        """Read the config in force: its version, and the document that rankings need."""
        version, document = answers.unpack((await self._find("config", "document")).packed)
        self._known[0] = InForce(version, document, self._moment_ms, self.rates)

    def rank_with(self, rates: RejectRates) -> None:
        """Rank by these rates of rejects from now on, where a channel's routing asks for it."""
        self._known[0] = self._in_force.ranking_with(rates)

    @property
    def rates(self) -> RejectRates:
        """The rates of rejects this process ranks with; empty until `rank_with`."""
        return self._in_force.rates

    @property
    def version(self) -> int:
        """The config version this process ranks with; 0 before the first."""
        return int(self._in_force.version)

    @property
    def config(self) -> Config:
        """The config this process ranks with; it has no skus and no rules."""
        return self._in_force.config

    @property
    def reasons(self) -> Mapping[str, RejectReason]:
        """The reasons for rejects by code, in the config this process ranks with: the seller's own and the defaults."""
        return self._in_force.reasons

    def demand_of(self, channel: str) -> str:
        """The channel's own kind of demand, in the config this process ranks with."""
        return self._in_force.demand_of(channel)

    def _moment_ms(self) -> int:
        return wall_ms() if self.now_ms is None else self.now_ms

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
                made = arguments()
            except (errors.Invalid, errors.Refusal):
                # What the config we know forbids is only wrong if that config is in force.
                if not await self._is_stale():
                    raise
                continue
            try:
                return await self._runner.attempt(verb, made)
            except errors.StaleConfig:
                await self.reload()
        raise errors.Unanswered("the config kept changing; nothing was done; repeat the request")

    async def _is_stale(self) -> bool:
        """Whether another config is in force than the one we knew; we know it then."""
        before = self.version
        await self.reload()
        return self.version != before

    async def _movement(self, verb: str, op: str, arguments: list[Argument], actor: str) -> Moved:
        reply = await self._mutate(verb, f"{verb}:{op}", arguments, actor)
        return answers.moved(reply.packed, replayed=reply.replayed)

    async def _change(
        self, verb: str, order: tuple[str, str], op: str, arguments: list[Argument], actor: str
    ) -> Changed:
        order_id = ":".join(order)
        reply = await self._mutate(verb, f"{verb}:{order_id}:{op}", [order_id, *arguments], actor)
        return answers.changed(*order, reply.packed, replayed=reply.replayed)

    async def _find(self, kind: str, name: str) -> Reply:
        return await self._runner.attempt("find", [self.epoch, "", "", kind, name])
