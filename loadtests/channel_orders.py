"""Orders at once over all channels, by webhook: how long until each is ours, and how long its webhook was answered."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from app.demo_circle import CHANNELS, TILLS, Bought, Circle
from app.times import now_ms
from channels.sandbox.webhooks import Message

from .http import Broken, Connection, connect, posted

SECONDS_MAX: Final = 300.0
POLL_SECONDS: Final = 0.5
PAGE: Final = 500


class Times(NamedTuple):
    """How long things took, in ms."""

    p50: float
    p99: float
    most: float


class Heard(NamedTuple):
    """
    What became of the orders. bought: orders of each channel; taken: that are exactly one of ours. order_ms: from the
    post until it was ours, by channel. hook_ms: how long webhooks took to be answered; refused: those answered with
    anything but success.
    """

    bought: dict[str, int]
    taken: dict[str, int]
    order_ms: dict[str, Times]
    hook_ms: dict[str, Times]
    hooks: int
    refused: int

    @property
    def is_right(self) -> bool:
        """Whether every order is exactly one of ours."""
        return self.bought == self.taken

    def figures(self) -> dict[str, Any]:
        """For machines."""
        times = {"order_ms": self.order_ms, "hook_ms": self.hook_ms}
        told = {name: {code: one._asdict() for code, one in some.items()} for name, some in times.items()}
        return {"orders": self.bought, "taken": self.taken, **told, "hooks": self.hooks, "hooks_refused": self.refused}

    def lines(self) -> list[str]:
        """The verdict in words."""
        all_ = f"{sum(self.taken.values())} of {sum(self.bought.values())} orders are ours, each once"
        return [
            f"{self.hooks} webhooks, {self.refused} not taken at the first try",
            all_ if self.is_right else f"WRONG: {all_}",
        ]


async def orders_at_once(circle: Circle, names: Sequence[str], orders: int) -> Heard:
    """Let buyers buy, send all that channels have to say of it at the same moment, and wait."""
    first = len(circle.buyers.bought)
    for stall in circle.buyers.stalls.values():
        await stall.sandbox.deliver()
    codes = list(CHANNELS)
    for number in range(orders):
        code = codes[number % len(codes)]
        circle.buyers.buy(code, names[number % len(names)], till=next(iter(TILLS)) if code == "pos" else "")
    bought = circle.buyers.bought[first:]
    waiting = [(code, message) for code in codes for message in _waiting(circle, code)]
    posted_ms, answered = await _post_all([message for _, message in waiting])
    hooks: dict[str, list[float]] = {code: [] for code in codes}
    for (code, _), (_, took_ms) in zip(waiting, answered, strict=True):
        hooks[code].append(took_ms)
    times = await _taken_ms(circle, bought, posted_ms)
    became = await circle.became()
    return Heard(
        bought={code: sum(one.code == code for one in bought) for code in codes},
        taken={code: sum(one.code == code and one in became for one in bought) for code in codes},
        order_ms={**{code: spread(some) for code, some in times.items()}, "pos": spread(hooks["pos"])},
        hook_ms={code: spread(some) for code, some in hooks.items()},
        hooks=len(waiting),
        refused=sum(not 200 <= status < 300 for status, _ in answered),
    )


def _waiting(circle: Circle, code: str) -> list[Message]:
    courier = circle.buyers.stalls[code].sandbox.courier
    messages, courier.waiting = courier.waiting, []
    return list(messages)


async def _post_all(messages: Sequence[Message]) -> tuple[int, list[tuple[int, float]]]:
    """When they were posted, all at the same moment, each over a connection of its own; status and ms of each."""
    parts = urlsplit(messages[0].url)
    assert all(urlsplit(message.url).netloc == parts.netloc for message in messages)
    connections = await connect(f"{parts.scheme}://{parts.netloc}", len(messages))
    posted_ms = now_ms()
    asked = (_post(one, message) for one, message in zip(connections, messages, strict=True))
    answered = await asyncio.gather(*asked)
    for one in connections:
        await one.close()
    return posted_ms, answered


async def _post(connection: Connection, message: Message) -> tuple[int, float]:
    began = time.perf_counter()
    try:
        status = (await connection.ask(posted(message.url, message.headers, message.body))).status
    except Broken:
        status = 0
    return status, (time.perf_counter() - began) * 1_000


async def _taken_ms(circle: Circle, bought: Sequence[Bought], posted_ms: int) -> dict[str, list[float]]:
    """How long after the posts each order was ours, by channel; tills are answered when it is."""
    wanted = {code: {one.order for one in bought if one.code == code} for code in CHANNELS if code != "pos"}
    until = time.monotonic() + SECONDS_MAX
    while True:
        found = {code: await _heard(circle, code) for code in wanted}
        taken = {code: {id: ms for id, ms in found[code].items() if id in ids} for code, ids in wanted.items()}
        if all(len(taken[code]) == len(ids) for code, ids in wanted.items()) or time.monotonic() > until:
            return {code: [float(ms - posted_ms) for ms in some.values()] for code, some in taken.items()}
        await asyncio.sleep(POLL_SECONDS)


async def _heard(circle: Circle, code: str) -> dict[str, int]:
    path = f"/v1/connections/{code}/orders?state=taken&limit={PAGE}"
    said = await circle.caller.ask("heard", "GET", path)
    return {one["external_id"]: one["taken_ms"] for one in said.body["data"]}


def spread(values: Sequence[float]) -> Times:
    """The middle, the last hundredth and the longest; 0 of nothing."""
    if not values:
        return Times(0.0, 0.0, 0.0)
    ordered = sorted(values)
    at = [ordered[min(len(ordered) - 1, int(part * len(ordered)))] for part in (0.5, 0.99)]
    return Times(*(round(value, 1) for value in (*at, ordered[-1])))
