"""What must be true of a world that has come to rest."""

from typing import TYPE_CHECKING

from allocator import Order
from app.checking.checking import check_seller

from .judge import Purchase
from .shop import SELLER

if TYPE_CHECKING:
    from .world import World


async def judge_rest(world: "World") -> None:
    """Write down what is not as it must be."""
    for purchase in world.judge.purchases.values():
        _judge_purchase(world, purchase)
    checked = await check_seller(world.sql.database, world.judge_client, SELLER, world.epoch)
    if checked.findings.counts:
        world.judge.find(f"the books are not true: {dict(checked.findings.counts)}")


def _judge_purchase(world: "World", purchase: Purchase) -> None:
    """One order of the channel is one of ours, with the same units."""
    order: Order | None = world.judge.numbers.orders.get((purchase.channel, purchase.id))
    wanted = purchase.wanted if purchase.is_wanted else 0
    ours = 0 if order is None else sum(line.ordered - line.cancelled for line in order.lines)
    if ours != wanted:
        says = f"{purchase.channel} {purchase.id} of {purchase.at_s:.0f} s wants {wanted} units and has {ours}"
        world.judge.find(says)
