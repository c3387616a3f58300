"""
Users of the load tests, one class a scenario. `python -m loadtests.run` starts them, with the environment it needs.

They speak HTTP as any caller does; what they were told goes into a book, which is checked against the stock afterwards.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

import gevent  # type: ignore[import-untyped] # it ships no types
from gevent.pool import Group  # type: ignore[import-untyped] # as above
from locust import FastHttpUser, constant, events, task

from loadtests.book import NO_ANSWER, PLACED, PLACED_BEFORE, REFUSED, Book, PowerLaw, Total, Wave, wave_of
from loadtests.scenarios import demand
from loadtests.shop import hot_sku, sku_name

SKUS = int(os.environ["LOAD_SKUS"])
WAVES = int(os.environ["LOAD_WAVES"])
BOOK = Book()

TICK_SECONDS = 1.0
TRIES_MAX = 6
RETRY_SECONDS = 0.2
AT_ONCE_SHARE = 0.5
END_SECONDS_MAX = 15.0

OK = 200
UNAVAILABLE = 503
ORDER_ANSWERS = (PLACED, PLACED_BEFORE, REFUSED)

HEADERS = {"Authorization": f"Bearer {os.environ['LOAD_KEY']}"}
EVERYBODY_WANTS = PowerLaw(SKUS)
CHANCE = Random(os.environ.get("LOAD_SEED", "1"))
BEGAN = time.perf_counter()

UNDER_WAY = Group()
"""Acts of users that have not come to their end."""


@events.quitting.add_listener  # type: ignore[untyped-decorator] # locust's types end here
def _write_book(environment: Any, **_: Any) -> None:
    """When every act has come to its end; the totals too, because locust's own files lack the last second."""
    UNDER_WAY.join(timeout=END_SECONDS_MAX)
    BOOK.unanswered += len(UNDER_WAY)
    entries = [*sorted(environment.stats.entries.values(), key=lambda entry: str(entry.name)), environment.stats.total]
    BOOK.totals = [_total(entry) for entry in entries if entry.num_requests]
    BOOK.write(Path(os.environ["LOAD_BOOK"]))


@events.user_error.add_listener  # type: ignore[untyped-decorator] # as above
def _note_error(exception: Exception, **_: Any) -> None:
    BOOK.failed(repr(exception))


def to_the_end(act: Callable[[Any], None]) -> Callable[[Any], None]:
    """
    Let an act go on when locust ends its user in the middle of it, which it does at the end of a run.

    Otherwise an order could be accepted, and nobody would be there to write it down.
    """

    @wraps(act)
    def whole(user: Any) -> None:
        UNDER_WAY.spawn(act, user).get()

    return whole


def _total(entry: Any) -> Total:
    waits = [float(entry.get_response_time_percentile(share)) for share in (0.5, 0.99)]
    return Total(entry.name, entry.num_requests, entry.num_failures, round(entry.total_rps, 1), *waits)


class Said(NamedTuple):
    """An answer."""

    status: int
    text: str


class Shopper(FastHttpUser):
    """What all users can do. Each scenario has its own words for ids, and runs once on a service."""

    abstract = True
    wait_time = constant(0)
    network_timeout = 10.0
    connection_timeout = 10.0
    default_headers = HEADERS
    made = 0

    def new_id(self, word: str) -> str:
        """An id nobody has used."""
        Shopper.made += 1
        return f"{word}-{Shopper.made}"

    def say(self, method: str, path: str, name: str, good: Iterable[int], **more: Any) -> Said:
        """
        One request, repeated with the same id while nobody knows its outcome; `good` are the documented answers.

        Fails in locust's statistics, and in the book, when the answer is another.
        """
        for _ in range(TRIES_MAX):
            said = self._try(method, path, name, good, more)
            if said.status not in {NO_ANSWER, UNAVAILABLE}:
                return said
            BOOK.lost += 1
            gevent.sleep(RETRY_SECONDS)
        BOOK.unanswered += 1
        return said

    def _try(self, method: str, path: str, name: str, good: Iterable[int], more: dict[str, Any]) -> Said:
        with self.client.request(method, path, name=name, catch_response=True, **more) as answer:
            said = Said(answer.status_code, answer.text or "")
            if said.status in good:
                answer.success()
            elif said.status in {NO_ANSWER, UNAVAILABLE}:
                answer.failure("no answer, repeated with the same id")
            else:
                BOOK.wondered(name, said.status, said.text)
                answer.failure(f"answered {said.status}")
        return said

    def place(self, id: str, skus: list[str], *, hold: str = "") -> Said:
        """An order of one unit of each sku."""
        body = self.body(id, skus) | ({"hold": hold} if hold else {})
        return self.say("PUT", f"/v1/orders/shop/{id}", "order", ORDER_ANSWERS, json=body)

    def body(self, id: str, skus: list[str]) -> dict[str, Any]:
        """The lines and where they go, the same for the same id."""
        return demand(skus, crc32(id.encode()))

    def popular(self, most: int) -> list[str]:
        """Up to so many skus, as people want them."""
        return [sku_name(number) for number in EVERYBODY_WANTS.pick(CHANCE, CHANCE.randint(1, most))]

    def ask(self) -> None:
        """How many of one sku there are."""
        [sku] = self.popular(1)
        self.say("GET", f"/v1/availability/{sku}?channel=shop", "availability", (OK,))


class Burst(Shopper):
    """Everybody orders the same sku, once a second, and each second another one: 200 orders for 100 units."""

    def wait_time(self) -> float:
        # A little late, so that it is surely the next wave.
        return wave_of(time.perf_counter() - BEGAN, TICK_SECONDS)[1] + 0.005

    @task
    @to_the_end
    def order(self) -> None:
        """One unit of this second's sku."""
        began = time.perf_counter() - BEGAN
        number, _ = wave_of(began, TICK_SECONDS)
        if number >= WAVES:
            return
        sku = hot_sku(number)
        wave = BOOK.waves.setdefault(sku, Wave(began=began))
        wave.sent += 1
        accepted = BOOK.ordered([self.place(self.new_id(sku), [sku]).status], 1)
        # In a statement of its own: the sum would be that from before the wait.
        wave.accepted += accepted
        wave.ended = time.perf_counter() - BEGAN


class PopularSkus(Shopper):
    """Orders and questions over all skus by a power law; the most popular run out."""

    @task
    @to_the_end
    def order(self) -> None:
        """One to three lines."""
        skus = self.popular(3)
        BOOK.ordered([self.place(self.new_id("popular"), skus).status], len(skus))

    @task
    @to_the_end
    def look(self) -> None:
        """A customer looks at one sku."""
        self.ask()


class MixedDay(Shopper):
    """A day in a shop: for 100 looks 3 holds and 1 order, which is shipped or cancelled later."""

    def on_start(self) -> None:
        self.holds: list[tuple[str, list[str]]] = []
        self.orders: list[tuple[str, int]] = []

    @task(95)
    @to_the_end
    def look(self) -> None:
        """A customer looks at one sku."""
        self.ask()

    @task(5)
    @to_the_end
    def browse(self) -> None:
        """A list of fifty skus is shown."""
        skus = [sku_name(CHANCE.randrange(SKUS)) for _ in range(50)]
        body = {"skus": skus, "channels": ["shop"]}
        self.say("POST", "/v1/availability", "availability of 50", (OK,), json=body)

    @task(3)
    @to_the_end
    def hold(self) -> None:
        """A cart is filled."""
        id, skus = self.new_id("cart"), self.popular(3)
        body = {"channel": "shop", **self.body(id, skus)}
        if self.say("PUT", f"/v1/holds/{id}", "hold", ORDER_ANSWERS, json=body).status != REFUSED:
            BOOK.holds += 1
            self.holds.append((id, skus))

    @task(1)
    @to_the_end
    def order(self) -> None:
        """A cart is paid for, if there is one."""
        hold, skus = self.holds.pop(0) if self.holds else ("", self.popular(3))
        id = self.new_id("day")
        if BOOK.ordered([self.place(id, skus, hold=hold).status], len(skus)):
            self.orders.append((id, len(skus)))

    @task(1)
    @to_the_end
    def finish(self) -> None:
        """The oldest open order leaves, or its customer changes his mind."""
        if not self.orders:
            return
        id, units = self.orders.pop(0)
        verb = CHANCE.choice(("ship", "ship", "ship", "cancel"))
        headers = {"Idempotency-Key": f"{verb}-{id}"}
        done = self.say("POST", f"/v1/orders/shop/{id}/{verb}", verb, (OK,), json={}, headers=headers)
        if done.status == OK and verb == "ship":
            BOOK.shipped_units += units
        elif done.status == OK:
            BOOK.cancelled_units += units


class Retries(Shopper):
    """Impatient callers: each order is sent one to three times with the same id, one after the other or at once."""

    @task
    @to_the_end
    def order(self) -> None:
        """One order; all its answers must agree."""
        id, skus, times = self.new_id("again"), self.popular(3), CHANCE.randint(1, 3)
        lost = BOOK.lost
        answers = self.at_once(id, skus, times) if CHANCE.random() < AT_ONCE_SHARE else self.in_turn(id, skus, times)
        known = [(one.status, json.loads(one.text)) for one in answers if one.status in ORDER_ANSWERS]
        BOOK.ordered([status for status, _ in known], len(skus))
        BOOK.compared(id, known, lost=BOOK.lost > lost)

    def in_turn(self, id: str, skus: list[str], times: int) -> list[Said]:
        """One after the other."""
        return [self.place(id, skus) for _ in range(times)]

    def at_once(self, id: str, skus: list[str], times: int) -> list[Said]:
        """Without waiting for the first answer."""
        sent = [gevent.spawn(self.place, id, skus) for _ in range(times)]
        return [one.get() for one in sent]
