"""Every line of the allocator's Lua is reached by its behaviour tests, walks, nonsense and hard cases."""

from allocator.scripts import modules, verbs
from tests.simulator.battery import run_nonsense, run_walks
from tests.simulator.behaviour import behaviour_tests
from tests.simulator.coverage import WatchedStore, files_by_line, lines_of, missed
from tests.simulator.hard_cases import Shop, run_hard_cases, the_wrong_data_set_or_config


def test_every_line_of_the_lua_is_reached(record_property):
    store = WatchedStore()

    run_walks(store, range(2))
    run_nonsense(store)
    run_hard_cases(store)
    for test in behaviour_tests():
        test.run(store)

    left_out = missed(store, store.take_lines())
    record_property("lua_lines", len(lines_of(store)))
    assert [f"{line.file}:{line.number}: {line.text.strip()}" for line in left_out] == []


def test_only_what_ran_counts_as_reached():
    store = WatchedStore()
    shop = Shop(store)
    store.take_lines()

    the_wrong_data_set_or_config(shop)
    lines = store.take_lines()

    reached = {files_by_line()[line] for line in lines & lines_of(store)}
    assert len(missed(store, frozenset())) == len(lines_of(store))
    assert {"receive.lua", "begin.lua", "shared/gate.lua"} <= {line.file for line in reached}
    assert not [line for line in reached if line.file == "shared/route.lua" and "greedy(" in line.text]


def test_lines_are_told_by_the_file_they_are_written_in():
    found = {(line.file, line.number): line.text for line in files_by_line().values()}

    assert found["order.lua", 2] == verbs()["order"].splitlines()[1]
    assert found["shared/stock.lua", 20] == modules()["stock"].splitlines()[19]
