"""The command that measures channels under load."""

import json
import subprocess
import sys

import pytest

from loadtests.channel_orders import Heard, Times, spread
from loadtests.channel_pushes import Round, least
from tests.servers import ROOT

CHANNELS = {"amazon", "ebay", "pos", "shopify", "woocommerce"}
NONE = Times(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("code", "first", "changed"),
    [
        ("amazon", (254, 349.0), (4, 300.0)),
        ("ebay", (5_400, 245.0), (400, 0.0)),
        ("pos", (10, 0.0), (10, 0.0)),
        ("shopify", (20, 0.0), (20, 0.0)),
        ("woocommerce", (50, 0.0), (50, 0.0)),
    ],
)
def test_the_fewest_calls_for_5000_numbers_and_the_least_seconds_follow_from_the_limits(code, first, changed):
    assert least(code, 5_000, is_first=True, feed_s=300) == pytest.approx(first)
    assert least(code, 5_000, is_first=False, feed_s=300) == pytest.approx(changed)


def test_few_numbers_go_to_amazon_one_by_one():
    assert least("amazon", 105, is_first=False, feed_s=300) == pytest.approx((105, 20.0))


def test_times_are_told_by_their_middle_and_their_end():
    assert spread([float(number) for number in range(1, 101)]) == Times(51.0, 100.0, 100.0)
    assert spread([]) == NONE


def test_an_order_that_is_not_ours_is_wrong():
    right = Heard({"pos": 2}, {"pos": 2}, {"pos": NONE}, {"pos": NONE}, 2, 0)
    wrong = right._replace(taken={"pos": 1})

    assert right.is_right
    assert not wrong.is_right
    assert wrong.lines()[-1].startswith("WRONG")


def test_a_channel_that_never_shows_its_numbers_is_wrong():
    row = Round("first", "pos", 1, 1, 0, 3.0, 0.0)

    assert row.shows_all
    assert not row._replace(seconds=None).shows_all


def test_a_small_shop_shows_every_number_on_every_channel_and_takes_every_order_once():
    words = ["--skus", "40", "--orders", "10", "--feed-seconds", "1", "--first-feed-seconds", "1", "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "loadtests.channels", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    rounds = {(row["name"], row["channel"]): row for row in said["rounds"]}
    assert set(rounds) == {(name, code) for name in ("first", "changed") for code in CHANNELS}
    assert all(row["calls"] >= row["fewest"] > 0 for row in rounds.values()), rounds
    assert said["orders"] == said["taken"] == dict.fromkeys(sorted(CHANNELS), 2)
    assert said["hooks_refused"] == 0
