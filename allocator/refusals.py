"""From a script's outcome word and packed facts to the error that says it."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import to_builtins

from . import answers, errors
from .model import Placed
from .records import decode_answer

_RETURNED = ("line", "expected", "returnable")
_LINE = ("line", "sku", "units", "atp_now")


def _lines(rows: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(_LINE, row, strict=True)) for row in rows]


def _trace(rows: list[Any]) -> list[dict[str, Any]]:
    return [to_builtins(one) for one in answers.traced(rows)]


def _named(*names: str) -> Callable[[list[Any]], dict[str, Any]]:
    return lambda facts: dict(zip(names, facts, strict=True))


def _routed(facts: list[Any]) -> dict[str, Any]:
    return {"split_limit": facts[0], "lines": _lines(facts[1]), "trace": _trace(facts[2])}


FACTS: dict[str, Callable[[list[Any]], dict[str, Any]]] = {
    "invalid": _named("what"),
    "not_ready": _named("epoch_found", "why"),
    "frozen": _named("sku", "evidence"),
    "checking": _named("sku"),
    "stale_config": _named("version"),
    "op_conflict": _named("op"),
    "ask_history": _named("what", "id"),
    "short": lambda facts: {"lines": _lines(facts)},
    "at_capacity": _routed,
    "unroutable": _routed,
    "unknown_sku": lambda facts: {"skus": facts},
    "unknown_location": lambda facts: {"locations": facts},
    "unknown_channel": _named("channel"),
    "unknown_hold": _named("hold"),
    "unknown_order": _named("order"),
    "unknown_line": _named("line"),
    "hold_ended": _named("hold", "state"),
    "accepted": _named("order"),
    "not_enough": _named("sku", "location", "units"),
    "over_limit": _named("sku", "location", "units"),
    "incomplete": _named("line", "units"),
    "pick_started": _named("line", "units"),
    "not_shipped": _named("line", "units"),
    "superseded": _named("return_id", "revision"),
    "too_many_returns": lambda facts: {"lines": [dict(zip(_RETURNED, row, strict=True)) for row in facts]},
    "has_left": _named("order"),
    "other_sku": _named("line", "sku"),
    "not_committed": _named("line", "location", "units"),
    "changed_meanwhile": _named("what", "id"),
}
"""What the facts of each refusal are called."""

ERRORS: dict[str, type[errors.AllocatorError]] = {
    "invalid": errors.Invalid,
    "not_ready": errors.NotReady,
    "frozen": errors.Frozen,
    "checking": errors.Checking,
    "stale_config": errors.StaleConfig,
    "ask_history": errors.HistoryAway,
    **errors.REFUSALS,
}
"""Outcome words that are refusals."""

DETAIL: Final = {"invalid": "what", "not_ready": "why"}
"""The fact that says it better than the error's own title, if it is there."""


def refusal(word: str, packed: bytes, *, replayed: bool, op: str = "") -> errors.AllocatorError:
    """The error for this outcome, which `op` remembers; nobody may rely on that for an unknown hold."""
    facts = FACTS[word](answers.unpack(packed))
    error = ERRORS[word](str(facts.get(DETAIL.get(word, ""), "")), facts, replayed=replayed)
    if isinstance(error, errors.Refusal) and word != "unknown_hold":
        error.op = op
    return error


def placed_or_refused(channel: str, external_id: str, packed: bytes) -> Placed:
    """What an attempt of an order was answered, as it is remembered. Raises the refusal, if it was one."""
    remembered = decode_answer(packed)
    if remembered.word in ERRORS:
        raise refusal(remembered.word, remembered.answer, replayed=True)
    return answers.placed(channel, external_id, remembered.answer, replayed=True)
