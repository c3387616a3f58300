"""Mistakes that are easily made on the way between stock and channels: the circle must find them all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from app.store import shown
from tests.simulator.worlds.patches import Patch, applied

WORLDS_MAX = 12
"""In so many worlds from its first one each must be found."""


class Mistake(NamedTuple):
    """What it is called, how it gets into the code, and a seed near which it is known to show."""

    name: str
    patch: Patch
    first: int = 3


@contextmanager
def made(mistake: Mistake) -> Iterator[None]:
    """Inside, the mistake is made. Raises PatchFails."""
    with applied(mistake.patch):
        # Statements that are made once may have been made before.
        shown._change.cache_clear()
        try:
            yield
        finally:
            shown._change.cache_clear()


MISTAKES = (
    Mistake(
        "a push settles what changed while it was under way",
        Patch(
            "app/store/shown.py",
            '    if "changes" in new:\n',
            '    if "settled" in new:\n        new["settled"] = _C.changes\n    if "changes" in new:\n',
        ),
    ),
    Mistake(
        "a gap in the ledger is passed over",
        Patch(
            "app/sync/following.py",
            "position, everything, rows, known = gap.last, True, [], {}",
            "position, everything, rows, known = gap.last, False, [], {}",
        ),
    ),
    Mistake(
        "what changed is not noted with the position",
        Patch("app/sync/following.py", "if moved and (skus is None or skus):", "if moved and skus is None:"),
    ),
    Mistake(
        "after a lost answer nobody looks",
        Patch(
            "app/sync/pushing.py",
            "{row.listing: outcomes.failed(row, UNCLEAR, str(error), now_ms()) for row in rows}",
            "{row.listing: outcomes.nothing_to_tell(row, numbers[row.listing]) for row in rows}",
        ),
    ),
    Mistake(
        "a worker writes down what it found when another one works",
        Patch(
            "app/sync/recording.py",
            "if tenure is not None and not await holds_lease",
            "if tenure is None and not await holds_lease",
        ),
    ),
    Mistake(
        "an order is named by its picture",
        Patch(
            "app/sync/mirroring.py",
            "            external_id=self.theirs.external_id,\n",
            '            external_id=f"{self.theirs.external_id}/{self.theirs.revision}",\n',
        ),
    ),
    Mistake(
        "orders are known up to a look that failed",
        Patch("app/sync/pulling.py", "    if not page.orders and not page.odd:\n", "    if via == POLL:\n"),
    ),
    Mistake(
        "a cancelled order keeps its units",
        Patch(
            "app/sync/mirroring.py",
            '(line.shipped if self.theirs.state == "cancelled" else line.units)',
            "line.units",
        ),
    ),
    Mistake(
        "packs are counted as units",
        Patch("app/sync/numbers.py", "(of_sku.units + owed.units) // pack)", "(of_sku.units + owed.units) // 1)"),
    ),
    Mistake(
        "open orders are those of another moment",
        Patch("app/sync/numbers.py", "if one.version == published[sku].version else {}", "if one.version else {}"),
        first=2,
    ),
)
