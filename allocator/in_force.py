"""The config a process ranks with: what it last read as in force, under its version."""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from . import errors
from .arguments import Argument, flat, ranking
from .calendar import next_change_ms, promises
from .config import DEFAULT_REASONS, Channel, Config, LowersAt, RejectReason
from .model import OrderRequest, ShipTo
from .pending import hold_id_of
from .promising import NOTHING, Wanted, read_undated, split_limits, terms_of, undated
from .ranking import NO_RATES, Ranker, RejectRates
from .rules import read_document

NO_CONFIG = "0"
"""The version before the first config."""

RANKED_MAX = 10_000
"""Most rankings that are remembered: many orders go to the same place."""

ABOUT_COMPLETE = {"where": "/ship_complete"}

Asked = tuple[str, ShipTo, tuple[str, ...], bool]


def wall_ms() -> int:
    """The wall clock, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class InForce:
    """
    One version of a config, and the rankings made with it and with the rates of rejects; never changed, replaced by the
    next.

    What was made with it is remembered until `moment_ms` has passed the next cut-off or midnight of any location that
    promises days: until then no ranking and no promise can come out otherwise.

    `version` is the text the scripts compare; `document` the config's field of that name, empty before the first.
    `raised` has the channels that ask for more than `fsynced`, with their level; `pending` those whose orders may be
    pending. `reasons` has the reasons for rejects by code, the seller's own and the default ones.
    """

    def __init__(
        self,
        version: str = NO_CONFIG,
        document: str = "",
        moment_ms: Callable[[], int] = wall_ms,
        rates: RejectRates = NO_RATES,
    ) -> None:
        self.version = version
        self.rates = rates
        self._document = document
        self.config = read_document(document.encode()) if document else Config()
        self.ranker = Ranker(self.config, rates)
        self.raised = {one.code: one.acknowledge for one in self.config.channels if one.acknowledge != "fsynced"}
        self.pending = {one.code for one in self.config.channels if one.pending_minutes is not None}
        self.reasons: Mapping[str, RejectReason] = {
            reason.code: reason for reason in (*DEFAULT_REASONS, *self.config.reasons)
        }
        self._channels: dict[str, Channel] = {channel.code: channel for channel in self.config.channels}
        self._ranked: dict[Asked, str] = {}
        self._terms: dict[Wanted, str] = {}
        self._where: dict[ShipTo, str] = {}
        self._splitting = {one.code for one in self.config.channels if one.split_rules}
        self._moment_ms = moment_ms
        self._places = {location.code: location for location in self.config.locations}
        self._dated = [location for location in self.config.locations if promises(location)]
        self._from_ms = self._until_ms = 0

    def ranking_with(self, rates: RejectRates) -> "InForce":
        """The same config with other rates of rejects."""
        return self if rates == self.rates else InForce(self.version, self._document, self._moment_ms, rates)

    def reading(self, document: str) -> "InForce":
        """The same version and rates with another document: what would be ranked with if that were in force."""
        return InForce(self.version, document, self._moment_ms, self.rates)

    def cost(self, location: str, ship_to: ShipTo) -> int | None:
        """What sending an order from the location costs, in integer minor units; None: not known."""
        place = self._places.get(location)
        wish = self.ranker.wish(ship_to, ())
        return self.ranker.carriers.cost(place, ship_to, wish.zone) if place else None

    def demand_of(self, channel: str) -> str:
        """The channel's own kind of demand."""
        known = self._channels.get(channel)
        return known.demand if known else "promise"

    def reason_of(self, code: str) -> RejectReason:
        """The reason for a reject that has this code. Raises UnknownReason, with those that there are."""
        known = self.reasons.get(code)
        if known is None:
            codes = sorted(self.reasons)
            says = f"no such reason: {code!r}; there is {', '.join(codes)}"
            raise errors.UnknownReason(says, {"reason": code, "allowed": codes})
        return known

    def ranked(self, channel: str, ship_to: ShipTo, prefer: Sequence[str], *, relax: bool) -> str:
        """The candidates for a ship-to, best first, as scripts are sent them."""
        self._refresh()
        asked = (channel, ship_to, tuple(prefer), relax)
        known = self._ranked.get(asked)
        if known is None:
            if len(self._ranked) >= RANKED_MAX:
                self._ranked.clear()
            candidates = self.ranker.rank(channel, ship_to, prefer, relax=relax, at_ms=self._from_ms)
            known = self._ranked[asked] = ranking([(candidate.location, candidate.tie) for candidate in candidates])
        return known

    def _refresh(self) -> None:
        """Forget what may not be so any more; `_from_ms` is the moment that stands for all until the next change."""
        if not self._dated:
            return
        now = self._moment_ms()
        if not self._from_ms <= now < self._until_ms:
            self._ranked.clear()
            self._terms.clear()
            self._from_ms, self._until_ms = now, next_change_ms(self._dated, now)

    def candidates(self, request: OrderRequest, kind: str) -> str:
        """
        The locations an order may ship from; of goods that are gone the one they left, of an order that is fetched the
        store. Raises as `left_from` and `pickup_at`.
        """
        if kind == "gone":
            return ranking([(self.left_from(request), 0)])
        if request.pickup:
            return ranking([(self.pickup_at(request, kind), 0)])
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

    def terms(self, request: OrderRequest, kind: str, candidates: str) -> str:
        """What the order asks for besides units, as the script is sent it. Raises Invalid."""
        if self._says_only_where(request, kind):
            return self._where_to(request.ship_to)
        wanted = self._wanted(request, kind)
        return NOTHING if kind == "gone" else self._with_days(wanted, candidates)

    def _says_only_where(self, request: OrderRequest, kind: str) -> bool:
        """As most orders do: theirs are looked up by where they go, and nothing else is looked at."""
        special = self._dated or request.ship_complete or request.pickup or request.channel in self._splitting
        return kind != "gone" and not special

    def _where_to(self, ship_to: ShipTo) -> str:
        found = self._where.get(ship_to)
        if found is None:
            if len(self._where) >= RANKED_MAX:
                self._where.clear()
            found = self._where[ship_to] = undated(Wanted("", ship_to, (), False, "", ()))
        return found

    def kept_terms(self, request: OrderRequest, kind: str) -> str:
        """The same without days, as it is kept until the order is paid. Raises Invalid."""
        return undated(self._wanted(request, kind))

    def terms_again(self, channel: str, kept: str, candidates: str) -> str:
        """The terms of an order that was kept with these; with none it is one of which nothing was said."""
        wanted = read_undated(channel, kept) if kept else self._wanted(_bare(channel), "")
        return self._with_days(wanted, candidates)

    def _wanted(self, request: OrderRequest, kind: str) -> Wanted:
        if request.ship_complete and (request.partial or kind == "gone"):
            raise errors.Invalid("an order that is shipped all at once cannot be partial or gone", ABOUT_COMPLETE)
        known = self._channels.get(request.channel)
        value = None if request.value is msgspec.UNSET else request.value
        limits = split_limits(known, value) if known and known.split_rules else ()
        asked = (bool(request.ship_complete), request.pickup or "", limits)
        return Wanted(request.channel, request.ship_to, (), *asked)

    def _with_days(self, wanted: Wanted, candidates: str) -> str:
        if not (self._dated or any(wanted[3:]) or wanted.ship_to.country):
            return NOTHING
        codes = tuple(msgspec.json.decode(candidates)[::2]) if self._dated else ()
        wanted = wanted._replace(candidates=codes)
        self._refresh()
        found = self._terms.get(wanted)
        if found is None:
            if len(self._terms) >= RANKED_MAX:
                self._terms.clear()
            places = [self._places[code] for code in codes if code in self._places]
            found = self._terms[wanted] = terms_of(wanted, places, self.ranker.carriers, self._from_ms)
        return found

    def pickup_at(self, request: OrderRequest, kind: str) -> str:
        """
        The store where a promised order is fetched. Raises UnknownLocation, Invalid.

        An unknown channel is for the script to refuse.
        """
        code, where = request.pickup or "", {"where": "/pickup", "value": request.pickup}
        known, place = self._channels.get(request.channel), self._places.get(code)
        if known is None:
            return code
        if place is None:
            raise errors.UnknownLocation(facts={"locations": [code]})
        stores = [shelf.code for shelf in known.locations if self._places[shelf.code].pickup]
        if kind != "promise":
            raise errors.Invalid(f"only a promise can be fetched, and this order is {kind}", where)
        if code not in stores:
            says = f"orders of {request.channel} are not fetched at {code}; they are at {', '.join(stores) or 'none'}"
            raise errors.Invalid(says, {**where, "allowed": stores})
        return code

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
        self._refresh()
        ranked = self.ranker.rank(channels[0], ship_to, relax=False, at_ms=self._from_ms)
        return flat([(candidate.location,) for candidate in ranked])


def _bare(channel: str) -> OrderRequest:
    return OrderRequest(channel=channel, external_id="", lines=[])
