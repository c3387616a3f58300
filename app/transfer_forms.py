"""What callers ask and get about transfers between locations."""

from typing import Literal

import msgspec

from allocator import Code, Sku

from .history_forms import After, Cursor, Ms, Position
from .key_forms import PageSize
from .requests import Asked
from .store.transfers import ArrivalFacts, TransferFacts

State = Literal["open", "partly", "closed"]
"""Nothing has arrived yet; some has, or was lost; nothing is on its way any more."""


class TransfersQuery(Asked, frozen=True, kw_only=True):
    """Which transfers, newest first. The end is not included. location: they come from there or go there."""

    state: State | None = None
    from_location: Code | None = None
    to_location: Code | None = None
    location: Code | None = None
    sku: Sku | None = None
    from_ms: Ms = 0
    until_ms: Ms | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class TransferQuery(Asked, frozen=True, kw_only=True):
    """How new the answer must be."""

    after: After = ""


class TransferLine(msgspec.Struct, frozen=True):
    """One sku of a transfer, in units: sent = arrived + lost + in_transit."""

    sku: str
    sent: int
    arrived: int
    lost: int
    in_transit: int


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Units that were sent from one location to another: sent = arrived + lost + in_transit, by sku and in all."""

    transfer_id: str
    from_location: str
    to_location: str
    state: State
    sent_ms: int
    changed_ms: int
    actor: str
    why: str
    sent: int
    arrived: int
    lost: int
    in_transit: int
    lines: list[TransferLine]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What of one sku arrived in one step, an entry of the ledger, or was lost."""

    entry: int
    at_ms: int
    actor: str
    why: str
    location: str
    sku: str
    arrived: int
    lost: int


class TransferPage(msgspec.Struct, frozen=True):
    """Some transfers; next_cursor is null on the last page."""

    data: list[Transfer]
    next_cursor: str | None
    position: Position


class TransferShown(msgspec.Struct, frozen=True):
    """One transfer, and how it arrived, oldest first."""

    transfer: Transfer
    arrivals: list[Arrival]
    position: Position


def shown_transfer(transfer: TransferFacts) -> Transfer:
    """A transfer, for callers."""
    facts = {name: value for name, value in vars(transfer).items() if name not in {"number", "lines"}}
    return Transfer(**facts, lines=[TransferLine(**vars(line)) for line in transfer.lines])


def shown_arrival(arrival: ArrivalFacts) -> Arrival:
    """An arrival, for callers."""
    return Arrival(**vars(arrival))
