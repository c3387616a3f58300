"""Examples of what the service says of itself, of its connections and to tills."""

from typing import Any, Final

from .answers import Alive, Explanation, Ready, SellerStanding
from .sync.in_examples import IN_EXAMPLES
from .sync.sync_examples import SYNC_EXAMPLES
from .sync.words import ConnectionList, ConnectionPut, ConnectionShown, ConnectionTested, Heard, TestStep
from .tills.examples import TILL_EXAMPLES

_CONNECTION: Final = {
    "code": "myshop",
    "connector": "shopify",
    "channel": "shop",
    "settings": {"url": "https://myshop.myshopify.com", "location": "105", "version": "2026-10"},
    "secrets": ["client_id", "client_secret"],
    "counts": "net",
    "locations": {"105": "oslo"},
    "paused": False,
    "version": 1,
    "created_ms": 1_795_258_675_219,
    "webhook_path": "/v1/hooks/main/myshop",
    "watermark_ms": 1_795_258_675_219,
    "pulled_ms": 1_795_258_675_219,
    "reconciled_ms": 0,
    "subscribed_ms": 0,
    "failing": "",
    "failing_since_ms": 0,
}

SERVICE_EXAMPLES: Final[dict[type, Any]] = {
    **SYNC_EXAMPLES,
    **TILL_EXAMPLES,
    **IN_EXAMPLES,
    Alive: {"alive": True},
    SellerStanding: {
        "seller": "main",
        "epoch": "5c1e6f0a93b27d48-1",
        "config_in_force": 12,
        "config_remembered": 12,
        "config_staged": None,
        "ledger_entries": 48_211,
        "drained": "1795258675219-0",
        "drain_failing": "",
        "drain_failing_since_ms": 0,
    },
    Ready: {
        "ready": True,
        "store": "ok",
        "database": "ok",
        "migrations": "ok",
        "config": "ok",
        "clock": "ok",
        "jobs": "ok",
        "gate": "ok",
        "drain": "ok",
        "draining": False,
        "sellers": [],
    },
    ConnectionPut: {
        "connector": "shopify",
        "channel": "shop",
        "settings": {"url": "https://myshop.myshopify.com", "location": "105"},
        "secrets": {"client_id": "...", "client_secret": "..."},
        "locations": {"105": "oslo"},
    },
    ConnectionShown: _CONNECTION,
    Heard: {"heard": True},
    ConnectionList: {"data": [_CONNECTION]},
    TestStep: {"name": "listings", "ok": True, "says": "250 on the first page", "took_ms": 312},
    ConnectionTested: {
        "ok": True,
        "steps": [{"name": "listings", "ok": True, "says": "250 on the first page", "took_ms": 312}],
    },
    Explanation: {
        "type": "/problems/short",
        "title": "Fewer units may be promised than are asked for",
        "status": 409,
        "when": "A hold or an order asks for more than the channel may promise now.",
        "do": "Ask for fewer units or with partial.",
    },
}
