"""Changes of config that are prepared under a name before they are put in force."""

from typing import Any, Final

import msgspec
from fastapi import Request, Response

from app.config.draft_forms import (
    ActivateAsked,
    DraftAsked,
    DraftForm,
    DraftHead,
    DraftPage,
    DraftPath,
    DraftRow,
    DraftRowAsked,
    DraftShown,
    DraftsQuery,
)
from app.config.drafts import Draft, Saving, activate_draft, discard_draft, plan_of, read_draft, save_draft
from app.config.errors import (
    DraftOver,
    DraftUnknown,
    InUse,
    ItemUnknown,
    RuleClash,
    TooMuch,
    VersionDiffers,
    VersionMissing,
)
from app.config.foreseeing import foresee
from app.config.foreseen_forms import DraftPreview, DraftPreviewAsked
from app.config.forms import Deleted, RowResult
from app.config.judging import Wish
from app.deps import caller_of, state_of
from app.edge import Body, Path, Query, answer, unfit
from app.errors import Unfit
from app.guarding import guarded_router
from app.openapi import documented
from app.store.drafts import ACTIVE, DraftFacts, page_drafts

from .config_items import RESOURCES, engine_of, expected, results_of, tagged, with_if_match

router = guarded_router("/v1/config/drafts", "config")

DRAFT: Final = Path(DraftPath)
DRAFTS: Final = Query(DraftsQuery)
SAVE: Final = Body(DraftAsked)
SAVE_FORM: Final[Body[Any]] = Body(DraftForm)
ACTIVATE: Final = Body(ActivateAsked)
PREVIEW: Final = Body(DraftPreviewAsked, optional=True)

_NOTHING: Final = msgspec.Raw()

_decode_row = msgspec.json.Decoder(DraftRowAsked).decode


@router.get("", **documented(DRAFTS, scope="config:read", answers=DraftPage))
async def list_drafts(request: Request) -> Response:
    """Drafts by name, those in force too."""
    asked = DRAFTS(request)
    async with state_of(request).database.reading() as session:
        seller = caller_of(request).seller
        found = await page_drafts(session, seller, after=asked.cursor or "", limit=asked.limit + 1)
    shown = [_head(facts) for facts in found[: asked.limit]]
    return answer(DraftPage(shown, shown[-1].name if len(found) > asked.limit else None))


@router.get("/{name}", **documented(DRAFT, scope="config:read", answers=DraftShown, refuses=(DraftUnknown, TooMuch)))
async def get_draft(request: Request) -> Response:
    """A draft, and what would become of each of its rows if it were put in force now."""
    return await _answer(request, await read_draft(engine_of(request), DRAFT(request).name))


@router.put(
    "/{name}",
    **with_if_match(
        documented(
            DRAFT,
            SAVE_FORM,
            scope="config:write",
            answers=DraftShown,
            refuses=(VersionDiffers, VersionMissing, TooMuch),
        )
    ),
)
async def put_draft(request: Request) -> Response:
    """
    Write a draft, or another version of it; nothing is in force by that, and rows that would be refused are kept.

    The name of one that is in force begins anew.
    """
    name, asked = DRAFT(request).name, await SAVE(request)
    wishes = [_read_row(number, raw) for number, raw in enumerate(asked.rows)]
    saving = Saving(name, wishes, asked.note, caller_of(request).actor, expected(request))
    return await _answer(request, await save_draft(engine_of(request), saving))


@router.delete("/{name}", **documented(DRAFT, scope="config:write", answers=Deleted, refuses=(DraftUnknown,)))
async def delete_draft(request: Request) -> Response:
    """Let a draft go. What it put in force stays, in the config and in its history."""
    engine, name = engine_of(request), DRAFT(request).name
    await discard_draft(engine, name)
    return answer(Deleted(engine.allocator.version, name))


@router.post(
    "/{name}/activate",
    **documented(
        DRAFT,
        ACTIVATE,
        scope="config:write",
        answers=DraftShown,
        refuses=(DraftUnknown, VersionDiffers, VersionMissing, InUse, RuleClash, TooMuch),
    ),
)
async def activate_config_draft(request: Request) -> Response:
    """Put a draft in force as one version of the config, or not at all; once, however often it is sent."""
    name, asked = DRAFT(request).name, await ACTIVATE(request)
    draft = await activate_draft(engine_of(request), name, asked.version, actor=caller_of(request).actor)
    return await _answer(request, draft)


@router.post(
    "/{name}/preview",
    **documented(
        DRAFT,
        PREVIEW,
        scope="config:read",
        answers=DraftPreview,
        refuses=(DraftUnknown, DraftOver, VersionDiffers, VersionMissing, ItemUnknown, InUse, RuleClash, TooMuch),
    ),
)
async def preview_config_draft(request: Request) -> Response:
    """
    What this draft would do to recent orders: each as if it came now, with and without it. Nothing is written.

    Orders come from SQL, newest first; each is routed by itself, with today's stock. One preview asks for 20 s at most.
    """
    name, asked = DRAFT(request).name, await PREVIEW(request)
    engine = engine_of(request)
    return answer(await foresee(engine, await read_draft(engine, name), asked, caller_of(request).actor))


def _read_row(number: int, raw: msgspec.Raw) -> Wish:
    place = f"/rows/{number}"
    try:
        row = _decode_row(raw)
    except msgspec.ValidationError as error:
        raise unfit(error, f"body {place}", DraftRowAsked) from error
    said = {
        name: value for name in ("put", "delete", "version") if (value := getattr(row, name)) not in (None, _NOTHING)
    }
    [read] = RESOURCES[row.kind].read_rows([msgspec.Raw(msgspec.json.encode(said))])
    if isinstance(read, RowResult):
        raise Unfit(read.detail, where=f"body {place}{read.where.removeprefix('/rows/0')}")
    return read


async def _answer(request: Request, draft: Draft) -> Response:
    rows = [DraftRow(wish.kind, wish.key, msgspec.to_builtins(wish.item), wish.version) for wish in draft.wishes]
    said = answer(DraftShown(_head(draft.facts), rows, await _results(request, draft)))
    return tagged(said, draft.facts.version)


async def _results(request: Request, draft: Draft) -> list[RowResult]:
    if draft.facts.state == ACTIVE:
        return []
    drawn = await engine_of(request).try_out(plan_of(draft, caller_of(request).actor))
    return results_of(draft.wishes, drawn.verdict)


def _head(facts: DraftFacts) -> DraftHead:
    return DraftHead(facts.name, facts.version, facts.state, facts.note, facts.config_version, facts.actor, facts.at_ms)
