"""
The one way to change a seller's config.

    1  one SQL transaction: judge the rows, compile what they touch, remember the change as staged
    2  Valkey: flip to the new version, whole or not at all
    3  one SQL transaction: write the rows under that version, mark the change active

A crash can fall between any two. Then the change is staged, and whoever comes next (a change, the schedule) finishes it
first: compiling again gives the same fields, and the flip is named by its version, so two who help have one effect.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
import structlog
from redis.asyncio import Redis

from allocator import Allocator, ConfigChange
from allocator.errors import Invalid, NotReady, StaleConfig, Unanswered
from allocator.reading import is_in_force
from app.store import audit as store_audit
from app.store import config as store
from app.store.config_changes import (
    ACTIVE,
    FAILED,
    STAGED,
    ChangeFacts,
    RowFacts,
    end_change,
    find_change,
    rows_of_change,
    stage_change,
    standing,
)
from app.store.database import Database, Session
from app.store.sellers import require_seller
from app.times import now_ms as wall_clock_ms

from .busy import find_busy
from .compiling import compile_rows
from .errors import TooMuch
from .judging import Bench, Outcome, Wish, judge
from .kinds import KINDS
from .picture import Entry, Picture, Row, Touched, load_picture

ROWS_MAX: Final = 1_000
"""Most rows of one change."""

ROUNDS_MAX: Final = 100
"""How often a change waits for one of another process that is half done."""

log = structlog.get_logger(__name__)

_locks: WeakKeyDictionary[Allocator, asyncio.Lock] = WeakKeyDictionary()


class Plan(NamedTuple):
    """What is wished for, by whom and why. `together`: all rows or none. `dry_run`: only say what would become."""

    wishes: Sequence[Wish]
    actor: str
    note: str = ""
    together: bool = False
    dry_run: bool = False
    rolls_back_to: int | None = None


class Verdict(NamedTuple):
    """What became of each wish, and the version that has it; None when nothing was changed."""

    version: int | None
    outcomes: list[Outcome]


class Drawn(NamedTuple):
    """A plan drawn up on the config as it stands: its rows, and what they compile to."""

    verdict: Verdict
    rows: list[Row]
    compiled: ConfigChange


class Engine:
    """
    Changes one seller's config. Holds nothing itself: make one when it is needed.

    `client` reads beside the verbs: what still depends on locations and channels (without one they cannot be deleted),
    and what a forgotten flip left. `now_ms` is the wall clock; tests pass their own.
    """

    def __init__(
        self, database: Database, allocator: Allocator, client: Redis | None = None, *, now_ms: int | None = None
    ) -> None:
        self.database = database
        self.allocator = allocator
        self._client = client
        self.seller = allocator.seller
        self._now_ms = now_ms

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970 in UTC."""
        return wall_clock_ms() if self._now_ms is None else self._now_ms

    async def change(self, plan: Plan) -> Verdict:
        """
        Carry out what is wished for, as far as it is good; in force on every process when this returns.

        Raises TooMuch, Invalid (the flip was refused; nothing changed), NotReady, Unanswered (nobody knows: the change
        will be finished; wish again to see it).
        """
        async with _locks.setdefault(self.allocator, asyncio.Lock()):
            drawn = await self._stage_in_turn(plan)
            if drawn.rows and not plan.dry_run:
                await self.carry_out(drawn.compiled, plan.actor)
        return drawn.verdict

    async def try_out(self, plan: Plan) -> Drawn:
        """What the plan would do; nothing is written. Raises as `change`."""
        async with _locks.setdefault(self.allocator, asyncio.Lock()):
            return await self._stage_in_turn(plan._replace(dry_run=True))

    async def _stage_in_turn(self, plan: Plan) -> Drawn:
        if len(plan.wishes) > ROWS_MAX:
            raise TooMuch(f"one change has {ROWS_MAX} rows at most", rows=len(plan.wishes), most=ROWS_MAX)
        busy = await find_busy(self.database, self.allocator, self._client, plan.wishes)
        for _ in range(ROUNDS_MAX):
            drawn = await self.stage(plan, busy)
            if drawn is not None:
                return drawn
            await self._finish()
        raise Unanswered("others keep changing the config; nothing was done; repeat the request")

    # --- the steps -----------------------------------------------------------------------------------------------

    async def stage(self, plan: Plan, busy: dict[tuple[str, str], str] | None = None) -> Drawn | None:
        """Step 1. None when another change is half done. Raises Invalid, TooMuch."""
        transaction = self.database.reading() if plan.dry_run else self.database.writing()
        async with transaction as session:
            await require_seller(session, self.seller, lock=not plan.dry_run)
            stands = await standing(session, self.seller)
            if stands.staged is not None:
                return None
            at_ms = self.now_ms
            picture = await load_picture(session, self.seller, _touched(plan.wishes))
            drawn = draw(picture, plan, busy or {}, base=stands.active, version=stands.newest + 1, now_ms=at_ms)
            if drawn.rows and not plan.dry_run:
                facts = [_row_facts(row) for row in drawn.rows]
                await stage_change(session, self.seller, _change_facts(drawn.compiled, plan, at_ms), facts)
            return drawn

    async def carry_out(self, change: ConfigChange, actor: str) -> None:
        """Steps 2 and 3. Raises Invalid, NotReady, Unanswered."""
        refused = await self.flip(change, actor)
        if refused is not None and await self._fail(change.version, refused):
            raise refused
        await self.settle(change.version)

    async def flip(self, change: ConfigChange, actor: str) -> Invalid | NotReady | None:
        """Step 2. What refuses it for good, or None when the change is in force. Raises NotReady, Unanswered."""
        try:
            await self.allocator.configure(change, actor)
        except Invalid as error:
            return error
        except StaleConfig as error:
            if not await self._was_flipped(change):
                in_force = int(error.facts["version"])
                says = f"the store has config version {in_force} in force, the database remembers {change.base}"
                return NotReady(says, {"in_force": in_force, "remembered": change.base})
        return None

    async def _was_flipped(self, change: ConfigChange) -> bool:
        """Whether this very change was flipped so long ago that its answer is forgotten; the number is not enough."""
        return self._client is not None and await is_in_force(self._client, self.seller, change)

    async def settle(self, version: int) -> None:
        """Step 3: write the rows of a change that is in force, once. Raises Invalid when it failed."""
        async with self.database.writing() as session:
            await require_seller(session, self.seller, lock=True)
            change = await find_change(session, self.seller, version)
            assert change is not None, version
            if change.state == FAILED:
                raise Invalid(change.why_failed)
            if change.state == STAGED:
                await _write_rows(session, self.seller, version)
                await end_change(session, self.seller, version, ACTIVE)
                await store_audit.add_entries(session, [self._act_of(change)])

    def _act_of(self, change: ChangeFacts) -> store_audit.Entry:
        """What the audit says; the history has the rows."""
        detail = {"note": change.note, "rolls_back_to": change.rolls_back_to}
        return store_audit.Entry(
            seller=self.seller,
            at_ms=self.now_ms,
            actor=change.actor,
            action="config.change",
            target=f"version {change.version}",
            detail=detail,
        )

    async def _fail(self, version: int, error: Exception) -> bool:
        """Nothing changed, and the history says why; false when somebody else has ended it meanwhile."""
        async with self.database.writing() as session:
            await require_seller(session, self.seller, lock=True)
            change = await find_change(session, self.seller, version)
            if change is None or change.state != STAGED:
                return False
            await end_change(session, self.seller, version, FAILED, str(error))
        log.error("config_change_failed", seller=self.seller, version=version, says=str(error))
        return True

    # --- what somebody left half done ----------------------------------------------------------------------------

    async def finish(self) -> int | None:
        """Finish the change that is half done, whoever began it; its version, or None. Raises NotReady, Unanswered."""
        async with _locks.setdefault(self.allocator, asyncio.Lock()):
            return await self._finish()

    async def _finish(self) -> int | None:
        left = await self._left_half_done()
        if left is None:
            return None
        refused = left.refused or (left.compiled and await self.flip(left.compiled, left.actor))
        if refused:
            # It is written down with its change, and it is not this caller's mistake.
            await self._fail(left.version, refused)
            return left.version
        await self.settle(left.version)
        log.info("config_change_finished", seller=self.seller, version=left.version)
        return left.version

    async def _left_half_done(self) -> "_Left | None":
        async with self.database.reading() as session:
            version = (await standing(session, self.seller)).staged
            change = await find_change(session, self.seller, version) if version is not None else None
            if change is None:
                return None
            rows = [_row(facts, change.version) for facts in await rows_of_change(session, self.seller, change.version)]
            picture = await load_picture(session, self.seller, _touched_by(rows))
        for row in rows:
            picture.put(row.kind, row.key, row.after)
        try:
            compiled = compile_rows(picture, rows, base=change.base, version=change.version)
        except (Invalid, TooMuch) as error:
            # It compiled when it was staged, so another version of this code staged it.
            return _Left(change.version, change.actor, None, error)
        return _Left(change.version, change.actor, compiled, None)


class _Left(NamedTuple):
    """A change that somebody staged, compiled again, or why it cannot be."""

    version: int
    actor: str
    compiled: ConfigChange | None
    refused: Invalid | TooMuch | None


def draw(
    picture: Picture, plan: Plan, busy: dict[tuple[str, str], str], *, base: int, version: int, now_ms: int
) -> Drawn:
    """What the plan would do to this picture. Raises Invalid, TooMuch."""
    outcomes = judge(Bench(picture, busy, version, now_ms), plan.wishes, together=plan.together)
    rows = [outcome.row for outcome in outcomes if outcome.row is not None]
    compiled = compile_rows(picture, rows, base=base, version=version)
    return Drawn(Verdict(version if rows else None, outcomes), rows, compiled)


def _touched(wishes: Sequence[Wish]) -> Touched:
    items = [wish.item for wish in wishes if wish.item is not None]
    return Touched([wish.thing for wish in wishes], items, [wish.thing for wish in wishes if wish.item is None])


def _touched_by(rows: Sequence[Row]) -> Touched:
    items = [entry.item for row in rows for entry in row.entries]
    return Touched([(row.kind, row.key) for row in rows], items, [])


def _change_facts(compiled: ConfigChange, plan: Plan, at_ms: int) -> ChangeFacts:
    return ChangeFacts(
        compiled.version, compiled.base, STAGED, plan.actor, plan.note, plan.rolls_back_to, why_failed="", at_ms=at_ms
    )


def _row_facts(row: Row) -> RowFacts:
    return RowFacts(row.kind, row.key, _written(row.kind, row.before), _written(row.kind, row.after))


def _written(kind: str, entry: Entry | None) -> str | None:
    if entry is None:
        return None
    record = KINDS[kind].to_record(entry.item, in_force=entry.in_force)
    return msgspec.json.encode(record, order="sorted").decode()


def read_entry(kind: str, text: str | None, version: int) -> Entry | None:
    """What `rows_of_change` says of one side of a row."""
    if text is None:
        return None
    record = msgspec.json.decode(text)
    return Entry(version, KINDS[kind].to_item(record), record.get("in_force", True))


def _row(facts: RowFacts, version: int) -> Row:
    before, after = (read_entry(facts.kind, text, version) for text in (facts.before, facts.after))
    return Row(facts.kind, facts.key, before, after)


async def _write_rows(session: Session, seller: str, version: int) -> None:
    rows: dict[str, dict[str, store.Record | None]] = {}
    for row in await rows_of_change(session, seller, version):
        rows.setdefault(row.kind, {})[row.key] = msgspec.json.decode(row.after) if row.after else None
    for kind, records in rows.items():
        await store.write_records(session, seller, kind, records, version=version)
