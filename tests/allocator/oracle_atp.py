"""ATP in the five steps of the model, in integers, over the oracle's books."""

from dataclasses import dataclass, field

from allocator import Channel, Rule
from tests.allocator.oracle_state import Books

SCOPES = ("sku and {}", "category and {}", "sku", "category", "{}", "global")


def rules_that_speak(books: Books, kind: str, sku: str, place: str) -> list[tuple[str, Rule]]:
    """Every rule of a kind for a sku at a place (a location, or a channel), the most specific scope first."""
    category = next((known.category for known in books.config.skus if known.sku == sku), "")
    word = "location" if kind == "safety_stock" else "channel"
    scopes = [(sku, "", place), ("", category, place), (sku, "", ""), ("", category, ""), ("", "", place), ("", "", "")]
    said = []
    for title, scope in zip(SCOPES, scopes, strict=True):
        if "category" in title and not category:
            continue
        rule = next((rule for rule in books.config.rules if rule.kind == kind and scope_of(rule) == scope), None)
        if rule:
            said.append((title.format(word), rule))
    return said


def scope_of(rule: Rule) -> tuple[str, str, str]:
    return rule.sku, rule.category, rule.location or rule.channel


def winner(books: Books, kind: str, sku: str, place: str) -> Rule | None:
    said = rules_that_speak(books, kind, sku, place)
    return said[0][1] if said else None


@dataclass
class Lender:
    channel: str
    units: int
    floor: int

    @property
    def lendable(self) -> int:
        return max(0, self.units - self.floor)


@dataclass
class View:
    """A location as one channel sees it: what every pass of a demand may take there."""

    location: str
    available: int
    safety: int
    free: int
    own: int
    shared: int
    lenders: list[Lender]
    overflow: str
    passes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lent = sum(lender.lendable for lender in self.lenders) if self.overflow == "borrow" else 0
        unfenced = 0 if self.overflow == "none" else self.shared
        whole = self.own + self.shared + sum(lender.units for lender in self.lenders)
        self.passes["open"] = self.own + unfenced + lent
        self.passes["safety"] = max(0, self.available) - self.free
        self.passes["fence"] = whole - self.passes["open"]
        self.any = sum(self.passes.values())
        self.openly = self.passes["open"]

    @property
    def open(self) -> int:
        return self.passes["open"]


def view_of(books: Books, channel: Channel, sku: str, location: str, *, even_inactive: bool = False) -> View:
    """Steps 1 and 2 at one location."""
    active = even_inactive or books.is_active(location)
    available = books.available(sku, location) if active else 0
    own_shelf = any(spot.own_shelf for spot in channel.locations if spot.code == location)
    rule = None if own_shelf else winner(books, "safety_stock", sku, location)
    safety = rule.units if rule else 0
    free = left = max(0, available - safety)
    own, lenders = 0, []
    quotas = books.shelf(sku, location).quotas
    for other in sorted(quotas, key=lambda code: (books.rank(code), code)):
        quota, floor = quotas[other]
        effective = max(0, min(quota - books.consumed(sku, location, other), left))
        left -= effective
        if other == channel.code:
            own = effective
        elif effective:
            lenders.insert(0, Lender(other, effective, floor))
    return View(location, available, safety, free, own, left, lenders, channel.overflow)


@dataclass
class Atp:
    views: dict[str, View]
    open: int
    owed: int
    pool: int
    buffer: int
    now: int
    cutoff: int
    cap: int
    published: int

    def spread(self) -> list:
        """The published number in rank order up to what is open at each location."""
        left, said = self.published, []
        for view in self.views.values():
            units = min(view.open, left)
            left -= units
            said += [view.location, units]
        return said


def atp_of(books: Books, channel: Channel, sku: str, only: set[str] | None = None) -> Atp:
    """All five steps, over the channel's locations or those of `only`."""
    codes = [spot.code for spot in channel.locations if only is None or spot.code in only]
    views = {code: view_of(books, channel, sku, code) for code in codes}
    open_units, owed = sum(view.open for view in views.values()), books.owed(sku)
    pool = max(0, open_units - owed)
    rule = winner(books, "buffer", sku, channel.code)
    buffer = max(rule.units, -(-pool * rule.percent_bp // 10_000)) if rule else 0
    now = max(0, pool - buffer)
    cutoff_rule, cap_rule = (winner(books, kind, sku, channel.code) for kind in ("cutoff", "max_published"))
    cutoff, cap = cutoff_rule.units if cutoff_rule else 0, cap_rule.units if cap_rule else -1
    published = 0 if now <= cutoff else now if cap < 0 else min(now, cap)
    return Atp(views, open_units, owed, pool, buffer, now, cutoff, cap, published)
