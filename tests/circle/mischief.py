"""What goes wrong: once a minute at each channel, and now and then for all of them."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .channel import Channel
    from .world import World

EVERY_S: Final = 60.0


class Trouble:
    """How one channel and the way to it are, by the world's time (s)."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.away_until_s = self.broken_until_s = self.old_until_s = 0.0
        self.asks_lost = self.asks_met = 0

    def loses(self) -> bool:
        """Whether the next push never arrives, which nobody is told."""
        self.asks_lost -= 1
        return self.asks_lost >= 0

    def meets(self) -> bool:
        """Whether what the next push tells changes while it is under way."""
        self.asks_met -= 1
        return self.asks_met >= 0

    def is_away(self) -> bool:
        """Whether nobody answers."""
        return self._now_s() < self.away_until_s

    def is_broken(self) -> bool:
        """Whether every answer is that it does not work."""
        return self._now_s() < self.broken_until_s

    def is_of_yesterday(self) -> bool:
        """Whether what is read is what was read before."""
        return self._now_s() < self.old_until_s

    def stop(self) -> None:
        """All is well again."""
        self.asks_lost = self.asks_met = 0
        self.away_until_s = self.broken_until_s = self.old_until_s = 0.0


class Mischief:
    """Makes trouble at one channel, one thing a minute."""

    def __init__(self, world: "World", channel: "Channel") -> None:
        self.world, self.channel = world, channel
        self.chance = Random(f"mischief at {channel.name} {world.seed}")

    async def live(self) -> None:
        """Until all is to be well."""
        while True:
            await asyncio.sleep(EVERY_S * self.chance.uniform(0.5, 1.5))
            kind = self.chance.choice(KINDS)
            self.channel.tally.faults[kind] += 1
            self.world.note(f"{kind} at {self.channel.name}")
            getattr(self, f"_{kind}")()

    def stop(self) -> None:
        """All is well again."""
        faults, courier = self.channel.sandbox.faults, self.channel.sandbox.courier
        for kind in (faults.outage, faults.throttle, faults.lose, faults.page):
            kind.clear()
        faults.refuse.clear()
        faults.slow_s = 0.0
        courier.lost = courier.twice = courier.late = 0
        self.channel.trouble.stop()

    # --- each kind ---------------------------------------------------------------------------------------------

    def _away(self) -> None:
        self.channel.trouble.away_until_s = self.world.loop.time() + self.chance.uniform(5, 90)

    def _broken(self) -> None:
        self.channel.trouble.broken_until_s = self.world.loop.time() + self.chance.uniform(5, 90)

    def _throttled(self) -> None:
        self.channel.sandbox.faults.throttle[""] = self.chance.randint(1, 6)

    def _answers_lost(self) -> None:
        self.channel.sandbox.faults.lose[self.chance.choice(("push", "push", ""))] = self.chance.randint(1, 3)

    def _asks_lost(self) -> None:
        self.channel.trouble.asks_lost = self.chance.randint(1, 3)

    def _asks_met(self) -> None:
        self.channel.trouble.asks_met = self.chance.randint(1, 3)

    def _page(self) -> None:
        self.channel.sandbox.faults.page[""] = self.chance.randint(1, 3)

    def _refused(self) -> None:
        listed = self.chance.sample(self.channel.stand.listings, 2)
        self.channel.sandbox.faults.refuse |= {one.sku for one in listed}
        self._later(self.chance.uniform(10, 60), self.channel.sandbox.faults.refuse.clear)

    def _slow(self) -> None:
        self.channel.sandbox.faults.slow_s = self.chance.uniform(1, 25)
        self._later(self.chance.uniform(10, 60), lambda: setattr(self.channel.sandbox.faults, "slow_s", 0.0))

    def _hooks_lost(self) -> None:
        self._courier("lost")

    def _hooks_twice(self) -> None:
        self._courier("twice")

    def _hooks_late(self) -> None:
        self._courier("late")

    def _courier(self, what: str) -> None:
        courier = self.channel.sandbox.courier
        # A till sends again what it has not heard the answer to; a webhook that is lost is lost.
        if what != "lost" or self.channel.name != "pos":
            setattr(courier, what, 70)
            self._later(50, lambda: setattr(courier, what, 0))

    def _token_gone(self) -> None:
        tokens = getattr(self.channel.sandbox, "tokens", None)
        if tokens is not None:
            tokens.clear()

    def _of_yesterday(self) -> None:
        self.channel.trouble.old_until_s = self.world.loop.time() + self.chance.uniform(5, 40)

    def _dies_after_push(self) -> None:
        for process in self.world.processes:
            process.dies_after = self.channel.name

    def _cut_off(self) -> None:
        """A worker stands still while it waits for an answer; another one follows it before that comes."""
        for process in self.world.processes:
            process.cut_off_at = self.channel.name

    def _sql_away(self) -> None:
        self.world.sql_away_until_s = self.world.loop.time() + self.chance.uniform(2, 40)

    def _drain_late(self) -> None:
        self.world.drains_from_s = self.world.loop.time() + self.chance.uniform(5, 60)

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        self.world.loop.call_later(seconds, act)


KINDS: Final = (
    *("away", "broken", "throttled", "answers_lost", "asks_lost", "asks_met", "page", "refused", "slow"),
    *("hooks_lost", "hooks_twice", "hooks_late", "token_gone", "of_yesterday", "dies_after_push"),
    *("cut_off", "sql_away", "drain_late"),
)
