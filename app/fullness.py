"""
What is refused when much of a ledger is in Valkey alone, because SQL or the drain does not take it.

Orders go on without SQL, but every effect is an entry that must stay in memory until SQL has it. From the limit
(ALLOT_LEDGER_BYTES_MAX) on a seller makes no new promises; from one and a half times the limit on nothing that frees
units or ends what was begun either; what has happened already, sold on a marketplace or over a counter, is refused
last, at twice the limit. Nothing is ever dropped: a refused request did nothing and can be repeated with its id.
"""

from collections.abc import Mapping
from typing import Final, Literal

from .errors import LedgerFull

Stage = Literal["growth", "upkeep", "facts"]

STAGES: Final[dict[Stage, float]] = {"growth": 1.0, "upkeep": 1.5, "facts": 2.0}
"""
From which share of the limit on each is refused.

growth: new holds, promises, stock movements, quotas. upkeep: extend, release, pick, ship, cancel, edit, reject, move,
return, arrivals of transfers, a promise that takes over its hold. facts: firm and gone orders. Expiry, backorders and
config are never refused: they are few.
"""


def refuse_when_full(full: Mapping[str, float], seller: str, stage: Stage) -> None:
    """`full` has the share of the limit by seller, of those at it. Raises LedgerFull."""
    share = full.get(seller, 0.0)
    if share >= STAGES[stage]:
        raise LedgerFull(f"{share:.0%} of the limit of entries that are not in SQL yet; nothing was done")


def stage_of_order(kind: str, hold: str) -> Stage:
    """When an order of this kind is refused."""
    if kind != "promise":
        return "facts"
    return "upkeep" if hold else "growth"
