"""What one run of a verb of the schedule has done."""

import msgspec


class Expired(msgspec.Struct, frozen=True):
    """One run of expiry. paused: the clock jumped by jump_ms and nothing expires until that is settled."""

    hold_ids: list[str]
    paused: bool
    jump_ms: int
    more: bool


class RescuedLine(msgspec.Struct, frozen=True):
    """Units an order line lost where they were missing: how many it got elsewhere, how many are in conflict."""

    order: str
    line: str
    moved: int
    conflict: int


class Rescued(msgspec.Struct, frozen=True):
    """One run of rescuing at one place; `deficit` is what is still promised and missing there."""

    lines: list[RescuedLine]
    deficit: int


class ServedLine(msgspec.Struct, frozen=True):
    """Units a waiting order line got."""

    order: str
    line: str
    sku: str
    units: int


class Served(msgspec.Struct, frozen=True):
    """One run of serving those that wait."""

    lines: list[ServedLine]
    more: bool
