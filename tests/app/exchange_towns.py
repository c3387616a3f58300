"""Whole towns of config and stock made by hypothesis: every kind, with texts that tables tend to spoil."""

from datetime import datetime

from hypothesis import strategies as st

ROWS_MAX = 6

awkward = st.sampled_from(
    ["=1+1", "+31 6", "-5", "@x", "'", "''", "'=1", " a ", "007", '"', 'a"b,c;d', "1e5", "TRUE", "😀"]
)
texts = awkward | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
labels = texts.filter(lambda text: len(text) <= 64)
names = labels.filter(bool)
codes = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,6}", fullmatch=True)
counts = st.integers(0, 1_000_000_000)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda moment: f"{moment.isoformat()[:19]}Z")  # noqa: DTZ001


@st.composite
def towns(draw) -> dict[str, list[dict[str, object]]]:
    """Rows by kind, in an order in which each refers to earlier ones only; every row is one the service accepts."""
    zones = draw(st.dictionaries(names, names, max_size=ROWS_MAX))
    locations = draw(st.lists(codes, min_size=1, max_size=4, unique=True))
    channels = draw(st.lists(codes, min_size=1, max_size=3, unique=True))
    skus = draw(st.lists(names, min_size=1, max_size=ROWS_MAX, unique=True))
    return {
        "zones": [{"area": area, "zone": zone} for area, zone in zones.items()],
        "reasons": [draw(_reason(code)) for code in draw(st.lists(codes, max_size=3, unique=True))],
        "locations": [draw(_location(code, sorted(set(zones.values())))) for code in locations],
        "channels": [draw(_channel(code, locations)) for code in channels],
        "skus": [draw(_sku(sku)) for sku in skus],
        "rules": draw(_rules(skus, locations, channels)),
        "listings": draw(_listings(skus, channels)),
    }


@st.composite
def _reason(draw, code: str) -> dict[str, object]:
    effect = draw(st.sampled_from(["none", "less", "zero", "unavailable"]))
    return {"code": code, "name": draw(labels), "effect": effect, "recount": draw(st.booleans())}


@st.composite
def _location(draw, code: str, zones: list[str]) -> dict[str, object]:
    place = draw(st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180)))
    late = draw(st.booleans())
    return {
        "code": code,
        "kind": draw(st.sampled_from(["warehouse", "store", "third_party", "supplier"])),
        "name": draw(texts),
        "active": draw(st.booleans()),
        "priority": draw(st.integers(1, 10_000)),
        "country": draw(labels),
        "latitude": place and place[0],
        "longitude": place and place[1],
        "costs": draw(st.dictionaries(st.sampled_from(zones), counts)) if zones else {},
        "daily_orders": draw(st.none() | counts),
        "cut_off": "16:30" if late else "",
        "time_zone": "Europe/Amsterdam" if late else "",
    }


@st.composite
def _channel(draw, code: str, locations: list[str]) -> dict[str, object]:
    shelves = draw(st.lists(st.sampled_from(locations), unique=True))
    return {
        "code": code,
        "name": draw(texts),
        "demand": draw(st.sampled_from(["promise", "firm", "gone"])),
        "locations": [{"code": shelf, "own_shelf": draw(st.booleans())} for shelf in shelves],
        "routing": draw(st.lists(st.sampled_from(["channel_rank", "priority", "distance"]), unique=True)),
        "same_region_only": draw(st.booleans()),
        "acknowledge": draw(st.sampled_from(["fsynced", "replicated", "ledger"])),
    }


@st.composite
def _sku(draw, sku: str) -> dict[str, object]:
    return {
        "sku": sku,
        "name": draw(texts),
        "category": draw(labels),
        "unit": draw(st.just("piece") | names.filter(lambda name: len(name) <= 20)),
        "scale": draw(st.integers(1, 1_000_000)),
        "gtin": draw(st.sampled_from(["", "4006381333931", "00012345600012"])),
        "attributes": draw(st.dictionaries(labels, texts, max_size=3)),
    }


@st.composite
def _rules(draw, skus: list[str], locations: list[str], channels: list[str]) -> list[dict[str, object]]:
    scopes = draw(st.lists(st.sampled_from([*skus, ""]), unique=True))
    rows: list[dict[str, object]] = []
    for number, sku in enumerate(scopes):
        safety = draw(st.booleans())
        start = draw(st.none() | instants)
        rows.append(
            {
                "id": f"rule-{number}",
                "kind": "safety_stock" if safety else "buffer",
                "sku": sku,
                "location": draw(st.sampled_from(["", *locations])) if safety else "",
                "channel": "" if safety else draw(st.sampled_from(["", *channels])),
                "units": draw(counts),
                "percent_bp": 0 if safety else draw(st.integers(0, 10_000)),
                "note": draw(texts),
                "valid_from": start,
                "valid_until": start and "2027-06-01T12:00:00.250000Z",
            }
        )
    return rows


@st.composite
def _listings(draw, skus: list[str], channels: list[str]) -> list[dict[str, object]]:
    ids = draw(st.lists(st.tuples(st.sampled_from(channels), names), max_size=ROWS_MAX, unique=True))
    return [
        {
            "channel": channel,
            "listing": listing,
            "sku": draw(st.sampled_from(skus)),
            "pack_size": draw(st.integers(1, 1_000_000)),
            "active": draw(st.booleans()),
        }
        for channel, listing in ids
    ]
