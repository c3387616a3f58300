"""Examples of what is answered about what happened."""

from typing import Any, Final

from . import history_forms

_POSITION: Final = {"id": "1795258675219-0"}
_EFFECT: Final = {
    "entry": 4711,
    "at_ms": 1_795_258_675_219,
    "verb": "order",
    "op": "order:shop:10001:1",
    "actor": "key:0d1e2f3a4b5c",
    "why": "promise",
}
_MOVE: Final = {
    **_EFFECT,
    "sku": "CUP",
    "version": 8,
    "location": "oslo",
    "bucket": "committed",
    "of": "",
    "units": 2,
}


def history_examples(order: dict[str, Any]) -> dict[type, Any]:
    """By type; `order` is what one order looks like."""
    return {
        history_forms.OrderPage: {"data": [order], "next_cursor": None, "position": _POSITION},
        history_forms.MovePage: {"data": [_MOVE], "next_cursor": None, "position": _POSITION},
        history_forms.Story: {"steps": [{**_EFFECT, "moves": [_MOVE]}], "position": _POSITION},
    }
