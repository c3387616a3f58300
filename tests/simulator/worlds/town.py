"""The shop of the worlds: few skus and places, so that everybody wants the same, and configs it changes between."""

from allocator import Channel, Config, Location, Rule
from tests.allocator.town import AMAZON, LOCATIONS, OUTLET, PLACES, RULES, TILL, WEB, shelves, town

__all__ = ["CONFIGS", "LOCATIONS", "OPENING"]

MOVED = town(
    locations=[*PLACES[1:], Location(code="oslo", active=False, priority=3)],
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
WITHOUT_OUTLET = town(channels=(WEB, AMAZON, TILL))
STRICT = town(channels=(WEB, AMAZON, OUTLET, TILL), rules=[*RULES, Rule(kind="buffer", channel="web", units=2)])
OPENING: Config = town()
CONFIGS: tuple[Config, ...] = (OPENING, town(rules=[]), MOVED, WITHOUT_OUTLET, STRICT)
