"""
What can go wrong, and what it says.

    AllocatorError
    ├── Unanswered        nobody knows whether it happened: repeat with the same id
    ├── NotReady          the store is not the one we know: nothing was decided
    ├── Frozen            no unit of this sku moves: its records contradict each other
    ├── Checking          this sku is compared with the ledger after a restart, and opened in a moment
    ├── HistoryAway       only SQL can tell whether it was done long ago, and SQL cannot be asked: nothing was done
    ├── StaleConfig       ranked with another config than is in force; the allocator reloads and repeats by itself
    ├── Invalid           the request makes no sense; not remembered
    ├── UnknownReason     the seller has no such reason for a reject; not remembered
    └── Refusal           a decided, remembered "no"
        ├── OpConflict    this id was used for another request
        ├── Short         more than may be promised
        ├── AtCapacity    enough units, but no place left on a day at a location that would have to serve it
        ├── Unroutable    enough units, but not from places that may be combined
        ├── UnknownSku  UnknownLocation  UnknownChannel  UnknownHold  UnknownOrder  UnknownLine
        ├── HoldEnded     released, expired or ordered already
        ├── AlreadyAccepted  the order has been accepted, so it cannot be pending
        ├── NotEnough     fewer units there than the movement takes away
        ├── OverLimit     more units than a place can count
        ├── NotCommitted  more than is committed there
        ├── PickStarted   the pick has begun
        ├── Incomplete    it leaves all at once, and units of it wait
        ├── HasLeft       a sale of goods that were gone takes no more
        ├── OtherSku      the line is of another sku
        ├── NotShipped    more than was shipped and not returned yet
        └── ChangedMeanwhile  not as it was inspected any more: nothing was repaired

Each refusal is the outcome word of a script; the class docstring is its title. `facts` say what was asked and
what there is, in the shapes that the scripts' headers state.
"""

from typing import Any, ClassVar


class AllocatorError(Exception):
    """The allocator did not do it."""

    op = ""
    """The op that remembers this answer; empty when nothing does."""

    def __init__(self, detail: str = "", facts: dict[str, Any] | None = None, *, replayed: bool = False) -> None:
        super().__init__(detail or self.title())
        self.facts = facts or {}
        self.replayed = replayed

    @classmethod
    def title(cls) -> str:
        """The first line of the docstring, for people."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class Unanswered(AllocatorError):
    """The store did not answer, so the outcome is unknown; repeat with the same id."""


class NotReady(AllocatorError):
    """The store is not ready: its data are missing or belong to another data set."""


class Frozen(AllocatorError):
    """The records of this sku contradict each other: no unit of it moves until somebody has looked."""


class Checking(AllocatorError):
    """After a restart this sku has yet to be compared with the ledger: ask again in a moment."""


class HistoryAway(AllocatorError):
    """Whether this was done long ago only the database knows, and it cannot be asked."""


class StaleConfig(AllocatorError):
    """The config changed while the request was ranked."""


class Invalid(AllocatorError):
    """The request makes no sense."""


class UnknownReason(AllocatorError):
    """No such reason for a reject."""


class Refusal(AllocatorError):
    """A decided and remembered refusal."""

    outcome: ClassVar[str] = ""


class OpConflict(Refusal):
    """This id was used for another request."""

    outcome = "op_conflict"


class Short(Refusal):
    """Fewer units may be promised than are asked for."""

    outcome = "short"


class AtCapacity(Refusal):
    """There are enough units, but at a location that is needed for them every day is full."""

    outcome = "at_capacity"


class Unroutable(Refusal):
    """There are enough units, but not at locations that may serve this together."""

    outcome = "unroutable"


class UnknownSku(Refusal):
    """No such sku."""

    outcome = "unknown_sku"


class UnknownLocation(Refusal):
    """No such location."""

    outcome = "unknown_location"


class UnknownChannel(Refusal):
    """No such channel."""

    outcome = "unknown_channel"


class UnknownHold(Refusal):
    """No such hold."""

    outcome = "unknown_hold"


class UnknownOrder(Refusal):
    """No such order."""

    outcome = "unknown_order"


class UnknownLine(Refusal):
    """The order has no such line."""

    outcome = "unknown_line"


class HoldEnded(Refusal):
    """The hold has ended already."""

    outcome = "hold_ended"


class AlreadyAccepted(Refusal):
    """The order has been accepted already: it is pending no more."""

    outcome = "accepted"


class NotEnough(Refusal):
    """Fewer units are there than the movement takes away."""

    outcome = "not_enough"


class OverLimit(Refusal):
    """More units than one place can count."""

    outcome = "over_limit"


class NotCommitted(Refusal):
    """More units than the order has committed there."""

    outcome = "not_committed"


class PickStarted(Refusal):
    """The pick of these units has started."""

    outcome = "pick_started"


class Incomplete(Refusal):
    """The order is shipped all at once, and units of it still wait."""

    outcome = "incomplete"


class NotShipped(Refusal):
    """More units than were shipped and not returned yet."""

    outcome = "not_shipped"


class Superseded(Refusal):
    """This return was announced before with this revision or a newer one."""

    outcome = "superseded"


class TooManyReturns(Refusal):
    """More units are announced to come back than were shipped and have not come back yet."""

    outcome = "too_many_returns"


class HasLeft(Refusal):
    """The goods of this order had left when it came: it can have no more."""

    outcome = "has_left"


class OtherSku(Refusal):
    """The line of the order is of another sku."""

    outcome = "other_sku"


class ChangedMeanwhile(Refusal):
    """It is not as it was inspected any more."""

    outcome = "changed_meanwhile"


REFUSALS: dict[str, type[Refusal]] = {refusal.outcome: refusal for refusal in Refusal.__subclasses__()}
