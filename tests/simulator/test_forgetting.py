"""The same in worlds without a server, so in many of them: no later answer is another for what has left."""

import pytest

from tests.allocator.forgetting import Forgetful, ForgetfulWalk
from tests.simulator.mirror import ShimTwins

STEPS, EVERY = 200, 10


class ForgetfulShimTwins(Forgetful, ShimTwins):
    """The oracle, and a shim that forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.forget_from_now_on()


@pytest.mark.parametrize("seed", range(100, 106))
def test_what_has_left_changes_no_later_answer_in_any_world(seed):
    twins = ForgetfulShimTwins()
    walk = ForgetfulWalk(twins, seed)

    for _ in range(STEPS // EVERY):
        for _ in range(EVERY):
            walk.step()
        twins.compare_books()
        twins.compare_atp()
    twins.close()

    assert twins.answered_by_history > STEPS // 30
