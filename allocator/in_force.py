"""The config a process ranks with: what it last read as in force, under its version."""

from collections.abc import Sequence

from . import errors
from .arguments import Argument, flat, ranking
from .config import Channel, Config, LowersAt
from .model import OrderRequest, ShipTo
from .pending import hold_id_of
from .ranking import Ranker
from .rules import read_document

NO_CONFIG = "0"
"""The version before the first config."""

RANKED_MAX = 10_000
"""Most rankings that are remembered: many orders go to the same place."""

Asked = tuple[str, ShipTo, tuple[str, ...], bool]


class InForce:
    """
    One version of a config, and the rankings made with it; never changed, replaced by the next.

    `version` is the text the scripts compare; `document` the config's field of that name, empty before the first.
    `raised` has the channels that ask for more than `fsynced`, with their level; `pending` those whose orders may be
    pending.
    """

    def __init__(self, version: str = NO_CONFIG, document: str = "") -> None:
        self.version = version
        self.config = read_document(document.encode()) if document else Config()
        self.ranker = Ranker(self.config)
        self.raised = {one.code: one.acknowledge for one in self.config.channels if one.acknowledge != "fsynced"}
        self.pending = {one.code for one in self.config.channels if one.pending_minutes is not None}
        self._channels: dict[str, Channel] = {channel.code: channel for channel in self.config.channels}
        self._ranked: dict[Asked, str] = {}

    def demand_of(self, channel: str) -> str:
        """The channel's own kind of demand."""
        known = self._channels.get(channel)
        return known.demand if known else "promise"

    def ranked(self, channel: str, ship_to: ShipTo, prefer: Sequence[str], *, relax: bool) -> str:
        """The candidates for a ship-to, best first, as scripts are sent them."""
        asked = (channel, ship_to, tuple(prefer), relax)
        known = self._ranked.get(asked)
        if known is None:
            if len(self._ranked) >= RANKED_MAX:
                self._ranked.clear()
            candidates = self.ranker.rank(channel, ship_to, prefer, relax=relax)
            known = self._ranked[asked] = ranking([(candidate.location, candidate.tie) for candidate in candidates])
        return known

    def candidates(self, request: OrderRequest, kind: str) -> str:
        """The locations an order may ship from; of goods that are gone the one they left. Raises as `left_from`."""
        if kind == "gone":
            return ranking([(self.left_from(request), 0)])
        return self.ranked(request.channel, request.ship_to, request.prefer, relax=kind == "firm")

    def pending_hold(self, request: OrderRequest) -> str:
        """The hold that this order may have been while it was pending; '' on a channel where none is."""
        if request.channel not in self.pending:
            return ""
        return hold_id_of(request.channel, request.external_id, request.attempt)

    def pending_terms(self, channel: str) -> tuple[LowersAt, int]:
        """
        When a pending order lowers the channel's stock, and how many minutes it is kept.

        Any for an unknown channel: the script refuses that. Raises Invalid for one whose orders always come paid.
        """
        known = self._channels.get(channel)
        if known is None:
            return "order", 1
        if known.pending_minutes is None:
            why = "orders of this channel always come paid: it has no pending_minutes"
            raise errors.Invalid(why, {"where": "/pending"})
        return known.lowers_at, known.pending_minutes

    def left_from(self, request: OrderRequest) -> str:
        """
        The location goods that are gone have left: the one named, or the only one the channel has.

        Raises UnknownChannel, Invalid.
        """
        if request.at:
            return request.at
        known = self._channels.get(request.channel)
        if known is None:
            raise errors.UnknownChannel(facts={"channel": request.channel})
        if len(known.locations) != 1:
            raise errors.Invalid("a sale of goods that are gone must name the location they left", {"where": "/at"})
        return known.locations[0].code

    def allowed(self, channels: Sequence[str], ship_to: ShipTo | None) -> list[Argument]:
        """The locations that may serve this ship-to, as the scripts read them; nothing named means all."""
        if ship_to is None:
            return [""]
        if len(channels) != 1:
            raise errors.Invalid("availability for a ship-to is asked for one channel at a time")
        return flat([(candidate.location,) for candidate in self.ranker.rank(channels[0], ship_to, relax=False)])
