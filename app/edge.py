"""
Between HTTP and types: decodes bodies, paths and queries, encodes answers.

msgspec does it in a few microseconds; what goes wrong is said with its place and, where the choice is short, with
what is allowed there.
"""

import re
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import msgspec
from msgspec.inspect import ListType, LiteralType, StructType, Type, UnionType, type_info
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from .errors import Malformed, RequestRefused, Unfit
from .reach import Reach
from .rights import Caller, refuse_outside

T = TypeVar("T")

REPLAYED: Final = "Idempotency-Replayed"

POSITION: Final = "Allot-Position"
"""In an answer that comes from SQL because Valkey does not have it: how new SQL was."""

ENCODED_SLASH: Final = "\udc2f"
"""Stands for a %2F of the path until routing is over; no path can contain it otherwise."""

_encode = msgspec.json.Encoder().encode


class Body(Generic[T]):
    """Reads a JSON body of one type; with `optional` an empty one counts as {}."""

    def __init__(self, type: type[T], *, optional: bool = False) -> None:
        self.type = type
        self.optional = optional
        self.reach = Reach(type)
        self._decode = msgspec.json.Decoder(type).decode

    async def __call__(self, request: Request) -> T:
        """The body. Raises Malformed, Unfit, BodyTooLarge, OutsideLimits."""
        _, asked = await self.with_bytes(request)
        if self.reach:
            keep_limits(request, self.reach, asked, "body")
        return asked

    async def with_bytes(self, request: Request) -> tuple[bytes, T]:
        """
        The body as it was sent, which may be signed, and what it says; the limits of the key are the caller's to keep.

        Raises Malformed, Unfit, BodyTooLarge.
        """
        raw = await _read(request)
        try:
            asked = self._decode(raw or b"{}" if self.optional else raw)
        except msgspec.ValidationError as error:
            raise unfit(error, "body", self.type) from error
        except ValueError as error:
            raise Malformed(f"the body is not JSON: {error}", where="body") from error
        return raw, asked


async def _read(request: Request) -> bytes:
    """The body, which mostly comes in one piece. Raises BodyTooLarge, ClientDisconnect."""
    pieces = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Path(Generic[T]):
    """Reads the path's variables."""

    def __init__(self, type: type[T]) -> None:
        self.type = type
        self.reach = Reach(type)

    def __call__(self, request: Request) -> T:
        """The variables. Raises Unfit, OutsideLimits."""
        try:
            asked = msgspec.convert(path_names(request.scope), self.type)
        except msgspec.ValidationError as error:
            raise unfit(error, "path", self.type) from error
        if self.reach:
            keep_limits(request, self.reach, asked, "path")
        return asked


class Query(Generic[T]):
    """Reads the query; a field that is a list may be repeated."""

    def __init__(self, type: type[T]) -> None:
        self.type = type
        self.reach = Reach(type)
        self._lists = {name for name, hint in get_type_hints(type).items() if _is_list(hint)}

    def __call__(self, request: Request) -> T:
        """The query. Raises Unfit, OutsideLimits."""
        given = request.query_params
        said = {name: given.getlist(name) if name in self._lists else given[name] for name in given}
        try:
            asked = msgspec.convert(said, self.type, strict=False)
        except msgspec.ValidationError as error:
            raise unfit(error, "query", self.type) from error
        if self.reach:
            keep_limits(request, self.reach, asked, "query")
        return asked


def keep_limits(request: Request, reach: Reach, asked: Any, part: str) -> None:
    """Hold what this part of a request names against the limits of the key. Raises OutsideLimits."""
    caller: Caller | None = request.scope.get("allot.caller")
    if caller is not None and caller.limits is not None:
        refuse_outside(caller.limits, reach.named(asked), part=part, writes=request.scope["allot.writes"])


def keep_slashes(scope: Scope) -> None:
    """Undo, before routing, what the server did to %2F: in an id it is a character like any other."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2F" in raw or b"%2f" in raw:
        scope["path"] = unquote(re.sub("%2F", ENCODED_SLASH, raw.decode("ascii", "replace"), flags=re.IGNORECASE))


def path_names(scope: Scope) -> dict[str, str]:
    """The path's variables, with the slashes of their ids."""
    return {name: value.replace(ENCODED_SLASH, "/") for name, value in scope.get("path_params", {}).items()}


def _is_list(hint: Any) -> bool:
    origin = get_origin(hint) or hint
    return origin is list or any(get_origin(part) is list for part in get_args(hint))


def answer(said: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> Response:
    """
    What the allocator answered, as JSON.

    What was answered before says so in a header; and where making it is 201, having it already is 200.
    """
    if getattr(said, "replayed", False):
        return Json(_encode(said), 200, (REPLAYED.lower().encode(), b"true"))
    return Json(_encode(said), status, *headers)


class Json(Response):
    """JSON that is encoded already; the framework's own way of making headers costs twice as much as encoding it."""

    def __init__(self, body: bytes, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.status_code, self.body, self.background = status, body, None
        length = (b"content-length", b"%d" % len(body))
        self.raw_headers = [length, (b"content-type", b"application/json"), *headers]


# --- what does not fit -----------------------------------------------------------------------------------------


def unfit(error: msgspec.ValidationError, part: str, type: Any) -> RequestRefused:
    """The error for people: what is wrong, where, what would be right. part: "query x", "body", "body /settings"."""
    what, _, place = str(error).partition(" - at ")
    names = re.findall(r"[A-Za-z_]+|\d+", place.replace("`", "").replace("key in", ""))
    if part.startswith("body"):
        inside = part.removeprefix("body").strip(" /")
        where = "body /" + "/".join([*filter(None, [inside]), *names])
    else:
        where = f"{part} {'/'.join(names)}".strip()
    return Unfit(_plain(what), where=where, allowed=_allowed(type_info(type), names))


def _plain(what: str) -> str:
    """Without the patterns, which the documentation explains in words."""
    return re.sub(r"matching regex .*", "of allowed characters only", what)


def _allowed(here: Type, names: list[str]) -> list[str]:
    """The fields of the object there, or the words of the choice there; nothing for anything else."""
    for name in names:
        found = _inside(here, name)
        if found is None:
            return []
        here = found
    here = _without_null(here)
    if isinstance(here, StructType):
        return [field.name for field in here.fields]
    return sorted(map(str, here.values)) if isinstance(here, LiteralType) else []


def _inside(here: Type, name: str) -> Type | None:
    here = _without_null(here)
    if isinstance(here, ListType):
        return here.item_type
    fields = here.fields if isinstance(here, StructType) else ()
    return next((field.type for field in fields if field.encode_name == name), None)


def _without_null(here: Type) -> Type:
    if isinstance(here, UnionType):
        return next((part for part in here.types if isinstance(part, StructType | LiteralType)), here)
    return here
