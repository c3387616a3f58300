"""`allot sync`, as an operator runs it beside the service."""

import json

import pytest

from tests.app.commands import allot
from tests.app.process import Service
from tests.servers import ROOT

SEED = ROOT / "tests/app/shop.yaml"
WOO = {
    "connector": "woocommerce",
    "channel": "shop",
    "settings": {"url": "https://127.0.0.1:9"},
    "secrets": {"consumer_key": "ck_1", "consumer_secret": "cs_1", "webhook_secret": "w"},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("home"), "--seed", SEED).wait_until_ready()
    with service.client() as client:
        assert client.put("/v1/connections/there", json=WOO).status_code == 201
    yield service
    service.end()


def sync(service: Service, *words: str):
    return allot(service.home, "sync", *words, "--data-dir", str(service.home / "data"))


def test_orders_are_looked_for_from_a_time_on(service):
    done = sync(service, "pull", "there", "--since", "2026-01-01T00:00:00", "--json")

    assert json.loads(done.stdout) == {"connection": "there", "since_ms": 1_767_225_600_000}


def test_orders_are_listed_and_taken_again(service):
    listed = sync(service, "orders", "there")
    replayed = sync(service, "orders", "there", "--replay", "--json")

    assert (listed.returncode, "what to do" in listed.stdout) == (0, True)
    assert json.loads(replayed.stdout) == {"woken": 0}


def test_a_connection_that_is_not_there_is_told_in_a_line(service):
    done = sync(service, "orders", "nowhere")

    assert (done.returncode, done.stderr.strip()) == (2, "allot: there is no connection nowhere")
