"""Examples of what happens to an order after it was accepted."""

from typing import Any, Final

from . import desk_forms, requests

LIFE_EXAMPLES: Final[dict[type, dict[str, Any]]] = {
    desk_forms.RejectAsked: {"location": "oslo", "reason": "not_found", "lines": [{"line": "1", "units": 1}]},
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
    requests.ReturnAsked: {"lines": [{"line": "1", "location": "oslo", "units": 1, "disposition": "restock"}]},
    requests.StockReturnAsked: {
        "lines": [{"sku": "CUP", "location": "oslo", "units": 1, "disposition": "quarantine"}],
        "why": "found at the door",
    },
}
