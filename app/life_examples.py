"""Examples of what happens to an order before and after it is accepted."""

from typing import Any, Final

from allocator import Announced, KeptOrder, PendingOrder

from . import desk_forms, requests, return_forms

_PENDING: Final = {
    "channel": "shop",
    "external_id": "1002",
    "state": "pending",
    "reason": "payment",
    "kind": "promise",
    "hold_id": "pending:shop:1002:1",
    "deadline_ms": 1_795_345_075_219,
    "lines": [{"line": "1", "sku": "CUP", "units": 2, "held": 2}],
    "takes": [
        {
            "sku": "CUP",
            "location": "oslo",
            "units": 2,
            "picking": False,
            "parts": [{"source": "shared", "units": 2, "quota": ""}],
        }
    ],
    "terms": {"ship_complete": False, "country": "NO", "region": "oslo", "pickup": ""},
}
PROMISED: Final = {
    "ship_by_ms": 1_795_361_400_000,
    "deliver_by_ms": 1_795_561_199_000,
    "ship_complete": False,
    "country": "NO",
    "region": "oslo",
    "pickup": "",
    "locations": [
        {
            "location": "oslo",
            "day": "2026-11-23",
            "ship_by_ms": 1_795_361_400_000,
            "deliver_by_ms": 1_795_561_199_000,
            "shipped": False,
        }
    ],
}
ANNOUNCED: Final = {
    "return_id": "RMA-77",
    "revision": 1,
    "due_ms": 1_795_863_475_219,
    "location": "oslo",
    "why": "too small",
    "lines": [{"line": "1", "sku": "CUP", "units": 2, "arrived": 1, "expected": 1}],
}

LIFE_EXAMPLES: Final[dict[type, dict[str, Any]]] = {
    PendingOrder: _PENDING,
    KeptOrder: {
        **_PENDING,
        "plan": "single",
        "trace": [{"location": "oslo", "verdict": "taken", "units": 2}],
        "replaced": "",
        "versions": [{"sku": "CUP", "version": 8}],
        "replayed": False,
    },
    desk_forms.RejectAsked: {"location": "oslo", "reason": "not_found", "lines": [{"line": "1", "units": 1}]},
    desk_forms.ReasonsInForce: {
        "config": 12,
        "reasons": [
            {"code": "damaged", "name": "Damaged", "effect": "unavailable", "recount": False, "default": True},
            {"code": "no_staff", "name": "Nobody there to pick", "effect": "none", "recount": False, "default": False},
            {"code": "not_found", "name": "Not found", "effect": "zero", "recount": True, "default": True},
        ],
    },
    desk_forms.OrderMoveAsked: {"from_location": "oslo", "to_location": "bergen", "why": "the van to Oslo broke down"},
    requests.EditAsked: {
        "lines": [{"line": "1", "sku": "CUP", "units": 3}, {"line": "2", "sku": "PLATE", "units": 1}],
        "ship_to": {"country": "NO", "region": "bergen"},
        "replan": True,
        "why": "the customer moved",
    },
    requests.ExchangeAsked: {
        "lines": [{"line": "1", "location": "oslo", "units": 2, "disposition": "restock"}],
        "order": {"channel": "shop", "external_id": "1001-B", "lines": [{"sku": "PLATE", "units": 2}]},
        "why": "plates instead of cups",
    },
    Announced: {"channel": "shop", "external_id": "1001", "announced": ANNOUNCED, "replayed": False},
    return_forms.AnnounceAsked: {
        "revision": 1,
        "lines": [{"line": "1", "units": 2}],
        "location": "oslo",
        "due_ms": 1_795_863_475_219,
        "why": "too small",
    },
    requests.ReturnAsked: {"lines": [{"line": "1", "location": "oslo", "units": 1, "disposition": "restock"}]},
    requests.StockReturnAsked: {
        "lines": [{"sku": "CUP", "location": "oslo", "units": 1, "disposition": "quarantine"}],
        "why": "found at the door",
    },
}
