"""The ways of parcels: who brings them, and under which number; the stock knows nothing of that."""

from .deps import State
from .requests import ShipAsked
from .store.errands import Way, put_way
from .times import now_ms


async def keep_way(state: State, seller: str, op: str, asked: ShipAsked) -> None:
    """
    Write down the way of what is about to be shipped, if it has one; `op` is the ledger's name of it.

    Before the units leave: what has left is told to its channel at once. Raises DatabaseAway.
    """
    if asked.carrier or asked.tracking:
        async with state.database.writing() as session:
            await put_way(session, seller, op, Way(asked.carrier, asked.tracking), now_ms=now_ms())
