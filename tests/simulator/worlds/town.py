"""The shop of the worlds: few skus and places, so that everybody wants the same, and configs it changes between."""

import msgspec

from allocator import Channel, Config, Location, Rule
from tests.allocator.town import AMAZON, LOCATIONS, OUTLET, PLACES, RULES, TILL, WEB, shelves, town

__all__ = ["CONFIGS", "LOCATIONS", "OPENING"]

DAYS = {
    "oslo": {"pickup": True},
    "rome": {"daily_orders": 2, "time_zone": "Europe/Rome", "cut_off": "23:00"},
    "lima": {"daily_orders": 1},
}
"""What these places say of their days: two of them are soon full."""

DATED = [msgspec.structs.replace(place, **DAYS.get(place.code, {})) for place in PLACES]
MOVED = town(
    locations=[*DATED[1:], Location(code="oslo", active=False, priority=3, pickup=True)],
    channels=(
        Channel(
            code="web",
            rank=1,
            overflow="borrow",
            locations=shelves("kyiv", "rome", "oslo"),
            split_limit=1,
            lowers_at="payment",
            pending_minutes=2,
        ),
        AMAZON,
        Channel(code="outlet", rank=1, overflow="none", demand="firm", locations=shelves("lima", "kyiv")),
        TILL,
    ),
    rules=[*RULES[:4], Rule(kind="safety_stock", category="kitchen", units=3)],
)
WITHOUT_OUTLET = town(locations=DATED, channels=(WEB, AMAZON, TILL))
STRICT = town(
    locations=DATED, channels=(WEB, AMAZON, OUTLET, TILL), rules=[*RULES, Rule(kind="buffer", channel="web", units=2)]
)
OPENING: Config = town(locations=DATED)
CONFIGS: tuple[Config, ...] = (OPENING, town(locations=DATED, rules=[]), MOVED, WITHOUT_OUTLET, STRICT)
