"""
The oracle's books, in the plainest form: only facts are kept, everything else is summed up when asked.

held, committed, consumed, deficits and ATP are never stored here, so they cannot drift from what they mean.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from allocator import Channel, Config
from tests.allocator.oracle_returns import Return
from tests.allocator.oracle_terms import Terms

LAST_RANK = 99_999


@dataclass
class Part:
    source: str
    units: int
    quota: str


@dataclass
class Take:
    location: str
    picking: bool = False
    parts: list[Part] = field(default_factory=list)

    def copy(self) -> "Take":
        return Take(self.location, self.picking, [Part(part.source, part.units, part.quota) for part in self.parts])

    @property
    def units(self) -> int:
        return sum(part.units for part in self.parts)

    def add(self, source: str, units: int, quota: str) -> None:
        last = self.parts[-1] if self.parts else None
        if last and (last.source, last.quota) == (source, quota):
            last.units += units
        else:
            self.parts.append(Part(source, units, quota))

    def remove(self, units: int, *, last: bool) -> list[Part]:
        """Part `units` from it, the last taken first or the first taken first."""
        removed: list[Part] = []
        while units:
            part = self.parts[-1 if last else 0]
            some = min(part.units, units)
            removed.append(Part(part.source, some, part.quota))
            part.units -= some
            units -= some
            self.parts = [part for part in self.parts if part.units]
        return removed

    def row(self) -> list:
        flat = [value for part in self.parts for value in (part.source, part.units, part.quota)]
        return [self.location, self.units, int(self.picking), *flat]


def take_at(takes: list[Take], location: str) -> Take:
    """The take to add units to: what is being picked is closed."""
    found = next((take for take in takes if take.location == location and not take.picking), None)
    if found is None:
        found = Take(location)
        takes.append(found)
    return found


def rows(takes: list[Take]) -> list:
    return [take.row() for take in takes if take.units]


@dataclass
class Hold:
    channel: str
    owner: str
    state: str
    deadline_ms: int
    takes: dict[str, list[Take]]
    order: "HeldFor | None" = None

    def copy(self) -> "Hold":
        takes = {sku: [take.copy() for take in takes] for sku, takes in self.takes.items()}
        return Hold(self.channel, self.owner, self.state, self.deadline_ms, takes, self.order)


@dataclass(frozen=True)
class HeldFor:
    """The pending order that a hold is for; lines: (line, sku, units, held when it was made)."""

    external_id: str
    reason: str
    kind: str
    partial: bool
    print_: str
    candidates: list[tuple[str, int]]
    lines: list[tuple[str, str, int, int]]
    terms: str


@dataclass
class Line:
    line: str
    sku: str
    ordered: int
    takes: list[Take] = field(default_factory=list)
    shipped: int = 0
    backordered: int = 0
    conflict: int = 0
    cancelled: int = 0
    returned: int = 0
    left: int = 0

    def copy(self) -> "Line":
        debts = (self.backordered, self.conflict, self.cancelled, self.returned, self.left)
        takes = [take.copy() for take in self.takes]
        return Line(self.line, self.sku, self.ordered, takes, self.shipped, *debts)

    @property
    def committed(self) -> int:
        return sum(take.units for take in self.takes)

    @property
    def picking(self) -> int:
        return sum(take.units for take in self.takes if take.picking)

    def at(self, location: str) -> int:
        """Units committed at a location."""
        return sum(take.units for take in self.takes if take.location == location)

    def movable(self, origin: str) -> int:
        """What waits, or what of it is not being picked at a location."""
        if not origin:
            return self.conflict + self.backordered
        return sum(take.units for take in self.takes if take.location == origin and not take.picking)

    def row(self) -> list:
        debts = (self.backordered, self.conflict, self.cancelled, self.returned)
        return [self.line, self.sku, self.ordered, self.committed, self.shipped, *debts, rows(self.takes)]


@dataclass
class Order:
    channel: str
    external_id: str
    kind: str
    op: str
    placed_ms: int
    rank: int
    candidates: list[tuple[str, int]]
    lines: list[Line]
    rejected_at: list[str] = field(default_factory=list)
    desk: bool = False
    terms: Terms | None = None
    returns: dict[str, Return] = field(default_factory=dict)

    def copy(self) -> "Order":
        facts = (self.channel, self.external_id, self.kind, self.op, self.placed_ms, self.rank, self.candidates)
        terms = self.terms and self.terms.copy()
        returns = {id: announced.copy() for id, announced in self.returns.items()}
        return Order(*facts, [line.copy() for line in self.lines], [*self.rejected_at], self.desk, terms, returns)

    def expected(self, line: str) -> int:
        """Units of a line that are announced and have not arrived, over all returns."""
        return sum(announced.expected(line) for announced in self.returns.values())

    @property
    def pickup(self) -> str:
        return self.terms.asked.pickup if self.terms else ""

    def waiting(self) -> Line | None:
        """The first line of which units wait, if all of the order leaves together."""
        lines = self.lines if self.terms and self.terms.asked.complete else []
        return next((line for line in lines if line.backordered + line.conflict), None)

    def drop_places(self) -> None:
        """What was promised where nothing of the order is any more, and nothing was shipped from, is over."""
        there = {take.location for line in self.lines for take in line.takes if take.units}
        if self.terms:
            self.terms.places = [place for place in self.terms.places if place.left or place.location in there]

    def waits(self, line: Line) -> int:
        """Units of a line that are served when some arrive: not those about which somebody has to decide."""
        return line.backordered + (0 if self.desk else line.conflict)

    def total(self, bucket: str) -> int:
        return sum(getattr(line, bucket) for line in self.lines)

    @property
    def state(self) -> str:
        for debt in ("conflict", "backordered", "picking"):
            if self.total(debt):
                return debt
        if self.total("committed"):
            return "partly_shipped" if self.total("shipped") else "committed"
        if self.total("shipped"):
            return "returned" if self.total("returned") == self.total("shipped") else "shipped"
        return "cancelled"


def counted(counter: Counter[str]) -> Counter[str]:
    """A copy; Counter's own takes ten times as long, and books are copied for every verb."""
    twin: Counter[str] = Counter.__new__(Counter)
    dict.update(twin, counter)
    return twin


@dataclass
class Shelf:
    """
    The physical facts of a sku at a location, and whose units are ring-fenced there: channel -> [quota, floor].

    transit: what transfers have on their way there.
    """

    on_hand: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    quotas: dict[str, list[int]] = field(default_factory=dict)
    spent: Counter[str] = field(default_factory=Counter)
    transit: Counter[str] = field(default_factory=Counter)

    def copy(self) -> "Shelf":
        quotas = {channel: [*quota] for channel, quota in self.quotas.items()}
        named = quotas, counted(self.spent), counted(self.transit)
        return Shelf(self.on_hand, counted(self.reasons), *named)


class Books:
    """Facts, and what they add up to. closed: skus whose holds stay and whose backorders wait, whatever they say."""

    def __init__(self) -> None:
        self.config = Config()
        self.config_version = "0"
        self.versions: dict[str, int] = {}
        self.shelves: dict[tuple[str, str], Shelf] = {}
        self.holds: dict[str, Hold] = {}
        self.orders: dict[str, Order] = {}
        self.servable: set[str] = set()
        self.touched: set[str] = set()
        self.closed: frozenset[str] = frozenset()

    def copy(self) -> "Books":
        """Books to try something on; what is shared with these is never changed in place."""
        twin = Books()
        twin.config, twin.config_version, twin.versions = self.config, self.config_version, self.versions.copy()
        twin.shelves = {place: shelf.copy() for place, shelf in self.shelves.items()}
        twin.holds = {id: hold.copy() for id, hold in self.holds.items()}
        twin.orders = {id: order.copy() for id, order in self.orders.items()}
        twin.servable, twin.touched, twin.closed = self.servable.copy(), self.touched.copy(), self.closed
        return twin

    def shelf(self, sku: str, location: str) -> Shelf:
        return self.shelves.setdefault((sku, location), Shelf())

    def channel(self, code: str) -> Channel | None:
        return next((channel for channel in self.config.channels if channel.code == code), None)

    def rank(self, code: str) -> int:
        channel = self.channel(code)
        return channel.rank if channel else LAST_RANK

    def is_active(self, code: str) -> bool:
        return any(location.code == code and location.active for location in self.config.locations)

    def has_location(self, code: str) -> bool:
        return any(location.code == code for location in self.config.locations)

    def _held_takes(self, sku: str) -> Iterator[Take]:
        for hold in self.holds.values():
            yield from hold.takes.get(sku, [])

    def _committed_takes(self, sku: str) -> Iterator[Take]:
        for order in self.orders.values():
            for line in order.lines:
                if line.sku == sku:
                    yield from line.takes

    def held(self, sku: str, location: str) -> int:
        return sum(take.units for take in self._held_takes(sku) if take.location == location)

    def committed(self, sku: str, location: str) -> int:
        return sum(take.units for take in self._committed_takes(sku) if take.location == location)

    def available(self, sku: str, location: str) -> int:
        shelf = self.shelves.get((sku, location), Shelf())
        promised = self.held(sku, location) + self.committed(sku, location)
        return shelf.on_hand - shelf.reasons.total() - promised

    def deficit(self, sku: str, location: str) -> int:
        return max(0, -self.available(sku, location))

    def consumed(self, sku: str, location: str, channel: str) -> int:
        takes = [*self._held_takes(sku), *self._committed_takes(sku)]
        parts = [part for take in takes if take.location == location for part in take.parts]
        open_units = sum(part.units for part in parts if part.quota == channel)
        return open_units + self.shelf(sku, location).spent[channel]

    def debt(self, sku: str, kind: str) -> int:
        lines = [line for order in self.orders.values() for line in order.lines if line.sku == sku]
        return sum(getattr(line, kind) for line in lines)

    def waits(self, sku: str) -> bool:
        """Whether orders wait for units of a sku."""
        return self.debt(sku, "backordered") + self.debt(sku, "conflict") > 0

    def taken(self, location: str, day: str) -> int:
        """How many orders have a place of this day there."""
        places = [place for order in self.orders.values() if order.terms for place in order.terms.places]
        return sum(place.counted and (place.location, place.option.day) == (location, day) for place in places)

    def category(self, sku: str) -> str:
        return next((row.category for row in self.config.skus if row.sku == sku), "")

    def locations_of(self, sku: str) -> list[str]:
        taken = [take.location for take in (*self._held_takes(sku), *self._committed_takes(sku))]
        return sorted({code for named, code in self.shelves if named == sku} | set(taken))

    def owed(self, sku: str) -> int:
        """What this sku owes already: backorders, conflicts and every location's deficit."""
        deficits = sum(self.deficit(sku, code) for code in self.locations_of(sku))
        return self.debt(sku, "backordered") + self.debt(sku, "conflict") + deficits
