"""
Work of many callers at the same moment, done together.

A transaction costs as much for one as for fifty, and databases let one write at a time: two hundred webhooks that each
wanted their own would wait for each other longer than a channel waits for an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from .ending import end

MOST: Final = 100
"""Most that is done together, unless fewer are to be: nobody waits long for his neighbours."""

Item = TypeVar("Item")
Result = TypeVar("Result")

Do = Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]
"""Does all of these, or none of them; a result for each."""


class Gathering(Generic[Item, Result]):
    """
    What comes while some of it is being done is done next, all at once.

    An error that is `everybodys` is told to all whose items were done together; after any other one each is done alone.
    """

    def __init__(self, everybodys: type[Exception], *, most: int = MOST) -> None:
        self._everybodys = everybodys
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._work: asyncio.Task[None] | None = None

    async def add(self, item: Item, do: Do[Item, Result]) -> Result:
        """
        Let it be done with whatever waits beside it, and wait for that; whoever gives up waiting does not end it.

        Raises what `do` raises of it.
        """
        mine: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, mine))
        if self._work is None:
            self._work = asyncio.create_task(self._run(do))
        return await mine

    async def close(self) -> None:
        """End what is under way."""
        if self._work is not None:
            await end(self._work)

    async def _run(self, do: Do[Item, Result]) -> None:
        some: list[tuple[Item, asyncio.Future[Result]]] = []
        try:
            while self._waiting:
                some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do_all(some, do)
        finally:
            self._work = None
            for _, theirs in (*some, *self._waiting):
                theirs.cancel()
            self._waiting = []

    async def _do_all(self, some: Sequence[tuple[Item, asyncio.Future[Result]]], do: Do[Item, Result]) -> None:
        """Do these together; where that cannot be, one after the other: each is told what is wrong with its own."""
        try:
            results = await do([item for item, _ in some])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who asked
            if len(some) > 1 and not isinstance(error, self._everybodys):
                for one in some:
                    await self._do_all([one], do)
                return
            for _, theirs in some:
                if not theirs.done():
                    theirs.set_exception(error)
            return
        for (_, theirs), result in zip(some, results, strict=True):
            if not theirs.done():
                theirs.set_result(result)
