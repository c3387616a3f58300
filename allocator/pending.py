"""
An order whose payment or check is pending, as the store has it: a hold with a deadline that is for an order.

Its id is `pending:<channel>:<external id>:<attempt>`, and its owner the same without the attempt: an order has one open
hold, and its next attempt replaces that. Nobody else's hold or owner may be called so.
"""

from typing import Final, Literal

import msgspec

PendingReason = Literal["payment", "fraud_check"]

PREFIX: Final = "pending:"
"""What the ids and owners of such holds begin with."""


class PendingLine(msgspec.Struct, frozen=True):
    """A line as it was asked, and how many units of it are held."""

    line: str
    sku: str
    units: int
    held: int


class AskedTerms(msgspec.Struct, frozen=True):
    """
    What a pending order asks for besides units; it holds when it is paid.

    country and region are the ship-to's. ship_complete: nothing is picked or shipped while units wait. pickup: the
    store where it is fetched, or ''.
    """

    ship_complete: bool
    country: str
    region: str
    pickup: str


def asked_terms(text: str) -> AskedTerms | None:
    """What the text that the hold keeps (lua/shared/terms.lua) says of it; None when nothing was asked for."""
    complete, country, region, pickup, *_ = msgspec.json.decode(text) if text else ("",) * 4
    said = bool(complete), country, region, pickup
    return AskedTerms(*said) if any(said) else None


class HeldFor(msgspec.Struct, frozen=True):
    """
    The pending order that a hold is for, as it was asked; of one that has ended no units are held.

    reason: payment or fraud_check. terms: None when nothing was asked for besides units.
    """

    external_id: str
    reason: str
    kind: str
    lines: list[PendingLine]
    terms: AskedTerms | None = None


def owner_of(channel: str, external_id: str) -> str:
    """Who owns the holds of this order."""
    return f"{PREFIX}{channel}:{external_id}"


def hold_id_of(channel: str, external_id: str, attempt: int) -> str:
    """The hold that this attempt of the order is."""
    return f"{owner_of(channel, external_id)}:{attempt}"


def attempt_of(hold_id: str) -> int:
    """The attempt that this hold is."""
    return int(hold_id.rpartition(":")[2])


def owner_field(channel: str, external_id: str) -> str:
    """The order's field in the index of owners."""
    return f"{channel}:{owner_of(channel, external_id)}"
