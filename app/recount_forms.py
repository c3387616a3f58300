"""What callers ask and get about what is to be counted, and about how often locations reject."""

from typing import Literal

import msgspec

from allocator import Code, Id, Sku

from .history_forms import After, Cursor, Position
from .key_forms import PageSize
from .requests import Asked
from .store.recounts import RecountFacts

State = Literal["open", "closed"]


class RecountsQuery(Asked, frozen=True, kw_only=True):
    """Which tasks, oldest first."""

    state: State | None = None
    location: Code | None = None
    sku: Sku | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """
    The count that closed a task: its entry, op and key, and how many units more it found there, or fewer.

    confirmed: it found what was booked, so it made no entry; `entry` is the last one before it.
    """

    entry: int
    at_ms: int
    op: str
    actor: str
    confirmed: bool
    difference: int


class Recount(msgspec.Struct, frozen=True, kw_only=True):
    """
    A sku to be counted at a location, because a reject took units off its books there.

    entry, at_ms, actor, reason and order are those of the first reject; `rejects` of them took `units` in all until it
    was counted. counted: the count that did, None while nobody has.
    """

    entry: int
    sku: str
    location: str
    at_ms: int
    actor: str
    reason: str
    channel: str
    external_id: Id
    rejects: int
    units: int
    counted: Counted | None


class RecountPage(msgspec.Struct, frozen=True):
    """Some tasks; next_cursor is null on the last page."""

    data: list[Recount]
    next_cursor: str | None
    position: Position


class RejectRate(msgspec.Struct, frozen=True, kw_only=True):
    """
    How often a location rejects: units it rejected of those that orders got from it.

    percent: whole percent, rounded down. counts: it gave enough units to be judged. ranks_as: what this process ranks
    it with, in steps of five percent.
    """

    location: str
    taken: int
    rejected: int
    percent: int
    counts: bool
    ranks_as: int


class RejectRates(msgspec.Struct, frozen=True, kw_only=True):
    """The locations that gave or rejected anything on the last `days` days (UTC, today included), by code."""

    days: int
    units_min: int
    rates: list[RejectRate]
    position: Position


def shown_recount(task: RecountFacts) -> Recount:
    """A task, for callers."""
    return Recount(
        entry=task.number,
        sku=task.sku,
        location=task.location,
        at_ms=task.at_ms,
        actor=task.actor,
        reason=task.reason,
        channel=task.channel,
        external_id=task.external_id,
        rejects=task.rejects,
        units=task.units,
        counted=_counted(task),
    )


def _counted(task: RecountFacts) -> Counted | None:
    if task.closed_number is None or task.closed_ms is None:
        return None
    return Counted(
        entry=task.closed_number,
        at_ms=task.closed_ms,
        op=task.closed_op,
        actor=task.closed_by,
        confirmed=task.confirmed,
        difference=task.difference,
    )
