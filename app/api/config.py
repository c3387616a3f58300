"""The config as a whole: where it stands, what was changed, what a change of rules would do, and the way back."""

from typing import Any, Final

import msgspec
from fastapi import Request, Response

from allocator import errors
from app.config.engine import Plan, Verdict, read_entry
from app.config.errors import ChangeUnknown, InUse, RuleClash, TooMuch, VersionDiffers
from app.config.forms import (
    BulkDone,
    ChangeDetail,
    ChangedItem,
    ChangePage,
    ChangePath,
    ChangeShown,
    ChangesQuery,
    ConfigStand,
    LevelChange,
    RollbackAsked,
    RulePreview,
    RulePreviewAsked,
    RulePreviewForm,
)
from app.config.judging import Wish
from app.config.picture import Entry
from app.config.previewing import Asked, preview
from app.config.reading import read_change, read_changes, read_stand
from app.config.rolling_back import roll_back
from app.deps import caller_of, state_of
from app.edge import Body, Path, Query, answer
from app.guarding import guarded_router
from app.openapi import documented
from app.store.config_changes import ChangeFacts, RowFacts

from .config_items import RESOURCES, engine_of, result_of, results_of

router = guarded_router("/v1/config", "config")
rules = guarded_router("/v1/rules/preview", "rules")

CHANGES: Final = Query(ChangesQuery)
CHANGE: Final = Path(ChangePath)
ROLLBACK: Final = Body(RollbackAsked)
PREVIEW: Final = Body(RulePreviewAsked)
PREVIEW_FORM: Final[Body[Any]] = Body(RulePreviewForm)


@router.get("", **documented(scope="config:read", answers=ConfigStand))
async def get_config(request: Request) -> Response:
    """The version in force, and how many things of each kind there are."""
    stand = await read_stand(state_of(request).database, caller_of(request).allocator)
    return answer(ConfigStand(*stand))


@router.get("/changes", **documented(CHANGES, scope="config:read", answers=ChangePage))
async def list_config_changes(request: Request) -> Response:
    """Who changed what and when, newest first."""
    asked = CHANGES(request)
    changes, cursor = await read_changes(
        state_of(request).database,
        caller_of(request).seller,
        kind=asked.kind or "",
        key=asked.key,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return answer(ChangePage([_shown(change) for change in changes], cursor))


@router.get(
    "/changes/{version}", **documented(CHANGE, scope="config:read", answers=ChangeDetail, refuses=(ChangeUnknown,))
)
async def get_config_change(request: Request) -> Response:
    """One version with everything it changed, before and after."""
    version = int(CHANGE(request).version)
    change, rows = await read_change(state_of(request).database, caller_of(request).seller, version)
    return answer(ChangeDetail(_shown(change), [_changed(row) for row in rows]))


@router.post(
    "/rollback",
    **documented(
        ROLLBACK,
        scope="config:write",
        answers=BulkDone,
        refuses=(ChangeUnknown, TooMuch, InUse, RuleClash, VersionDiffers),
    ),
)
async def roll_config_back(request: Request) -> Response:
    """Make the config what it was at an earlier version, as one new version that undoes all later ones, or none."""
    asked = await ROLLBACK(request)
    actor = caller_of(request).actor
    verdict = await roll_back(engine_of(request), asked.to_version, actor=actor, note=asked.note, dry_run=asked.dry_run)
    if not asked.dry_run:
        _raise_first(verdict)
    results = [result_of(outcome) for outcome in verdict.outcomes]
    refused = sum(result.outcome == "refused" for result in results)
    return answer(BulkDone(None if asked.dry_run else verdict.version, asked.dry_run, refused, results))


@rules.post(
    "",
    **documented(PREVIEW_FORM, scope="config:read", answers=RulePreview, refuses=(errors.UnknownChannel, TooMuch)),
)
async def preview_rules(request: Request) -> Response:
    """What these rules would do to the numbers of channels and skus now. Nothing is written."""
    asked = await PREVIEW(request)
    read = RESOURCES["rules"].read_rows(asked.rows)
    plan = Plan([wish for wish in read if isinstance(wish, Wish)], caller_of(request).actor)
    shown = await preview(engine_of(request), plan, Asked(asked.channels, asked.skus))
    results = results_of(read, shown.drawn.verdict)
    refused = sum(result.outcome == "refused" for result in results)
    levels = [LevelChange(*difference) for difference in shown.differences]
    return answer(
        RulePreview(refused, results, shown.channels, shown.skus_compared, shown.skus_touched, shown.changed, levels)
    )


def _raise_first(verdict: Verdict) -> None:
    for outcome in verdict.outcomes:
        if outcome.why is not None:
            raise outcome.why


def _shown(change: ChangeFacts) -> ChangeShown:
    return ChangeShown(**vars(change))


def _changed(row: RowFacts) -> ChangedItem:
    before, after = (read_entry(row.kind, text, 0) for text in (row.before, row.after))
    return ChangedItem(
        row.kind, row.key, _item(before), _item(after), bool(before and before.in_force), bool(after and after.in_force)
    )


def _item(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else msgspec.to_builtins(entry.item)
