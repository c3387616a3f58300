"""Which numbers a group of ledger entries can have changed."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from allocator.ledger import Row, config_of
from allocator.records import ConfigRecord, Entry

ANYWHERE: Final = ""
"""Stands for every location: what a sku as a whole owes, and its rules."""

CONFIG_SKUS_MAX: Final = 1_000
"""With more skus touched by changes of config, everything is to be read again."""

CONFIG: Final = "the config changed"

WHOLE: Final = frozenset({"ranks", "locations", "channel"})
"""Fields of the compiled config that are written again when they do not change."""

Known = dict[str, bytes]
"""What such fields were last, as far as that is known."""

SkusOf = Callable[[list[str]], Awaitable[list[str]]]
"""The skus of categories, at most one more than CONFIG_SKUS_MAX."""


class Touched(msgspec.Struct):
    """
    What may have changed: skus with the locations concerned, channels and categories as wholes.

    everything: why all numbers may have changed, or ''. configured: the config is another one; `by_config` counts the
    skus touched by that.
    """

    skus: dict[str, set[str]] = {}
    channels: set[str] = set()
    categories: set[str] = set()
    everything: str = ""
    configured: bool = False
    by_config: int = 0

    def add_skus(self, skus: Iterable[str]) -> None:
        """Skus whose rules are others; too many of them are everything."""
        for sku in skus:
            self.by_config += 1
            if self.by_config > CONFIG_SKUS_MAX:
                self.everything = CONFIG
            else:
                self.skus.setdefault(sku, set()).add(ANYWHERE)


def touched_by(rows: Iterable[Row], known: Known | None = None) -> Touched:
    """What these entries touched, taken together. `known` is brought up to date; what it has already is no news."""
    touched = Touched()
    for _, entry in rows:
        _moves(touched, entry)
        record = config_of(entry)
        if record is not None:
            _config(touched, record, {} if known is None else known)
    return touched


async def resolved(touched: Touched, skus_of: SkusOf) -> Touched:
    """The same with skus in place of categories. None found means that SQL is behind: then it is everything."""
    if touched.categories and not touched.everything:
        skus = await skus_of(sorted(touched.categories))
        touched.everything = "" if skus else CONFIG
        touched.add_skus(skus)
    return touched


def _moves(touched: Touched, entry: Entry) -> None:
    for change in entry.changes:
        # An empty location is the sku's own debt, and that is in everybody's number: ANYWHERE.
        touched.skus.setdefault(change.sku, set()).update(location for location, *_ in change.moves)


def _config(touched: Touched, record: ConfigRecord, known: Known) -> None:
    """
    A change of config as changes of numbers.

    `document` is for rankings alone. New skus have no number yet that could differ.
    """
    touched.configured = True
    changes: dict[str, bytes] = {**record.fields, **dict.fromkeys(record.removed, b"")}
    skus = []
    for field, value in changes.items():
        kind, _, name = field.partition(":")
        if kind == "sku":
            skus.append(name)
        elif kind == "category":
            touched.categories.add(name)
        elif kind == "rules":
            touched.everything = CONFIG
        elif kind in WHOLE and known.get(field) != value:
            # With a channel its rank is written again, with a location all its channels are, the same as before mostly.
            known[field] = value
            _whole(touched, kind, name)
    touched.add_skus(skus)


def _whole(touched: Touched, kind: str, channel: str) -> None:
    if kind == "channel":
        touched.channels.add(channel)
    else:
        touched.everything = CONFIG
