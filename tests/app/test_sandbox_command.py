"""`allot sandbox`, in a process of its own as people run it."""

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from random import Random

import httpx
import pytest

from app.fair import Goods, doors
from app.fair import fair as fair_of
from channels import CHANNELS
from channels.sandbox.faults import Faults
from channels.sandbox.market import FAULTS, NAMES, SECRETS
from tests.app.commands import environment

STOP_SECONDS_MAX = 20


@pytest.fixture
def fair(tmp_path) -> Iterator[subprocess.Popen]:
    words = ("sandbox", "--port", "0", "--orders-per-minute", "1200", "--skus", "CUP,TEE", "--json", "--faults", "0.2")
    with subprocess.Popen(
        [sys.executable, "-m", "app", *words],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def told(process: subprocess.Popen) -> Iterator[dict]:
    for text in process.stdout:
        yield json.loads(text)


def test_every_channel_has_a_sandbox_in_the_fair():
    assert set(NAMES) == set(CHANNELS) == set(SECRETS)


def test_all_sandboxes_answer_buyers_come_and_a_signal_ends_it(fair):
    rows = told(fair)
    ready = {row["name"]: row for row in (next(rows) for _ in NAMES)}
    orders: dict[str, str] = {}
    while len(orders) < len(NAMES):
        row = next(rows)
        if row["event"] == "order":
            orders[row["name"]] = row["order"]
    woo = ready["woocommerce"]
    keys = (woo["secrets"]["consumer_key"], woo["secrets"]["consumer_secret"])
    for _ in range(10):
        found = httpx.get(f"{woo['url']}/wp-json/wc/v3/orders/{orders['woocommerce']}", auth=keys)
        if found.is_success:
            break

    fair.send_signal(signal.SIGTERM)
    _, says = fair.communicate(timeout=STOP_SECONDS_MAX)

    assert found.json()["line_items"][0]["sku"] in {"CUP", "TEE"}
    assert set(woo["listings"]) == {"CUP", "TEE"}
    assert (fair.returncode, says) == (0, "")
    for name, row in ready.items():
        connector = CHANNELS[name]
        assert row["settings"].keys() <= set(connector.settings_type.__struct_fields__)
        assert row["secrets"].keys() <= set(connector.secrets_type.__struct_fields__)


def test_an_address_that_is_taken_is_said_in_a_line(tmp_path, fair):
    first = next(told(fair))
    port = first["url"].rpartition(":")[2]

    ended = subprocess.run(
        [sys.executable, "-m", "app", "sandbox", "--port", port],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout.count("\n")) == (2, 1)
    assert port in ended.stdout


async def test_an_answer_that_is_lost_breaks_the_connection_after_all_was_done(caplog):
    keys = (SECRETS["woocommerce"]["consumer_key"], SECRETS["woocommerce"]["consumer_secret"])
    with doors(0) as through:
        async with fair_of(through, Goods(["CUP"]), Random(1), delivers=False) as (stalls, urls):
            woo = next(stall for stall in stalls if stall.name == "woocommerce")
            listing, before = woo.listings["CUP"], woo.sandbox.shows(woo.listings["CUP"])
            woo.sandbox.faults.lose[""] += 1
            body = {"update": [{"id": int(listing), "stock_quantity": before + 1}]}

            async with httpx.AsyncClient(base_url=urls["woocommerce"], auth=keys) as http:
                with pytest.raises(httpx.TransportError):
                    await http.post("/wp-json/wc/v3/products/batch", json=body)
                done = woo.sandbox.shows(listing)
                again = await http.post("/wp-json/wc/v3/products/batch", json=body)

    assert (done, again.status_code) == (before + 1, 200)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_every_fault_that_a_whole_channel_can_have_comes_by_chance():
    whole = {field.name for field in fields(Faults) if isinstance(getattr(Faults(), field.name), dict)}

    assert set(FAULTS) == whole
