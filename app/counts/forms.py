"""What callers send and get about counts."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from allocator import Code, Sku
from app.history_forms import Cursor
from app.key_forms import PageSize
from app.requests import Asked, Text
from app.store.counts import CountFacts, LineFacts
from app.times import ms_of

LINES_MAX: Final = 1_000
"""Most lines of one request."""

PARTS_MAX: Final = 99_999

Meaning = Literal["physical", "net_of_reserved", "net_of_open_orders"]
Action = Literal["apply", "discard"]

CountId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Units = Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000, description="Whole units; below 0 only net.")]
Version = Annotated[
    int, msgspec.Meta(ge=0, le=2**53, description="The sku's newest version that the sender has booked.")
]
Moment = Annotated[datetime, msgspec.Meta(tz=True, description="When it was counted, with its zone.")]
Uncertainty = Annotated[int, msgspec.Meta(ge=0, le=86_400, description="How far the sender's clock may be off.")]
CountWhy = Annotated[
    str, msgspec.Meta(max_length=180, pattern=r"^[^\x00-\x1f\x7f]*\Z", description="Kept in the ledger.")
]


class CountPath(Asked, frozen=True, kw_only=True):
    """A count, by the Idempotency-Key under which it was sent."""

    count_id: CountId


class PartPath(CountPath, frozen=True, kw_only=True):
    """A part of a snapshot; parts are numbered from 1."""

    part: Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,4}\Z", description="A whole number from 1.")]


class CountsQuery(Asked, frozen=True, kw_only=True):
    """Which counts, newest first; '' does not choose."""

    source: Text = ""
    state: Text = ""
    limit: PageSize = 100
    cursor: Cursor = ""


class CountLinesQuery(Asked, frozen=True, kw_only=True):
    """Which lines of a count, in their order; '' does not choose."""

    state: Text = ""
    limit: PageSize = 100
    cursor: Cursor = ""


class PlaceCounted(Asked, frozen=True, kw_only=True):
    """
    What lies at one place.

    With `seen_up_to` it is exact; with `as_of` alone movements close to it need a person; with neither it is compared
    with what the source said before.
    """

    sku: Sku
    location: Code
    counted: Units
    as_of: Moment | None = None
    seen_up_to: Version | None = None


Places = Annotated[list[PlaceCounted], msgspec.Meta(min_length=1, max_length=LINES_MAX)]


class CountHead(Asked, frozen=True, kw_only=True):
    """Who counts, and what the numbers mean: what lies there, or that less what is reserved, or less open orders."""

    source: Code
    meaning: Meaning = "physical"
    uncertainty_seconds: Uncertainty = 120
    why: CountWhy = ""


class CountAsked(CountHead, frozen=True, kw_only=True):
    """A count of some places, decided at once."""

    lines: Places


class SnapshotAsked(CountHead, frozen=True, kw_only=True):
    """A count of any size, which is sent in parts and held against the brakes before it has an effect."""


class PartAsked(Asked, frozen=True, kw_only=True):
    """Lines of a snapshot."""

    lines: Places


class CloseAsked(Asked, frozen=True, kw_only=True):
    """How many parts there are, so that a snapshot that was cut short is noticed."""

    parts: Annotated[int, msgspec.Meta(ge=1, le=PARTS_MAX)]


class SettleAsked(Asked, frozen=True, kw_only=True):
    """What is to become of lines in review, by their numbers."""

    lines: Annotated[list[Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(min_length=1, max_length=LINES_MAX)]
    action: Action


class CountLine(msgspec.Struct, frozen=True, kw_only=True):
    """
    One line of a count and what became of it: waiting, applying, applied, unchanged, older, review, refused, discarded.

    measured: the number that was expected; difference: what is booked. why: of review or refused.
    """

    line: int
    sku: str
    location: str
    counted: int
    as_of_ms: int | None
    seen_up_to: int | None
    state: str
    why: str
    measured: int | None
    difference: int | None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """
    A count: open (parts may come), deciding, parked, applying, applied or discarded.

    tally: lines by state. judged: lines of a snapshot that were held against the brakes; figures: what came of it.
    """

    id: str
    kind: str
    source: str
    meaning: str
    uncertainty_seconds: int
    why: str
    actor: str
    state: str
    lines: int
    tally: dict[str, int]
    judged: int
    figures: dict[str, Any]
    made_ms: int
    ended_ms: int | None
    settled_by: str


class CountDone(msgspec.Struct, frozen=True, kw_only=True):
    """A count of some places, and a result for each. `replayed`: it was sent before."""

    count: Count
    results: list[CountLine]
    replayed: bool


class CountMade(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as it stands. `replayed`: this was asked before."""

    count: Count
    replayed: bool


class CountPage(msgspec.Struct, frozen=True):
    """Some counts; next_cursor is null on the last page."""

    data: list[Count]
    next_cursor: str | None


class CountLinePage(msgspec.Struct, frozen=True):
    """Some lines of a count; next_cursor is null on the last page."""

    data: list[CountLine]
    next_cursor: str | None


def shown_count(facts: CountFacts, tally: dict[str, int]) -> Count:
    """A count for the outside."""
    return Count(
        id=facts.id,
        kind=facts.kind,
        source=facts.source,
        meaning=facts.meaning,
        uncertainty_seconds=facts.uncertainty_ms // 1_000,
        why=facts.why,
        actor=facts.actor,
        state=facts.state,
        lines=facts.lines,
        tally=dict(sorted(tally.items())),
        judged=facts.judged,
        figures=facts.figures,
        made_ms=facts.made_ms,
        ended_ms=facts.ended_ms,
        settled_by=facts.settled_by,
    )


def shown_line(facts: LineFacts) -> CountLine:
    """A line for the outside."""
    return CountLine(
        line=facts.number,
        sku=facts.sku,
        location=facts.location,
        counted=facts.counted,
        as_of_ms=facts.as_of_ms,
        seen_up_to=facts.seen_up_to,
        state=facts.state,
        why=facts.why,
        measured=facts.measured,
        difference=facts.difference,
    )


def lines_of(asked: list[PlaceCounted], first: int = 1) -> list[LineFacts]:
    """Lines as they are kept, numbered from `first` on."""
    return [
        LineFacts(
            number=number,
            sku=line.sku,
            location=line.location,
            counted=line.counted,
            as_of_ms=None if line.as_of is None else ms_of(line.as_of),
            seen_up_to=line.seen_up_to,
        )
        for number, line in enumerate(asked, first)
    ]
