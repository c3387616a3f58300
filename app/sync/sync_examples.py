"""Examples of what is said and answered about the way of numbers to channels."""

from typing import Any, Final

from . import sync_words as words

_LISTING: Final = {
    "listing": "4711",
    "sku": "CUP",
    "named": "CUP",
    "pushed": True,
    "told": 11,
    "told_places": {"105": 11},
    "told_ms": 1_795_258_675_219,
    "version": 27,
    "outcome": "applied",
    "code": "",
    "says": "",
    "attempts": 0,
    "changed_ms": 1_795_258_675_011,
    "due_ms": 1_795_258_675_011,
    "ticket": "",
    "shown": 11,
    "shown_places": {"105": 11},
    "shown_ms": 1_795_258_675_219,
    "revisions": 0,
}
_EXCHANGE: Final = {
    "id": 815,
    "at_ms": 1_795_258_675_219,
    "operation": "push",
    "attempt": 1,
    "request": "POST /admin/api/2026-10/graphql.json",
    "sent": '{"operationName": "SetQuantities"}',
    "status": 200,
    "answered": '{"data": {}}',
    "took_ms": 182,
    "error": "",
}

SYNC_EXAMPLES: Final[dict[type, dict[str, Any]]] = {
    words.SkusAsked: {"skus": ["CUP"]},
    words.SyncStatus: {
        "connection": "myshop",
        "connector": "shopify",
        "channel": "shop",
        "paused": False,
        "failing": "",
        "failing_since_ms": 0,
        "numbers": {
            "listed": 4_211,
            "due": 3,
            "waiting": 1,
            "held_back": 0,
            "on_their_way": 0,
            "dead": 1,
            "retried": 0,
            "drift": 0,
            "unmapped": 12,
        },
        "oldest_unpushed_ms": 840,
        "revisions_per_day": None,
        "position": "1795258675219-0",
        "behind_ms": 0,
        "reconciled_ms": 1_795_251_600_000,
    },
    words.ShownPage: {"data": [_LISTING], "next_cursor": None},
    words.Marked: {"listings": 1},
    words.ExchangePage: {"data": [_EXCHANGE], "next_cursor": None},
}
