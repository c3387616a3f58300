"""
Why an order went where it went, or was refused: what was decided then, beside how its locations rank now.

The answer is the one the allocator remembers. Rankings are computed with the config in force now and with the ship-to
the question names, since neither that config nor a ship-to is kept with an order.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from allocator import Placed, Reason, Take
from allocator.errors import Refusal

from .explaining import aligned, listed
from .problems import PROBLEMS


class RankingSaid(msgspec.Struct, frozen=True):
    """What one ranking says of a location, lower is better; None when it does not know."""

    ranking: str
    value: int | None


class LocationSaid(msgspec.Struct, frozen=True, kw_only=True):
    """
    One location of the seller in the decision.

    verdict and units: what the decision did with it then (lua/shared/tracing.lua), '' when it was not a candidate.
    removed: what keeps it from being a candidate now (allocator.Reason), '' when nothing does. tie: candidates of the
    same number are equally good, lower is better.
    """

    location: str
    verdict: str
    units: int
    removed: str
    tie: int | None
    rankings: list[RankingSaid]


class LineSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One line as it was answered; atp_now is known of lines that were refused, and -1 of others."""

    line: str
    sku: str
    units: int
    committed: int = 0
    shipped: int = 0
    backordered: int = 0
    takes: list[Take] = []
    atp_now: int = -1


class OrderExplained(msgspec.Struct, frozen=True, kw_only=True):
    """
    One attempt of an order: what was decided, and what every location had to do with it.

    outcome: accepted, or the slug of the problem it was answered with, whose facts are in `facts`. plan, hold and kind
    are those of an accepted order. ranked_with: the version of the config that locations were ranked with now.
    """

    channel: str
    external_id: str
    attempt: int
    outcome: str
    says: str
    kind: str
    plan: str
    hold: str
    placed_ms: int | None
    lines: list[LineSaid]
    locations: list[LocationSaid]
    facts: dict[str, Any]
    ranked_with: int


PLANS: Final = {
    "single": "one location could give all that could be had, and the best ranked of those does",
    "pair": "no single location could give as much, and this is the best pair",
    "triple": "no pair of locations could give as much, and this is the best triple",
    "greedy": "no three locations could give as much, so the one that covers most comes first",
    "none": "no location was needed or had anything",
}

VERDICTS: Final = {
    "taken": "taken",
    "not_needed": "had units, and was not needed",
    "left_out": "had units, and could not be combined within the split limit",
    "at_capacity": "had units, and no place left on the days it could be promised for",
    "nothing_open": "had nothing open for this channel",
    "inactive": "was inactive",
    "not_eligible": "was not one of the channel's locations",
}

REMOVALS: Final = {
    "not_listed": "not one of the channel's locations",
    "inactive": "inactive",
    "other_region": "in another region than the ship-to",
    "beyond_limit": "ranked behind the 15 that are passed on",
}

HOLDS: Final = {
    "used": "It took over its hold.",
    "unknown": "The hold it named was unknown.",
    "other_channel": "The hold it named was another channel's.",
}


# --- composing -------------------------------------------------------------------------------------------------


def explain_placed(placed: Placed, attempt: int, reasons: Sequence[Reason], version: int) -> OrderExplained:
    """The explanation of an accepted order."""
    trace = {row.location: (row.verdict, row.units) for row in placed.trace}
    return OrderExplained(
        channel=placed.channel,
        external_id=placed.external_id,
        attempt=attempt,
        outcome="accepted",
        says=_says_placed(placed),
        kind=placed.kind,
        plan=placed.plan,
        hold=placed.hold,
        placed_ms=placed.placed_ms,
        lines=[
            LineSaid(
                line=line.line,
                sku=line.sku,
                units=line.ordered,
                committed=line.committed,
                shipped=line.shipped,
                backordered=line.backordered,
                takes=line.takes,
            )
            for line in placed.lines
        ],
        locations=_locations(trace, reasons),
        facts={},
        ranked_with=version,
    )


def explain_refused(
    order: tuple[str, str, int], refused: Refusal, reasons: Sequence[Reason], version: int
) -> OrderExplained:
    """The explanation of an attempt (channel, external id, attempt) that was refused."""
    channel, external_id, attempt = order
    trace = {row["location"]: (row["verdict"], row["units"]) for row in refused.facts.get("trace", [])}
    return OrderExplained(
        channel=channel,
        external_id=external_id,
        attempt=attempt,
        outcome=PROBLEMS[type(refused)].slug,
        says=_says_refused(refused),
        kind="",
        plan="",
        hold="",
        placed_ms=None,
        lines=[LineSaid(**row) for row in refused.facts.get("lines", [])],
        locations=_locations(trace, reasons),
        facts=refused.facts,
        ranked_with=version,
    )


def _locations(trace: Mapping[str, tuple[str, int]], reasons: Sequence[Reason]) -> list[LocationSaid]:
    """Those the decision looked at in its own order, then the others as they rank now."""
    now = {reason.location: reason for reason in reasons}
    return [_location(code, trace, now.get(code)) for code in dict.fromkeys((*trace, *now))]


def _location(code: str, trace: Mapping[str, tuple[str, int]], reason: Reason | None) -> LocationSaid:
    verdict, units = trace.get(code, ("", 0))
    values = reason.values if reason else {}
    return LocationSaid(
        location=code,
        verdict=verdict,
        units=units,
        removed=reason.removed if reason else "not_listed",
        tie=reason.tie if reason else None,
        rankings=[RankingSaid(name, value) for name, value in values.items()],
    )


# --- sentences -------------------------------------------------------------------------------------------------


def _says_placed(placed: Placed) -> str:
    taken = [f"{row.location} ({row.units})" for row in placed.trace if row.units]
    waiting = sum(line.backordered for line in placed.lines)
    if placed.kind == "gone":
        return f"accepted: the goods had left {listed(taken)} already, so nothing was routed"
    routed = f"accepted: {listed(taken)} because {PLANS[placed.plan]}" if taken else "accepted"
    return f"{routed}; {waiting} units wait for stock" if waiting else routed


def _says_refused(refused: Refusal) -> str:
    facts = refused.facts
    lines = [row for row in facts.get("lines", []) if row["units"] > row["atp_now"]]
    if lines:
        wanted = [f"{row['units']} {row['sku']} where {row['atp_now']} could be promised" for row in lines]
        return f"refused: it asked for {listed(wanted)}"
    if "split_limit" in facts:
        limit = facts["split_limit"]
        places = "one location" if limit == 1 else f"{limit} locations"
        return f"refused: there were enough units, but not within {places}, which is the channel's split limit"
    return f"refused: {refused}"


# --- text ------------------------------------------------------------------------------------------------------


def order_text(said: OrderExplained) -> str:
    """The explanation for people: what was decided, the lines, the locations, and the sentence."""
    when = f", {said.kind}, {_when(said.placed_ms)}" if said.placed_ms is not None else ""
    parts = [
        [f"Order {said.external_id} of {said.channel}, attempt {said.attempt}{when}"],
        _lines(said.lines),
        _looked_at(said),
        _not_looked_at(said),
        [f"{said.says[0].upper()}{said.says[1:]}. {HOLDS.get(said.hold, _ended(said.hold))}".rstrip()],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _when(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _ended(hold: str) -> str:
    return f"The hold it named had ended: {hold}." if hold else ""


def _lines(lines: Sequence[LineSaid]) -> list[str]:
    if not lines:
        return []
    return ["Lines", *aligned([[line.line, line.sku, str(line.units), _fate(line)] for line in lines], left=2)]


def _fate(line: LineSaid) -> str:
    if line.atp_now >= 0:
        return f"{line.atp_now} could be promised"
    parts = [f"{take.units} from {take.location}{_sources(take)}" for take in line.takes]
    if line.backordered:
        parts.append(f"{line.backordered} backordered")
    return ", ".join(parts) or "nothing taken"


def _sources(take: Take) -> str:
    """Where the units came from, unless all of them were free for everybody."""
    said = [f"{part.units} {part.source}{_of(part.quota)}" for part in take.parts if part.source != "shared"]
    return f" ({', '.join(said)})" if said else ""


def _of(quota: str) -> str:
    return f" of {quota}" if quota else ""


def _looked_at(said: OrderExplained) -> list[str]:
    rows = [[row.location, _verdict(row), _ranked(row)] for row in said.locations if row.verdict]
    if not rows:
        return []
    title = f"Locations as they were tried; values and ties as config {said.ranked_with}, in force now, ranks them"
    return [title, *aligned(rows, left=3)]


def _verdict(row: LocationSaid) -> str:
    return f"{row.units} {VERDICTS[row.verdict]}" if row.units else VERDICTS[row.verdict]


def _ranked(row: LocationSaid) -> str:
    values = [f"{said.ranking} {'unknown' if said.value is None else said.value}" for said in row.rankings]
    return " · ".join([*values, *([] if row.tie is None else [f"tie class {row.tie + 1}"])])


def _not_looked_at(said: OrderExplained) -> list[str]:
    rows = [[row.location, REMOVALS.get(row.removed) or _ranked(row)] for row in said.locations if not row.verdict]
    if not rows:
        return []
    title = "Locations that were not tried" if said.outcome != "short" else "Locations, none of them tried"
    return [f"{title}, as config {said.ranked_with} ranks them now", *aligned(rows, left=2)]
