"""
One follower of events: what it wants, what it still has to be asked about, and what waits to be sent to it.

Nothing here grows without limit. What waits is one number per sku and channel, the newest; when even that is too much
it is forgotten for one `Reload`, which is the same promise in fewer words: ask again.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from allocator import Level
from allocator.ledger import place

from .touched import ANYWHERE, Touched
from .words import News, Reload

PENDING_MAX: Final = 10_000
"""Most numbers that wait for one slow reader."""

SENT_MAX: Final = 5_000
"""Most numbers that are remembered so that they are not sent twice; forgetting one costs a needless line."""

RELOAD_SECONDS: Final = 2.0
"""How far apart requests to read everything again are, at least."""

Place = tuple[str, str]
"""(sku, channel)."""


class Filters(NamedTuple):
    """What a follower wants to hear of; None is no filter."""

    channels: frozenset[str] | None = None
    locations: frozenset[str] | None = None
    skus: frozenset[str] | None = None


class Subscription:
    """
    One follower.

    dirty: skus whose numbers are to be asked. position: what happened up to here is in what waits, or has been sent;
    '' while nothing can be said of that. behind: what happened before it came is still being read. news: set while
    something waits, or at the end. settled: set when everything up to some moment after it came has been asked about.
    """

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self.position = ""
        self.dirty: set[str] = set()
        self.behind = True
        self.ended = False
        self.news = asyncio.Event()
        self.settled = asyncio.Event()
        self._waiting: dict[Place, Level] = {}
        self._sent: dict[Place, Level] = {}
        self._reload: set[str] | None = None
        self._why = ""
        self._reloaded_s = -RELOAD_SECONDS

    # --- filled by the follower of the seller ------------------------------------------------------------------

    def mark(self, touched: Touched) -> None:
        """Note what of this concerns us. Named skus are never too many to ask about."""
        named = self.filters.skus
        if named is None:
            self.dirty |= self._near(touched.skus.keys(), touched)
        else:
            self.dirty |= self._near(named & touched.skus.keys(), touched)
        if touched.everything:
            self.reload((), touched.everything)
        elif concerned := self._concerned(touched.channels):
            self.reload(concerned, "the config of the channel changed")

    def _near(self, skus: Iterable[str], touched: Touched) -> set[str]:
        """Those of the skus that were touched where we look."""
        here = self.filters.locations
        if here is None:
            return set(skus)
        return {sku for sku in skus if ANYWHERE in touched.skus[sku] or not here.isdisjoint(touched.skus[sku])}

    def _concerned(self, channels: set[str]) -> set[str]:
        return channels if self.filters.channels is None else channels & self.filters.channels

    def reload(self, channels: Iterable[str], why: str) -> None:
        """Everything is to be read again: of these channels, or of all when none is named."""
        named = set(channels)
        if self.filters.skus is not None:
            self.dirty |= self.filters.skus
            return
        if not named or self._reload == set():
            self._reload = set()
            self._waiting.clear()
            self.dirty.clear()
        else:
            self._reload = (self._reload or set()) | named
        self._why = why
        self.news.set()

    def offer(self, sku: str, rows: Iterable[tuple[Place, Level]]) -> None:
        """A sku's numbers, just read; each replaces the one that waited before it."""
        self.dirty.discard(sku)
        channels = self.filters.channels
        for where, level in rows:
            if level.version != -1 and (channels is None or level.channel in channels):
                self._waiting[where] = level
        if len(self._waiting) > PENDING_MAX:
            self.reload((), "more changed than this reader took")
        if self._waiting:
            self.news.set()

    def settle(self, position: str) -> None:
        """Everything up to here has been asked about, unless something of ours has not."""
        if self.behind or self.dirty:
            return
        if not self.position or place(position) > place(self.position):
            self.position = position
        if self._waiting or self._reload is not None:
            self.news.set()
        self.settled.set()

    def end(self) -> None:
        """No more news: the service stops, or the reader has gone."""
        self.ended = True
        self.news.set()
        self.settled.set()

    # --- emptied by the reader ---------------------------------------------------------------------------------

    def take(self, count: int, now_s: float) -> News | None:
        """
        What is to be sent next, at most `count` numbers, or None. `now_s` is monotonic.

        Only the part that empties what waits has a position: who is cut off before that resumes before it. Nothing is
        sent before there is a position to resume from.
        """
        if not self.position or (self._reload is not None and now_s - self._reloaded_s < RELOAD_SECONDS):
            self.news.clear()
            return None
        reload = self._take_reload(now_s)
        levels = self._next(count)
        if not self._waiting and not self.ended:
            self.news.clear()
        return News("" if self._waiting else self.position, levels, reload) if levels or reload else None

    def _take_reload(self, now_s: float) -> Reload | None:
        if self._reload is None:
            return None
        # None named means all, and of all channels we may see only some.
        reload = Reload(sorted(self._reload or self.filters.channels or ()), self._why)
        self._reload, self._reloaded_s = None, now_s
        self._sent.clear()
        return reload

    def patience_s(self, longest_s: float, now_s: float) -> float:
        """How long the reader may wait before it looks again: for a reload that is held back, not longer than that."""
        if self._reload is None or not self.position:
            return longest_s
        return min(longest_s, max(0.0, self._reloaded_s + RELOAD_SECONDS - now_s))

    def _next(self, count: int) -> list[Level]:
        levels: list[Level] = []
        while self._waiting and len(levels) < count:
            where = next(iter(self._waiting))
            level = self._waiting.pop(where)
            if self._sent.get(where) != level:
                self._remember(where, level)
                levels.append(level)
        return levels

    def _remember(self, where: Place, level: Level) -> None:
        self._sent.pop(where, None)
        self._sent[where] = level
        if len(self._sent) > SENT_MAX:
            del self._sent[next(iter(self._sent))]
