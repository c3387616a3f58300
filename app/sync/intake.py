"""
Takes orders that channels have told: each waits in SQL until our order is what the channel says its order is.

Whatever was heard is written down before, so nothing here can lose it: what cannot be done now is done later, and what
somebody must look at first is parked with the reason. One order never keeps another one waiting.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
import structlog
from redis.exceptions import RedisError

from allocator import errors
from app.config.kinds import Listing
from app.errors import LedgerFull
from app.fullness import refuse_when_full, stage_of_order
from app.metrics import ORDERS, count_outcome
from app.store.config import find_records
from app.store.config_changes import page_changes
from app.store.database import DatabaseAway
from app.store.heard import (
    PARKED,
    WAITING,
    HeardFacts,
    due_orders,
    find_heard,
    is_parked,
    keep_followed,
    note_asked,
    settle,
    wake,
    wake_lost,
)
from app.times import DAY_MS, now_ms
from channels.base import Order
from channels.errors import Busy, ChannelError, Nonsense, Refused

from .mirroring import Following
from .pictures import Followed, FollowedLine, followed_of, picture_of, told_of, written
from .pulling import PULL
from .steps import Work
from .verdicts import PLACED_BEFORE, Outcome, parked, taken

AT_ONCE: Final = 20
"""Orders of one run."""

SIDE_BY_SIDE: Final = 5
"""Of these at the same time: one that the channel is slow to tell keeps no other waiting."""

PAUSE_MS_MAX: Final = 300_000
"""Longest pause before an order that could not be taken is tried again."""

SETTLED_MS: Final = 120_000
"""How long what was decided may take to be in SQL before it is looked at again."""

LOST_MAX: Final = 500

UNMAPPED: Final = ("unknown_listing", "unknown_sku", "unknown_channel")
"""Codes of orders that wait for a change of the config."""

MARGIN_MS: Final = 60_000
"""For how long after a change of the config what was parked around it is tried again."""

LATER: Final = (
    *(errors.Unanswered, errors.NotReady, errors.Frozen, errors.Checking, errors.HistoryAway, errors.StaleConfig),
    *(LedgerFull, DatabaseAway, RedisError, OSError),
)
"""What is over by itself; the order waits for it."""

FOLLOWED_TOO: Final = ("cancel_requested", "shipped_already", "shipped_elsewhere", "return_to_receive")
"""Codes of parked orders that are followed as far as they can be."""

SAYS: Final = {
    "short": "there are fewer units than it wants: receive some, or make the channel's demand firm; then replay it",
    "unroutable": "there are enough units, but not at locations that may serve it together; then replay it",
    "at_capacity": "every day of a location that is needed is full; replay it later",
    "unknown_sku": "its listing is mapped to a sku that there is not: map it to another one",
    "unknown_channel": "the connection's channel is not part of the config any more",
}


log = structlog.get_logger(__name__)


class Unmapped(Exception):
    """An order has lines of listings that are none of ours."""


class Trial(NamedTuple):
    """How a try to take an order ended: what became of it, or, None, when to try again (ms from now) and why."""

    outcome: Outcome | None
    followed: Followed
    wait_ms: int = 0
    code: str = ""
    says: str = ""


async def take_waiting(work: Work) -> bool:
    """Take orders that wait; whether more do."""
    async with work.state.database.reading() as session:
        due = await due_orders(session, work.facts.seller, work.facts.code, now_ms=now_ms(), limit=AT_ONCE)
    turn = asyncio.Semaphore(SIDE_BY_SIDE)

    async def take(heard: HeardFacts) -> None:
        async with turn:
            if work.still_ours():
                await _take(work, heard)

    done = await asyncio.gather(*(take(heard) for heard in due), return_exceptions=True)
    for error in done:
        if isinstance(error, BaseException):
            raise error
    return len(due) == AT_ONCE


async def wake_unmapped(work: Work) -> bool:
    """Try orders again that wait for a change of the config, once there was one since."""
    facts = work.facts
    mine = facts.seller, facts.code
    async with work.state.database.reading() as session:
        newest = await page_changes(session, facts.seller, before=None, limit=1)
        before_ms = newest[0].at_ms + MARGIN_MS if newest else 0
        if not await is_parked(session, *mine, codes=UNMAPPED, before_ms=before_ms):
            return False
    async with work.state.database.writing() as session:
        await wake(session, *mine, now_ms=now_ms(), codes=UNMAPPED, parked_before_ms=before_ms)
    return False


async def wake_lost_orders(work: Work) -> bool:
    """
    Take orders again that were taken and are not in SQL after a while: a store that was lost may have had them alone.

    One that is only on its way there is found as it is.
    """
    facts, at_ms = work.facts, now_ms()
    window = at_ms - DAY_MS, at_ms - SETTLED_MS
    async with work.state.database.writing() as session:
        mine = facts.seller, facts.code, facts.channel
        lost = await wake_lost(session, *mine, now_ms=at_ms, window=window, limit=LOST_MAX)
    if lost:
        log.warning("orders_not_in_sql", connection=facts.code, orders=len(lost))
    return False


async def _take(work: Work, heard: HeardFacts) -> None:
    """Try to take one order, and write down what became of it; whatever goes wrong is its own affair."""
    try:
        if heard.ask:
            asked = await _ask(work, heard)
            if asked is None:
                return
            heard = asked
        trial = await _try(work, heard)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one order, the others must be taken
        trial = _failed(heard, error)
    await _settle(work, heard, trial)


async def _ask(work: Work, heard: HeardFacts) -> HeardFacts | None:
    """The order with the picture that the channel gives when it is asked; None when more was heard meanwhile."""
    order = await work.line.engine.run(work.line.connector.order(heard.external_id))
    mine = work.facts.seller, work.facts.code
    async with work.state.database.writing() as session:
        if not await note_asked(session, *mine, heard, told_of(order)):
            return None
        return await find_heard(session, *mine, heard.external_id)


async def _try(work: Work, heard: HeardFacts) -> Trial:
    """Follow the newest picture. Raises what cannot be done now, and what somebody must look at."""
    theirs, followed = picture_of(heard), followed_of(heard)
    if heard.placed_ms < work.facts.created_ms and not followed.lines and heard.via != PULL:
        says = "it was placed before there was a connection: pull from further back to take such orders too"
        return Trial(taken(PLACED_BEFORE, says), followed)
    try:
        followed = await _mapped(work, theirs, followed)
    except Unmapped as error:
        return Trial(parked("unknown_listing", str(error)), followed)
    _refuse_when_full(work)
    following = Following(work.allocator, work.facts, theirs, followed)
    try:
        outcome = await following.follow()
        _count(work, following)
        return Trial(outcome, following.after())
    except errors.OpConflict as error:
        return Trial(None, _next(followed), 100, "op_conflict", str(error))
    except (errors.Refusal, errors.Invalid) as error:
        code = error.outcome if isinstance(error, errors.Refusal) else "invalid"
        return Trial(parked(code, f"{error}: {SAYS.get(code, 'look at it, then replay it')}"), _next(followed))


def _count(work: Work, following: Following) -> None:
    """Count an order that was placed now, as if somebody had asked for it over HTTP."""
    if following.placed is not None and not following.placed.replayed:
        metrics, facts = work.state.metrics, work.facts
        count_outcome(metrics, ORDERS, facts.seller, facts.channel, "accepted")
        metrics.placed(facts.seller, following.placed)


def _next(followed: Followed) -> Followed:
    """A refusal is final for its attempt: another try is another one."""
    return msgspec.structs.replace(followed, attempt=followed.attempt + 1)


def _refuse_when_full(work: Work) -> None:
    kind = work.allocator.demand_of(work.facts.channel)
    refuse_when_full(work.state.full, work.facts.seller, stage_of_order(kind, ""))


async def _mapped(work: Work, theirs: Order, followed: Followed) -> Followed:
    """With a sku for every line that needs one, written down before anything is done with it. Raises Unmapped."""
    if theirs.fulfilled_elsewhere or theirs.state in {"cancelled", "returned"}:
        return followed
    new = [line for line in theirs.lines if line.line not in followed.lines and (line.units or line.shipped)]
    if not new:
        return followed
    channel = followed.channel or work.facts.channel
    known = await _listings(work, channel, {line.listing for line in new})
    missing = [line for line in new if line.listing not in known]
    if missing:
        told = ", ".join(f"{line.listing or 'no listing'} ({line.sku})" for line in missing)
        raise Unmapped(f"it sells {told}, which is no listing of {channel}: map it (PUT /v1/listings/…)")
    lines = {line.line: FollowedLine(known[line.listing].sku, known[line.listing].pack_size) for line in new}
    after = msgspec.structs.replace(followed, channel=channel, lines={**followed.lines, **lines})
    async with work.state.database.writing() as session:
        await keep_followed(session, work.facts.seller, work.facts.code, theirs.external_id, written(after))
    return after


async def _listings(work: Work, channel: str, listings: Iterable[str]) -> dict[str, Listing]:
    keys = [f"{channel}/{listing}" for listing in listings if listing]
    async with work.state.database.reading() as session:
        found = await find_records(session, work.facts.seller, "listings", keys)
    return {one.record["listing"]: msgspec.convert(one.record, Listing) for one in found.values()}


def _failed(heard: HeardFacts, error: Exception) -> Trial:
    """What to do about an order that could not be taken."""
    followed, says = followed_of(heard), f"{type(error).__name__}: {error}"
    if isinstance(error, Nonsense):
        return Trial(parked("odd", says), followed)
    if isinstance(error, Refused):
        return Trial(parked("not_told", f"the channel does not tell it: {error}"), followed)
    if not isinstance(error, (*LATER, ChannelError)):
        log.error("order_not_taken", order=heard.external_id, exc_info=error)
    wait_ms = round(error.wait_s * 1000) if isinstance(error, Busy) else 0
    backoff_ms = min(PAUSE_MS_MAX, 1_000 * 2 ** min(heard.attempts, 20))
    return Trial(None, followed, max(wait_ms, backoff_ms), "later", says)


async def _settle(work: Work, heard: HeardFacts, trial: Trial) -> None:
    """Write down what became of an order, unless something newer has been heard of it."""
    at_ms, facts = now_ms(), work.facts
    changes: dict[str, object] = {"followed": written(trial.followed)}
    if trial.outcome is None:
        changes |= {"state": WAITING, "attempts": heard.attempts + 1, "due_ms": at_ms + trial.wait_ms}
        changes |= {"code": trial.code, "says": trial.says[:500]}
    else:
        state, code, says = trial.outcome
        changes |= {"state": state, "code": code, "says": says[:500], "attempts": 0, "due_ms": at_ms}
        if state != PARKED or code in FOLLOWED_TOO:
            changes |= {"taken": heard.revision, "taken_ms": at_ms}
    async with work.state.database.writing() as session:
        is_newest = await settle(session, facts.seller, facts.code, heard, **changes)
        if not is_newest:
            await keep_followed(session, facts.seller, facts.code, heard.external_id, written(trial.followed))
    if trial.outcome is not None:
        told = {"order": heard.external_id, "outcome": trial.outcome.state, "code": trial.outcome.code}
        log.info("order_heard", connection=facts.code, via=heard.via, **told)
