"""What ledger entries add up to: a sku's state after a change, in plain Python, and the bytes it is stored as."""

from collections.abc import Iterable
from typing import Any

import msgspec

from .records import Change, Place, QuotaUse, SkuState

OF_QUOTA = frozenset({"quota", "consumed", "spent", "floor"})
OF_SKU = frozenset({"backordered", "conflict"})

_pack = msgspec.msgpack.encode


class VersionGap(Exception):
    """A change does not follow the one before it: an entry is missing, or this one is from somewhere else."""

    def __init__(self, sku: str, expected: int, found: int) -> None:
        super().__init__(f"{sku} has version {found}, expected {expected}")
        self.sku, self.expected, self.found = sku, expected, found


def apply_change(state: SkuState, change: Change) -> None:
    """Book one change. Raises VersionGap, and then nothing is booked."""
    if change.version != state.version + 1:
        raise VersionGap(change.sku, state.version + 1, change.version)
    add_moves(state, change.version, change.moves)


def add_moves(state: SkuState, version: int, moves: Iterable[tuple[str, str, str, int]]) -> None:
    """Book these moves, of one change or summed up over many; the state has this version then."""
    state.version = version
    touched = {}
    for location, bucket, of, units in moves:
        if bucket in OF_SKU:
            setattr(state, bucket, getattr(state, bucket) + units)
        else:
            touched[location] = state.places.setdefault(location, Place())
            _move(touched[location], bucket, of, units)
    for location, place in touched.items():
        if not _tidy(place):
            del state.places[location]


def _tidy(place: Place) -> bool:
    """
    Drop what has nothing, as the script does after every effect: what comes back later comes last.

    Returns whether anything is left at all.
    """
    if place.reasons and 0 in place.reasons.values():
        place.reasons = {reason: units for reason, units in place.reasons.items() if units}
    if place.quotas:
        place.quotas = {channel: use for channel, use in place.quotas.items() if use.quota or use.consumed or use.floor}
    if place.transit and 0 in place.transit.values():
        place.transit = {transfer: units for transfer, units in place.transit.items() if units}
    units = place.on_hand or place.held or place.committed or place.deficit
    return bool(units or place.reasons or place.quotas or place.transit)


def _move(place: Place, bucket: str, of: str, units: int) -> None:
    if bucket == "unavailable":
        place.reasons[of] = place.reasons.get(of, 0) + units
    elif bucket == "in_transit":
        place.transit[of] = place.transit.get(of, 0) + units
    elif bucket in OF_QUOTA:
        use = place.quotas.setdefault(of, QuotaUse())
        setattr(use, bucket, getattr(use, bucket) + units)
    else:
        setattr(place, bucket, getattr(place, bucket) + units)


def encode_state(state: SkuState) -> bytes:
    """The very bytes shared/stock.lua keeps of it."""
    owed = [state.backordered, state.conflict] if state.backordered or state.conflict else 0
    flat: list[Any] = [state.version, owed]
    for code, place in state.places.items():
        flat += (code, place.on_hand, place.held, place.committed, _extra(place))
    return _pack(flat)


def _extra(place: Place) -> Any:
    reasons = [part for pair in place.reasons.items() for part in pair]
    quotas = [
        part
        for channel, use in place.quotas.items()
        for part in (channel, use.quota, use.consumed, use.spent, use.floor)
    ]
    if place.transit:
        return [place.deficit, reasons, quotas, [part for pair in place.transit.items() for part in pair]]
    return [place.deficit, reasons, quotas] if place.deficit or reasons or quotas else 0
