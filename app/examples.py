"""One example for every body and every answer of the documentation; tests hold them to the types."""

from typing import Any, Final

from allocator import (
    Changed,
    Expired,
    Explained,
    Extended,
    Held,
    Hold,
    Moved,
    Order,
    Placed,
    Released,
)

from . import requests
from .answers import Alive, Explanation, Levels, Ready

_TAKE: Final = {
    "sku": "CUP",
    "location": "oslo",
    "units": 2,
    "picking": False,
    "parts": [{"source": "shared", "units": 2, "quota": ""}],
}
_LINE: Final = {
    "line": "1",
    "sku": "CUP",
    "ordered": 2,
    "committed": 2,
    "shipped": 0,
    "backordered": 0,
    "conflict": 0,
    "cancelled": 0,
    "returned": 0,
    "takes": [_TAKE],
}
_ORDER: Final = {
    "channel": "shop",
    "external_id": "1001",
    "kind": "promise",
    "state": "committed",
    "placed_ms": 1_795_258_675_219,
    "lines": [_LINE],
}
_CHANGED: Final = {name: _ORDER[name] for name in ("channel", "external_id", "state", "lines")}
_TRACE: Final = [
    {"location": "oslo", "verdict": "taken", "units": 2},
    {"location": "rome", "verdict": "not_needed", "units": 0},
]
_VERSIONS: Final = [{"sku": "CUP", "version": 7}]
_SHELF: Final = {
    "location": "oslo",
    "on_hand": 20,
    "unavailable": 1,
    "held": 2,
    "committed": 4,
    "available": 13,
    "safety_stock": 3,
    "free": 10,
    "own": 4,
    "shared": 6,
    "borrowable": 0,
    "open": 10,
    "deficit": 0,
    "quotas": [{"channel": "shop", "quota": 5, "consumed": 1, "floor": 0}],
}

EXAMPLES: Final[dict[type, dict[str, Any]]] = {
    requests.AvailabilityAsked: {"skus": ["CUP", "PLATE"], "channels": ["shop"]},
    requests.HoldAsked: {
        "channel": "shop",
        "lines": [{"sku": "CUP", "units": 2}],
        "owner": "cart-77",
        "ttl_seconds": 600,
    },
    requests.ExtendAsked: {"ttl_seconds": 900},
    requests.OrderAsked: {
        "lines": [{"sku": "CUP", "units": 2}],
        "hold": "cart-77-1",
        "ship_to": {"country": "NO", "region": "oslo"},
    },
    requests.PreviewAsked: {"channel": "shop", "lines": [{"sku": "CUP", "units": 2}]},
    requests.PickAsked: {"location": "oslo"},
    requests.ShipAsked: {"lines": [{"line": "1", "location": "oslo", "units": 2}]},
    requests.CancelAsked: {"lines": [{"line": "1", "units": 1}], "why": "the customer changed his mind"},
    requests.ReturnAsked: {"lines": [{"line": "1", "location": "oslo", "units": 1, "disposition": "restock"}]},
    requests.StockReturnAsked: {
        "lines": [{"sku": "CUP", "location": "oslo", "units": 1, "disposition": "quarantine"}],
        "why": "found at the door",
    },
    requests.ReceiveAsked: {"lines": [{"sku": "CUP", "location": "oslo", "units": 20}], "why": "delivery 4711"},
    requests.AdjustAsked: {"lines": [{"sku": "CUP", "location": "oslo", "units": -1}], "why": "broken at the shelf"},
    requests.UnavailableAsked: {
        "lines": [{"sku": "CUP", "location": "oslo", "units": 1}],
        "reason": "damaged",
        "direction": "in",
    },
    requests.SetQuotaAsked: {"sku": "CUP", "location": "oslo", "channel": "shop", "quota": 5, "floor": 1},
    requests.MoveQuotaAsked: {
        "sku": "CUP",
        "location": "oslo",
        "from_channel": "shop",
        "to_channel": "amazon",
        "units": 2,
    },
    Levels: {"levels": [{"sku": "CUP", "channel": "shop", "atp_now": 9, "published": 9, "version": 7}]},
    Explained: {
        "sku": "CUP",
        "channel": "shop",
        "version": 7,
        "overflow": "shared",
        "shelves": [_SHELF],
        "open": 10,
        "backordered": 0,
        "conflict": 0,
        "deficits": 0,
        "owed": 0,
        "pool": 10,
        "buffer": 1,
        "atp_now": 9,
        "cutoff": 2,
        "max_published": -1,
        "published": 9,
        "spread": {"oslo": 9},
        "rules": [
            {"kind": "buffer", "place": "shop", "rules": [{"scope": "global", "units": 1, "percent_bp": 500}]},
        ],
    },
    Held: {
        "hold_id": "cart-77-1",
        "deadline_ms": 1_795_259_275_219,
        "lines": [{"line": "1", "sku": "CUP", "units": 2, "held": 2}],
        "takes": [_TAKE],
        "plan": "single",
        "trace": _TRACE,
        "replaced": "",
        "versions": _VERSIONS,
        "replayed": False,
    },
    Hold: {
        "hold_id": "cart-77-1",
        "channel": "shop",
        "owner": "cart-77",
        "state": "open",
        "deadline_ms": 1_795_259_275_219,
        "takes": [_TAKE],
    },
    Extended: {"hold_id": "cart-77-1", "deadline_ms": 1_795_259_575_219, "replayed": False},
    Released: {"hold_id": "cart-77-1", "versions": _VERSIONS, "replayed": False},
    Placed: {
        **_ORDER,
        "hold": "used",
        "plan": "single",
        "trace": _TRACE,
        "versions": _VERSIONS,
        "replayed": False,
    },
    Order: _ORDER,
    Changed: {**_CHANGED, "versions": _VERSIONS, "replayed": False},
    Moved: {"versions": _VERSIONS, "replayed": False},
    Expired: {"hold_ids": [], "paused": False, "jump_ms": 0, "more": False},
    Alive: {"alive": True},
    Ready: {"ready": True, "store": "ok", "database": "ok", "clock": "ok"},
    Explanation: {
        "type": "/problems/short",
        "title": "Fewer units may be promised than are asked for",
        "status": 409,
        "when": "A hold or an order asks for more than the channel may promise now.",
        "do": "Ask for fewer units or with partial.",
    },
}
