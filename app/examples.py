"""One example for every body and every answer of the documentation; tests hold them to the types."""

from typing import Any, Final

from allocator import (
    Changed,
    Exchanged,
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

from . import key_forms, requests
from .answers import BulkPlaced, FrozenSku, FrozenSkus, Levels
from .config.examples import CONFIG_EXAMPLES
from .counts.examples import COUNT_EXAMPLES
from .events import words as events
from .history_examples import history_examples
from .life_examples import LIFE_EXAMPLES, PROMISED
from .order_explaining import OrderExplained
from .service_examples import SERVICE_EXAMPLES
from .stock_forms import Stocked, StockPage
from .webhooks import words as webhooks

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
_PLACED: Final = {
    "channel": "shop",
    "external_id": "1001",
    "kind": "promise",
    "state": "committed",
    "placed_ms": 1_795_258_675_219,
    "lines": [_LINE],
}
_ORDER: Final = {**_PLACED, "rejected_at": [], "desk": False, "promised": PROMISED}
_CHANGED: Final = {name: _ORDER[name] for name in ("channel", "external_id", "state", "lines")}
_TRACE: Final = [
    {"location": "oslo", "verdict": "taken", "units": 2},
    {"location": "rome", "verdict": "not_needed", "units": 0},
]
_VERSIONS: Final = [{"sku": "CUP", "version": 7}]
_ANSWERED: Final = {"versions": _VERSIONS, "replayed": False}
_STOCKED: Final = {
    "sku": "CUP",
    "version": 7,
    "on_hand": 20,
    "unavailable": 1,
    "held": 2,
    "committed": 4,
    "available": 13,
    "deficit": 0,
    "in_transit": 6,
    "backordered": 0,
    "conflict": 0,
    "owed": 0,
    "places": [
        {
            "location": "oslo",
            "on_hand": 20,
            "unavailable": 1,
            "held": 2,
            "committed": 4,
            "available": 13,
            "deficit": 0,
            "in_transit": 6,
            "reasons": [{"reason": "damaged", "units": 1}],
            "quotas": [{"channel": "shop", "quota": 5, "consumed": 1, "floor": 0}],
            "transfers": [{"transfer_id": "T-1001", "units": 6}],
        }
    ],
}
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
    "in_transit": 0,
}

_KEY: Final = {
    "id": "5f0c2a9d1e77",
    "name": "till 3 in Oslo",
    "role": "pos",
    "scopes": ["availability:read", "orders:read", "orders:write"],
    "channels": ["shop"],
    "locations": ["oslo"],
    "requests_per_minute": 600,
    "replaces": None,
    "state": "good",
    "created_ms": 1_795_258_675_219,
    "expires_ms": None,
    "revoked_ms": None,
    "last_used_ms": 1_795_259_275_219,
}

_WEBHOOK_ASKED: Final = {
    "url": "https://erp.example/allot?site=1",
    "events": ["availability.changed", "order.placed"],
    "channels": ["shop"],
}
_WEBHOOK: Final = {
    "id": "wh_6f1c0d9a2b3e4f5061728394",
    **_WEBHOOK_ASKED,
    "active": True,
    "disabled_why": "",
    "failing_since_ms": None,
    "secrets_end_with": ["x7Q="],
    "created_ms": 1_795_258_675_219,
}
_DELIVERY: Final = {
    "id": "msg_0c9d8e7f6a5b4c3d2e1f00112233445566",
    "webhook_id": "wh_6f1c0d9a2b3e4f5061728394",
    "event": "hold.ended",
    "state": "waiting",
    "attempts": 2,
    "next_ms": 1_795_258_980_219,
    "last_status": 503,
    "last_error": "answered 503: down for maintenance",
    "last_ms": 1_795_258_680_219,
    "created_ms": 1_795_258_675_219,
}

EXAMPLES: Final[dict[type, dict[str, Any]]] = {
    **CONFIG_EXAMPLES,
    **history_examples(_ORDER, _STOCKED),
    **COUNT_EXAMPLES,
    **LIFE_EXAMPLES,
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
    requests.BulkOrders: {
        "orders": [
            {"channel": "shop", "external_id": "10001", "lines": [{"sku": "CUP", "units": 2}]},
            {"channel": "shop", "external_id": "10002", "lines": [{"sku": "CUP", "units": 1}]},
        ]
    },
    requests.PickAsked: {"location": "oslo"},
    requests.ShipAsked: {"lines": [{"line": "1", "location": "oslo", "units": 2}]},
    requests.CancelAsked: {"lines": [{"line": "1", "units": 1}], "why": "the customer changed his mind"},
    requests.ReceiveAsked: {"lines": [{"sku": "CUP", "location": "oslo", "units": 20}], "why": "delivery 4711"},
    requests.AdjustAsked: {"lines": [{"sku": "CUP", "location": "oslo", "units": -1}], "why": "broken at the shelf"},
    requests.UnavailableAsked: {
        "lines": [{"sku": "CUP", "location": "oslo", "units": 1}],
        "reason": "damaged",
        "direction": "in",
    },
    requests.TransferAsked: {
        "from_location": "rome",
        "to_location": "oslo",
        "lines": [{"sku": "CUP", "units": 10}],
        "why": "Oslo sells more cups",
    },
    requests.ArriveAsked: {"location": "oslo", "lines": [{"sku": "CUP", "arrived": 4, "lost": 0}]},
    requests.SetQuotaAsked: {"sku": "CUP", "location": "oslo", "channel": "shop", "quota": 5, "floor": 1},
    requests.MoveQuotaAsked: {
        "sku": "CUP",
        "location": "oslo",
        "from_channel": "shop",
        "to_channel": "amazon",
        "units": 2,
    },
    key_forms.KeyAsked: {"name": "till 3 in Oslo", "role": "pos", "channels": ["shop"], "locations": ["oslo"]},
    key_forms.RotateAsked: {"overlap_seconds": 3_600},
    key_forms.SellerAsked: {"name": "Cups and Plates"},
    key_forms.KeyShown: _KEY,
    key_forms.KeyMade: {"key": _KEY, "secret": "allot_live_5f0c2a9d1e77_..."},
    key_forms.KeyPage: {"data": [_KEY], "next_cursor": None},
    key_forms.SellerShown: {"code": "main", "name": "Cups and Plates"},
    key_forms.Me: {"seller": {"code": "main", "name": "Cups and Plates"}, "key": _KEY},
    key_forms.AuditPage: {
        "data": [
            {
                "id": 4711,
                "at_ms": 1_795_258_675_219,
                "actor": "key:0d1e2f3a4b5c",
                "action": "put_order",
                "target": "PUT /v1/orders/{channel}/{external_id}",
                "outcome": "outside-limits",
                "detail": {
                    "where": "path channel",
                    "client": "10.0.0.7",
                    "count": 12,
                    "first_ms": 1_795_258_674_004,
                },
                "request_id": "9f86d081884c7d65",
            }
        ],
        "next_cursor": None,
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
    Stocked: _STOCKED,
    StockPage: {"data": [_STOCKED], "next_cursor": "Q1VQ"},
    OrderExplained: {
        "channel": "shop",
        "external_id": "1001",
        "attempt": 1,
        "outcome": "accepted",
        "says": "accepted: oslo (2) because one location could give all that could be had, and the best ranked of "
        "those does",
        "kind": "promise",
        "plan": "single",
        "hold": "",
        "placed_ms": 1_795_258_675_219,
        "lines": [
            {
                "line": "1",
                "sku": "CUP",
                "units": 2,
                "committed": 2,
                "shipped": 0,
                "backordered": 0,
                "takes": [_TAKE],
                "atp_now": -1,
            }
        ],
        "locations": [
            {
                "location": "oslo",
                "verdict": "taken",
                "units": 2,
                "removed": "",
                "tie": 0,
                "rankings": [{"ranking": "channel_rank", "value": 0}],
            },
            {
                "location": "kiel",
                "verdict": "",
                "units": 0,
                "removed": "not_listed",
                "tie": None,
                "rankings": [],
            },
        ],
        "facts": {},
        "ranked_with": 12,
    },
    Held: {
        "hold_id": "cart-77-1",
        "deadline_ms": 1_795_259_275_219,
        "lines": [{"line": "1", "sku": "CUP", "units": 2, "held": 2}],
        "takes": [_TAKE],
        "plan": "single",
        "trace": _TRACE,
        "replaced": "",
        **_ANSWERED,
    },
    Hold: {
        "hold_id": "cart-77-1",
        "channel": "shop",
        "owner": "cart-77",
        "state": "open",
        "deadline_ms": 1_795_259_275_219,
        "takes": [_TAKE],
        "order": None,
    },
    Extended: {"hold_id": "cart-77-1", "deadline_ms": 1_795_259_575_219, "replayed": False},
    Released: {"hold_id": "cart-77-1", "versions": _VERSIONS, "replayed": False},
    Placed: {
        **_PLACED,
        "hold": "used",
        "plan": "single",
        "trace": _TRACE,
        **_ANSWERED,
        "promised": PROMISED,
    },
    BulkPlaced: {
        "results": [
            {
                "channel": "shop",
                "external_id": "10001",
                "status": 201,
                "order": {
                    **_PLACED,
                    "hold": "",
                    "plan": "single",
                    "trace": _TRACE,
                    **_ANSWERED,
                    "promised": None,
                },
            },
            {
                "channel": "shop",
                "external_id": "10002",
                "status": 409,
                "problem": {
                    "type": "/problems/short",
                    "title": "Fewer units may be promised than are asked for",
                    "status": 409,
                    "detail": "Fewer units may be promised than are asked for.",
                    "instance": "/v1/orders/bulk",
                    "outcome": "not_applied",
                    "do": "Ask for fewer units or with partial.",
                    "facts": {"lines": [{"line": "1", "sku": "CUP", "units": 1, "atp_now": 0}]},
                },
            },
        ]
    },
    Order: _ORDER,
    Changed: {**_CHANGED, "versions": _VERSIONS, "replayed": False},
    Exchanged: {
        "returned": {**_CHANGED, "versions": _VERSIONS, "replayed": False},
        "placed": {
            **_PLACED,
            "external_id": "1001-B",
            "hold": "",
            "plan": "single",
            "trace": _TRACE,
            **_ANSWERED,
            "promised": None,
        },
        "replayed": False,
    },
    events.News: {
        "position": "1795258675219-0",
        "levels": [{"sku": "CUP", "channel": "shop", "atp_now": 9, "published": 9, "version": 7}],
        "reload": {"channels": ["amazon"], "why": "the config of the channel changed"},
    },
    webhooks.WebhookAsked: _WEBHOOK_ASKED,
    webhooks.WebhookPut: {**_WEBHOOK_ASKED, "active": True},
    webhooks.WebhookShown: _WEBHOOK,
    webhooks.WebhookMade: {"webhook": _WEBHOOK, "secret": "whsec_...", "replayed": False},
    webhooks.WebhookList: {"data": [_WEBHOOK]},
    webhooks.Delivery: _DELIVERY,
    webhooks.DeliveryShown: {
        "delivery": _DELIVERY,
        "body": '{"type":"hold.ended","timestamp":"2026-11-21T14:36:00.000Z","data":{"hold_id":"cart-77-1"}}',
    },
    webhooks.DeliveryPage: {"data": [_DELIVERY], "next_cursor": None},
    Moved: {"versions": _VERSIONS, "replayed": False},
    Expired: {"hold_ids": [], "paused": False, "jump_ms": 0, "more": False},
    FrozenSkus: {"frozen": [{"sku": "CUP", "evidence": "oslo on_hand is 95, the ledger adds up to 15"}]},
    FrozenSku: {"sku": "CUP", "evidence": "oslo on_hand is 95, the ledger adds up to 15"},
    **SERVICE_EXAMPLES,
}
