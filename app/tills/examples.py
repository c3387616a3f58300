"""Examples of what tills send and are told."""

from typing import Any, Final

from channels.pos import TillEvents

from . import forms

_SALE: Final = {
    "event_id": "till3-20261122-0007",
    "type": "sale",
    "occurred_at": "2026-11-22T10:00:00Z",
    "location": "oslo",
    "lines": [{"sku": "CUP", "quantity": "1"}],
    "reference": "till 3/1234",
    "to_location": "",
    "disposition": "restock",
}
_COUNT: Final = {
    "event_id": "till3-20261122-0008",
    "type": "count",
    "occurred_at": "2026-11-22T10:30:00Z",
    "location": "oslo",
    "lines": [{"sku": "PLATE", "quantity": "4"}],
    "reference": "",
    "to_location": "",
    "disposition": "restock",
}

TILL_EXAMPLES: Final[dict[type, Any]] = {
    TillEvents: {"events": [_SALE, _COUNT]},
    forms.EventResults: {
        "results": [
            {
                "event_id": "till3-20261122-0007",
                "status": "applied",
                "code": "",
                "says": "",
                "available_after": {"CUP": "9"},
            },
            {
                "event_id": "till3-20261122-0008",
                "status": "rejected",
                "code": "unknown_sku",
                "says": "there is no sku PLATE: add it, and send the event again",
                "available_after": {},
            },
        ]
    },
    forms.Feed: {
        "rows": [{"sku": "CUP", "available": "9", "published": "9", "version": 3}],
        "next": "WyJmcm9tIiwiMTc5NTI1ODY3NTIxOS0wIiwiIl0",
        "more": False,
        "reset": False,
    },
}
