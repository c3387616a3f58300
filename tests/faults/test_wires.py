"""Wires between the service and its store that fail."""

import asyncio
from typing import ClassVar

from .crowd import Crowd
from .places import WithAllocator, WithApi
from .scenario import Scenario
from .verdict import assert_kept
from .weather import CALM, Weather

MOOD_S = 0.8
PATIENCE = 20
MOOD_OPS = 800
"""Most ops of one mood, so that some are left for the next."""


class BadWeather(Scenario):
    """The wire fails in one way after the other."""

    rounds_max = 5
    moods: ClassVar[tuple[str, ...]]

    async def start(self) -> None:
        self.place = WithApi(self.home)
        await self.open()

    async def open(self) -> None:
        self.weather = await Weather(self.place.url, self.chance).__aenter__()
        await self.place.open(self.weather.url)

    async def disturb(self, crowd: Crowd) -> None:
        for mood in self.moods:
            self.weather.turn(mood)
            crowd.allow(MOOD_OPS)
            await asyncio.sleep(self.chance.uniform(0.5, 4.0) if self.is_long else MOOD_S)
            for _ in range(PATIENCE):
                # A busy machine may have got nothing onto the wire by then.
                if self.weather.hurt[mood]:
                    break
                await asyncio.sleep(MOOD_S)

    async def heal(self) -> None:
        self.weather.turn(CALM)
        idle = set(self.moods) - set(+self.weather.hurt)
        assert not idle, f"nothing was hurt by {idle}"

    async def stop(self) -> None:
        await super().stop()
        await self.weather.__aexit__()


class CutsUnderApi(BadWeather):
    name = "wire of the API cut before and after, commands twice"
    moods = ("cut_before", "cut_after", "twice")


class CutsUnderAllocator(CutsUnderApi):
    name = "wire of an allocator cut before and after, commands twice"

    async def start(self) -> None:
        self.place = WithAllocator(self.home)
        await self.open()


class SlownessUnderApi(BadWeather):
    name = "wire of the API slow, half open, dripping"
    moods = ("slow", "half_open", "drip")


async def test_every_op_has_one_effect_when_the_wire_of_the_api_is_cut_or_says_everything_twice(torture):
    assert_kept(await torture(CutsUnderApi))


async def test_every_op_has_one_effect_when_the_wire_of_an_allocator_is_cut_or_says_everything_twice(torture):
    assert_kept(await torture(CutsUnderAllocator))


async def test_every_op_has_one_effect_when_the_wire_is_slow_or_nobody_is_at_its_end(torture):
    assert_kept(await torture(SlownessUnderApi))
