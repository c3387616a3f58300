"""Examples of the config's bodies and answers, for the documentation."""

from typing import Any, Final

from . import draft_forms, foreseen_forms, forms
from .kinds import KINDS

_ITEMS: Final[dict[str, dict[str, Any]]] = {
    "locations": {
        "code": "oslo",
        "kind": "warehouse",
        "name": "Oslo, Alnabru",
        "active": True,
        "priority": 1,
        "country": "NO",
        "region": "03",
        "latitude": 59.93,
        "longitude": 10.84,
        "costs": {"north": 490},
        "daily_orders": 1_200,
        "cut_off": "16:30",
        "time_zone": "Europe/Oslo",
        "handling_days": 1,
        "working_days": ("mon", "tue", "wed", "thu", "fri"),
        "closed_on": ("2026-12-24", "2026-12-25"),
        "pickup": True,
        "carriers": ("posten",),
    },
    "channels": {
        "code": "shop",
        "kind": "shop",
        "name": "Web shop",
        "rank": 1,
        "demand": "promise",
        "overflow": "shared",
        "split_limit": 2,
        "locations": [{"code": "oslo", "own_shelf": False}],
        "routing": ("region_match", "channel_rank"),
        "same_region_only": False,
        "lowers_at": "order",
        "pending_minutes": 1_440,
        "acknowledge": "fsynced",
        "split_rules": ({"category": "furniture", "from_value": 0, "to_value": None, "split_limit": 1},),
    },
    "skus": {
        "sku": "CUP",
        "name": "Cup, white, 250 ml",
        "category": "kitchen",
        "unit": "piece",
        "scale": 1,
        "gtin": "4006381333931",
        "attributes": {"colour": "white"},
    },
    "listings": {"channel": "amazon", "listing": "B00CUP6PACK", "sku": "CUP", "pack_size": 6, "active": True},
    "rules": {
        "kind": "buffer",
        "sku": "",
        "category": "kitchen",
        "location": "",
        "channel": "amazon",
        "units": 2,
        "percent_bp": 500,
        "id": "amazon-christmas",
        "note": "returns come late at Christmas",
        "valid_from": "2026-12-01T00:00:00Z",
        "valid_until": "2027-01-07T00:00:00Z",
    },
    "zones": {"area": "NO/03", "zone": "north"},
    "carriers": {
        "code": "posten",
        "name": "Posten, parcels",
        "zones": {"NO": "home"},
        "rates": [{"origin": "", "zone": "home", "cost": 490, "transit_days": 2}],
        "working_days": ("mon", "tue", "wed", "thu", "fri", "sat"),
        "closed_on": (),
    },
    "reasons": {"code": "not_found", "name": "Not found", "effect": "zero", "recount": True},
}

_RESULTS: Final = [
    {"kind": "rules", "key": "amazon-christmas", "outcome": "created", **forms.NO_PROBLEM},
    {
        "kind": "rules",
        "key": "amazon-easter",
        "outcome": "refused",
        "problem": "invalid",
        "detail": "no such channel: 'amazn'; there is amazon, shop",
        "where": "/rows/1/put/channel",
        "facts": {"value": "amazn", "allowed": ["amazon", "shop"]},
    },
]

_ROUTE: Final = {
    "outcome": "placed",
    "plan": "single",
    "parcels": 1,
    "missing": 0,
    "ship_by_ms": 1_795_361_400_000,
    "deliver_by_ms": 1_795_561_199_000,
    "cost": 490,
}
_DRAFT: Final = {
    "name": "winter-routing",
    "version": 3,
    "state": "draft",
    "note": "Oslo ships the north",
    "config_version": None,
    "actor": "key:5f3b9ad07c21",
    "at_ms": 1_795_176_000_000,
}

_CHANGE: Final = {
    "version": 12,
    "base": 11,
    "state": "active",
    "actor": "key:5f0c2a9d1e77",
    "note": "more safety for Christmas",
    "rolls_back_to": None,
    "why_failed": "",
    "at_ms": 1_795_258_675_219,
}

_LEVEL: Final = {
    "sku": "CUP",
    "channel": "amazon",
    "atp_before": 40,
    "atp_after": 38,
    "published_before": 40,
    "published_after": 38,
}


def _of_kind(name: str) -> dict[type, Any]:
    kind, types, item = KINDS[name], forms.FORMS[name], _ITEMS[name]
    shown = {"version": 12, "item": item, **({"in_force": False} if name == "rules" else {})}
    key = "/".join(item[field] for field in kind.keys)
    return {
        kind.item: item,
        types.shown: shown,
        types.page: {"data": [shown], "next_cursor": None},
        types.bulk: {"rows": [{"put": item, "version": 0}, {"delete": f"{key}-old", "version": 7}]},
    }


CONFIG_EXAMPLES: Final[dict[type, Any]] = {
    **{type: example for name in KINDS for type, example in _of_kind(name).items()},
    forms.RulePreviewForm: {"rows": [{"put": _ITEMS["rules"]}], "channels": ["amazon"]},
    forms.RollbackAsked: {"to_version": 11, "note": "too cautious"},
    forms.BulkDone: {"version": 12, "dry_run": False, "refused": 1, "results": _RESULTS},
    forms.Deleted: {"version": 12, "key": "amazon-easter"},
    forms.RulePreview: {
        "refused": 0,
        "results": _RESULTS[:1],
        "channels": ["amazon"],
        "skus_compared": 310,
        "skus_touched": 310,
        "changed": 1,
        "levels": [_LEVEL],
    },
    forms.ConfigStand: {
        "version": 12,
        "store_version": 12,
        "staged": None,
        "counts": {
            "locations": 4,
            "channels": 4,
            "skus": 1_000,
            "listings": 3_000,
            "rules": 12,
            "zones": 6,
            "carriers": 2,
            "reasons": 2,
        },
    },
    forms.ChangePage: {"data": [_CHANGE], "next_cursor": None},
    forms.ChangeDetail: {
        "change": _CHANGE,
        "rows": [
            {
                "kind": "zones",
                "key": "NO/03",
                "before": None,
                "after": _ITEMS["zones"],
                "in_force_before": True,
                "in_force_after": True,
            }
        ],
    },
    draft_forms.DraftForm: {
        "rows": [{"kind": "channels", "put": _ITEMS["channels"]}, {"kind": "zones", "delete": "NO/11"}],
        "note": "Oslo ships the north",
    },
    draft_forms.ActivateAsked: {"version": 3},
    foreseen_forms.DraftPreviewAsked: {"orders": 200, "channel": "shop", "since_ms": 1_795_000_000_000},
    foreseen_forms.DraftPreview: {
        "version": 3,
        "config_version": 17,
        "found": 200,
        "compared": 200,
        "unsteady": 0,
        "totals": {
            "unchanged": 199,
            "changed": 1,
            "now_served": 0,
            "now_short": 0,
            "parcels_before": 214,
            "parcels_after": 213,
            "cost_before": 104_860,
            "cost_after": 104_370,
            "locations": [
                {
                    "location": "oslo",
                    "units_before": 301,
                    "units_after": 302,
                    "parcels_before": 187,
                    "parcels_after": 187,
                }
            ],
        },
        "orders": [
            {
                "channel": "shop",
                "external_id": "1001",
                "placed_ms": 1_795_345_075_219,
                "before": {**_ROUTE, "plan": "pair", "parcels": 2, "cost": 980},
                "after": _ROUTE,
                "lines": [
                    {
                        "line": "1",
                        "sku": "CUP",
                        "before": {"locations": {"bergen": 1, "oslo": 1}, "missing": 0},
                        "after": {"locations": {"oslo": 2}, "missing": 0},
                    }
                ],
            }
        ],
    },
    draft_forms.DraftPage: {"data": [_DRAFT], "next_cursor": None},
    draft_forms.DraftShown: {
        "draft": _DRAFT,
        "rows": [{"kind": "channels", "key": "shop", "put": _ITEMS["channels"], "version": 11}],
        "results": [{"kind": "channels", "key": "shop", "outcome": "replaced", **forms.NO_PROBLEM}],
    },
}
