"""The service as an operator runs it: a connection is made, the channel follows, `allot sync` says how it stands."""

import asyncio
import json
import threading
import time

import pytest
import uvicorn

from channels.sandbox.woocommerce import Product, WooSandbox
from channels.woocommerce import WooSecrets
from tests.app.commands import allot
from tests.app.process import Service
from tests.channels.contract import courier_of
from tests.servers import ROOT

SEED = ROOT / "tests/app/shop.yaml"
SECRETS = {"consumer_key": "ck_1", "consumer_secret": "cs_1", "webhook_secret": "whsec_1"}
SECONDS_MAX = 60


class Shop:
    """A WooCommerce shop that answers at an address of its own."""

    def __init__(self) -> None:
        self.sandbox = WooSandbox(courier_of([]), lambda: time.time_ns() // 1_000_000, WooSecrets(**SECRETS))
        self.sandbox.sells(Product(733, "CUP", stock=10))
        self.sandbox.sells(Product(734, "PLATE", stock=10))
        self._server = uvicorn.Server(uvicorn.Config(self.sandbox.app, port=0, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self._thread.start()
        soon(lambda: self._server.started)

    @property
    def url(self) -> str:
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


def soon(happened) -> object:
    end = time.monotonic() + SECONDS_MAX
    while not (found := happened()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def shop():
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory, shop):
    home = tmp_path_factory.mktemp("home")
    service = Service(home, "--seed", SEED, ALLOT_CHANNELS_ALLOW_PRIVATE="true").wait_until_ready()
    with service.client() as client:
        for id, sku in (("733", "CUP"), ("734", "PLATE")):
            listing = {"channel": "shop", "listing": id, "sku": sku}
            client.put(f"/v1/listings/shop/{id}", json=listing).raise_for_status()
        connection = {
            "connector": "woocommerce",
            "channel": "shop",
            "settings": {"url": shop.url},
            "secrets": SECRETS,
        }
        client.put("/v1/connections/woo", json=connection).raise_for_status()
    yield service
    service.end()


def sync(service: Service, *words: str) -> object:
    """What `allot sync ... --json` says."""
    done = allot(service.home, "sync", *words, "--json", "--data-dir", str(service.home / "data"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_shop_that_is_connected_shows_the_stock_within_seconds(service, shop):
    assert soon(lambda: (shop.sandbox.shows("733"), shop.sandbox.shows("734")) == (15, 4)), service.logged

    with service.client() as client:
        client.put("/v1/orders/till/1", json={"lines": [{"sku": "CUP", "units": 4}]}).raise_for_status()

    assert soon(lambda: shop.sandbox.shows("733") == 11), service.logged


def test_the_status_is_told_at_the_terminal(service, shop):
    assert soon(lambda: sync(service, "status")[0]["oldest_unpushed_ms"] == 0)

    [status] = sync(service, "status")

    assert (status["connection"], status["failing"]) == ("woo", "")
    assert {name: status["numbers"][name] for name in ("listed", "dead", "drift")} == {
        "listed": 2,
        "dead": 0,
        "drift": 0,
    }


def test_numbers_are_pushed_compared_and_replayed_from_the_terminal(service, shop):
    assert sync(service, "push", "woo", "--sku", "CUP") == {"listings": 1}
    assert sync(service, "replay", "woo") == {"listings": 0}
    assert sync(service, "reconcile", "woo")["reconciled_ms"] == 0
    assert soon(lambda: sync(service, "status")[0]["reconciled_ms"] > 0)


def test_a_table_for_people_names_every_connection(service):
    done = allot(service.home, "sync", "status", "--data-dir", str(service.home / "data"))

    assert done.returncode == 0, done.stderr
    assert "woo" in done.stdout


def test_a_connection_that_is_not_there_is_said_in_a_line(service):
    done = allot(service.home, "sync", "push", "nowhere", "--data-dir", str(service.home / "data"))

    assert (done.returncode, done.stderr.strip()) == (2, "allot: there is no connection nowhere")
