"""Which number goes first, and which is worth a revision."""

import pytest

from app.sync.choosing import HOUR_MS, Wish, day_ends_ms, day_of, fell, in_order, is_worth, sells_out

NOW = 1_795_262_400_000


def wish(listing: str, wanted: int, shown: int | None = None, *, age_h: float = 0, falling: float = 0.0) -> Wish:
    return Wish(listing, wanted, shown, NOW - round(age_h * HOUR_MS), falling)


def order(*wishes: Wish) -> str:
    return "".join(one.listing for one in in_order(list(wishes), NOW))


def test_what_is_sold_out_goes_first_however_much_else_is_wrong():
    assert order(wish("a", 1, 500), wish("b", 0, 1), wish("c", 3, 4)) == "bac"


def test_of_two_that_are_sold_out_the_one_that_shows_more_goes_first():
    assert order(wish("a", 0, 1), wish("b", 0, 9)) == "ba"


def test_what_shows_nothing_already_is_not_urgent():
    assert not sells_out(wish("a", 0, 0))
    assert order(wish("a", 0, 0), wish("b", 2, 3)) == "ba"


def test_the_fewer_are_left_the_more_a_number_too_high_matters():
    assert order(wish("a", 100, 105), wish("b", 2, 4)) == "ba"


def test_a_number_that_rises_waits_for_those_that_fall():
    assert order(wish("a", 9, 1), wish("b", 9, 10)) == "ba"


def test_of_two_alike_the_faster_seller_goes_first_and_then_the_older_push():
    assert order(wish("a", 9, 9, age_h=1), wish("b", 9, 9, age_h=1, falling=4.0)) == "ba"
    assert order(wish("a", 9, 9, age_h=1), wish("b", 9, 9, age_h=2)) == "ba"


def test_what_a_channel_shows_is_not_known_before_the_first_push():
    assert order(wish("a", 9, 9), wish("b", 9)) == "ba"
    assert sells_out(wish("a", 0))


def test_as_long_as_half_of_the_day_is_left_every_change_is_worth_a_revision():
    assert is_worth(wish("a", 999, 1_000), 125, 250)


@pytest.mark.parametrize(
    ("wanted", "shown", "left", "told"),
    [
        (999, 1_000, 124, False),
        (900, 1_000, 100, False),
        (700, 1_000, 100, True),
        (100, 1_000, 26, True),
        (100, 1_000, 25, False),
        (3, 10, 25, True),
        (3, 10, 12, False),
        (0, 10, 12, True),
        (0, 10, 1, True),
        (0, 10, 0, False),
        (10, 3, 25, False),
    ],
)
def test_the_fewer_revisions_are_left_the_more_a_change_must_matter(wanted: int, shown: int, left: int, told: bool):
    assert is_worth(wish("a", wanted, shown), left, 250) is told


def test_losses_count_for_how_fast_a_listing_sells_and_are_forgotten_by_halves():
    fast = fell(0.0, 0, 12, NOW)

    assert fast > fell(0.0, 0, 1, NOW) > fell(0.0, 0, -5, NOW) == 0.0
    assert fell(fast, NOW, 0, NOW + 6 * HOUR_MS) == pytest.approx(fast / 2)


def test_a_steady_loss_is_found_out():
    falling = 0.0
    for hour in range(72):
        falling = fell(falling, NOW + (hour - 1) * HOUR_MS, 5, NOW + hour * HOUR_MS)

    assert falling == pytest.approx(5.0, rel=0.1)


def test_the_day_of_a_channel_ends_where_it_is():
    ends = day_ends_ms(NOW, "America/Los_Angeles")

    assert day_of(ends - 1, "America/Los_Angeles") + 1 == day_of(ends, "America/Los_Angeles")
    assert day_ends_ms(NOW, "UTC") != ends
