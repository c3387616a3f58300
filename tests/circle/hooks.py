"""Where channels' messages arrive: webhooks at `app.sync.hearing`, tills' events at `app.tills`."""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec

from allocator import errors
from app.audit import By
from app.counts.service import desk_of
from app.deps import State
from app.errors import ChannelAway
from app.store.connections import find_connection
from app.store.database import DatabaseAway
from app.tills.booking import Booker
from app.tills.taking import Tills
from channels.base import Delivery
from channels.pos import TillEvents
from channels.sandbox.webhooks import Message

from .shop import SELLER

if TYPE_CHECKING:
    from .world import World

AWAY = (DatabaseAway, ChannelAway, errors.Unanswered, errors.NotReady, errors.Frozen, errors.Checking)


class Door:
    """Takes messages, and answers with the status that the service answers with."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.state: State = world.front

    async def send(self, message: Message) -> int:
        """One message."""
        try:
            if "/v1/pos/" in message.url:
                return await self._till(message)
            await self._hook(Delivery(_small(message.headers), message.body, message.url))
        except AWAY:
            return 503
        return 200

    async def ask(self, url: str) -> bytes:
        """A channel asks whether this address is ours."""
        params = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        try:
            return await self._hook(Delivery({}, b"", url, params))
        except AWAY:
            return b""

    async def _hook(self, delivery: Delivery) -> bytes:
        """What `app.api.hooks` does of it."""
        code = urlsplit(delivery.url).path.rpartition("/")[2]
        async with self.state.database.reading() as session:
            facts = await find_connection(session, SELLER, code)
        assert facts is not None
        return await self.world.hear(self.state, facts, delivery)

    async def _till(self, message: Message) -> int:
        """What `app.api.tills` does of it."""
        async with self.state.database.reading() as session:
            facts = await find_connection(session, SELLER, "pos")
        assert facts is not None
        allocator = self.state.allocators[SELLER]
        desk = desk_of(self.state, allocator)
        booker = Booker(allocator, self.state.database, desk, self.state.metrics, By(SELLER, "tills"), "pos")
        events = msgspec.json.decode(message.body, type=TillEvents).events
        results = await Tills(self.state.database, facts, booker).take(events)
        for result in results:
            if result.status == "rejected":
                self.world.judge.find(f"the till's {result.event_id} is rejected: {result.code} {result.says}")
        return 200


def _small(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
