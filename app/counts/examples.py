"""Examples of what is said and answered about counts."""

from typing import Any, Final

from . import forms

_HEAD: Final = {"source": "erp", "meaning": "physical", "uncertainty_seconds": 120, "why": "night run"}
_LINES: Final = [
    {"sku": "CUP", "location": "oslo", "counted": 17, "seen_up_to": 6},
    {"sku": "PLATE", "location": "oslo", "counted": 5, "as_of": "2026-11-21T10:00:00Z"},
]
_COUNT: Final = {
    "id": "erp-4711",
    "kind": "lines",
    **_HEAD,
    "actor": "key:0d1e2f3a4b5c",
    "state": "applied",
    "lines": 2,
    "tally": {"applied": 1, "review": 1},
    "judged": 0,
    "figures": {},
    "made_ms": 1_795_258_675_219,
    "ended_ms": 1_795_258_675_302,
    "settled_by": "",
}
_RESULT: Final = {
    "line": 1,
    "sku": "CUP",
    "location": "oslo",
    "counted": 17,
    "as_of_ms": None,
    "seen_up_to": 6,
    "state": "applied",
    "why": "",
    "measured": 20,
    "difference": -3,
}
_REVIEW: Final = {
    "line": 2,
    "sku": "PLATE",
    "location": "oslo",
    "counted": 5,
    "as_of_ms": 1_795_255_200_000,
    "seen_up_to": None,
    "state": "review",
    "why": "movements_near",
    "measured": 6,
    "difference": None,
}
_SNAPSHOT: Final = {
    **_COUNT,
    "kind": "snapshot",
    "state": "parked",
    "lines": 120_000,
    "tally": {"waiting": 120_000},
    "judged": 120_000,
    "figures": {
        "places": 118_204,
        "zeroed": 61_430,
        "rows": 119_988,
        "changed": 62_711,
        "tenfold": 3,
        "parked": ["zeroed", "changed"],
    },
    "ended_ms": None,
}

COUNT_EXAMPLES: Final[dict[type, Any]] = {
    forms.CountAsked: {**_HEAD, "lines": _LINES},
    forms.SnapshotAsked: _HEAD,
    forms.PartAsked: {"lines": _LINES},
    forms.CloseAsked: {"parts": 120},
    forms.SettleAsked: {"lines": [2], "action": "apply"},
    forms.Count: _COUNT,
    forms.CountDone: {"count": _COUNT, "results": [_RESULT, _REVIEW], "replayed": False},
    forms.CountMade: {"count": _SNAPSHOT, "replayed": False},
    forms.CountPage: {"data": [_SNAPSHOT, _COUNT], "next_cursor": None},
    forms.CountLinePage: {"data": [_RESULT, _REVIEW], "next_cursor": None},
}
