"""What callers send and hear about drafts of config, as types."""

from typing import Annotated, Any

import msgspec

from allocator import Code
from allocator.config import Name
from app.requests import Asked

from .forms import KindName, Limit, RowResult, Rows, RowVersion


class DraftPath(Asked, frozen=True, kw_only=True):
    """The draft's name."""

    name: Code


class DraftsQuery(Asked, frozen=True, kw_only=True):
    """A page of drafts, in the order of their names."""

    limit: Limit = 100
    cursor: Code | None = None


class DraftRowAsked(Asked, frozen=True, kw_only=True):
    """Put this, or delete what has this key; `version`: what you replace, without one what is there now."""

    kind: KindName
    put: msgspec.Raw = msgspec.Raw()
    delete: str | None = None
    version: RowVersion | None = None


class DraftAsked(Asked, frozen=True, kw_only=True):
    """Rows of any kinds, what is referred to first. Together they are one change."""

    rows: Rows
    note: Name = ""


class DraftRowForm(Asked, frozen=True, kw_only=True):
    """Put this, or delete what has this key; `version`: what you replace, without one what is there now."""

    kind: KindName
    put: dict[str, Any] | None = None
    delete: str | None = None
    version: RowVersion | None = None


class DraftForm(Asked, frozen=True, kw_only=True):
    """Rows of any kinds, what is referred to first. Together they are one change."""

    rows: Annotated[list[DraftRowForm], msgspec.Meta(min_length=1, max_length=1_000)]
    note: Name = ""


class ActivateAsked(Asked, frozen=True, kw_only=True):
    """The version of the draft that was looked at."""

    version: RowVersion


class DraftHead(msgspec.Struct, frozen=True):
    """A draft without its rows. state: draft, or active since version `config_version` of the config."""

    name: str
    version: int
    state: str
    note: str
    config_version: int | None
    actor: str
    at_ms: int


class DraftRow(msgspec.Struct, frozen=True):
    """One row: what shall be put or, without it, that it shall go; `version` of what it replaces, 0: nothing."""

    kind: str
    key: str
    put: dict[str, Any] | None
    version: int | None


class DraftShown(msgspec.Struct, frozen=True):
    """A draft, and what would become of each row now; of one in force there is nothing to say."""

    draft: DraftHead
    rows: list[DraftRow]
    results: list[RowResult]


class DraftPage(msgspec.Struct, frozen=True):
    """Drafts in the order of their names."""

    data: list[DraftHead]
    next_cursor: str | None
