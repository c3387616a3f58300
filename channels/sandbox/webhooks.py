"""How a sandbox tells of what happened: late, twice, or not at all, as vendors do."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx


class Message(NamedTuple):
    """One webhook on its way."""

    url: str
    headers: dict[str, str]
    body: bytes


Send = Callable[[Message], Awaitable[int]]
"""Delivers a message; the status that was answered, 0 for none."""


@dataclass
class Courier:
    """
    Delivers what happened, in order unless told otherwise.

    twice, lost, late: how many of a hundred are delivered again, never, or after the next ones. `chance` is seeded.
    """

    send: Send
    chance: random.Random
    twice: int = 0
    lost: int = 0
    late: int = 0
    waiting: list[Message] = field(default_factory=list)

    def post(self, message: Message) -> None:
        """Something happened."""
        if self.chance.random() * 100 < self.lost:
            return
        self.waiting.append(message)
        if self.chance.random() * 100 < self.twice:
            self.waiting.append(message)
        if len(self.waiting) > 1 and self.chance.random() * 100 < self.late:
            self.waiting[-1], self.waiting[-2] = self.waiting[-2], self.waiting[-1]

    async def deliver(self) -> list[tuple[Message, int]]:
        """Deliver all that waits; each with the status that was answered."""
        messages, self.waiting = self.waiting, []
        return [(message, await self.send(message)) for message in messages]


async def send_over(http: httpx.AsyncClient, message: Message) -> int:
    """Deliver over HTTP."""
    try:
        answer = await http.post(message.url, headers=message.headers, content=message.body)
    except httpx.HTTPError:
        return 0
    return answer.status_code
