"""
What every connector must do, whatever its vendor's words for it are.

A channel's test makes a `Bench` of its connector and its sandbox; the two talk over real HTTP semantics, nothing of
ours is replaced. `CUP` and `TEE` are on sale in it with ten units each.
"""

import asyncio
import random
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

import httpx
import pytest
import stamina

from channels.base import Delivery, Level, Listing, Parcel, Window
from channels.breaker import OwnBreaker
from channels.engine import ATTEMPTS_MAX, Engine, Means
from channels.errors import Refused, Unauthorized, Unclear
from channels.pacing import OwnPaces
from channels.sandbox.faults import Lost
from channels.sandbox.webhooks import Courier, Message
from tests.channels.shop import NOON_MS, Notes, OwnTokens

_attempts = count(1)

NOBODY = "999999"
"""The id of no order."""

HOOK_URL = "https://allot.test/hooks/1"
HOUR_MS = 3_600_000


class Clock:
    """Stands still unless it is moved; everybody at the bench reads it."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


class Bench(NamedTuple):
    """A connector, its sandbox, and what lies between them."""

    engine: Engine
    sandbox: Any
    clock: Clock
    inbox: list[Message]
    notes: Notes
    cup: str
    tee: str

    async def run(self, steps: Any) -> Any:
        return await self.engine.run(steps)

    @property
    def connector(self) -> Any:
        return self.engine.connector

    def level(self, listing: str, units: int, **more: Any) -> Level:
        more = {"key": f"attempt-{next(_attempts)}", **more}
        return Level(Listing(listing, more.pop("refs", {})), units, **more)

    def wait(self) -> None:
        """Until what was accepted is shown."""
        self.clock.ms += self.connector.facts.shown_after_s * 1_000

    async def hear(self, message: Message) -> Any:
        headers = {name.lower(): value for name, value in message.headers.items()}
        return await self.run(self.connector.hear(Delivery(headers, message.body, message.url), self.clock()))


class Breaking(httpx.ASGITransport):
    """To a sandbox whose connection may break after it has done what it was asked for."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except Lost as lost:
            raise httpx.ReadError(f"connection reset after {lost}") from lost


def bench_of(connector: Any, sandbox: Any, clock: Clock, inbox: list[Message], on_sale: tuple[str, str]) -> Bench:
    http = httpx.AsyncClient(transport=Breaking(sandbox.app), trust_env=False)
    notes = Notes()
    means = Means(http, OwnPaces(clock), OwnTokens(), notes, OwnBreaker(clock), clock)
    return Bench(Engine(connector, means), sandbox, clock, inbox, notes, *on_sale)


def courier_of(inbox: list[Message]) -> Courier:
    async def send(message: Message) -> int:
        inbox.append(message)
        return 200

    return Courier(send, random.Random(7))


class StockContract:
    """What is asked of numbers alone, for channels that tell of no orders. Subclass it, with a fixture `bench`."""

    @pytest.fixture(autouse=True)
    def quick(self):
        stamina.set_testing(testing=True, attempts=ATTEMPTS_MAX, cap=True)
        yield
        stamina.set_testing(testing=False)

    @pytest.fixture
    def passing(self, bench, monkeypatch):
        """Whoever waits moves the bench's clock."""
        rest = asyncio.sleep

        async def sleep(seconds: float) -> None:
            bench.clock.ms += round(seconds * 1_000)
            await rest(0)

        monkeypatch.setattr(asyncio, "sleep", sleep)

    # --- stock out ----------------------------------------------------------------------------------------------

    async def test_a_number_that_is_pushed_is_shown(self, bench):
        [cup, tee] = await bench.run(bench.connector.push([bench.level(bench.cup, 3), bench.level(bench.tee, 0)]))

        assert (cup.outcome, tee.outcome) == ("accepted", "accepted")
        bench.wait()
        assert (bench.sandbox.shows(bench.cup), bench.sandbox.shows(bench.tee)) == (3, 0)

    async def test_one_listing_that_is_refused_keeps_no_other_from_its_number(self, bench):
        bench.sandbox.faults.refuse.add("TEE")

        [cup, tee] = await bench.run(bench.connector.push([bench.level(bench.cup, 3), bench.level(bench.tee, 4)]))

        assert (cup.outcome, tee.outcome) == ("accepted", "refused")
        assert tee.code
        bench.wait()
        assert (bench.sandbox.shows(bench.cup), bench.sandbox.shows(bench.tee)) == (3, 10)

    async def test_results_come_in_the_order_of_the_levels(self, bench):
        levels = [bench.level(bench.tee, 1), bench.level(bench.cup, 2)]

        pushed = await bench.run(bench.connector.push(levels))

        assert [one.listing for one in pushed] == [bench.tee, bench.cup]

    async def test_a_push_whose_answer_is_lost_is_unclear_or_repeated_and_reading_back_tells(self, bench):
        bench.sandbox.faults.lose["push"] = 1

        with suppress(Unclear):
            [pushed] = await bench.run(bench.connector.push([bench.level(bench.cup, 3)]))
            assert pushed.outcome == "accepted"
        bench.wait()

        [shown] = await bench.run(bench.connector.read([Listing(bench.cup)]))
        assert shown.units == 3

    async def test_an_outage_is_waited_out(self, bench):
        bench.sandbox.faults.outage["read"] = 2

        [shown] = await bench.run(bench.connector.read([Listing(bench.cup)]))

        assert shown.units == 10

    async def test_a_busy_channel_is_asked_again_when_it_allows(self, bench, passing):
        bench.sandbox.faults.throttle["read"] = 1
        before_ms = bench.clock.ms

        [shown] = await bench.run(bench.connector.read([Listing(bench.cup)]))

        assert (shown.units, [one.error[:4] for one in bench.notes.exchanges if one.error]) == (10, ["Busy"])
        assert bench.clock.ms > before_ms

    async def test_what_is_read_of_a_listing_nobody_knows_is_nothing(self, bench):
        shown = await bench.run(bench.connector.read([Listing(bench.cup), Listing(self.unknown)]))

        assert [(one.listing, one.units) for one in shown] == [(bench.cup, 10), (self.unknown, None)]

    async def test_every_listing_is_listed_with_its_sku(self, bench):
        listed, cursor = await bench.run(bench.connector.list_listings(""))

        assert ({one.sku: one.listing for one in listed}, cursor) == ({"CUP": bench.cup, "TEE": bench.tee}, "")

    async def test_an_order_between_the_decision_and_the_push_is_not_sold_away(self, bench):
        """What was decided before it is too much by its units: the number must be pushed again, less them."""
        decided = 10
        bench.sandbox.buys(bench.cup, 4)

        [pushed] = await bench.run(bench.connector.push([bench.level(bench.cup, decided, shown=10)]))
        bench.wait()
        [shown] = await bench.run(bench.connector.read([Listing(bench.cup)]))

        assert pushed.outcome == "stale" or shown.units == decided
        await bench.run(bench.connector.push([bench.level(bench.cup, decided - 4, shown=shown.units)]))
        bench.wait()
        assert bench.sandbox.shows(bench.cup) == 6

    # --- keys ------------------------------------------------------------------------------------------------------

    async def test_keys_that_do_not_work_are_told_as_such(self, bench):
        locked_out = bench_of(self.stranger(), bench.sandbox, bench.clock, [], (bench.cup, bench.tee))

        with pytest.raises(Unauthorized):
            await locked_out.run(locked_out.connector.read([Listing(bench.cup)]))


class TokenContract(StockContract):
    """What is asked of channels that let in by tokens that end. Subclass it, with a fixture `bench`."""

    async def test_a_token_that_was_taken_back_is_asked_for_again(self, bench):
        await bench.run(bench.connector.read([Listing(bench.cup)]))
        bench.sandbox.tokens.clear()

        [shown] = await bench.run(bench.connector.read([Listing(bench.cup)]))

        assert shown.units == 10

    async def test_a_token_is_renewed_before_it_ends(self, bench):
        await bench.run(bench.connector.read([Listing(bench.cup)]))
        first = await bench.engine._means.tokens.current()
        bench.clock.ms = first.expires_ms - 60_000

        await bench.run(bench.connector.read([Listing(bench.cup)]))

        second = await bench.engine._means.tokens.current()
        assert second.value != first.value
        assert second.expires_ms > first.expires_ms


class ChannelContract(StockContract):
    """Subclass it, and give it a fixture `bench`. cancels: whether the channel lets sellers cancel an order."""

    cancels = True

    # --- orders in ----------------------------------------------------------------------------------------------

    async def test_an_order_is_told_with_all_that_is_needed_to_take_it(self, bench):
        id = bench.sandbox.buys(bench.cup, 2)

        order = await bench.run(bench.connector.order(str(id)))

        [line] = order.lines
        assert (order.external_id, order.state, order.country) == (str(id), "paid", "NO")
        assert (line.listing, line.sku, line.units) == (bench.cup, "CUP", 2)
        assert order.placed_ms == NOON_MS

    async def test_orders_are_found_page_by_page_each_once(self, bench):
        made = [str(bench.sandbox.buys(bench.cup, 0)) for _ in range(self.orders_of_two_pages)]

        found = await orders_in(bench, Window(NOON_MS - 60_000, NOON_MS + 60_000))

        assert sorted(order.external_id for order in found) == sorted(made)

    async def test_an_order_that_was_not_changed_in_the_window_is_not_found(self, bench):
        bench.sandbox.buys(bench.cup, 1)

        assert await orders_in(bench, Window(NOON_MS + 60_000, NOON_MS + 120_000)) == []

    async def test_every_change_of_an_order_raises_its_revision(self, bench):
        id = bench.sandbox.buys(bench.cup, 1, **self.unpaid)
        before = await bench.run(bench.connector.order(str(id)))
        bench.clock.ms += 5_000

        bench.sandbox.pays(id)

        after = await bench.run(bench.connector.order(str(id)))
        assert (before.state, after.state) == ("unpaid", "paid")
        assert after.revision > before.revision

    async def test_an_order_that_is_cancelled_says_so(self, bench):
        id = bench.sandbox.buys(bench.cup, 1)

        bench.sandbox.gives_up(id)

        assert (await bench.run(bench.connector.order(str(id)))).state == "cancelled"

    async def test_an_order_nobody_knows_is_refused(self, bench):
        with pytest.raises(Refused):
            await bench.run(bench.connector.order(NOBODY))

    async def test_an_order_that_cannot_be_understood_hides_no_other_of_its_page(self, bench):
        ids = [str(bench.sandbox.buys(bench.cup, 1)) for _ in range(3)]
        self.spoil(bench.sandbox, ids[1])
        bench.clock.ms += bench.connector.facts.told_after_s * 1_000

        page = await bench.run(bench.connector.orders(Window(NOON_MS - 60_000, bench.clock() + 60_000), ""))

        assert [order.external_id for order in page.orders] == [ids[0], ids[2]]
        assert [(one.external_id, bool(one.says)) for one in page.odd] == [(ids[1], True)]

    # --- webhooks -----------------------------------------------------------------------------------------------

    async def test_a_webhook_says_what_happened(self, bench):
        message = await self.ordered(bench)

        news = await bench.hear(message)

        assert news.id
        assert [order.external_id for order in news.orders] + list(news.ask) == [self.ordered_id]

    async def test_a_webhook_that_comes_again_has_the_same_id(self, bench):
        message = await self.ordered(bench)

        assert (await bench.hear(message)).id == (await bench.hear(message)).id

    async def test_a_webhook_whose_body_was_changed_is_not_believed(self, bench):
        """Where no signature covers the body, nothing is believed of an order but that there is something to ask."""
        message = await self.ordered(bench)

        if bench.connector.facts.signs_body:
            with pytest.raises(Unauthorized):
                await bench.hear(message._replace(body=message.body.replace(b'"', b"' ", 1)))
        else:
            other = message._replace(body=message.body.replace(self.ordered_id.encode(), b"111"))
            assert list((await bench.hear(other)).orders) == []

    async def test_a_webhook_without_a_signature_is_not_believed(self, bench):
        message = await self.ordered(bench)
        proofs = ("signature", "hmac", "secret")
        bare = {
            name: message.headers[name] for name in message.headers if not any(one in name.lower() for one in proofs)
        }

        with pytest.raises(Unauthorized):
            await bench.hear(message._replace(headers=bare))

    async def test_webhooks_that_were_switched_off_are_made_again(self, bench):
        first = await bench.run(bench.connector.subscribe(HOOK_URL))
        bench.clock.ms += HOUR_MS
        nothing = await bench.run(bench.connector.subscribe(HOOK_URL))
        bench.clock.ms += HOUR_MS
        self.switch_off(bench.sandbox)

        mended = await bench.run(bench.connector.subscribe(HOOK_URL))

        assert (first > 0, nothing, mended) == (True, 0, 1)

    async def ordered(self, bench) -> Message:
        """The webhook of a new order."""
        await bench.run(bench.connector.subscribe(HOOK_URL))
        await bench.sandbox.deliver()
        bench.inbox.clear()
        self.ordered_id = str(bench.sandbox.buys(bench.cup, 1))
        await bench.sandbox.deliver()
        return next(message for message in bench.inbox if self.is_of_order(message))

    # --- back ---------------------------------------------------------------------------------------------------

    async def test_a_parcel_told_twice_is_one(self, bench):
        id = str(bench.sandbox.buys(bench.cup, 2))
        order = await bench.run(bench.connector.order(id))
        parcel = Parcel("s-1", id, {order.lines[0].line: 2}, carrier="UPS", tracking="1Z9", shipped_ms=NOON_MS)

        await bench.run(bench.connector.ship(parcel))
        await bench.run(bench.connector.ship(parcel))

        assert len(self.parcels(bench.sandbox, id)) == 1
        assert (await bench.run(bench.connector.order(id))).state == "shipped"

    async def test_an_order_is_cancelled_there_or_said_to_be_for_people(self, bench):
        id = str(bench.sandbox.buys(bench.cup, 2))

        done = await bench.run(bench.connector.cancel(id, "out of stock"))

        assert done == self.cancels
        assert ((await bench.run(bench.connector.order(id))).state == "cancelled") == self.cancels

    async def test_of_an_order_nobody_knows_nothing_leaves_and_nothing_is_cancelled(self, bench):
        parcel = Parcel("s-1", NOBODY, {"1": 1}, carrier="UPS", tracking="1Z9", shipped_ms=NOON_MS)

        with pytest.raises(Refused):
            await bench.run(bench.connector.ship(parcel))
        if self.cancels:
            with pytest.raises(Refused):
                await bench.run(bench.connector.cancel(NOBODY, "out of stock"))

    # --- secrets ------------------------------------------------------------------------------------------------

    async def test_neither_a_secret_nor_a_buyer_is_ever_written_down(self, bench):
        id = bench.sandbox.buys(bench.cup, 1)
        await bench.run(bench.connector.subscribe(HOOK_URL))
        await bench.run(bench.connector.order(str(id)))
        await bench.run(bench.connector.push([bench.level(bench.cup, 3)]))

        written = "\n".join(str(exchange) for exchange in bench.notes.exchanges)

        assert not [secret for secret in (*self.secrets, "ann@example.org", "Ann") if secret in written]


async def orders_in(bench: Bench, window: Window) -> list[Any]:
    """All orders of a window, looked for until they are found."""
    window = window._replace(until_ms=window.until_ms + bench.connector.facts.told_after_s * 1_000)
    bench.clock.ms = max(bench.clock.ms, window.until_ms)
    page = await bench.run(bench.connector.orders(window, ""))
    found = list(page.orders)
    while page.cursor:
        page = await bench.run(bench.connector.orders(window, page.cursor))
        found += page.orders
    return found
