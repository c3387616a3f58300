"""Everything that is asked of the shim to see which lines of the Lua are reached: walks, nonsense, hard cases."""

from contextlib import suppress
from typing import Any

from redis.exceptions import ResponseError

from allocator import Allocator, SellerKeys, errors
from allocator.scripts import scripts
from tests.allocator import raw
from tests.allocator.town import EPOCH, SELLER
from tests.allocator.walk import DatedWalk, Walk
from tests.simulator.loop import drive
from tests.simulator.mirror import ShimTwins
from tests.simulator.pipe import SimulatedPipe
from tests.simulator.store import Store

STEPS = 300


def run_walks(store: Store, seeds: range) -> None:
    """Long walks through all verbs, the model beside them; now and then everything is read."""
    for seed, kind in [*((seed, Walk) for seed in seeds), (seeds[0], DatedWalk)]:
        twins = ShimTwins(store=store)
        walk = kind(twins, seed)
        for step in range(STEPS):
            walk.step()
            if step % 30 == 0:
                read_everything(twins)
        twins.close()


def read_everything(twins: ShimTwins) -> None:
    """Every hold and order by its id, all stock, and what every channel may promise."""
    twins.compare_atp()
    reader = Allocator(SimulatedPipe(twins.network), SELLER, EPOCH)
    drive(reader.reload())
    drive(reader.stock(["CUP", "nothing"]))
    for id in [*twins.oracle.books.holds, "nobody's"]:
        refused_or_not(reader.find_hold(id))
    for id in [*twins.oracle.books.orders, "web:none"]:
        refused_or_not(reader.find_order(*id.split(":")))


def refused_or_not(work: Any) -> None:
    with suppress(errors.Refusal, errors.Invalid, errors.NotReady, errors.StaleConfig):
        drive(work)


def run_nonsense(store: Store) -> None:
    """Every verb with every argument wrong in every way."""
    twins = ShimTwins(store=store)
    for verb in raw.VERBS:
        script = scripts()[verb]
        keys = SellerKeys("main").named(*script.keys)
        for _, arguments in raw.wrong_calls(verb):
            with suppress(ResponseError):
                drive(SimulatedPipe.run(twins.ear, script, keys, arguments))
    twins.close()
