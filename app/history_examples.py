"""Examples of what is answered about what happened."""

from typing import Any, Final

from . import desk_forms, history_forms, recount_forms, return_forms, transfer_forms

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


_HOLD: Final = {
    "hold_id": "cart-77-1",
    "channel": "shop",
    "owner": "cart-77",
    "state": "expired",
    "deadline_ms": 1_795_259_275_219,
    "takes": [],
    "order": None,
    "made_ms": 1_795_258_675_219,
    "made_of": [{"sku": "CUP", "location": "oslo", "units": 2}],
}
_SHIPMENT: Final = {
    "entry": 4712,
    "at_ms": 1_795_262_275_219,
    "channel": "shop",
    "external_id": "10001",
    "location": "oslo",
    "gone": False,
    "units": 2,
    "lines": [{"line": "1", "sku": "CUP", "units": 2}],
}
_CONFLICT: Final = {
    "channel": "shop",
    "external_id": "10001",
    "line": "1",
    "sku": "CUP",
    "units": 2,
    "placed_ms": 1_795_258_675_219,
    "locations": [{"location": "bergen", "available": 3}],
}
_RECOUNT: Final = {
    "entry": 4710,
    "sku": "CUP",
    "location": "oslo",
    "at_ms": 1_795_258_675_219,
    "actor": "key:0d1e2f3a4b5c",
    "reason": "not_found",
    "channel": "shop",
    "external_id": "10001",
    "rejects": 1,
    "units": 3,
    "counted": {
        "entry": 4790,
        "at_ms": 1_795_262_275_219,
        "op": "count:shelf-17:1.0",
        "actor": "key:5f0c2a9d1e77",
        "confirmed": False,
        "difference": 2,
    },
}
_RATE: Final = {"location": "oslo", "taken": 412, "rejected": 31, "percent": 7, "counts": True, "ranks_as": 5}
_TRANSFER: Final = {
    "transfer_id": "T-1001",
    "from_location": "rome",
    "to_location": "oslo",
    "state": "partly",
    "sent_ms": 1_795_258_675_219,
    "changed_ms": 1_795_345_075_219,
    "actor": "key:0d1e2f3a4b5c",
    "why": "Oslo sells more cups",
    "sent": 10,
    "arrived": 4,
    "lost": 0,
    "in_transit": 6,
    "lines": [{"sku": "CUP", "sent": 10, "arrived": 4, "lost": 0, "in_transit": 6}],
}
_ARRIVAL: Final = {
    "entry": 4713,
    "at_ms": 1_795_345_075_219,
    "actor": "key:0d1e2f3a4b5c",
    "why": "",
    "location": "oslo",
    "sku": "CUP",
    "arrived": 4,
    "lost": 0,
}


_EXPECTED: Final = {
    "channel": "shop",
    "external_id": "1001",
    "return_id": "RMA-77",
    "line": "1",
    "revision": 1,
    "due_ms": 1_795_863_475_219,
    "location": "oslo",
    "why": "too small",
    "sku": "CUP",
    "units": 2,
    "arrived": 1,
    "expected": 1,
}


def history_examples(order: dict[str, Any], stock: dict[str, Any]) -> dict[type, Any]:
    """By type; `order` and `stock` are what one order and one sku look like."""
    return {
        history_forms.OrderPage: {"data": [order], "next_cursor": None, "position": _POSITION},
        history_forms.MovePage: {"data": [_MOVE], "next_cursor": None, "position": _POSITION},
        history_forms.HoldPage: {"data": [_HOLD], "next_cursor": None, "position": _POSITION},
        history_forms.ShipmentPage: {"data": [_SHIPMENT], "next_cursor": None, "position": _POSITION},
        history_forms.BalancePage: {"data": [stock], "next_cursor": None, "position": _POSITION},
        history_forms.Balance: {"stock": stock, "entry": 4711, "position": _POSITION},
        desk_forms.ConflictPage: {"data": [_CONFLICT], "next_cursor": None, "position": _POSITION},
        recount_forms.RecountPage: {"data": [_RECOUNT], "next_cursor": None, "position": _POSITION},
        recount_forms.RejectRates: {"days": 14, "units_min": 20, "rates": [_RATE], "position": _POSITION},
        transfer_forms.TransferPage: {"data": [_TRANSFER], "next_cursor": None, "position": _POSITION},
        transfer_forms.TransferShown: {"transfer": _TRANSFER, "arrivals": [_ARRIVAL], "position": _POSITION},
        history_forms.Story: {
            "steps": [{**_EFFECT, "moves": [_MOVE], "announced": None}],
            "position": _POSITION,
        },
        return_forms.ExpectedPage: {"data": [_EXPECTED], "next_cursor": None, "position": _POSITION},
    }
