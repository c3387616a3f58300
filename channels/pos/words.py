"""What tills and their hub say and hear, as types."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from channels.base import Level, News, Pushed, Shown

EVENTS_MAX: Final = 500
"""Most events of one batch."""

LINES_MAX: Final = 500
"""Most lines of one event."""

EventId = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=56,
        pattern=r"^[!-~]+\Z",
        description="The till's own id of what happened, never used for anything else: visible ASCII characters.",
    ),
]
EventType = Literal["sale", "return", "adjustment", "count", "transfer"]
Disposition = Literal["restock", "quarantine", "scrap"]
Moment = Annotated[datetime, msgspec.Meta(tz=True, description="When it happened by the till's clock, with its zone.")]
Article = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Store = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Text = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Reference = Annotated[Text, msgspec.Meta(description="Of a return: the event of its sale. Of a transfer: its id.")]
Quantity = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^-?[0-9]{1,10}(\.[0-9]{1,6})?\Z",
        description="A decimal number in the unit of the sku: 2, or 1.25 of a sku that is sold by the kilogram.",
    ),
]


class PosSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of tills. address: where their hub takes numbers; without one nothing is pushed, tills read the feed."""

    address: Annotated[
        str, msgspec.Meta(pattern=r"^(https?://[^?#]+)?\Z", description="Of the tills' hub; empty: no push.")
    ] = ""


class PosSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    What both sides sign with; without it nothing is signed, and the API key alone says who is there.

    former_secret: the one before, which is still taken and still signed with, until every till has the new one.
    """

    signing_secret: str = ""
    former_secret: str = ""

    @property
    def all(self) -> list[str]:
        """Those that are set, the newest first."""
        return [secret for secret in (self.signing_secret, self.former_secret) if secret]


# --- what tills say ---------------------------------------------------------------------------------------------


class TillLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some of a sku. Only an adjustment may be below 0, only a count may be 0."""

    sku: Article
    quantity: Quantity


class TillEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Something that has happened at a till, maybe a while ago.

    sale: the goods have left. return: goods came back, of the sale whose event `reference` names, if it does.
    adjustment: so many more or fewer lie there. count: so many lie there at that moment; what happened later stays
    booked on top. transfer: with `to_location` goods leave for there; without it goods of the transfer that
    `reference` names arrive.
    """

    event_id: EventId
    type: EventType
    occurred_at: Moment
    location: Store
    lines: Annotated[list[TillLine], msgspec.Meta(min_length=1, max_length=LINES_MAX)]
    reference: Annotated[
        Text, msgspec.Meta(description="Of a return: the event of its sale. Of a transfer: its id.")
    ] = ""
    to_location: Annotated[Text, msgspec.Meta(description="Where a transfer is to arrive.")] = ""
    disposition: Annotated[Disposition, msgspec.Meta(description="Where goods go that came back.")] = "restock"


class TillEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happened at tills, as it comes: late, twice, in any order."""

    events: Annotated[list[TillEvent], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


class TillNews(News, frozen=True):
    """What a delivery of a till says: `events`, and nothing of what other channels tell."""

    events: Sequence[TillEvent] = ()


# --- what the hub says ------------------------------------------------------------------------------------------


class SaidLevel(msgspec.Struct, frozen=True):
    """What the hub shows of an article, None for one it does not know."""

    sku: str
    available: int | None = None


class SaidLevels(msgspec.Struct, frozen=True):
    """Some articles; `next` is where the next page begins, '' for none."""

    levels: list[SaidLevel] = []
    next: str = ""


class SaidResult(msgspec.Struct, frozen=True):
    """What became of one number: shown, stale (it shows one that was signed later) or refused."""

    sku: str
    status: Literal["shown", "stale", "refused"]
    available: int | None = None
    code: str = ""
    says: str = ""


class SaidResults(msgspec.Struct, frozen=True):
    """What became of a push, one result for each number, in order."""

    results: list[SaidResult]


def pushed_of(level: Level, said: SaidResult) -> Pushed:
    """What the hub made of a number."""
    listing = level.listing.listing
    if said.status == "shown":
        return Pushed(listing, "accepted", applied=True, shown=said.available)
    if said.status == "stale":
        return Pushed(listing, "stale", shown=said.available)
    return Pushed(listing, "refused", code=said.code or "refused", says=said.says)


def shown_of(said: SaidLevel) -> Shown:
    """What the hub shows."""
    return Shown(said.sku, said.available, said.sku)
