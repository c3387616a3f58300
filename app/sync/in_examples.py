"""Examples of orders from channels."""

from typing import Any, Final

from .in_words import (
    Errand,
    ErrandPage,
    HeardOrder,
    HeardPage,
    PullAsked,
    Pulled,
    ReplayErrands,
    ReplayOrders,
    Woken,
)

_HEARD: Final = {
    "channel": "shop",
    "external_id": "5001",
    "state": "parked",
    "code": "unknown_listing",
    "says": "it sells 720/734 (TEE), which is no listing of shop: map it (PUT /v1/listings/…)",
    "revision": 1_795_258_675_000,
    "taken": -1,
    "ask": False,
    "attempts": 0,
    "due_ms": 1_795_258_676_011,
    "via": "hook",
    "placed_ms": 1_795_258_675_000,
    "heard_ms": 1_795_258_675_810,
    "taken_ms": 0,
}
_ERRAND: Final = {
    "key": "ship:48211:oslo",
    "kind": "ship",
    "external_id": "5001",
    "state": "done",
    "code": "",
    "says": "",
    "attempts": 0,
    "due_ms": 1_795_262_275_219,
    "made_ms": 1_795_262_275_219,
    "done_ms": 1_795_262_275_904,
}

IN_EXAMPLES: Final[dict[type, Any]] = {
    HeardOrder: _HEARD,
    HeardPage: {"data": [_HEARD], "cursor": None},
    Errand: _ERRAND,
    ErrandPage: {"data": [_ERRAND], "cursor": None},
    ReplayOrders: {"orders": ["5001"]},
    ReplayErrands: {"keys": ["ship:48211:oslo"]},
    PullAsked: {"since_ms": 1_795_172_275_219},
    Pulled: {"connection": "myshop", "since_ms": 1_795_172_275_219},
    Woken: {"woken": 1},
}
