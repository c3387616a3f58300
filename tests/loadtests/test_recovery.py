"""The command that measures a restart and a rebuild."""

import json
import subprocess
import sys

from tests.servers import ROOT


def test_a_small_shop_is_restarted_lost_and_filled_again_with_figures_for_each_step():
    words = [sys.executable, "-m", "loadtests.recovery", "--skus", "300", "--json"]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    steps = (
        "filling, s",
        "copying the rest into SQL, s",
        "answers, s",
        "first sku, s",
        "all verified, s",
        "rebuild, s",
    )
    assert [said[step] >= 0 for step in steps] == [True] * 6
    assert said["answers, s"] <= said["first sku, s"] <= said["all verified, s"]
    assert (said["skus"], said["locations"], said["units found again"]) == (300, 4, True)
