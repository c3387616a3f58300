"""Reads a script's arguments as its header states them, or says that they are nonsense."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.allocator.oracle_arguments_cursor import CODE, ID, SKU, UNITS, Cursor, Nonsense
from tests.allocator.oracle_terms import Asked, terms_or_none


def flag(cursor: Cursor) -> bool:
    return cursor.whole(0, 1) == 1


def texts(most: int, least: int, count: int) -> Callable[[Cursor], list[str]]:
    return lambda cursor: cursor.many(least, count, lambda one: one.text(most))


def text(most: int) -> Callable[[Cursor], str]:
    return lambda cursor: cursor.text(most)


def optional(most: int) -> Callable[[Cursor], str]:
    return lambda cursor: cursor.optional(most)


def whole(least: int, most: int) -> Callable[[Cursor], int]:
    return lambda cursor: cursor.whole(least, most)


def candidates(cursor: Cursor) -> list[tuple[str, int]]:
    """In rank order, each once."""
    try:
        said = json.loads(cursor.text(8_000))
    except ValueError:
        raise Nonsense("not JSON") from None
    if not isinstance(said, list) or len(said) % 2 or len(said) > 30:
        raise Nonsense(f"not a ranking: {said!r}")
    inner = Cursor(said)
    ranked = {inner.text(CODE): inner.whole(0, 10_000) for _ in said[::2]}
    if len(ranked) < len(said) / 2:
        raise Nonsense("a location is named twice")
    return list(ranked.items())


def ranking_or_none(cursor: Cursor) -> list[tuple[str, int]] | None:
    if cursor.rest and cursor.rest[0] in {"", b""}:
        cursor.next()
        return None
    return candidates(cursor)


def waiting_order(cursor: Cursor) -> list[Any] | None:
    """The order that a hold is for, while its payment or check is pending."""
    external_id, reason = cursor.optional(ID), cursor.optional(CODE)
    kind, print_ = cursor.choice("promise", "firm"), cursor.optional(16)
    if external_id and (not reason or len(print_.encode()) != 16):
        raise Nonsense("an order without its reason or its fingerprint")
    return [external_id, reason, kind, print_] if external_id else None


def said_terms(cursor: Cursor) -> tuple[str, Asked | None]:
    """What that order asks for besides units, and the text that says so."""
    text = cursor.rest[0] if cursor.rest else ""
    return (text.decode() if isinstance(text, bytes) else str(text)), terms_or_none(cursor)


def mode(cursor: Cursor) -> str:
    """What a preview is to read otherwise comes behind it: here nothing."""
    said = cursor.choice("take", "preview")
    if said == "preview":
        cursor.whole(0, 0)
    return said


def edited_lines(cursor: Cursor) -> list[tuple[str, str, int]]:
    lines = cursor.many(0, 1_500, lambda one: (one.text(ID), one.text(SKU), one.whole(0, UNITS)))
    if len({line for line, _, _ in lines}) < len(lines):
        raise Nonsense("a line is named twice")
    return lines


def demand_lines(cursor: Cursor) -> list[tuple[str, str, int]]:
    lines = cursor.many(1, 1_500, lambda one: (one.text(ID), one.text(SKU), one.whole(1, UNITS)))
    if len({line for line, _, _ in lines}) < len(lines):
        raise Nonsense("a line is named twice")
    return lines


def stock_lines(least: int) -> Callable[[Cursor], list]:
    return lambda cursor: cursor.many(1, 500, lambda one: (one.text(SKU), one.text(CODE), one.whole(least, UNITS)))


def corrections(cursor: Cursor) -> list:
    lines = stock_lines(-UNITS)(cursor)
    if any(units == 0 for _, _, units in lines):
        raise Nonsense("a correction of nothing")
    return lines


def sent_lines(cursor: Cursor) -> list:
    return cursor.many(1, 500, lambda one: (one.text(SKU), one.whole(1, UNITS)))


def arrived_lines(cursor: Cursor) -> list:
    lines = cursor.many(1, 500, lambda one: (one.text(SKU), one.whole(0, UNITS), one.whole(0, UNITS)))
    if any(arrived + lost == 0 for _, arrived, lost in lines):
        raise Nonsense("an arrival of nothing")
    return lines


def returned_lines(cursor: Cursor) -> list:
    words = ("restock", "quarantine", "scrap")
    return cursor.many(1, 500, lambda one: (one.text(ID), one.text(CODE), one.whole(1, UNITS), one.choice(*words)))


def announced_lines(cursor: Cursor) -> list:
    lines = cursor.many(0, 500, lambda one: (one.text(ID), one.whole(0, UNITS)))
    if len({line for line, _ in lines}) < len(lines):
        raise Nonsense("a line is named twice")
    return lines


def unit_lines(cursor: Cursor) -> list:
    return cursor.many(0, 500, lambda one: (one.text(ID), one.whole(1, UNITS)))


def distinct_orders(cursor: Cursor) -> list[str]:
    ids = cursor.many(1, 100, lambda one: one.text(ID + CODE))
    if len(set(ids)) < len(ids):
        raise Nonsense("an order is named twice")
    return ids


def only_locations(cursor: Cursor) -> set[str] | None:
    """Nothing said: all the channel has. None named: none."""
    count = cursor.whole_or_none(0, 100)
    return None if count is None else {cursor.text(CODE) for _ in range(count)}


def print_of(cursor: Cursor) -> str:
    """The request's, and behind it what SQL does not know, which decides nothing here."""
    said = cursor.text(19)
    if len(said.encode()) < 16 or not re.fullmatch("a?h?o?", said[16:]):
        raise Nonsense("the fingerprint is not 16 bytes")
    return said[:16]


OP = {"op": text(ID + CODE + 32), "fingerprint": print_of, "actor": optional(128)}
CHANGE = {**OP, "order_id": text(ID + CODE)}
READ = {"owner": optional(ID), "locations": only_locations}
QUOTA = {**OP, "why": optional(256), "sku": text(SKU), "location": text(CODE)}
TRANSFER = {**OP, "why": optional(256), "transfer": text(CODE)}
ARGUMENTS: dict[str, dict[str, Callable[[Cursor], Any]]] = {
    "receive": {**OP, "why": optional(256), "lines": stock_lines(1)},
    "adjust": {**OP, "why": text(256), "lines": corrections},
    "count": {**OP, "why": text(256), "lines": corrections},
    "unavailable": {
        **OP,
        "reason": text(CODE),
        "direction": lambda cursor: cursor.choice("in", "out"),
        "lines": stock_lines(1),
    },
    "set_quota": {**QUOTA, "channel": text(CODE), "quota": whole(0, UNITS), "floor": whole(0, UNITS)},
    "move_quota": {**QUOTA, "giver": text(CODE), "taker": text(CODE), "units": whole(1, UNITS)},
    "transfer_out": {**TRANSFER, "giver": text(CODE), "taker": text(CODE), "lines": sent_lines},
    "transfer_in": {**TRANSFER, "location": text(CODE), "at": text(CODE), "lines": arrived_lines},
    "hold": {
        **OP,
        "hold_id": text(ID),
        "channel": text(CODE),
        "owner": optional(ID),
        "replaces": optional(ID),
        "ttl_ms": whole(1, 10**10),
        "partial": flag,
        "claims": lambda cursor: cursor.choice("promise", "firm", "none"),
        "order": waiting_order,
        "said": said_terms,
        "candidates": candidates,
        "lines": demand_lines,
    },
    "extend": {**OP, "hold_id": text(ID), "ttl_ms": whole(1, 10**10)},
    "release": {**OP, "hold_id": text(ID)},
    "expire": {
        "elapsed_ms": lambda cursor: cursor.whole_or_none(0, 10**12),
        "accept": flag,
        "limit": whole(1, 100),
    },
    "order": {
        **OP,
        "mode": mode,
        "channel": text(CODE),
        "external_id": text(ID),
        "kind": lambda cursor: cursor.choice("promise", "firm", "gone"),
        "hold_id": optional(ID),
        "pending": optional(ID),
        "partial": flag,
        "candidates": candidates,
        "terms": terms_or_none,
        "lines": demand_lines,
    },
    "pick": {**CHANGE, "location": optional(CODE)},
    "ship": {
        **CHANGE,
        "lines": lambda cursor: cursor.many(0, 500, lambda one: (one.text(ID), one.text(CODE), one.whole(1, UNITS))),
    },
    "cancel": {
        **CHANGE,
        "why": optional(256),
        "picked": flag,
        "pending": optional(CODE + ID + 1),
        "lines": lambda cursor: cursor.many(0, 1_500, lambda one: (one.text(ID), one.whole_or_none(1, UNITS))),
    },
    "reject": {
        **CHANGE,
        "location": text(CODE),
        "reason": text(CODE),
        "effect": lambda cursor: cursor.choice("none", "less", "zero", "unavailable"),
        "recount": flag,
        "rejects_max": whole(1, 100),
        "candidates": candidates,
        "lines": unit_lines,
    },
    "move": {**CHANGE, "why": optional(256), "origin": optional(CODE), "to": text(CODE), "lines": unit_lines},
    "rescue": {"sku": text(SKU), "location": text(CODE), "orders": distinct_orders},
    "edit": {
        **CHANGE,
        "why": optional(256),
        "strict": ranking_or_none,
        "relaxed": ranking_or_none,
        "replan": flag,
        "partial": flag,
        "lines": edited_lines,
    },
    "return_units": {
        **OP,
        "order_id": optional(ID + CODE),
        "why": optional(256),
        "return_id": optional(ID),
        "lines": returned_lines,
    },
    "announce_return": {
        **CHANGE,
        "why": optional(256),
        "return_id": text(ID),
        "revision": whole(1, 10**13 - 1),
        "location": optional(CODE),
        "due_ms": lambda cursor: cursor.whole_or_none(1, 10**13 - 1),
        "lines": announced_lines,
    },
    "exchange": {
        **CHANGE,
        "why": optional(256),
        "returned": returned_lines,
        "channel": text(CODE),
        "external_id": text(ID),
        "kind": lambda cursor: cursor.choice("promise", "firm", "gone"),
        "candidates": candidates,
        "lines": demand_lines,
    },
    "serve": {"sweep": flag, "skus": whole(1, 100), "lines": whole(1, 100)},
    "availability": {**READ, "channels": texts(CODE, 1, 100), "skus": texts(SKU, 1, 100), "overlay": whole(0, 0)},
    "explain": {**READ, "channel": text(CODE), "sku": text(SKU)},
    "configure": {
        **OP,
        "base": optional(16),
        "version": whole(1, 10**12),
        "fields": lambda cursor: cursor.many(0, 1_000, lambda one: (one.text(SKU + 16), one.raw())),
        "skus": texts(SKU, 0, 1_000),
    },
}
"""What follows epoch, config and now_ms, verb by verb."""


def read(verb: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """The named arguments; what only the verb itself needs is under `own`. Raises Nonsense."""
    cursor = Cursor(arguments)
    head = {"epoch": cursor.text(64), "config": cursor.optional(16), "now_ms": cursor.whole_or_none(0, 10**13 - 1)}
    values = {name: take(cursor) for name, take in ARGUMENTS[verb].items()}
    if cursor.rest:
        raise Nonsense("too many arguments")
    if verb == "move" and values["origin"] == values["to"]:
        raise Nonsense("units move to another location")
    if "giver" in values and values["giver"] == values["taker"]:
        raise Nonsense("quotas and units move to another place")
    if verb == "edit" and not (values["lines"] or values["replan"]) and values["strict"] is values["relaxed"] is None:
        raise Nonsense("nothing is to change")
    if verb == "return_units" and values["return_id"] and not values["order_id"]:
        raise Nonsense("a return that is named is of an order")
    own = {name: value for name, value in values.items() if name not in OP}
    return {**head, **{name: value for name, value in values.items() if name in OP}, "own": own}
