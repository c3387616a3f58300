"""A number changes while its channel is asked or its row is being worked on: none of it is lost or put off."""

from collections.abc import Awaitable, Callable

import pytest

from app.opening import open_service
from app.store.shown import note_changes
from app.sync import pushing
from app.sync.choosing import RESERVE
from app.sync.out_steps import FOLLOW, LISTINGS, OUT_STEPS
from app.sync.outcomes import BUDGET, UNCLEAR
from app.times import now_ms
from channels.engine import Engine
from tests.app.channel_worlds import CODE, world_of

pytestmark = pytest.mark.usefixtures("quick")

STEPS = {step.name: step for step in OUT_STEPS}
PUSH, PROVE = STEPS["push"], STEPS["prove"]
OUT = (LISTINGS, FOLLOW, PUSH)


@pytest.fixture
async def state(settings):
    async with open_service(settings) as state:
        yield state


@pytest.fixture
async def amazon(state):
    """It has shown the 15 cups that it was told, but nobody has looked yet."""
    async with world_of(state, "amazon") as world:
        await world.lists(CUP=("CUP", 1))
        await world.do(*OUT)
        await world.later(200)
        assert world.sandbox.shows("CUP") == 15
        yield world


@pytest.fixture
async def ebay(state):
    """A shop with a cup that is told 15."""
    async with world_of(state, "ebay") as world:
        await world.lists(CUP=("CUP", 1))
        await world.do(*OUT)
        yield world


def once(monkeypatch, owner: object, name: str, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """The next call of this has its answer or error, and something happens before that arrives."""
    called = getattr(owner, name)

    async def late(*args):
        try:
            return await called(*args)
        finally:
            monkeypatch.setattr(owner, name, called)
            await meanwhile()

    monkeypatch.setattr(owner, name, late)


async def notes(world) -> None:
    """Something of the cup has changed, its number has not."""
    async with world.state.database.writing() as session:
        await note_changes(session, "main", CODE, ["CUP"], now_ms=now_ms())


async def test_drift_is_corrected_although_there_was_nothing_to_tell_while_the_channel_was_read(amazon, monkeypatch):
    async def meanwhile() -> None:
        await notes(amazon)
        await amazon.do(PUSH)

    amazon.sandbox.edits("CUP", 20)
    once(monkeypatch, Engine, "run", meanwhile)
    await amazon.do(PROVE)

    drifted = await amazon.row("CUP")
    await amazon.later(10)
    await amazon.do(PUSH)
    await amazon.later(200)

    assert (drifted.shown, drifted.changes > drifted.settled) == (20, True)
    assert amazon.sandbox.shows("CUP") == 15


async def test_changes_noted_while_the_channel_was_read_are_all_counted(amazon, monkeypatch):
    async def meanwhile() -> None:
        for _ in range(3):
            await notes(amazon)

    before = (await amazon.row("CUP")).changes
    amazon.sandbox.edits("CUP", 20)
    once(monkeypatch, Engine, "run", meanwhile)
    await amazon.do(PROVE)

    assert (await amazon.row("CUP")).changes == before + 4


async def test_fewer_than_told_puts_off_no_change_that_came_while_the_channel_was_read(amazon, monkeypatch):
    async def meanwhile() -> None:
        await amazon.receives("CUP", 5)
        await amazon.do(FOLLOW)

    amazon.sandbox.buys("CUP", 2)
    once(monkeypatch, Engine, "run", meanwhile)
    await amazon.do(PROVE)

    cup = await amazon.row("CUP")
    assert (cup.shown, cup.due_ms <= now_ms()) == (13, True)


async def test_a_number_held_back_until_tomorrow_goes_when_it_has_changed_meanwhile(ebay, monkeypatch):
    async def meanwhile() -> None:
        await ebay.sells("CUP", 14)
        await ebay.do(FOLLOW)

    cup = await ebay.row("CUP")
    most = ebay.connector.facts.revisions_per_day
    await ebay.change("CUP", revisions=most - most // RESERVE, revisions_day=cup.revisions_day)
    await ebay.receives("CUP", 1)
    await ebay.do(FOLLOW)
    once(monkeypatch, pushing, "newest", meanwhile)
    await PUSH.run(await ebay.work())

    held = await ebay.row("CUP")
    await ebay.do(PUSH)

    assert (held.code, held.due_ms <= now_ms()) == (BUDGET, True)
    assert ebay.sandbox.shows("CUP") == 2


async def test_a_push_that_failed_is_not_put_off_when_its_number_changed_meanwhile(amazon, monkeypatch):
    async def meanwhile() -> None:
        await amazon.sells("CUP", 14)
        await amazon.do(FOLLOW)

    amazon.sandbox.faults.lose["push"] = 1
    await amazon.change("CUP", attempts=12)
    await amazon.receives("CUP", 1)
    await amazon.do(FOLLOW)
    once(monkeypatch, Engine, "run", meanwhile)
    await PUSH.run(await amazon.work())

    cup = await amazon.row("CUP")
    assert (cup.code, cup.attempts, cup.due_ms <= now_ms()) == (UNCLEAR, 13, True)
