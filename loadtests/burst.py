"""The burst: 200 orders at once for the last 100 units. Every unit is sold once, every other order hears a clean no."""

import asyncio
import json
import time
from dataclasses import dataclass

from .http import Answer, build, connect
from .scenarios import place
from .shop import HOT_STOCK

ORDERS = 200


@dataclass
class Burst:
    """Answers by kind, units still promised after it, and seconds until the last answer was there."""

    accepted: int
    refused: int
    other: int
    left: int
    seconds: float

    @property
    def is_exact(self) -> bool:
        """Whether every unit was sold once, and every other order heard a clean no."""
        said = (self.accepted, self.refused, self.other, self.left)
        return said == (HOT_STOCK, ORDERS - HOT_STOCK, 0, 0)


async def burst(url: str, key: str, sku: str) -> Burst:
    """Send all orders at once, on connections opened before. Raises Broken."""
    connections = await connect(url, ORDERS)
    wishes = [place(key, f"burst-{sku}-{number}", [sku], number) for number in range(ORDERS)]
    began = time.perf_counter()
    waiting = [connection.ask(wish) for connection, wish in zip(connections, wishes, strict=True)]
    answers = await asyncio.gather(*waiting)
    seconds = time.perf_counter() - began
    shelf = await connections[0].ask(build("GET", f"/v1/availability/{sku}?channel=shop", key=key))
    for connection in connections:
        await connection.close()
    accepted, refused = sum(said.status == 201 for said in answers), sum(map(is_clean_no, answers))
    left = json.loads(shelf.body)["levels"][0]["atp_now"]
    return Burst(accepted, refused, ORDERS - accepted - refused, left, seconds)


def is_clean_no(said: Answer) -> bool:
    """Whether an answer is the documented refusal, with the facts."""
    if said.status != 409 or b"application/problem+json" not in said.head:
        return False
    problem = json.loads(said.body)
    return bool(problem["type"] == "/problems/short" and problem["facts"]["lines"][0]["atp_now"] == 0)
