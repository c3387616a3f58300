"""
The way to one channel's number, told to the people of a shop: what lies where, what is kept back and by which rule.

Every figure is one the allocator decided with; nothing is computed here but sums of what is shown.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from allocator import Explained
from allocator.explanation import RuleChoice, RuleSaid, Shelf

COLUMNS: Final = (
    *("location", "on hand", "unavailable", "held", "committed", "available", "safety"),
    *("free", "own", "shared", "borrowable", "open"),
)

NAMES: Final = {
    "safety_stock": "safety stock",
    "buffer": "buffer",
    "cutoff": "cutoff",
    "max_published": "cap on the published number",
}

OVERFLOWS: Final = {
    "none": "it sells its own quotas only",
    "shared": "it sells its own quotas and what no quota covers",
    "borrow": "it sells its own quotas, what no quota covers, and others' quotas above their floor",
}


def availability_text(said: Explained) -> str:
    """All steps of ATP as text, ending in one sentence."""
    parts = [
        [f"{said.sku} for {said.channel}, version {said.version}: {OVERFLOWS[said.overflow]}"],
        _shelves(said.shelves),
        _quotas(said.shelves),
        _on_their_way(said.shelves),
        _steps(said),
        _rules(said.rules),
        [sentence(said)],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def aligned(rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Rows as text with columns under one another, the first `left` ones to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(_padded(cell, width, number < left) for number, (cell, width) in enumerate(cells)).rstrip()
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def _padded(cell: str, width: int, to_left: bool) -> str:
    return cell.ljust(width) if to_left else cell.rjust(width)


def listed(words: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


# --- shelves and quotas ----------------------------------------------------------------------------------------


def _shelves(shelves: Sequence[Shelf]) -> list[str]:
    if not shelves:
        return ["  no location that it may sell from"]
    rows = [[shelf.location, *map(str, _figures(shelf))] for shelf in shelves]
    if len(shelves) > 1:
        rows.append(["together", *(str(sum(column)) for column in zip(*map(_figures, shelves), strict=True))])
    return aligned([COLUMNS, *rows])


def _figures(shelf: Shelf) -> tuple[int, ...]:
    return (
        *(shelf.on_hand, shelf.unavailable, shelf.held, shelf.committed, shelf.available, shelf.safety_stock),
        *(shelf.free, shelf.own, shelf.shared, shelf.borrowable, shelf.open),
    )


def _quotas(shelves: Sequence[Shelf]) -> list[str]:
    rows = [
        f"  {shelf.location}: {quota.quota} for {quota.channel}, {quota.consumed} of them consumed"
        + (f", {quota.floor} never lent" if quota.floor else "")
        for shelf in shelves
        for quota in shelf.quotas
    ]
    return ["Ring-fenced", *rows] if rows else []


def _on_their_way(shelves: Sequence[Shelf]) -> list[str]:
    rows = [f"  {shelf.in_transit} to {shelf.location}" for shelf in shelves if shelf.in_transit]
    return ["In transit, counted nowhere until they arrive", *rows] if rows else []


# --- steps -----------------------------------------------------------------------------------------------------


def _steps(said: Explained) -> list[str]:
    owed = f"backordered {said.backordered}, in conflict {said.conflict}, deficits {said.deficits}"
    rows = [
        ["open at all locations", str(said.open), ""],
        ["owed to earlier orders", _less(said.owed), owed if said.owed else ""],
        ["pool", str(said.pool), _cut(said.open - said.owed, "never less than 0")],
        ["buffer", _less(said.buffer), _winner(said.rules, "buffer")],
        ["may be promised now (atp_now)", str(said.atp_now), _cut(said.pool - said.buffer, "never less than 0")],
        ["cutoff", str(said.cutoff) if said.cutoff else "none", _published_zero(said)],
        ["cap", "none" if said.max_published < 0 else str(said.max_published), _winner(said.rules, "max_published")],
        ["published", str(said.published), ""],
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"  {name.ljust(widths[0])}  {figure.rjust(widths[1])}  {note}".rstrip() for name, figure, note in rows]
    return [*lines, *_spread(said.spread)]


def _less(units: int) -> str:
    return f"-{units}" if units else "0"


def _cut(units: int, why: str) -> str:
    return why if units < 0 else ""


def _published_zero(said: Explained) -> str:
    if said.atp_now and said.cutoff and said.atp_now <= said.cutoff:
        return f"{said.atp_now} is not more than that, so 0 is published"
    return _winner(said.rules, "cutoff")


def _winner(rules: Iterable[RuleChoice], kind: str) -> str:
    won = [choice.rules[0] for choice in rules if choice.kind == kind and choice.rules]
    return _said(won[0]) if won else ""


def _spread(spread: dict[str, int]) -> list[str]:
    shown = [f"{location} {units}" for location, units in spread.items() if units]
    return [f"  shown by location: {', '.join(shown)}"] if shown else []


# --- rules -----------------------------------------------------------------------------------------------------


def _rules(rules: Sequence[RuleChoice]) -> list[str]:
    spoken = [choice for choice in rules if choice.rules]
    return ["Rules, the most specific wins", *(f"  {_choice(choice)}" for choice in spoken)] if spoken else []


def _choice(choice: RuleChoice) -> str:
    winner, *losers = choice.rules
    place = "at" if choice.kind == "safety_stock" else "for"
    lost = f"; lost: {', '.join(map(_said, losers))}" if losers else ""
    return f"{NAMES[choice.kind]} {place} {choice.place}: {_said(winner)}{lost}"


def _said(rule: RuleSaid) -> str:
    return f"{_value(rule)} ({rule.scope})"


def _value(rule: RuleSaid) -> str:
    if not rule.percent_bp:
        return str(rule.units)
    percent = f"{rule.percent_bp / 100:g} %"
    return f"{percent}, at least {rule.units}" if rule.units else percent


# --- the sentence ----------------------------------------------------------------------------------------------


def sentence(said: Explained) -> str:
    """What the channel may promise and is told, and what made the difference."""
    promise = f"{said.channel} may promise {said.atp_now} {said.sku}"
    return f"{promise}: {_why(said) if said.atp_now else _why_nothing(said)}; {_told(said)}."


def _why(said: Explained) -> str:
    places = listed([shelf.location for shelf in said.shelves if shelf.open])
    steps = [f"{said.open} open at {places}"]
    if said.owed:
        steps.append(f"{said.owed} owed to earlier orders")
    if said.buffer:
        steps.append(f"{said.buffer} kept back as its buffer")
    return ", less ".join([steps[0], " and ".join(steps[1:])]) if steps[1:] else steps[0]


def _why_nothing(said: Explained) -> str:
    if said.pool:
        return f"its buffer keeps back all {said.pool}"
    if said.open:
        return f"the {said.open} open ones are owed to earlier orders"
    return _why_closed(said.shelves, said.overflow)


def _why_closed(shelves: Sequence[Shelf], overflow: str) -> str:
    if not shelves:
        return "there is no location that it may sell from"
    if not any(shelf.on_hand for shelf in shelves):
        return "no unit is on hand where it may sell from"
    if not any(shelf.available > 0 for shelf in shelves):
        return "every unit on hand is held, committed or unavailable"
    if not any(shelf.free for shelf in shelves):
        return "every unit available is kept as safety stock, or its location is inactive"
    if overflow == "none":
        return "it sells its own ring-fence only, and there is none left of it"
    return "every free unit is ring-fenced for other channels"


def _told(said: Explained) -> str:
    if said.published == said.atp_now:
        return f"it is told {said.published}"
    if said.published == 0 and said.atp_now <= said.cutoff:
        return f"it is told 0, because its cutoff is {said.cutoff}"
    return f"it is told {said.published}, its cap"
