"""Takes out of an answer about stock what a limited key may not see."""

from typing import Any, Final

import msgspec
from starlette.responses import Response

from .errors import OutsideLimits
from .rights import Caller

JSON: Final = "application/json"

PLACES: Final = {"safety_stock": "location"}
"""Of what kind the `place` of a rule is, by the rule's kind; all others are for channels."""


def narrowed(answer: Response, caller: Caller) -> Response:
    """
    The answer without the rows of other channels and locations; totals stay what they are.

    Raises OutsideLimits for an answer that is not JSON: nobody could say what is in it.
    """
    if answer.headers.get("content-type", "").partition(";")[0] != JSON:
        raise OutsideLimits("this key has limits, and this answer can only be narrowed as JSON", where="header Accept")
    answer.body = msgspec.json.encode(_narrow(msgspec.json.decode(answer.body), caller))
    answer.headers["content-length"] = str(len(answer.body))
    return answer


def _narrow(value: Any, caller: Caller) -> Any:
    if isinstance(value, list):
        return [_narrow(item, caller) for item in value if _is_seen(item, caller)]
    if isinstance(value, dict):
        return {name: _narrow(_spread(name, inside, caller), caller) for name, inside in value.items()}
    return value


def _is_seen(item: Any, caller: Caller) -> bool:
    if not isinstance(item, dict):
        return True
    kind = PLACES.get(item.get("kind", ""), "channel")
    place = {kind: item["place"]} if "place" in item else {}
    row = {**item, **place}
    return _is_own(row.get("channel"), caller.channels) and _is_own(row.get("location"), caller.locations)


def _is_own(code: Any, own: frozenset[str] | None) -> bool:
    return not code or own is None or code in own


def _spread(name: str, inside: Any, caller: Caller) -> Any:
    """The one answer that has locations for names."""
    if name == "spread" and isinstance(inside, dict):
        return {code: units for code, units in inside.items() if caller.sees_location(code)}
    return inside
