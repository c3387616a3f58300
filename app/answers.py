"""Answers that are the service's own; all others are the allocator's."""

import msgspec

from allocator import Level


class Levels(msgspec.Struct, frozen=True):
    """What may be promised, sku by sku, channel by channel. In a list of many, version -1 is a sku nobody knows."""

    levels: list[Level]


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool = True


class Ready(msgspec.Struct, frozen=True):
    """
    Whether orders can be taken, and what is wrong where it is not `ok`.

    Only the store decides: without the database orders go on, and under a paused clock holds do not expire.
    """

    ready: bool
    store: str
    database: str
    clock: str


class Explanation(msgspec.Struct, frozen=True):
    """One type of problem, in words."""

    type: str
    title: str
    status: int
    when: str
    do: str
