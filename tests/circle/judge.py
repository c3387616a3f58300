"""
What must never be in a circle, and what is only counted.

A unit is oversold when our order for it, once it is in the ledger, owes it: it waits, or another one's is missing for
it. It was sold inside the interval when the channel still showed a number that the ledger had left behind; or on its
way, when something else took the unit after the purchase and before the purchase was in the ledger. What is neither
was sold by a mistake of ours, and there must be none.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final

from allocator import Allocator, ledger
from allocator.ledger import Row
from allocator.records import Entry

from .numbers import Changed, Key, Numbers
from .shop import SKUS, Listed, Stand

LATE_S_MAX: Final = 900.0
"""The longest that a channel may show what the ledger left behind: outages on end, and a breaker's rests."""


@dataclass
class Purchase:
    """
    What a buyer has got from a channel.

    stale_since_s: since when the ledger had left the number behind that he saw, None if it had not. gap: which push had
    told it. over: whether that push was made while another order of the channel was on its way to us, or the channel
    had put units of a cancelled order on sale again, of which we had not heard. is_booked: whether our books have it.
    """

    channel: str
    id: str
    listed: Listed
    units: int
    at_s: float
    stale_since_s: float | None
    gap: int
    over: bool
    is_wanted: bool = True
    is_booked: bool = False
    taken_s: float | None = None

    @property
    def wanted(self) -> int:
        """Units of the sku."""
        return self.units * self.listed.pack


@dataclass
class Tally:
    """What is counted of a channel; `covered` by listing and push: units oversold while one number was shown."""

    orders: int = 0
    units: int = 0
    told: int = 0
    lags_s: list[float] = field(default_factory=list)
    inside: int = 0
    on_the_way: int = 0
    outside: int = 0
    covered: Counter[tuple[Key, int]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def buffer(self) -> int:
        """Units of one listing that would have covered the worst of it."""
        return max(self.covered.values(), default=0)


class Judge:
    """
    Sees every entry of the ledger, every purchase, and every number that a channel was told.

    `shows` says what a listing shows, with what its channel takes off by itself; None for one that is not open yet.
    """

    def __init__(
        self,
        stands: Iterable[Stand],
        allocator: Allocator,
        now_s: Callable[[], float],
        shows: Callable[[Key], int | None],
    ) -> None:
        self.shows = shows
        self.stands = {stand.name: stand for stand in stands}
        self.numbers = Numbers([*self.stands.values()], allocator)
        self.now_s = now_s
        self.last_id = "0-0"
        self.found: list[str] = []
        self.tallies = {name: Tally() for name in self.stands}
        self.purchases: dict[tuple[str, str], Purchase] = {}
        self._listed = {(one.name, two.listing): two for one in self.stands.values() for two in one.listings}
        self._outdated: dict[Key, float] = {}
        self._told: dict[Key, tuple[int, bool]] = {}
        self._fell: dict[Key, list[tuple[float, Key | None]]] = defaultdict(list)
        self._on_the_way: dict[Key, list[Purchase]] = defaultdict(list)
        self._seen = 0

    def find(self, says: str) -> None:
        """Something that must never be."""
        self.found.append(f"at {self.now_s():.3f} s: {says}")

    def begin(self, last_id: str) -> None:
        """From here on everything counts."""
        self.last_id = last_id
        self.numbers.begin(SKUS, self.now_s())

    # --- what happens --------------------------------------------------------------------------------------------

    def see(self, rows: Iterable[Row]) -> None:
        """Entries that the ledger has now."""
        for id, entry in rows:
            self.last_id = id
            self._note_booked(entry)
            changed, rose = self.numbers.see(entry, self.now_s())
            placed = ledger.orders_of(entry) if entry.verb == "order" else []
            made = [self._taken(order.channel, order.external_id) for order in placed]
            by = next(((one.channel, one.listed.listing) for one in made if one), None)
            for one in changed:
                self._note_change(one, by)
            for purchase in made:
                units = min(rose.get(purchase.listed.sku, 0), purchase.wanted) if purchase else 0
                if purchase and units:
                    self._note_oversold(purchase, units)

    def _note_change(self, one: Changed, by: Key | None) -> None:
        if one.after < one.before:
            self._fell[one.key].append((self.now_s(), by))
        if self.is_right(one.key):
            # A sale there, or it is right again before anybody has told otherwise.
            self._outdated.pop(one.key, None)
        else:
            self._outdated.setdefault(one.key, self.now_s())

    def is_right(self, key: Key) -> bool:
        """Whether a listing shows what it should, less what its channel has sold and the ledger does not know yet."""
        shown, gross = self.shows(key), self.stands[key[0]].counts == "gross"
        going = [one for one in self._on_the_way[key] if one.taken_s is None and one.is_wanted]
        return shown is not None and shown + (0 if gross else sum(one.units for one in going)) == self.numbers.right(
            key
        )

    def told(self, channel: str, listing: str, units: int) -> None:
        """A channel was told a number and shows it now."""
        key, now_s = (channel, listing), self.now_s()
        tally = self.tallies[channel]
        tally.told += 1
        until_s = self.numbers.was_right_until(key, units, now_s)
        if until_s is None:
            self.find(f"{channel} is told {units} of {listing}, which was never right: {self.numbers.right(key)} is")
            return
        since_s = self._outdated.pop(key, None)
        if until_s == inf and since_s is not None:
            tally.lags_s.append(now_s - since_s)
        elif until_s < inf:
            self._outdated[key] = until_s
        self._on_the_way[key] = [one for one in self._on_the_way[key] if one.taken_s is None and one.is_wanted]
        for one in self._on_the_way[key]:
            one.over = True
        self._seen += 1
        self._told[key] = self._seen, bool(self._on_the_way[key])

    def bought(self, channel: str, id: str, listing: str, units: int, *, is_right: bool) -> Purchase:
        """A buyer has got something. is_right: whether `is_right` said so just before."""
        key = channel, listing
        gap, over = self._told.get(key, (0, False))
        stale_since_s = None if is_right else self._outdated.get(key)
        over = over or self._is_given_back(key)
        purchase = Purchase(channel, id, self._listed[key], units, self.now_s(), stale_since_s, gap, over)
        self.purchases[channel, id] = purchase
        self._on_the_way[key].append(purchase)
        tally = self.tallies[channel]
        tally.orders, tally.units = tally.orders + 1, tally.units + purchase.wanted
        return purchase

    def _is_given_back(self, key: Key) -> bool:
        """Whether the channel has put units of a cancelled order on sale again by itself, which we have not heard."""
        for one in self.purchases.values():
            if (one.channel, one.listed.listing) == key and one.is_booked and not one.is_wanted:
                return True
        return False

    def _note_booked(self, entry: Entry) -> None:
        """Keep in mind of which purchases our books have units, held or ordered: their ops have its name."""
        if entry.verb in {"hold", "order", "cancel"}:
            _, channel, id = (*entry.op.replace(":pending:", ":").split(":", 2), "", "")[:3]
            purchase = self.purchases.get((channel, id.partition(":")[0]))
            if purchase is not None:
                purchase.is_booked = entry.verb != "cancel"

    def _taken(self, channel: str, id: str) -> Purchase | None:
        """The purchase that an order of ours is for."""
        purchase = self.purchases.get((channel, id))
        if purchase is None:
            self.find(f"there is an order {id} of {channel}, which nobody has made")
            return None
        if purchase.taken_s is not None:
            self.find(f"the order {id} of {channel} is taken twice")
        purchase.taken_s = self.now_s()
        return purchase

    def _note_oversold(self, purchase: Purchase, units: int) -> None:
        tally, key = self.tallies[purchase.channel], (purchase.channel, purchase.listed.listing)
        taken_s = purchase.taken_s if purchase.taken_s is not None else inf
        fell = any(purchase.at_s < at_s <= taken_s and by != key for at_s, by in self._fell[key])
        if purchase.stale_since_s is not None:
            tally.inside += units
        elif fell or purchase.over:
            tally.on_the_way += units
        else:
            tally.outside += units
            self.find(f"{units} of {purchase.listed.sku} oversold by {purchase.channel}, which showed the right number")
        tally.covered[key, purchase.gap] += units

    # --- now and then --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Whether anything is late."""
        for key, since_s in list(self._outdated.items()):
            if self.shows(key) == self.numbers.right(key):
                self._outdated.pop(key, None)
            elif self.now_s() - since_s > LATE_S_MAX:
                self.find(f"{key[0]} shows what the ledger left behind {self.now_s() - since_s:.0f} s ago of {key[1]}")
                return
