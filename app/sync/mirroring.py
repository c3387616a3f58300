"""
Makes our order what the channel says its order is.

What there is here is compared with what the channel tells now, whatever was told in between or in which order: so a
payment that comes before its order, a cancellation that overtakes it and a change that is told twice all end the same.
Of the units of a line only what the channel itself has changed is followed: what people have changed here stays.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

import msgspec

from allocator import Allocator, CancelLine, EditLine, EditRequest, Line, OrderRequest, Placed, ShipLine, ShipTo, errors
from allocator import Order as OurOrder
from allocator.model import OrderLine as OurLine
from app.store.connections import ConnectionFacts
from channels.base import Order
from channels.base import OrderLine as TheirLine

from .pictures import Followed, FollowedLine, told_of
from .returned import Coming, announce
from .verdicts import ALL_DONE, Outcome, parked, taken

WHY: Final = "told by the channel"


def actor_of(facts: ConnectionFacts) -> str:
    """Who the ledger says did what a channel told us to do."""
    return f"channel:{facts.code}"


@dataclass
class Following:
    """
    One order of a channel that is followed now. `followed` is what was made of it before, and has every line's sku.

    said: what was found on the way that somebody must look at. placed: the answer, if the order was placed now.
    """

    allocator: Allocator
    facts: ConnectionFacts
    theirs: Order
    followed: Followed
    said: list[Outcome] = field(default_factory=list)
    placed: Placed | None = None

    @property
    def _key(self) -> tuple[str, str]:
        return self._channel, self.theirs.external_id

    @property
    def _channel(self) -> str:
        return self.followed.channel or self.facts.channel

    @property
    def _op(self) -> str:
        """The channel's revision, whose times may be whole seconds: so with what it says, of which there may be two."""
        said = blake2b(told_of(self.theirs).picture.encode(), digest_size=6).hexdigest()
        return f"{self.theirs.revision}.{self.followed.attempt}.{said}"

    @property
    def _told(self) -> dict[str, Any]:
        return {"op": self._op, "actor": actor_of(self.facts)}

    # --- what is wanted -----------------------------------------------------------------------------------------

    def wanted(self, line: TheirLine) -> int:
        """Units of the sku that the channel wants of a line in all, those shipped included."""
        if self.theirs.state == "returned":
            # Some channels say so of what has never left.
            return 0
        return (line.shipped if self.theirs.state == "cancelled" else line.units) * self._pack(line.line)

    @property
    def _lines(self) -> list[TheirLine]:
        """Their lines that are something of ours."""
        return [line for line in self.theirs.lines if line.line in self.followed.lines]

    def _pack(self, line: str) -> int:
        return self.followed.lines[line].pack

    def after(self) -> Followed:
        """What is to be remembered once it is followed."""
        now = {line.line: self.wanted(line) for line in self._lines}
        lines = {name: self._with(known, now.get(name, 0)) for name, known in self.followed.lines.items()}
        return msgspec.structs.replace(self.followed, lines=lines)

    @staticmethod
    def _with(known: FollowedLine, wanted: int) -> FollowedLine:
        return msgspec.structs.replace(known, wanted=wanted)

    # --- the ways -----------------------------------------------------------------------------------------------

    async def follow(self) -> Outcome:
        """Do what is to be done. Raises what the allocator does: nothing of that is lost, it is done again."""
        if self.theirs.fulfilled_elsewhere:
            return taken("fulfilled_elsewhere", "the channel ships it from its own stock")
        ours = await self._find()
        if ours is None:
            return await self._begin()
        return await self._converge(ours)

    async def _find(self) -> OurOrder | None:
        try:
            return await self.allocator.find_order(*self._key)
        except errors.UnknownOrder:
            return None

    async def _begin(self) -> Outcome:
        """There is no order here yet."""
        if self.theirs.state in {"cancelled", "returned"}:
            return await self._let_go()
        lines = [line for line in self._lines if self.wanted(line)]
        if not lines:
            return taken("nothing_to_ship", "no line of it has units that are to be shipped")
        if self.theirs.state == "unpaid":
            return await self._keep(lines)
        self.placed = await self.allocator.order(self._request(lines), actor_of(self.facts))
        ours = await self._find()
        if ours is None:
            raise errors.Unanswered("the order was placed and cannot be found; it is looked for again")
        return await self._converge(ours)

    def _request(self, lines: list[TheirLine]) -> OrderRequest:
        return OrderRequest(
            channel=self._channel,
            external_id=self.theirs.external_id,
            lines=[Line(line.line, self.followed.lines[line.line].sku, self.wanted(line)) for line in lines],
            attempt=self.followed.attempt,
            ship_to=ShipTo(country=self.theirs.country, region=self.theirs.region),
        )

    async def _keep(self, lines: list[TheirLine]) -> Outcome:
        """An order that is not paid is held for as long as its channel says."""
        try:
            await self.allocator.keep_pending(self._request(lines), "payment", actor_of(self.facts))
        except (errors.Short, errors.Unroutable, errors.Invalid) as error:
            return taken("not_held", f"nothing is held for it until it is paid: {error}")
        except errors.AlreadyAccepted as error:
            raise errors.Unanswered("it was accepted a moment ago; it is looked at again") from error
        return taken("pending", "held until it is paid")

    async def _let_go(self) -> Outcome:
        """It is off before it was an order here; what is heard of it later and is older changes nothing."""
        try:
            await self.allocator.cancel(*self._key, why=WHY, **self._told)
        except (errors.UnknownOrder, errors.NotCommitted):
            return taken("never_taken", "it was off before it was taken")
        return taken("let_go", "what was held for it is free again")

    # --- an order that is there ---------------------------------------------------------------------------------

    async def _converge(self, ours: OurOrder) -> Outcome:
        lines = {line.line: line for line in ours.lines}
        if not lines.keys() & self.followed.lines.keys():
            says = "an order with this id was placed by somebody else, with other lines: compare the two"
            return parked("placed_by_others", says)
        lines = await self._cancel(lines)
        lines = await self._edit(lines)
        await self._ship(lines)
        facts = self.theirs, self.followed, lines, ours.announced, actor_of(self.facts)
        self.said += await announce(Coming(self.allocator, self._channel, *facts))
        return self._judge(lines)

    def _changed(self) -> dict[str, int]:
        """The lines of which the channel wants another number than it wanted before, with that number."""
        now = {line.line: self.wanted(line) for line in self._lines}
        return {
            name: now.get(name, 0) for name, known in self.followed.lines.items() if now.get(name, 0) != known.wanted
        }

    async def _cancel(self, lines: dict[str, OurLine]) -> dict[str, OurLine]:
        """What is not wanted any more, from a tote too: the warehouse puts it away."""
        rows = []
        for name, wanted in self._changed().items():
            line = lines.get(name)
            less = 0 if line is None else line.ordered - line.cancelled - wanted
            may = 0 if line is None else line.committed + line.backordered + line.conflict
            if min(less, may) > 0:
                rows.append(CancelLine(name, min(less, may)))
            if less > may and self.theirs.state != "returned":
                says = f"{less - may} units of line {name} are off at the channel and have left here: expect them back"
                self.said.append(parked("shipped_already", says))
        if not rows:
            return lines
        changed = await self.allocator.cancel(*self._key, rows, why=WHY, picked=True, **self._told)
        return {line.line: line for line in changed.lines}

    async def _edit(self, lines: dict[str, OurLine]) -> dict[str, OurLine]:
        """What is wanted on top, and lines that are new."""
        rows = []
        for name, wanted in self._changed().items():
            line = lines.get(name)
            if wanted > (0 if line is None else line.ordered - line.cancelled):
                rows.append(EditLine(name, self.followed.lines[name].sku, wanted))
        if not rows:
            return lines
        changed = await self.allocator.edit(*self._key, EditRequest(lines=rows, why=WHY), **self._told)
        return {line.line: line for line in changed.lines}

    async def _ship(self, lines: dict[str, OurLine]) -> None:
        """What has left by other ways than ours, where it is clear from which shelf."""
        if self.theirs.state in {"unpaid", "returned"}:
            return
        rows: list[ShipLine] = []
        for line in self._lines:
            ours = lines.get(line.line)
            units = 0 if ours is None else line.shipped * self._pack(line.line) - ours.shipped
            if ours is None or units <= 0:
                continue
            found = left_from(ours, units)
            if found is None:
                says = f"{units} units of line {line.line} have left, and it is not clear from where: ship them here"
                self.said.append(parked("shipped_elsewhere", says))
            else:
                rows += found
        if rows:
            await self.allocator.ship(*self._key, rows, **self._told)

    def _judge(self, lines: dict[str, OurLine]) -> Outcome:
        """What somebody must look at, if anything."""
        if self.theirs.state == "cancel_requested" and any(
            line.committed or line.backordered for line in lines.values()
        ):
            says = "the buyer wants it cancelled: cancel it here, which the channel is told, or ship it"
            self.said.append(parked("cancel_requested", says))
        return self.said[0] if self.said else ALL_DONE


def left_from(line: OurLine, units: int) -> list[ShipLine] | None:
    """The shelves that units of a line have left: all it has, or the only one; None where that is not clear."""
    by_place: dict[str, int] = {}
    for take in line.takes:
        by_place[take.location] = by_place.get(take.location, 0) + take.units
    if units == sum(by_place.values()):
        return [ShipLine(line.line, place, there) for place, there in by_place.items()]
    if len(by_place) == 1 and units <= sum(by_place.values()):
        return [ShipLine(line.line, place, units) for place in by_place]
    return None
