"""Examples of what the service says of itself."""

from typing import Any, Final

from .answers import Alive, Explanation, Ready, SellerStanding

SERVICE_EXAMPLES: Final[dict[type, Any]] = {
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
    Explanation: {
        "type": "/problems/short",
        "title": "Fewer units may be promised than are asked for",
        "status": 409,
        "when": "A hold or an order asks for more than the channel may promise now.",
        "do": "Ask for fewer units or with partial.",
    },
}
