"""
A channel's sandbox beside the service: what a buyer does there is told to us by webhooks and found by polling.

The steps of a worker are run here one by one. What happens there happens twenty minutes ago, one thing after the other
by `pass_s`: so it is all in the past when it is looked for.
"""

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from allocator import Order
from app.deps import State
from app.draining.drain import Drain
from app.lines.lines import Line, connector_of
from app.lines.means import Account, SharedPaces, SharedToken, SqlLog
from app.store.connections import ConnectionFacts, change_connection, find_connection
from app.store.heard import HeardFacts, find_heard, settle
from app.sync.steps import Work
from app.sync.subscribing import keep_subscribed
from app.times import now_ms
from channels.breaker import OwnBreaker
from channels.engine import Engine, Means
from channels.errors import ChannelError
from channels.sandbox.amazon import AmazonSandbox
from channels.sandbox.ebay import EbaySandbox
from channels.sandbox.shopify import ShopifySandbox
from channels.sandbox.webhooks import Courier, Message
from channels.sandbox.woocommerce import Product, WooSandbox
from tests.channels.contract import Breaking

PUBLIC = "https://allot.test"
HOOK = f"{PUBLIC}/v1/hooks/main/there"
AGO_MS = 1_200_000

SETTINGS: dict[str, dict[str, Any]] = {
    "shopify": {"url": "https://shop.myshopify.test", "location": "5"},
    "woocommerce": {"url": "https://shop.test"},
    "amazon": {
        "url": "https://sellingpartnerapi-na.amazon.test",
        "login": "https://api.amazon.test",
        "seller": "A1SELLER",
        "marketplaces": ["ATVPDKIKX0DER"],
        "queue": "arn:aws:sqs:us-east-1:123456789012:allot",
    },
    "ebay": {"url": "https://api.ebay.test", "seller": "u-1"},
}
SECRETS = {
    "shopify": {"client_id": "id-1", "client_secret": "shpss_1"},
    "woocommerce": {"consumer_key": "ck_1", "consumer_secret": "cs_1", "webhook_secret": "whsec_1"},
    "amazon": {
        "client_id": "amzn1.client.1",
        "client_secret": "amzn1.cs.1",
        "refresh_token": "Atzr|1",
        "webhook_secret": "knock-knock",
    },
    "ebay": {
        "client_id": "id-1",
        "client_secret": "cert-1",
        "refresh_token": "refresh-1",
        "verification_token": "proof-" + "7" * 32,
    },
}
UNPAID: dict[str, dict[str, Any]] = {
    "shopify": {"financial": "PENDING"},
    "woocommerce": {"status": "pending"},
    "amazon": {"pending": True},
    "ebay": {"payment": "PENDING"},
}
"""How a buyer orders who pays later."""

LISTINGS = {
    "shopify": ("11", "12"),
    "woocommerce": ("733", "734"),
    "amazon": ("CUP", "TEE"),
    "ebay": ("CUP", "TEE"),
}
"""What sells CUP, and what sells something that nobody has mapped."""


class Clock:
    """The sandbox's: while something happens there it is twenty minutes ago, and while it is asked it is now."""

    def __init__(self) -> None:
        self.began_ms = self.ms = now_ms() // 1_000 * 1_000 - AGO_MS
        self.is_asked = False

    def __call__(self) -> int:
        return now_ms() if self.is_asked else self.ms


@dataclass
class There:
    """A connection to a sandbox, as a worker has it."""

    state: State
    connector: str
    sandbox: Any
    clock: Clock
    work: Work
    answers: list[int]
    drain: Drain

    @property
    def cup(self) -> str:
        return LISTINGS[self.connector][0]

    @property
    def tee(self) -> str:
        return LISTINGS[self.connector][1]

    def buys(self, units: int = 1, *, listing: str = "", paid: bool = True) -> str:
        """A buyer orders."""
        more = {} if paid else UNPAID[self.connector]
        return str(self.sandbox.buys(listing or self.cup, units, **more))

    def id(self, external_id: str) -> Any:
        """An order's id as the sandbox has it."""
        return int(external_id) if self.connector in {"shopify", "woocommerce"} else external_id

    def pass_s(self, seconds: int = 5) -> None:
        """Time goes by there."""
        self.clock.ms += 1_000 * seconds

    async def run(self, *steps: Any) -> None:
        """Run these steps of a worker, each until it has nothing more to do at once."""
        self.clock.is_asked = True
        try:
            for step in steps:
                for _ in range(50):
                    if not await step(self.work):
                        break
        finally:
            self.clock.is_asked = False

    async def run_and_facts(self, step: Any) -> Any:
        """Run a step that fails for a reason of the channel's; the connection as it stands then."""
        with suppress(ChannelError):
            await self.run(step)
        return await self.facts()

    async def due_now(self, external_id: str) -> None:
        """The pause before an order is tried again is over."""
        async with self.state.database.writing() as session:
            await settle(session, "main", "there", await self.heard(external_id), due_ms=0)

    async def facts(self) -> ConnectionFacts:
        """The connection as it stands."""
        async with self.state.database.reading() as session:
            found = await find_connection(session, "main", "there")
        assert found is not None
        return found

    async def set(self, **changes: Any) -> None:
        """Change fields of the connection."""
        async with self.state.database.writing() as session:
            await change_connection(session, "main", "there", **changes)

    async def heard(self, external_id: str) -> HeardFacts:
        async with self.state.database.reading() as session:
            found = await find_heard(session, "main", "there", external_id)
        assert found is not None
        return found

    async def order(self, external_id: str) -> Order:
        """Our order."""
        return await self.state.allocators["main"].find_order("amazon", external_id)

    async def lines(self, external_id: str) -> dict[str, int]:
        """Units of the only line of our order, those that are not 0."""
        [line] = (await self.order(external_id)).lines
        buckets = ("ordered", "committed", "shipped", "backordered", "conflict", "cancelled", "returned")
        return {name: getattr(line, name) for name in buckets if getattr(line, name)}


def sandbox_of(connector: str, courier: Courier, clock: Clock, kept: Any) -> Any:
    """A shop of the channel that sells ten CUP and ten TEE. kept: the connector with its settings and secrets."""
    match connector:
        case "shopify":
            sandbox: Any = ShopifySandbox(courier, clock, kept.secrets, "gid://shopify/Location/5")
            sandbox.sells(11, "CUP", 10)
            sandbox.sells(12, "TEE", 10)
        case "woocommerce":
            sandbox = WooSandbox(courier, clock, kept.secrets)
            sandbox.sells(Product(733, "CUP", stock=10))
            sandbox.sells(Product(734, "TEE", stock=10))
        case "amazon":
            sandbox = AmazonSandbox(courier, clock, kept.secrets, kept.settings)
            sandbox.notices.forwarded_to = HOOK
        case _:
            sandbox = EbaySandbox(courier, clock, kept.secrets)
    if connector in {"amazon", "ebay"}:
        sandbox.sells("CUP", 10)
        sandbox.sells("TEE", 10)
    return sandbox


def courier_to(app: Any, answers: list[int]) -> Courier:
    """Brings webhooks to our service; `answers` are the statuses they got."""
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app))

    async def send(message: Message) -> int:
        answer = await http.post(message.url, headers=message.headers, content=message.body)
        answers.append(answer.status_code)
        return answer.status_code

    return Courier(send, random.Random(7))


async def connected(
    app: Any, client: httpx.AsyncClient, connector: str, *, pack_size: int = 1, **settings: Any
) -> There:
    """A connection `there` of the channel `amazon` to a new sandbox; its CUP is mapped, its TEE is not."""
    state: State = app.service
    body = {"connector": connector, "channel": "amazon", "secrets": SECRETS[connector]}
    body["settings"] = {**SETTINGS[connector], **settings}
    assert (await client.put("/v1/connections/there", json=body)).status_code == 201
    await listed(client, LISTINGS[connector][0], "CUP", pack_size=pack_size)
    clock, answers = Clock(), list[int]()
    async with state.database.writing() as session:
        began_ms = clock.began_ms - 60_000
        await change_connection(session, "main", "there", watermark_ms=began_ms, created_ms=began_ms)
        facts = await find_connection(session, "main", "there")
    kept = connector_of(facts, state.sealer)
    sandbox = sandbox_of(connector, courier_to(app, answers), clock, kept)
    line = state.lines._open["main", "there"] = line_to(state, facts, kept, sandbox)
    work = Work(state, facts, line, state.allocators["main"], lambda: True)
    drain = Drain(state.database, state.pipe.client)
    return There(state, connector, sandbox, clock, work, answers, drain)


def line_to(state: State, facts: Any, connector: Any, sandbox: Any) -> Line:
    """The line that the service would open, but that its other end is in this process."""
    account = Account(facts.seller, facts.code)
    http = httpx.AsyncClient(transport=Breaking(sandbox.app), trust_env=False)
    means = Means(
        http=http,
        paces=SharedPaces(state.pipe.client, account),
        tokens=SharedToken(state.database, state.pipe.client, state.sealer, account),
        log=SqlLog(state.database, account),
        breaker=OwnBreaker(now_ms),
        now_ms=now_ms,
    )
    return Line(facts, Engine(connector, means), http)


async def listed(client: httpx.AsyncClient, listing: str, sku: str, *, pack_size: int = 1) -> None:
    """Map a listing."""
    answer = await client.put(
        f"/v1/listings/amazon/{listing}",
        json={"channel": "amazon", "listing": listing, "sku": sku, "pack_size": pack_size},
        headers={"If-None-Match": "*"},
    )
    assert answer.status_code in {200, 201}, answer.text


async def subscribed(app: Any, client: httpx.AsyncClient, connector: str) -> There:
    """One whose channel sends webhooks; those of its beginning have come."""
    there = await connected(app, client, connector)
    await there.run(keep_subscribed)
    await there.sandbox.deliver()
    return there
