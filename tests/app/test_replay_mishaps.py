"""What happens to orders and shelves of `allot replay --mishaps`, and that every promise is kept all the same."""

import json
from collections import Counter
from datetime import timedelta

import pytest

from app.replay.books import Shelves, judge
from app.replay.mishaps import CANCELLED_SHARE, EDITED_SHARE, OPENS, REJECTED_SHARE, late, shares
from app.replay.order_file import FileLine, Invoice
from app.replay.shop import make_places, make_split
from app.replay.tally import Tally
from tests.app.commands import allot
from tests.app.order_files import MONDAY, generated
from tests.app.test_replay import CUP, broken, line, tally_of

SPLIT = make_split(1, make_places(4))


def sales(count: int) -> list[Invoice]:
    """One invoice every ten minutes."""
    return [
        Invoice(f"{n}", MONDAY + timedelta(minutes=10 * n), "Norway", (FileLine(CUP, 1),), ()) for n in range(count)
    ]


def test_sales_of_tills_that_were_offline_come_an_hour_late_and_all_others_when_they_were_made():
    invoices, tally = sales(5_000), Tally()

    coming = late(invoices, SPLIT, tally)

    made = {invoice.id: invoice for invoice in invoices}
    moved = [invoice for invoice in coming if invoice.placed_at != made[invoice.id].placed_at]
    assert {invoice.placed_at - made[invoice.id].placed_at for invoice in moved} == {timedelta(hours=1)}
    assert {SPLIT.share(invoice.id).kind for invoice in moved} == {"gone"}
    assert min(made[invoice.id].placed_at.hour for invoice in moved) >= OPENS
    assert tally.mishaps["sales an hour late"] == len(moved) > 0
    assert [invoice.placed_at for invoice in coming] == sorted(invoice.placed_at for invoice in coming)
    assert sorted(made) == sorted(invoice.id for invoice in coming)


def test_the_same_sales_are_late_in_every_run_of_a_seed():
    again, other = make_split(1, make_places(4)), make_split(2, make_places(4))

    first, second, third = (late(sales(2_000), split, Tally()) for split in (SPLIT, again, other))

    assert first == second != third


@pytest.mark.parametrize("share", [EDITED_SHARE, CANCELLED_SHARE, REJECTED_SHARE])
def test_mishaps_are_as_frequent_as_the_report_states(share):
    befallen = sum(SPLIT.happens("something", f"{number}", share) for number in range(20_000))

    assert befallen / 20_000 == pytest.approx(share / 10_000, rel=0.3)
    assert {"edited", "cancelled", "rejected", "counted", "tills offline"} == shares().keys()


def test_what_a_count_found_is_part_of_what_must_lie_on_the_shelves():
    tally = tally_of(line(ordered=2, committed=2))
    tally.received[CUP] = 9
    tally.counted[CUP] = -1

    assert broken(tally, Shelves(on_hand=Counter({CUP: 8}), committed=2)) == []
    assert broken(tally, Shelves(on_hand=Counter({CUP: 9}), committed=2)) == ["units unaccounted for"]


def test_units_that_an_edit_or_a_cancellation_gave_up_are_not_missed():
    tally = tally_of(line(ordered=5, committed=5))
    tally.moved("1", [line(ordered=5, committed=3, cancelled=2)])

    kept = {check.name: check.kept for check in judge(tally, Shelves(committed=3), None, settled=True)}

    assert kept["accepted units lost or invented"]


def test_every_promise_is_kept_whatever_happens_to_orders_and_shelves(tmp_path):
    file = generated(tmp_path / "orders.csv")

    done = allot(tmp_path, "replay", str(file), "--mishaps", "--json")

    assert done.returncode == 0, done.stderr + done.stdout
    played = json.loads(done.stdout)
    assert [check["name"] for check in played["checks"] if check["kept"] is not True] == []
    assert {"findings of allot check", "units in conflict that the desk does not list"} <= {
        check["name"] for check in played["checks"]
    }
    units = played["units"]
    came = units["received"] + units["returned_kept"] + units["counted"]
    assert came - units["shipped"] == units["on_hand_end"]
    assert {"edit", "cancel", "reject", "shelves counted"} <= played["mishaps"].keys()
