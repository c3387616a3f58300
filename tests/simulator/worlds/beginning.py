"""The shop as every world finds it, open and with some stock: made once, and copied into each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from allocator import Config, StockLine
from app import opening
from tests.allocator.town import CUP, LOCATIONS, SELLER, TEE

from .chronicle import Begun, Happened
from .deeds import Deed
from .people import Process
from .town import OPENING
from .wires import COMING

if TYPE_CHECKING:
    from .world import World


class Beginning(NamedTuple):
    """All there is when a world begins: in the store, in SQL, and what its judges must know of how it came."""

    store: object
    sql: bytes
    epoch: str
    history: Sequence[Happened]
    configs: dict[tuple[str, str], Config]
    receiving: Deed


async def open_shop(world: "World") -> Beginning:
    """Open a shop in a world that has none, and copy it."""
    world.epoch = await world.sql.begin(SELLER)
    opener = Process(world, "opener")
    world.server.history.append(Begun(world.epoch, 0))
    COMING.set(OPENING)
    await opener.allocator.begin()
    await opening._meet_first(opener.client, opener.allocator)
    await opener.allocator.configure_all(OPENING)
    lines = [StockLine(sku, location, 5) for sku in (CUP, TEE) for location in LOCATIONS[:3]]
    receiving = Deed("receive", "receive:opening", lambda allocator: allocator.receive(lines, op="opening"))
    await opener.ask(receiving)
    server = world.server
    return Beginning(
        server.store.snapshot(), world.sql.file.serialize(), world.epoch, server.history, world.configs, receiving
    )


def move_in(world: "World", beginning: Beginning) -> None:
    """Let this new world begin so."""
    COMING.set(OPENING)
    world.epoch = beginning.epoch
    world.sql.reset(beginning.sql)
    world.server.begin(beginning.store, beginning.history)
    world.configs |= beginning.configs
    # Whoever wants it once more has asked for it in this world alone.
    world.deeds.all.append(replace(beginning.receiving, askings=[*beginning.receiving.askings]))
