import json

import pytest

from tests.app.commands import allot
from tests.conftest import ORDERS
from tests.servers import shared_data

pytestmark = pytest.mark.needs_shared

INVOICES = 300


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    done = allot(
        tmp_path_factory.mktemp("real"), "replay", str(shared_data(ORDERS)), "--limit", f"{INVOICES}", "--json"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_real_orders_keep_every_promise(played):
    assert [check["name"] for check in played["checks"] if check["kept"] is not True] == []


def test_every_real_order_is_answered(played):
    demand, channels = played["demand"], played["channels"]

    assert demand["orders"] + demand["returns"] == INVOICES
    assert demand["lines_max"] > 500
    assert sum(channel["orders"] for channel in channels) == demand["orders"]
    assert sum(channel["units_asked"] for channel in channels) == demand["units"]


def test_real_orders_meet_shortage_of_every_kind(played):
    by_channel = {channel["channel"]: channel for channel in played["channels"]}

    assert by_channel["shop"]["short"] > 0
    assert by_channel["amazon"]["units_backordered"] > 0
    assert by_channel["tills"]["units_deficit"] > 0
    assert int(max(played["parcels"])) > 1
