"""
Locations, channels, skus, listings, rules, zones, reasons: five endpoints for each kind, all made from the registry.

An item's ETag is the config version that changed it last. Replacing or deleting needs it as If-Match; sending again
what is there already is answered with 200 and changes nothing, so a repeated request is safe.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from app.config.engine import Engine, Plan, Verdict
from app.config.errors import InUse, ItemUnknown, RuleClash, TooMuch, VersionDiffers, VersionMissing
from app.config.forms import FORMS, BulkAsked, BulkDone, Deleted, RowResult
from app.config.judging import ABSENT, Outcome, Wish
from app.config.kinds import KINDS, Kind
from app.config.picture import Entry
from app.config.reading import read_item, read_page
from app.deps import caller_of, state_of
from app.edge import Body, Path, Query, answer, unfit
from app.errors import Unfit
from app.guarding import guarded_router
from app.openapi import documented
from app.problems import PROBLEMS

NOTE_MAX: Final = 200

BULK: Final = Body(BulkAsked)

SAVES: Final = (InUse, RuleClash, VersionDiffers, VersionMissing)
"""Why a change of one thing may be refused, beside its content."""


def engine_of(request: Request) -> Engine:
    """The way to change the caller's config."""
    state = state_of(request)
    return Engine(state.database, caller_of(request).allocator, state.pipe.client)


class Resource:
    """The endpoints of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.forms = FORMS[kind.name]
        self.path = Path(self.forms.path)
        self.query = Query(self.forms.query)
        self.body = Body(kind.item)
        self._row = msgspec.json.Decoder(self.forms.row)

    async def list_page(self, request: Request) -> Response:
        """Things in the order of their keys, a page at a time."""
        asked = self.query(request)
        where = {name: value for name in self.kind.filters if (value := getattr(asked, name)) is not None}
        database, seller = state_of(request).database, caller_of(request).seller
        page = await read_page(database, seller, self.kind.name, where=where, cursor=asked.cursor, limit=asked.limit)
        return answer(self.forms.page([self._shown(entry) for _, entry in page.entries], page.next_cursor))

    async def get_one(self, request: Request) -> Response:
        """One thing as it is, with its version as ETag."""
        key = self._key(request)
        entry = await read_item(state_of(request).database, caller_of(request).seller, self.kind.name, key)
        known = request.headers.get("if-none-match", "")
        if _etag(entry.version) in [tag.strip() for tag in known.split(",")]:
            return Response(None, 304, {"ETag": _etag(entry.version)})
        return self._answer(entry)

    async def put_one(self, request: Request) -> Response:
        """Create a thing, or replace the version named by If-Match. In force for the next request, everywhere."""
        key, item = self._key(request), await self.body(request)
        if self.kind.key_of(item) != key:
            raise Unfit(f"the path says {key!r}", where=f"body /{self.kind.keys[-1]}")
        outcome, _ = await self._save(request, Wish(self.kind.name, key, item, expected(request)))
        if outcome.row is None or outcome.row.after is None:
            database, seller = state_of(request).database, caller_of(request).seller
            return self._answer(await read_item(database, seller, self.kind.name, key))
        return self._answer(outcome.row.after, 201 if outcome.word == "created" else 200)

    async def delete_one(self, request: Request) -> Response:
        """Delete the version named by If-Match. What others refer to, or units depend on, stays."""
        key = self._key(request)
        _, version = await self._save(request, Wish(self.kind.name, key, None, expected(request)))
        return answer(Deleted(version or 0, key))

    async def bulk(self, request: Request) -> Response:
        """Put and delete up to 1,000 things in one version, with a result for each row."""
        asked = await BULK(request)
        read = self.read_rows(asked.rows)
        plan = Plan([wish for wish in read if isinstance(wish, Wish)], caller_of(request).actor, asked.note)
        dry_run = asked.dry_run or (asked.atomic and len(plan.wishes) < len(read))
        verdict = await engine_of(request).change(plan._replace(together=asked.atomic, dry_run=dry_run))
        results = results_of(read, verdict)
        if dry_run and not asked.dry_run:
            results = [_spoiled(result) for result in results]
        refused = sum(result.outcome == "refused" for result in results)
        version = None if dry_run else verdict.version
        return answer(BulkDone(version, asked.dry_run, refused, results))

    def read_rows(self, rows: Sequence[msgspec.Raw]) -> list[Wish | RowResult]:
        """The wishes of a bulk body; a row that cannot be read is refused alone."""
        return [self._read_row(number, row) for number, row in enumerate(rows)]

    def _read_row(self, number: int, raw: msgspec.Raw) -> Wish | RowResult:
        place = f"/rows/{number}"
        try:
            row = self._row.decode(raw)
        except msgspec.ValidationError as error:
            return _unreadable(self.kind, unfit(error, "body", self.forms.row), place)
        if (row.put is None) == (row.delete is None):
            return _unreadable(self.kind, Unfit("a row has either put or delete", where="body "), place)
        key = row.delete if row.put is None else self.kind.key_of(row.put)
        return Wish(self.kind.name, key, row.put, row.version)

    async def _save(self, request: Request, wish: Wish) -> tuple[Outcome, int | None]:
        plan = Plan([wish], caller_of(request).actor, _note(request))
        verdict = await engine_of(request).change(plan)
        [outcome] = verdict.outcomes
        if outcome.why is not None:
            raise outcome.why
        return outcome, verdict.version

    def _key(self, request: Request) -> str:
        path = self.path(request)
        return "/".join(getattr(path, name) for name in self.kind.keys)

    def _shown(self, entry: Entry) -> Any:
        rest = (entry.in_force,) if self.kind.name == "rules" else ()
        return self.forms.shown(entry.version, entry.item, *rest)

    def _answer(self, entry: Entry, status: int = 200) -> Response:
        return tagged(answer(self._shown(entry), status), entry.version)


# --- headers -----------------------------------------------------------------------------------------------------


def _etag(version: int) -> str:
    return f'"{version}"'


def tagged(said: Response, version: int) -> Response:
    """The answer with the version of what it shows as ETag."""
    said.headers["ETag"] = _etag(version)
    return said


def expected(request: Request) -> int | None:
    """The version the caller replaces: If-Match, or ABSENT for If-None-Match: *, or None. Raises Unfit."""
    if request.headers.get("if-none-match", "").strip() == "*":
        return ABSENT
    given = request.headers.get("if-match")
    if given is None:
        return None
    found = re.fullmatch(r'"?([0-9]{1,9})"?', given.strip())
    if found is None:
        raise Unfit('If-Match must be the ETag of what you replace, such as "12"', where="header If-Match")
    return int(found[1])


def _note(request: Request) -> str:
    note = request.headers.get("config-note", "")
    if len(note) > NOTE_MAX or not note.isprintable():
        raise Unfit(f"the note must be at most {NOTE_MAX} printable characters", where="header Config-Note")
    return note


# --- results -----------------------------------------------------------------------------------------------------


def results_of(read: Sequence[Wish | RowResult], verdict: Verdict) -> list[RowResult]:
    """A result for each row, in order."""
    outcomes = iter(verdict.outcomes)
    return [
        row if isinstance(row, RowResult) else result_of(next(outcomes), f"/rows/{number}/{_word(row)}")
        for number, row in enumerate(read)
    ]


def _word(wish: Wish) -> str:
    return "delete" if wish.item is None else "put"


def result_of(outcome: Outcome, place: str = "") -> RowResult:
    """An outcome as it is answered; `place` is where the row stands in the body."""
    wish, why = outcome.wish, outcome.why
    if why is None:
        return RowResult(wish.kind, wish.key, outcome.word)
    facts = {name: value for name, value in why.facts.items() if name != "where"}
    where = f"{place}{why.facts.get('where', '')}"
    return RowResult(wish.kind, wish.key, outcome.word, PROBLEMS[type(why)].slug, str(why), where, facts)


def _unreadable(kind: Kind, error: Any, place: str) -> RowResult:
    where = place + error.where.removeprefix("body ").rstrip("/")
    facts = {"allowed": error.allowed} if error.allowed else {}
    return RowResult(kind.name, "", "refused", PROBLEMS[type(error)].slug, str(error), where, facts)


def _spoiled(result: RowResult) -> RowResult:
    """A good row of a body of which nothing was done, because another row could not be read."""
    return result if result.outcome == "refused" else msgspec.structs.replace(result, outcome="refused")


# --- routes ------------------------------------------------------------------------------------------------------

_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what you replace or delete; a new thing has none.",
    "schema": {"type": "string"},
    "example": '"12"',
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "GET: ETags you have already. PUT: * to create only.",
    "schema": {"type": "string"},
}
_CONFIG_NOTE: Final = {
    "name": "Config-Note",
    "in": "header",
    "required": False,
    "description": "Why, for the history.",
    "schema": {"type": "string", "maxLength": NOTE_MAX},
}
READ: Final = "config:read"
WRITE: Final = "config:write"
_ETAG: Final = {"ETag": {"description": "The item's version.", "schema": {"type": "string"}}}


def _with_headers(spec: dict[str, Any], *headers: dict[str, Any], creates: bool = False) -> dict[str, Any]:
    """A route's documentation, with its conditional headers; `creates`: 201 for what is new."""
    operation = spec["openapi_extra"]
    operation["parameters"] += headers
    done = operation["responses"]["200"]
    if _IF_NONE_MATCH in headers:
        done["headers"] = _ETAG
    if creates:
        operation["responses"]["201"] = {**done, "description": "Created."}
    elif _IF_NONE_MATCH in headers:
        operation["responses"]["304"] = {"description": "You have it already.", "headers": _ETAG}
    return spec


def with_if_match(spec: dict[str, Any]) -> dict[str, Any]:
    """The documentation of a route that replaces what If-Match names."""
    return _with_headers(spec, _IF_MATCH)


def _router(kind: Kind) -> APIRouter:
    router, of, forms = guarded_router(f"/v1/{kind.name}", kind.name), Resource(kind), FORMS[kind.name]
    one = "".join(f"/{{{name}}}" for name in kind.keys)
    router.add_api_route(
        "",
        of.list_page,
        methods=["GET"],
        name=f"list_{kind.name}",
        **documented(of.query, answers=forms.page, scope=READ),
    )
    bulk = documented(Body(forms.bulk), answers=BulkDone, refuses=(TooMuch,), scope=WRITE)
    router.add_api_route("/bulk", of.bulk, methods=["POST"], name=f"bulk_{kind.name}", **bulk)
    get = documented(of.path, answers=forms.shown, refuses=(ItemUnknown,), scope=READ)
    router.add_api_route(
        one, of.get_one, methods=["GET"], name=f"get_{kind.noun}", **_with_headers(get, _IF_NONE_MATCH)
    )
    put = documented(of.path, of.body, answers=forms.shown, refuses=(*SAVES, TooMuch), scope=WRITE)
    put = _with_headers(put, _IF_MATCH, _IF_NONE_MATCH, _CONFIG_NOTE, creates=True)
    router.add_api_route(one, of.put_one, methods=["PUT"], name=f"put_{kind.noun}", **put)
    delete = documented(of.path, answers=Deleted, refuses=(ItemUnknown, *SAVES), scope=WRITE)
    delete = _with_headers(delete, _IF_MATCH, _CONFIG_NOTE)
    router.add_api_route(one, of.delete_one, methods=["DELETE"], name=f"delete_{kind.noun}", **delete)
    return router


RESOURCES: Final = {name: Resource(kind) for name, kind in KINDS.items()}
ROUTERS: Final = tuple(_router(kind) for kind in KINDS.values())
