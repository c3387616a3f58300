"""
What callers send and hear about config, as types: made from the registry where they are the same for every kind.

Of each kind there are its path, the query of its list, an item as it is shown, a page of them, and a bulk body.
"""

from typing import Annotated, Any, Final, Literal, NamedTuple, get_type_hints

import msgspec
from msgspec import defstruct

from allocator import Code, Sku
from allocator.config import Name
from app.requests import Asked

from .engine import ROWS_MAX
from .kinds import KINDS, Kind, RuleConfig

Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000, description="Most rows of one page.")]
Cursor = Annotated[str, msgspec.Meta(max_length=1_000, description="`next_cursor` of the page before.")]
RowVersion = Annotated[int, msgspec.Meta(ge=0, description="The version you replace or delete; 0: only create.")]
Rows = Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=ROWS_MAX)]
KindName = Literal["locations", "channels", "skus", "listings", "rules", "zones", "carriers", "reasons"]


class Forms(NamedTuple):
    """The types of one kind."""

    path: Any
    query: Any
    shown: Any
    page: Any
    row: Any
    bulk: Any
    """For the documentation; it is read as BulkAsked, so that a row of another form spoils itself alone."""


def _forms(kind: Kind) -> Forms:
    noun, hints = kind.noun.capitalize(), get_type_hints(kind.item, include_extras=True)
    of_rules: list[Any] = [("in_force", bool)] if kind.item is RuleConfig else []
    shown = _answer(f"{noun}Shown", f"One {kind.noun}.", [("version", int), ("item", kind.item), *of_rules])
    row = _asked(
        f"{noun}Wish",
        "Put this, or delete what has this key.",
        [("put", kind.item | None, None), ("delete", str | None, None), ("version", RowVersion | None, None)],
    )
    rows = Annotated[list[row], msgspec.Meta(min_length=1, max_length=ROWS_MAX)]  # type: ignore[valid-type]
    return Forms(
        path=_asked(f"{noun}Key", f"Which {kind.noun}.", [(key, hints[key]) for key in kind.keys]),
        query=_asked(f"{noun}Query", "Filters.", [*_filters(kind), ("limit", Limit, 100), ("cursor", Cursor, "")]),
        shown=shown,
        page=_answer(f"{noun}Page", "In the order of keys.", [("data", list[shown]), ("next_cursor", str | None)]),  # type: ignore[valid-type]
        row=row,
        bulk=_asked(f"{noun}Bulk", "Up to 1,000 rows, a result for each.", [("rows", rows), *_BULK]),
    )


def _filters(kind: Kind) -> list[Any]:
    return [(name, type | None, None) for name, type in kind.filters.items()]


_BULK: Final[list[Any]] = [("atomic", bool, False), ("dry_run", bool, False), ("note", Name, "")]


def _asked(name: str, doc: str, fields: list[Any]) -> Any:
    return defstruct(name, fields, bases=(Asked,), namespace={"__doc__": doc}, module=__name__, **_STRICT)


def _answer(name: str, doc: str, fields: list[Any]) -> Any:
    return defstruct(name, fields, namespace={"__doc__": doc}, module=__name__, frozen=True)


_STRICT: Final[dict[str, Any]] = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}

FORMS: Final = {name: _forms(kind) for name, kind in KINDS.items()}


# --- bodies and queries ------------------------------------------------------------------------------------------


class BulkAsked(Asked, frozen=True, kw_only=True):
    """Rows to put or delete. atomic: all or none. dry_run: only say what would become of them."""

    rows: Rows
    atomic: bool = False
    dry_run: bool = False
    note: Name = ""


class RulePreviewAsked(Asked, frozen=True, kw_only=True):
    """Rules to put or delete, and whose numbers to compare; nothing named means all that the rules speak of."""

    rows: Rows
    channels: Annotated[list[Code], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=list)
    skus: Annotated[list[Sku], msgspec.Meta(max_length=10_000)] = msgspec.field(default_factory=list)


_rule_row = FORMS["rules"].row

RulePreviewForm: Final = _asked(
    "RulePreviewForm",
    str(RulePreviewAsked.__doc__),
    [
        ("rows", Annotated[list[_rule_row], msgspec.Meta(min_length=1, max_length=ROWS_MAX)]),  # type: ignore[valid-type]
        ("channels", Annotated[list[Code], msgspec.Meta(max_length=100)], msgspec.field(default_factory=list)),
        ("skus", Annotated[list[Sku], msgspec.Meta(max_length=10_000)], msgspec.field(default_factory=list)),
    ],
)


class RollbackAsked(Asked, frozen=True, kw_only=True):
    """The version whose config shall be in force again, as a new version."""

    to_version: Annotated[int, msgspec.Meta(ge=0, le=2_000_000_000)]
    note: Name = ""
    dry_run: bool = False


class ChangesQuery(Asked, frozen=True, kw_only=True):
    """The history of all, of one kind, or of one thing."""

    kind: KindName | None = None
    key: Annotated[str, msgspec.Meta(max_length=200)] = ""
    limit: Limit = 100
    cursor: Cursor = ""


class ChangePath(Asked, frozen=True, kw_only=True):
    """One version of the config."""

    version: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}\Z", description="A whole number.")]


# --- answers -----------------------------------------------------------------------------------------------------

NO_PROBLEM: Final[dict[str, Any]] = {"problem": "", "detail": "", "where": "", "facts": {}}


class RowResult(msgspec.Struct, frozen=True):
    """
    What became of one row: created, replaced, unchanged, deleted, or refused.

    A refused row says its problem (a slug), in words, and where; one that others spoiled has no problem of its own.
    """

    kind: str
    key: str
    outcome: str
    problem: str = ""
    detail: str = ""
    where: str = ""
    facts: dict[str, Any] = {}


class BulkDone(msgspec.Struct, frozen=True):
    """A result per row, in order. `version` is the config version that has the good ones, None when nothing changed."""

    version: int | None
    dry_run: bool
    refused: int
    results: list[RowResult]


class Deleted(msgspec.Struct, frozen=True):
    """It is gone since this version of the config."""

    version: int
    key: str


class LevelChange(msgspec.Struct, frozen=True):
    """What a channel may promise of a sku, and is told, before and after."""

    sku: str
    channel: str
    atp_before: int
    atp_after: int
    published_before: int
    published_after: int


class RulePreview(msgspec.Struct, frozen=True):
    """
    What the rules would do now; nothing was written. A refused row is left out of the numbers.

    skus_compared of skus_touched (those the rules speak of, at most 10,000 are compared). changed: numbers that
    differ; at most 500 are shown, the largest difference first.
    """

    refused: int
    results: list[RowResult]
    channels: list[str]
    skus_compared: int
    skus_touched: int
    changed: int
    levels: list[LevelChange]


class ConfigStand(msgspec.Struct, frozen=True):
    """The version in force; store_version is what the store says. staged: a change that is half done, or None."""

    version: int
    store_version: int
    staged: int | None
    counts: dict[str, int]


class ChangeShown(msgspec.Struct, frozen=True):
    """One version: who made it and when, and what became of it: staged, active or failed (then `why_failed`)."""

    version: int
    base: int
    state: str
    actor: str
    note: str
    rolls_back_to: int | None
    why_failed: str
    at_ms: int


class ChangePage(msgspec.Struct, frozen=True):
    """The history, newest first."""

    data: list[ChangeShown]
    next_cursor: str | None


class ChangedItem(msgspec.Struct, frozen=True):
    """One thing before and after; None where there was or is nothing. in_force is of rules."""

    kind: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    in_force_before: bool
    in_force_after: bool


class ChangeDetail(msgspec.Struct, frozen=True):
    """One version with everything it changed."""

    change: ChangeShown
    rows: list[ChangedItem]
