"""What is asked for by name: holds, orders and answers as they stand, in the store or, once they have left it, SQL."""

from . import answers, errors
from .calling import Calling
from .model import Hold, Order, Placed
from .records import Remembered, decode_answer, decode_order
from .refusals import placed_or_refused


class Finding(Calling):
    """The part of the allocator that looks things up. Raises, everywhere: Unanswered, NotReady, HistoryAway."""

    async def find_hold(self, hold_id: str) -> Hold:
        """The hold as it stands. Raises UnknownHold."""
        return answers.hold_record(hold_id, (await self._find("hold", hold_id)).packed)

    async def find_order(self, channel: str, external_id: str) -> Order:
        """The order as it stands. Raises UnknownOrder."""
        return answers.order_record((await self._find("order", f"{channel}:{external_id}")).packed)

    async def find_remembered(self, op: str) -> Remembered | None:
        """What this op was answered, as it is remembered; None when it is not."""
        try:
            return decode_answer((await self._find("answer", op)).packed)
        except errors.UnknownOrder:
            return None

    async def find_answer(self, channel: str, external_id: str, attempt: int = 1) -> Placed:
        """
        What this attempt of an order was answered. Raises UnknownOrder, or the refusal it was answered with: Short,
        Unroutable, UnknownSku, UnknownChannel, UnknownLocation, OverLimit.
        """
        op = f"order:{channel}:{external_id}:{attempt}"
        try:
            return placed_or_refused(channel, external_id, (await self._find("answer", op)).packed)
        except errors.UnknownOrder as unknown:
            return await self._exchanged_for(channel, external_id, attempt, unknown)

    async def _exchanged_for(
        self, channel: str, external_id: str, attempt: int, unknown: errors.UnknownOrder
    ) -> Placed:
        """What an order was answered that another verb placed, an exchange. Raises `unknown` when it was none."""
        order_id = f"{channel}:{external_id}"
        try:
            op = decode_order((await self._find("order", order_id)).packed).op
        except errors.UnknownOrder:
            raise unknown from None
        remembered = await self.find_remembered(op) if attempt == 1 and op.startswith("exchange:") else None
        if remembered is None:
            raise unknown
        # Of the order that goods came back for nothing is asked.
        return answers.exchanged(("", ""), (channel, external_id), remembered.answer, replayed=True).placed
