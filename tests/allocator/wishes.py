"""What callers ask of the small shop, sane and not, as hypothesis strategies."""

from typing import Any

from hypothesis import strategies as st

from allocator import Channel, Location, Rule
from allocator.announced import AnnounceLine, AnnounceRequest
from allocator.model import (
    AdjustLine,
    ArrivedLine,
    HoldRequest,
    Line,
    OrderRequest,
    ReturnLine,
    SentLine,
    ShipTo,
    StockLine,
)
from tests.allocator.town import (
    AMAZON,
    CHANNELS,
    CUP,
    LOCATIONS,
    NOON,
    OUTLET,
    PEN,
    PLACES,
    RULES,
    TEE,
    TILL,
    WEB,
    shelves,
    town,
)

rarely = st.sampled_from([False] * 9 + [True])
skus = st.sampled_from([CUP, CUP, CUP, TEE, TEE, PEN])
locations = st.sampled_from(LOCATIONS)
channels = st.sampled_from(CHANNELS)
units = st.integers(1, 6)
owners = st.sampled_from(["", "ann", "bob"])
kinds = st.sampled_from([None, None, "promise", "firm", "gone"])
places = st.sampled_from([ShipTo(), ShipTo(country="NO", region="east"), ShipTo(country="PE", region="lima")])
preferences = st.lists(st.sampled_from([*LOCATIONS, "atlantis"]), max_size=2)
small_ids = st.integers(0, 40).map(str)
directions = st.sampled_from(["in", "in", "out"])
reasons = st.sampled_from(["payment", "fraud_check"])
dispositions = st.sampled_from(["restock", "quarantine", "scrap"])

NONSENSE = ("", "0", "-1", "-0", "1e3", "0x10", " 5 ", "nan", "inf", "0.5", "1000000001", "9" * 17, "1\n", "x" * 600)
nonsense = st.sampled_from(NONSENSE)


def named(rows: list[tuple[str, int]]) -> list[Line]:
    return [Line(str(number), sku, count) for number, (sku, count) in enumerate(rows, 1)]


wished = st.lists(st.tuples(skus, units), min_size=1, max_size=3)
lines = wished.map(named)
deliveries = st.lists(st.builds(StockLine, skus, locations, units), min_size=1, max_size=4)
drops = st.lists(st.builds(StockLine, skus, locations, st.integers(1, 2)), min_size=1, max_size=2)
corrections = st.lists(
    st.builds(AdjustLine, skus, locations, st.sampled_from([-5, -3, -2, -1, 1, 2, 3])), min_size=1, max_size=2
)
sent = st.lists(st.builds(SentLine, skus, st.integers(1, 3)), min_size=1, max_size=2)
arrived = st.lists(st.builds(ArrivedLine, skus, st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=2)
announcements = st.builds(
    AnnounceRequest,
    revision=st.integers(1, 6),
    lines=st.lists(
        st.builds(AnnounceLine, st.sampled_from("1123"), st.integers(0, 3)),
        max_size=2,
        unique_by=lambda line: line.line,
    ),
    location=st.sampled_from(["", "oslo", "atlantis"]),
    due_ms=st.none() | st.just(NOON),
)
returned = st.builds(
    ReturnLine,
    location=locations,
    units=st.integers(1, 2),
    disposition=dispositions,
    line=st.sampled_from("112"),
    sku=skus,
)

edited = st.lists(
    st.tuples(st.sampled_from(["1", "1", "2", "new"]), skus, st.integers(0, 9)),
    max_size=2,
    unique_by=lambda row: row[0],
)

holds = st.builds(
    HoldRequest,
    hold_id=small_ids,
    channel=channels,
    lines=lines,
    ttl_ms=st.integers(1, 90_000),
    owner=owners,
    partial=rarely,
    ship_to=places,
    prefer=preferences,
)
orders = st.builds(
    OrderRequest,
    channel=channels,
    external_id=small_ids,
    lines=lines,
    attempt=st.integers(1, 2),
    kind=kinds,
    at=locations,
    partial=rarely,
    ship_to=places,
    prefer=preferences,
)
rankings = st.lists(
    st.tuples(st.sampled_from([*LOCATIONS, "atlantis"]), st.integers(0, 2)), max_size=6, unique_by=lambda row: row[0]
)

CLOSED = town(channels=(WEB, AMAZON, OUTLET), rules=[])
MOVED = town(
    locations=[*PLACES[1:], Location(code="oslo", active=False, priority=3)],
    channels=(
        Channel(code="web", rank=1, overflow="borrow", locations=shelves("kyiv", "rome", "oslo"), split_limit=1),
        AMAZON,
        Channel(code="outlet", rank=1, overflow="none", demand="firm", locations=shelves("lima", "kyiv")),
        TILL,
    ),
    rules=[*RULES[:4], Rule(kind="safety_stock", category="kitchen", units=3)],
)
CONFIGS = (town(), town(rules=[]), MOVED, CLOSED)
configs = st.sampled_from(CONFIGS)


def flat(rows: list[Any]) -> list[Any]:
    """Rows as the scripts read them: how many, then one after the other."""
    return [len(rows), *(value for row in rows for value in row)]
