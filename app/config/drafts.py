"""
Changes of config that are prepared under a name, looked at, and put in force as one.

A draft remembers the version of each thing it changes: what somebody else changed meanwhile is not overwritten when it
is put in force, it is refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from app.store import config as store
from app.store import drafts
from app.store.config_changes import standing
from app.store.database import Session
from app.store.drafts import ACTIVE, DRAFT, DraftFacts
from app.store.sellers import require_seller

from .engine import Engine, Plan, Verdict
from .errors import DraftOver, DraftUnknown, VersionDiffers, VersionMissing
from .judging import ABSENT, Wish
from .kinds import KINDS

NOTE_MAX: Final = 200


class _Row(msgspec.Struct, frozen=True):
    """One wish as it is kept."""

    kind: str
    key: str
    item: dict[str, Any] | None
    version: int | None


_read = msgspec.json.Decoder(list[_Row]).decode


class Draft(NamedTuple):
    """A draft and what it wishes for."""

    facts: DraftFacts
    wishes: list[Wish]


class Saving(NamedTuple):
    """What a draft shall be from now on. `replaces`: the draft's version, ABSENT for a new one, None: not said."""

    name: str
    wishes: Sequence[Wish]
    note: str
    actor: str
    replaces: int | None


async def read_draft(engine: Engine, name: str) -> Draft:
    """A draft. Raises DraftUnknown."""
    async with engine.database.reading() as session:
        return await _find(session, engine.seller, name)


async def save_draft(engine: Engine, saving: Saving) -> Draft:
    """
    Write a draft; one that was put in force begins anew. Raises VersionMissing, VersionDiffers.

    Wishes that do not say what they replace are for what is there now.
    """
    async with engine.database.writing() as session:
        await require_seller(session, engine.seller, lock=True)
        before = await drafts.find_draft(session, engine.seller, saving.name)
        version = _next_version(before, saving)
        wishes = await _dated(session, engine.seller, saving.wishes)
        facts = DraftFacts(saving.name, version, DRAFT, saving.note, _write(wishes), None, saving.actor, engine.now_ms)
        await drafts.put_draft(session, engine.seller, facts)
    return Draft(facts, wishes)


async def discard_draft(engine: Engine, name: str) -> None:
    """Let a draft go; what it put in force stays. Raises DraftUnknown."""
    async with engine.database.writing() as session:
        await require_seller(session, engine.seller, lock=True)
        await _find(session, engine.seller, name)
        await drafts.drop_draft(session, engine.seller, name)


async def activate_draft(engine: Engine, name: str, version: int, *, actor: str) -> Draft:
    """
    Put a draft in force, as one version of the config or not at all; once, however often it is asked for.

    `version` is the draft that was looked at. Raises DraftUnknown, VersionDiffers, what the first refused wish says,
    and what `Engine.change` raises.
    """
    draft = await read_draft(engine, name)
    if draft.facts.version != version:
        says = f"the draft {name!r} has version {draft.facts.version} by now"
        raise VersionDiffers(says, version=draft.facts.version)
    if draft.facts.state == ACTIVE:
        return draft
    verdict = await engine.change(plan_of(draft, actor))
    for outcome in verdict.outcomes:
        if outcome.why is not None:
            raise outcome.why
    return await _settle(engine, draft, verdict)


def plan_of(draft: Draft, actor: str) -> Plan:
    """What a draft wishes for, all of it or nothing. Raises DraftOver for one that is in force."""
    if draft.facts.state == ACTIVE:
        raise DraftOver(f"the draft {draft.facts.name!r} is in force", config_version=draft.facts.config_version)
    note = f"draft {draft.facts.name}: {draft.facts.note}" if draft.facts.note else f"draft {draft.facts.name}"
    return Plan(draft.wishes, actor, note[:NOTE_MAX], together=True)


async def _settle(engine: Engine, draft: Draft, verdict: Verdict) -> Draft:
    """Note that the draft is in force. When nothing was left to change, the version in force has it."""
    async with engine.database.writing() as session:
        await require_seller(session, engine.seller, lock=True)
        version = verdict.version or (await standing(session, engine.seller)).active
        done = replace(draft.facts, state=ACTIVE, config_version=version, at_ms=engine.now_ms)
        there = await drafts.find_draft(session, engine.seller, done.name)
        if there is not None and there.version == done.version:
            await drafts.put_draft(session, engine.seller, done)
    return Draft(done, draft.wishes)


def _next_version(before: DraftFacts | None, saving: Saving) -> int:
    there = before.version if before else ABSENT
    if saving.replaces is None and before is not None:
        raise VersionMissing(f"there is a draft {saving.name!r}", version=there)
    if saving.replaces not in (None, there):
        raise VersionDiffers(f"the draft {saving.name!r} has version {there}", version=there)
    return there + 1


async def _dated(session: Session, seller: str, wishes: Sequence[Wish]) -> list[Wish]:
    """The wishes, each with the version of what it replaces."""
    versions: dict[tuple[str, str], int] = {}
    for kind in KINDS:
        keys = [wish.key for wish in wishes if wish.kind == kind]
        found = await store.find_records(session, seller, kind, keys) if keys else {}
        versions |= {(kind, key): stored.version for key, stored in found.items()}
    return [
        wish if wish.version is not None else wish._replace(version=versions.get(wish.thing, ABSENT)) for wish in wishes
    ]


async def _find(session: Session, seller: str, name: str) -> Draft:
    facts = await drafts.find_draft(session, seller, name)
    if facts is None:
        raise DraftUnknown(f"there is no draft {name!r}", name=name)
    return Draft(facts, [_wish(row) for row in _read(facts.rows)])


def _wish(row: _Row) -> Wish:
    item = None if row.item is None else msgspec.convert(row.item, KINDS[row.kind].item)
    return Wish(row.kind, row.key, item, row.version)


def _write(wishes: Sequence[Wish]) -> str:
    rows = [_Row(wish.kind, wish.key, msgspec.to_builtins(wish.item), wish.version) for wish in wishes]
    return msgspec.json.encode(rows).decode()
