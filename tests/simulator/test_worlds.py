"""Worlds from seeds: none finds what must not be, a seed is one world wherever it is lived, all trouble is there."""

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import count

from tests.app.commands import cold as allot
from tests.servers import ROOT
from tests.simulator.store import Store
from tests.simulator.worlds.chronicle import Chronicle
from tests.simulator.worlds.command import Tally
from tests.simulator.worlds.many import processes, run_many
from tests.simulator.worlds.server import LEDGER, Server
from tests.simulator.worlds.swarm import EVENTS, LOSSES, SQL, WIRE, draw
from tests.simulator.worlds.world import Verdict

WORLDS = int(os.environ.get("ALLOT_SIMULATE_WORLDS", "300"))
SECONDS = float(os.environ.get("ALLOT_SIMULATE_SECONDS", "30"))
PROCESSES = int(os.environ.get("ALLOT_SIMULATE_PROCESSES", processes()))
SEED = int(os.environ.get("ALLOT_SIMULATE_SEED", "0"))

LONG_SEED = next(seed for seed in count() if draw(seed).deeds > 60)
"""Of a world in which much happens."""

LEAST = 10
"""Even a very busy machine lives through so many worlds in the time."""

DIGESTS = """
import sys
from tests.simulator.worlds.world import Stage
stage = Stage()
for seed in map(int, sys.argv[1:]):
    print(stage.run(seed).digest)
"""


def test_nothing_that_must_not_be_is_found_in_any_world():
    tally = Tally(SEED, PROCESSES)

    for verdict in run_many(SEED, WORLDS, seconds=SECONDS, size=tally.size):
        tally.add(verdict)

    assert not tally.failed, "\n".join(tally.says())
    assert tally.worlds >= min(WORLDS, LEAST)
    assert tally.deeds >= 8 * tally.worlds
    assert tally.entries >= 5 * tally.worlds


def test_power_may_fail_when_all_that_is_left_of_the_ledger_was_trimmed():
    store = Store()
    server = Server(store, Chronicle(lambda: 0.0), lambda: 0, lambda: 0)
    store.command("XADD", LEDGER, "1-0", "entry", "1")
    store.command("XTRIM", LEDGER, "MAXLEN", "0")
    store.fsync()
    store.command("XADD", LEDGER, "2-0", "entry", "2")

    server.lose_power(0)

    assert store.command("XLEN", LEDGER) == 0
    assert server.life == 1


def digests(*seeds: int, hashes: int) -> list[str]:
    """Digests of these seeds' worlds, lived through one after the other in a process of their own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hashes)}
    words = [sys.executable, "-c", DIGESTS, *map(str, seeds)]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=80)
    return done.stdout.split()


def test_a_seed_is_the_same_world_in_every_process_and_after_any_other_world():
    first = digests(3, 4, 5, 3, hashes=1)
    second = digests(5, 4, 3, hashes=2)

    assert first[0] == first[3]
    assert first[:3] == second[::-1]
    assert len(set(first)) == 3


def test_every_kind_of_trouble_is_in_some_worlds_and_not_in_others():
    swarms = [draw(seed) for seed in range(300)]

    had = Counter()
    for swarm in swarms:
        had.update({*swarm.wire, *swarm.sql, *(kind for _, kind in swarm.events)})
        had.update({"two workers"} if swarm.workers == 2 else ())
        had.update({"dying workers"} if swarm.dies else ())

    assert had.keys() >= {*WIRE, *SQL, *EVENTS, *LOSSES, "replica", "two workers", "dying workers"}
    assert all(15 < times < 250 for times in had.values())


def test_a_world_that_found_something_says_what_and_how_to_see_it_again():
    tally = Tally(seed=40, size=2)

    tally.add(
        Verdict(seed=41, found=["hold:7 had 2 effects"], digest="", deeds=60, scripts=90, entries=40, lost=0, lines=[])
    )

    told = "\n".join(tally.says())
    assert "hold:7 had 2 effects" in told
    assert "allot simulate --seed 41 --worlds 1 --verbose" in told
    assert tally.facts()["failed"] == [{"seed": 41, "found": ["hold:7 had 2 effects"]}]


def test_the_command_lives_through_worlds_and_counts_them(tmp_path):
    done = allot(tmp_path, "simulate", "--worlds", "2", "--seed", "5", "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["worlds"], told["seed"], told["failed"]) == (2, 5, [])
    assert told["deeds"] >= 12


def test_the_command_shows_all_that_happens_in_one_world(tmp_path):
    done = allot(tmp_path, "simulate", "--worlds", "1", "--seed", str(LONG_SEED), "--verbose")

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f" {verb} " in done.stdout for verb in ("order", "hold", "receive", "expire"))
    assert "digest " in done.stdout
    assert "nothing was found" in done.stdout
