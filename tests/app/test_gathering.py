"""Work of many callers at the same moment: done together, and nobody is told what became of another's."""

import asyncio

import pytest

from app.gathering import MOST, Gathering


class Away(Exception):
    """It concerns everybody."""


class Bench:
    """Doubles numbers; the first lot waits until it is let."""

    def __init__(self) -> None:
        self.lots: list[list[int]] = []
        self.may_go = asyncio.Event()

    async def double(self, numbers):
        self.lots.append(list(numbers))
        await self.may_go.wait()
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]


async def begun(gathering, bench, *numbers) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(gathering.add(number, bench.double)) for number in numbers]
    await asyncio.sleep(0)
    return tasks


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_what_comes_while_some_is_done_is_done_next_together(bench):
    gathering = Gathering(Away)
    tasks = await begun(gathering, bench, 0) + await begun(gathering, bench, 1, 2, 3)
    bench.may_go.set()

    assert await asyncio.gather(*tasks) == [0, 2, 4, 6]
    assert bench.lots == [[0], [1, 2, 3]]


async def test_never_too_many_are_done_together(bench):
    gathering = Gathering(Away)
    bench.may_go.set()

    done = await asyncio.gather(*(gathering.add(number, bench.double) for number in range(100, 101 + 2 * MOST)))

    assert done == list(range(200, 202 + 4 * MOST, 2))
    assert max(map(len, bench.lots)) == MOST


async def test_one_that_cannot_be_done_spoils_nobodys(bench):
    gathering = Gathering(Away)
    tasks = await begun(gathering, bench, 0) + await begun(gathering, bench, 12, 13, 14)
    bench.may_go.set()

    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert (done[:2], done[3:]) == ([0, 24], [28])
    assert isinstance(done[2], ValueError)


async def test_what_is_everybodys_is_told_to_all_at_once():
    gathering, tries = Gathering(Away), 0

    async def away(numbers):
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise Away("away")

    done = await asyncio.gather(*(gathering.add(number, away) for number in range(10)), return_exceptions=True)

    assert {type(one) for one in done} == {Away}
    assert tries == 1


async def test_whoever_gives_up_waiting_ends_nothing(bench):
    gathering = Gathering(Away)
    [first, *others] = await begun(gathering, bench, 0) + await begun(gathering, bench, 1, 2)
    first.cancel()
    others[0].cancel()
    await asyncio.sleep(0)
    bench.may_go.set()

    assert await others[1] == 4
    assert bench.lots == [[0], [1, 2]]


async def test_an_end_leaves_nobody_waiting(bench):
    gathering = Gathering(Away)
    tasks = await begun(gathering, bench, 0) + await begun(gathering, bench, 1)

    await gathering.close()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    bench.may_go.set()

    assert {type(one) for one in done} == {asyncio.CancelledError}
    assert await gathering.add(4, bench.double) == 8
    await gathering.close()
