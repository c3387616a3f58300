"""Records leave a real server at random moments: no later answer is another for it, and the books stay true."""

import pytest

from tests.allocator.forgetting import ForgetfulTwins, ForgetfulWalk

STEPS = 150


@pytest.mark.parametrize("seed", range(2))
def test_what_has_left_changes_no_later_answer(server_url, seed):
    twins = ForgetfulTwins(server_url)
    try:
        ForgetfulWalk(twins, seed).finish(STEPS)
    finally:
        twins.close()

    assert twins.answered_by_history > STEPS // 30
