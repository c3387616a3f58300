"""How much of the allocator's Lua is reached by walks, nonsense and hard cases."""

from allocator.scripts import modules, verbs
from tests.simulator.battery import run_nonsense, run_walks
from tests.simulator.coverage import Coverage, files_by_line, lines_of
from tests.simulator.hard_cases import Shop, run_hard_cases, the_wrong_data_set_or_config
from tests.simulator.store import Store

REACHED_MIN = 0.97


def test_nearly_every_line_of_the_lua_is_reached(record_property):
    store = Store()
    coverage = Coverage(store)

    run_walks(store, range(5))
    run_nonsense(store)
    run_hard_cases(store)

    lines, missed = lines_of(store), coverage.missed(store)
    print(f"{len(lines) - len(missed)} of {len(lines)} lines of Lua were reached; not these:")
    for line in missed:
        print(f"  {line.file}:{line.number}: {line.text.strip()}")
    record_property("lua_lines_missed", len(missed))
    assert len(missed) <= (1 - REACHED_MIN) * len(lines), missed


def test_only_what_ran_counts_as_reached():
    store = Store()
    coverage = Coverage(store)
    before = coverage.missed(store)

    the_wrong_data_set_or_config(Shop(store))
    reached = set(before) - set(coverage.missed(store))

    assert len(before) == len(lines_of(store))
    assert {"receive.lua", "begin.lua", "shared/gate.lua"} <= {line.file for line in reached}
    assert not [line for line in reached if line.file == "shared/route.lua" and "greedy(" in line.text]


def test_lines_are_told_by_the_file_they_are_written_in():
    found = {(line.file, line.number): line.text for line in files_by_line().values()}

    assert found["order.lua", 2] == verbs()["order"].splitlines()[1]
    assert found["shared/stock.lua", 20] == modules()["stock"].splitlines()[19]
