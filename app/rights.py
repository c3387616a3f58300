"""
What a key may do: scopes, the one table that gives them to roles, and limits to channels and locations.

Everything is denied unless a line here allows it: a route names one scope, a role has the scopes of its row and no
other, and a limited key has to name the channels and locations it acts on, all of them its own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from allocator import Allocator

from .errors import OutsideLimits

SCOPES: Final[dict[str, str]] = {
    "me:read": "see which key this is",
    "availability:read": "ask how many units a channel may promise",
    "holds:read": "read holds",
    "holds:write": "make, extend and release holds",
    "orders:read": "read orders and why they went where they went",
    "orders:write": "place, try, edit and cancel orders",
    "orders:ship": "pick, ship and take back the goods of orders",
    "orders:exchange": "take back the goods of an order and place another for them, in one step",
    "stock:read": "see what lies where, and every step to a number",
    "stock:write": "receive, correct, block and take back stock",
    "counts:write": "say what was counted",
    "counts:release": "let through or refuse counts that somebody has to look at",
    "tills:write": "say what has happened at tills",
    "quotas:write": "ring-fence units for a channel",
    "events:read": "follow changes as they happen",
    "webhooks:write": "say where changes are sent",
    "config:read": "read locations, channels, skus, listings and rules",
    "config:write": "change locations, channels, skus, listings and rules",
    "connections:read": "see connections to channels, what they show, and what was said with them",
    "connections:write": "connect channels, pause them, push and pull",
    "ops:write": "accept a clock that jumped, and other acts of operation",
    "audit:read": "read who did what",
    "keys:write": "make, see, rotate and revoke keys",
    "seller:write": "rename the seller",
}
"""Every scope and what it allows."""

Role = Literal["storefront", "pos", "channel", "warehouse", "operator", "analyst", "admin"]

_READS: Final = frozenset({"me:read", "availability:read", "orders:read", "events:read"})
_SELLS: Final = _READS | {"holds:read", "holds:write", "orders:write"}
_ANALYST: Final = _READS | {"holds:read", "stock:read", "config:read", "connections:read"}

ROLES: Final[dict[str, frozenset[str]]] = {
    "storefront": _SELLS,
    "pos": _SELLS | {"orders:ship", "orders:exchange", "stock:read", "counts:write", "tills:write"},
    "channel": _SELLS | {"orders:ship", "orders:exchange", "config:read", "webhooks:write"},
    "warehouse": _READS | {"orders:ship", "stock:read", "stock:write", "counts:write"},
    "operator": frozenset(SCOPES) - {"keys:write", "seller:write"},
    "analyst": _ANALYST,
    "admin": frozenset(SCOPES),
}
"""What each role may do. An unknown role, of a newer version say, may do nothing."""

WHOLE: Final = frozenset(
    {
        "config:read",
        "config:write",
        "connections:read",
        "connections:write",
        "counts:release",
        "ops:write",
        "audit:read",
        "seller:write",
    }
)
"""Scopes that concern the whole seller: a key with limits never has them."""

assert ROLES.keys() == set(get_args(Role))


class Limits(NamedTuple):
    """The channels and locations a key is limited to; None is no limit."""

    channels: frozenset[str] | None = None
    locations: frozenset[str] | None = None

    @property
    def are_set(self) -> bool:
        """Whether there is any limit."""
        return self.channels is not None or self.locations is not None

    def within(self, other: "Limits") -> bool:
        """Whether whoever keeps these keeps the others too."""
        return _within(self.channels, other.channels) and _within(self.locations, other.locations)


UNLIMITED: Final = Limits()


def limits_of(channels: Collection[str] | None, locations: Collection[str] | None) -> Limits:
    """The limits, of lists as they are stored; an empty list is a limit that allows nothing."""
    return Limits(
        None if channels is None else frozenset(channels), None if locations is None else frozenset(locations)
    )


def scopes_of(role: str, limits: Limits = UNLIMITED) -> frozenset[str]:
    """What a key of this role and with these limits may do."""
    scopes = ROLES.get(role, frozenset())
    return scopes - WHOLE if limits.are_set else scopes


def _within(mine: frozenset[str] | None, others: frozenset[str] | None) -> bool:
    return others is None or (mine is not None and mine <= others)


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who asks. The seller comes from the key and from nowhere else.

    `channels` and `locations` are what the key is limited to, None for no limit. `limits` is None when there are
    none, so that most requests pay one comparison.
    """

    seller: str
    actor: str
    allocator: Allocator
    key_id: str = ""
    role: str = ""
    scopes: frozenset[str] = frozenset()
    limits: Limits | None = None

    @property
    def channels(self) -> frozenset[str] | None:
        """The channels the key is limited to, or None."""
        return self.limits.channels if self.limits else None

    @property
    def locations(self) -> frozenset[str] | None:
        """The locations the key is limited to, or None."""
        return self.limits.locations if self.limits else None

    def sees_channel(self, code: str) -> bool:
        """Whether the key may know anything of this channel."""
        return self.channels is None or code in self.channels

    def sees_location(self, code: str) -> bool:
        """Whether the key may know anything of this location."""
        return self.locations is None or code in self.locations

    async def own_channels(self) -> list[str]:
        """Every channel of the seller that the key may ask about, in config order. Raises NotReady, Unanswered."""
        if not self.allocator.config.channels:
            # No shop is without channels for long; more likely the store could not be read yet.
            await self.allocator.reload()
        return [channel.code for channel in self.allocator.config.channels if self.sees_channel(channel.code)]


def refuse_outside(limits: Limits, named: Collection[tuple[str, str, str]], *, part: str, writes: bool) -> None:
    """
    Hold what a request names against a key's limits.

    `named` has (kind, code, where) with kind "channel" or "location" and code '' for what was left out; a change
    must leave nothing out. Raises OutsideLimits.
    """
    for kind, code, where in named:
        allowed = limits.channels if kind == "channel" else limits.locations
        if allowed is None or code in allowed:
            continue
        place = f"{part} {where if part == 'body' else where.lstrip('/')}"
        if code:
            raise OutsideLimits(f"this key is limited to other {kind}s", where=place)
        if writes:
            raise OutsideLimits(f"this key is limited to {kind}s and must name one", where=place)
