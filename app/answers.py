"""Answers that are the service's own; all others are the allocator's."""

from typing import Any

import msgspec

from allocator import KeptOrder, Level, Order, Placed


class Levels(msgspec.Struct, frozen=True):
    """
    What may be promised, sku by sku, channel by channel.

    Version -2 is a sku that is frozen because its records contradict each other; in a list of many, -1 is one nobody
    knows.
    """

    levels: list[Level]


class OrderResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What became of one of many orders: the status PUT would have answered with, and the order or the problem.

    kept: one whose payment or check is pending. found: one that came with `pending` and was accepted before, as it
    stands.
    """

    channel: str
    external_id: str
    status: int
    order: Placed | None = None
    problem: dict[str, Any] | None = None
    kept: KeptOrder | None = None
    found: Order | None = None


class BulkPlaced(msgspec.Struct, frozen=True):
    """What became of many orders, in the order they were given."""

    results: list[OrderResult]


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool = True


class FrozenSku(msgspec.Struct, frozen=True):
    """A sku of which no unit moves; evidence says what the store has and what the ledger adds up to."""

    sku: str
    evidence: str


class FrozenSkus(msgspec.Struct, frozen=True):
    """All skus that are frozen, by their codes."""

    frozen: list[FrozenSku]


class SellerStanding(msgspec.Struct, frozen=True):
    """
    Where a seller's data stand: the data set, and the version of its config that is in force in the store.

    config_remembered is the one the database has as active, config_staged one that is half done there. drained is the
    last ledger entry in SQL; drain_failing says what keeps the drain from going on, '' when nothing does, since when.
    """

    seller: str
    epoch: str
    config_in_force: int
    config_remembered: int
    config_staged: int | None
    ledger_entries: int
    drained: str
    drain_failing: str
    drain_failing_since_ms: int


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """
    Whether orders can be taken, and what is wrong where it is not `ok`.

    Only the store and a stop that has begun (draining) decide: without the database orders go on, under a paused clock
    holds do not expire, when the drain stops the ledger in Valkey grows. `gate` tells of skus that are frozen, or have
    yet to be checked after a restart of the store; a gate that is shut is an answer of the store. `sellers` has
    something with `?verbose=true` only.
    """

    ready: bool
    store: str
    database: str
    migrations: str
    config: str
    clock: str
    jobs: str
    gate: str
    drain: str
    draining: bool = False
    sellers: list[SellerStanding] = []


class Explanation(msgspec.Struct, frozen=True):
    """One type of problem, in words."""

    type: str
    title: str
    status: int
    when: str
    do: str
