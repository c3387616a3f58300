"""A small shop in which everything collides: three skus, four locations, four channels, one of each kind."""

from allocator import Allocator, Channel, ChannelLocation, Config, Location, Pipe, Rule, SkuConfig

CUP, TEE, PEN = "CUP", "TEE", "PEN"
SKUS = (CUP, TEE, PEN)
LOCATIONS = ("oslo", "rome", "kyiv", "lima")
CHANNELS = ("web", "amazon", "outlet", "till")
SELLER, EPOCH = "main", "epoch-1"
NOON = 1_700_000_000_000


def shelves(*codes: str, own: str = "") -> list[ChannelLocation]:
    return [ChannelLocation(code=code, own_shelf=code == own) for code in codes]


WEB = Channel(code="web", rank=2, locations=shelves("oslo", "rome", "kyiv"), split_limit=2, pending_minutes=1)
AMAZON = Channel(
    code="amazon",
    kind="marketplace",
    rank=3,
    demand="firm",
    overflow="borrow",
    locations=shelves("rome", "lima", "oslo", "kyiv"),
    routing=("priority",),
    split_limit=2,
    pending_minutes=2,
)
OUTLET = Channel(
    code="outlet",
    rank=4,
    overflow="none",
    locations=shelves("kyiv", "oslo"),
    routing=("priority", "region_match"),
    lowers_at="payment",
    pending_minutes=1,
)
TILL = Channel(
    code="till", kind="pos", rank=1, demand="gone", locations=shelves("oslo", "kyiv", own="oslo"), split_limit=1
)

PLACES = [
    Location(code="oslo", priority=1, country="NO", region="east"),
    Location(code="rome", priority=1, country="IT", region="lazio"),
    Location(code="kyiv", priority=2, country="UA", region="kyiv", kind="store"),
    Location(code="lima", priority=2, country="PE", region="lima", kind="third_party"),
]
CATALOGUE = [SkuConfig(sku=CUP, category="kitchen"), SkuConfig(sku=TEE, category="cotton"), SkuConfig(sku=PEN)]
RULES = [
    Rule(kind="safety_stock", units=1),
    Rule(kind="safety_stock", location="rome", units=0),
    Rule(kind="safety_stock", sku=CUP, location="oslo", units=2),
    Rule(kind="buffer", channel="amazon", units=1, percent_bp=2500),
    Rule(kind="buffer", category="cotton", channel="web", percent_bp=3333),
    Rule(kind="cutoff", channel="amazon", units=1),
    Rule(kind="max_published", sku=CUP, units=6),
]


def town(*, locations=PLACES, channels=(WEB, AMAZON, OUTLET, TILL), rules=RULES, skus=CATALOGUE) -> Config:
    """The shop, or one like it."""
    return Config(locations=list(locations), channels=list(channels), skus=list(skus), rules=list(rules))


async def open_shop(client, config: Config | None = None) -> Allocator:
    """An allocator of an empty server with this config in force, at noon."""
    allocator = Allocator(Pipe(client), SELLER, EPOCH)
    allocator.now_ms = NOON
    await allocator.begin()
    await allocator.configure_all(config or town())
    return allocator
