"""
How the oracle gives units to lines: needs per sku, routing by trying every set of locations, and the three kinds.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from allocator import Channel
from tests.allocator.oracle_atp import Atp, View, atp_of, view_of
from tests.allocator.oracle_state import Books, Line, take_at
from tests.allocator.oracle_terms import Asked

PLANS = {1: "single", 2: "pair", 3: "triple"}
EXACT_AMONG = 8
ANY_NUMBER = 1_000
OTHERS_TIE = 10_001

Candidates = list[tuple[str, int]]


@dataclass
class Need:
    """All lines of one sku together: `units` is what the pass may still take, `got` what all passes took."""

    sku: str
    wanted: int
    atp: Atp
    views: dict[str, View]
    units: int = 0
    got: int = 0
    ceilings: dict[str, int] = field(default_factory=dict)


@dataclass
class Demand:
    """Lines of one channel that want units, and where they may come from."""

    books: Books
    channel: Channel
    lines: list[Line]
    candidates: Candidates
    limit: int = 0
    full: Collection[str] = ()

    def __post_init__(self) -> None:
        self.needs: dict[str, Need] = {}
        for line in self.lines:
            if line.sku not in self.needs:
                atp = atp_of(self.books, self.channel, line.sku)
                self.needs[line.sku] = Need(line.sku, 0, atp, atp.views)
            self.needs[line.sku].wanted += line.left

    @property
    def split_limit(self) -> int:
        return self.limit or self.channel.split_limit

    @property
    def eligible(self) -> Candidates:
        mine = {spot.code for spot in self.channel.locations}
        return [candidate for candidate in self.candidates if candidate[0] in mine]

    def used(self) -> list[str]:
        return list(dict.fromkeys(take.location for line in self.lines for take in line.takes))

    # --- routing -----------------------------------------------------------------------------------------------

    def route(self, candidates: Candidates, part: str, limit: int) -> tuple[list[str], str, bool]:
        """The locations to fill from: those in use first, then the fewest and best others."""
        allowed = {code for code, _ in candidates}
        mine = [code for code in self.used() if code in allowed]
        missing = {}
        for need in self.needs.values():
            there = sum(need.views[code].passes[part] for code in mine if code in need.views)
            missing[need.sku] = max(0, need.units - there)
        others = [candidate for candidate in candidates if candidate[0] not in self.used()]
        chosen, plan, complete = self._choose(others, missing, part, limit - len(self.used()))
        return mine + chosen, plan, complete

    def _choose(self, candidates: Candidates, missing: dict[str, int], part: str, limit: int) -> tuple:
        def units(code: str, sku: str) -> int:
            view = self.needs[sku].views.get(code)
            return view.passes[part] if view and missing[sku] else 0

        spots = sorted_spots(candidates, missing, units)
        fills = filler(missing, units)
        for size in range(1, min(3, limit) + 1):
            pool = spots if size == 1 else spots[:EXACT_AMONG]
            sets = [chosen for chosen in combinations(pool, size) if fills(spot[2] for spot in chosen)]
            if sets:
                best = min(sets, key=lambda chosen: (sum(s[0] for s in chosen), sum(s[1] for s in chosen)))
                return [code for _, _, code in best], PLANS[size], True
        chosen = greedy([code for _, _, code in spots], dict(missing), units, limit)
        return chosen, "greedy" if chosen else "none", fills(chosen)

    # --- taking ------------------------------------------------------------------------------------------------

    def fill(self, codes: Sequence[str], part: str, mark: str = "") -> None:
        for line in self.lines:
            need = self.needs[line.sku]
            for code in codes:
                view = need.views.get(code)
                units = min(line.left, need.units, view.passes[part]) if view else 0
                if units > 0:
                    self._draw(line, view, part, units, mark)
                    line.left, need.units, need.got = line.left - units, need.units - units, need.got + units

    def _draw(self, line: Line, view: View, part: str, units: int, mark: str) -> None:
        take = take_at(line.takes, view.location)
        self.books.touched.add(line.sku)
        view.passes[part] -= units
        for source, some, quota in draw(view, part, units, self.channel.code):
            take.add(mark or source, some, quota)

    # --- the kinds of demand -----------------------------------------------------------------------------------

    def promise(self, *, partial: bool) -> tuple[str, object, str]:
        """Returns a refusal and its facts, or '', None and the plan."""
        for need in self.needs.values():
            need.units = min(need.wanted, need.atp.now)
        short = any(need.units < need.wanted for need in self.needs.values())
        some = any(need.units for need in self.needs.values()) or bool(self.used())
        if short and not (partial and some):
            return "short", self.facts(), ""
        open_ones = [candidate for candidate in self.eligible if candidate[0] not in self.full]
        codes, plan, complete = self.route(open_ones, "open", self.split_limit)
        if not complete and not (partial and (codes or self.used())):
            _, _, otherwise = self.route(self.eligible, "open", self.split_limit)
            word = "at_capacity" if otherwise else "unroutable"
            return word, [self.split_limit, self.facts(), self.trace("openly")], ""
        self.fill(codes, "open")
        return "", None, plan

    def facts(self) -> list:
        return [[line.line, line.sku, line.ordered, self.needs[line.sku].atp.now] for line in self.lines]

    def firm(self, *, serving: bool = False, without: Collection[str] = (), only: str = "") -> str:
        """Each pass only for what the earlier left; while serving, debts and buffers do not count."""
        every = self.eligible
        named = {code for code, _ in every}
        every += [(spot.code, OTHERS_TIE) for spot in self.channel.locations if spot.code not in named]
        every = [candidate for candidate in every if candidate[0] not in without and only in {"", candidate[0]}]
        for need in self.needs.values():
            left = 0 if serving else -need.atp.owed
            for part in ("open", "safety", "fence"):
                left += sum(view.passes[part] for view in need.views.values())
                need.ceilings[part] = max(0, left)
        plans = [self._firm_pass(every, part, serving=serving) for part in ("open", "safety", "fence")]
        return next((plan for plan in plans if plan != "none"), "none")

    def _aim(self, part: str, *, within_atp: bool = False) -> bool:
        for need in self.needs.values():
            most = min(need.ceilings[part], need.atp.now) if within_atp else need.ceilings[part]
            need.units = max(0, min(need.wanted, most) - need.got)
        return any(need.units for need in self.needs.values())

    def _firm_pass(self, every: Candidates, part: str, *, serving: bool) -> str:
        if not self._aim(part):
            return "none"
        codes, plan, complete = self.route(every, part, self.split_limit)
        if not complete:
            codes, plan, _ = self.route(every, part, ANY_NUMBER)
        if part == "open" and not serving:
            self._aim(part, within_atp=True)
            self.fill(codes, part)
            self._aim(part)
            self.fill(codes, part, mark="buffer")
        else:
            self.fill(codes, part)
        return plan

    def gone(self, location: str) -> None:
        """The units have left: whatever is there in the order of the firm passes, and the rest is missing there."""
        for need in self.needs.values():
            need.views = {location: view_of(self.books, self.channel, need.sku, location, even_inactive=True)}
            need.units = sum(line.left for line in self.lines)
        for part in ("open", "safety", "fence"):
            self.fill([location], part)
        for line in self.lines:
            if line.left:
                self.books.touched.add(line.sku)
                take_at(line.takes, location).add("deficit", line.left, "")
                line.left = 0

    def trace(self, what: str) -> list:
        """Each candidate and why it was or was not taken; `what` this kind of demand could have taken there."""
        codes = {spot.code for spot in self.channel.locations}
        return [part for code, _ in self.candidates for part in (code, *self._verdict(code, code in codes, what))]

    def _verdict(self, code: str, mine: bool, what: str) -> tuple[str, int]:
        units = sum(take.units for line in self.lines for take in line.takes if take.location == code)
        if units:
            return "taken", units
        if not mine:
            return "not_eligible", 0
        if not self.books.is_active(code):
            return "inactive", 0
        could = [need for need in self.needs.values() if code in need.views and getattr(need.views[code], what)]
        if could and code in self.full:
            return "at_capacity", 0
        if what == "openly" and any(need.units for need in could):
            return "left_out", 0
        return ("not_needed" if could else "nothing_open"), 0


def sorted_spots(candidates: Candidates, missing: dict[str, int], units: Callable[[str, str], int]) -> list:
    """Those that have any of it, best first: (tie, -units, code), equals in the order given."""
    spots = [(tie, -sum(units(code, sku) for sku in missing), code) for code, tie in candidates]
    return sorted((spot for spot in spots if spot[1]), key=lambda spot: spot[:2])


def filler(missing: dict[str, int], units: Callable[[str, str], int]) -> Callable[[Iterable[str]], bool]:
    def fills(codes: Iterable[str]) -> bool:
        chosen = list(codes)
        return all(sum(units(code, sku) for code in chosen) >= left for sku, left in missing.items())

    return fills


def greedy(codes: list[str], missing: dict[str, int], units: Callable[[str, str], int], limit: int) -> list[str]:
    """Each time the location that covers most of what is still missing."""
    chosen: list[str] = []
    had = {(code, sku): units(code, sku) for code in codes for sku in missing}
    while len(chosen) < limit:
        rest = [code for code in codes if code not in chosen]
        covers = {code: sum(min(left, had[code, sku]) for sku, left in missing.items()) for code in rest}
        best = max(rest, key=covers.__getitem__, default=None)
        if best is None or not covers[best]:
            break
        chosen.append(best)
        missing = {sku: left - min(left, had[best, sku]) for sku, left in missing.items()}
    return chosen


def draw(view: View, part: str, units: int, channel: str) -> list[tuple[str, int, str]]:
    """Units of one part of a shelf by source: (source, units, whose quota)."""
    if part == "safety":
        return [("safety", units, "")]
    drawn = []
    own, shared = (view.own, view.shared) if part == "open" else (0, view.shared)
    if (view.overflow == "none") == (part == "open"):
        shared = 0
    for source, there in (("own", own), ("shared", shared)):
        some = min(there, units)
        units -= some
        drawn.append((source, some, channel if source == "own" else ""))
    view.own -= drawn[0][1]
    view.shared -= drawn[1][1]
    for lender in view.lenders:
        some = min(units, lender.lendable if part == "open" else lender.units)
        lender.units, units = lender.units - some, units - some
        drawn.append(("borrowed", some, lender.channel))
    assert units == 0
    return [row for row in drawn if row[1]]


def limit_of(asked: Asked | None, books: Books, lines: list[Line]) -> int:
    """The split limit that an order which asks for this has of its own; 0: none."""
    categories = {"", *(books.category(line.sku) for line in lines)}
    return next((limit for category, limit in asked.limits if category in categories), 0) if asked else 0
