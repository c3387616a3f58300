"""The simulator is worth something if it finds bugs: every planted one, in few worlds."""

import pytest

from allocator.scripts import library
from app.draining.drain import Drain
from tests.simulator.worlds.many import hunt_all
from tests.simulator.worlds.patches import Patch, PatchFails, applied
from tests.simulator.worlds.planted import BUGS


def test_every_planted_bug_is_found():
    found = hunt_all()

    assert [one.bug for one in found if not one.says] == []
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 30


def test_a_planted_bug_is_gone_afterwards():
    text, code = library().source, Drain.trim.__code__
    lua, python = BUGS[0].patch, next(bug.patch for bug in BUGS if bug.name == "what is not in SQL is trimmed")

    with applied(lua), applied(python):
        changed = library().source, Drain.trim.__code__

    assert changed[0] != text
    assert changed[1] != code
    assert (library().source, Drain.trim.__code__) == (text, code)


@pytest.mark.parametrize(
    "patch",
    [
        Patch("allocator/lua/hold.lua", "no such text", ""),
        Patch("allocator/lua/hold.lua", "local", "local "),
        Patch("allocator/runner.py", "no such text", ""),
        Patch("allocator/runner.py", "# Another call's answer", "# An answer to another call"),
    ],
)
def test_a_patch_that_changes_nothing_is_no_patch(patch):
    with pytest.raises(PatchFails), applied(patch):
        pass
