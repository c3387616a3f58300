"""Wrong versions of the Lua do not get past the tests; `make mutate` tries them all."""

import subprocess
import sys
from collections import Counter

import pytest
from tree_sitter import Parser

from tests.mutation.battery import Case
from tests.mutation.judge import Judge, Verdict
from tests.mutation.mutants import LUA, Mutant, files, mutants, source
from tests.mutation.operators import Edit, edits
from tests.mutation.run import Outcome
from tests.mutation.servers import BrokenLibrary, MutantStore
from tests.mutation.survivors import as_toml, listed, outdated
from tests.servers import ROOT

SAMPLE = 70


def test_of_a_sample_of_mutants_only_those_live_that_have_a_reason_to():
    command = [sys.executable, "-m", "tests.mutation", "--sample", str(SAMPLE), "--processes", "2"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_survivor_listed_is_still_there_and_has_a_reason():
    assert outdated(listed(), mutants()) == []


# --- mutants -------------------------------------------------------------------------------------------------------


def changed(lua: str) -> list[str]:
    """All that can become of a text."""
    found: list[str] = []
    nodes = [Parser(LUA).parse(lua.encode()).root_node]
    while nodes:
        node = nodes.pop()
        nodes += node.named_children
        found += [_with(lua, edit) for edit in edits(node)]
    return sorted(found)


def _with(lua: str, edit: Edit) -> str:
    return (lua.encode()[: edit.start] + edit.text + lua.encode()[edit.end :]).decode()


@pytest.mark.parametrize(
    ("lua", "mutated"),
    [
        ("local a = b + c", ["local a = b - c"]),
        ("local a = b < c", ["local a = b <= c", "local a = b >= c"]),
        ("local a = b < 4", ["local a = b < 3", "local a = b <= 4", "local a = b >= 4"]),
        ("local a = b and c", ["local a = (b)", "local a = (c)", "local a = b or c"]),
        ("local a = not b", ["local a =  b"]),
        ("local a = #b", ["local a = (#b - 1)"]),
        ("local a = 0", ["local a = 1"]),
        ("local a = 7", ["local a = 6", "local a = 8"]),
        ("local a = 'held'", ["local a = 'held~'"]),
        ("local a = math.min(b, c)", ["local a = math.max(b, c)"]),
        ("local a = true", ["local a = false"]),
        ("f()\ng()", [" \ng()", "f()\n ", "g()\nf()"]),
        ("a = b\nc = d", [" \nc = d", "a = b\n "]),
        ("a = b\nc = a", [" \nc = a", "a = b\n ", "c = a\na = b"]),
        ("while a do break end", ["while a do   end", "while false do break end"]),
        (
            "if a then b() else c() end",
            [
                "if a then   else c() end",
                "if a then b()  end",
                "if a then b() else   end",
                "if false then b() else c() end",
                "if true then b() else c() end",
            ],
        ),
        ("assert(a, 'only for bugs')", [" "]),
        ("-- 1 + 1", []),
    ],
)
def test_a_text_is_mistaken_in_every_small_way(lua, mutated):
    assert changed(lua) == mutated


def test_every_mutant_is_another_text_and_has_a_name_of_its_own():
    texts = {mutant.edit for mutant in mutants()}
    names = Counter(mutant.name for mutant in mutants())

    assert len(texts) == len(names) == len(mutants())
    assert {mutant.file for mutant in mutants()} == files().keys()


def test_a_mutant_differs_on_the_lines_it_names():
    line = "if spot[3] ~= 1 or not there or there <= 0 then"
    mutant = next(mutant for mutant in mutants() if (mutant.line, mutant.change) == (line, "<= becomes <"))

    before, after = source().splitlines(), mutant.source().splitlines()

    different = [number for number, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]]
    assert different == [mutant.first] == [mutant.last]
    assert (mutant.file, mutant.function) == ("shared/atp.lua", "atp.shelf")


# --- judging -------------------------------------------------------------------------------------------------------


def a_case(store: MutantStore) -> None:
    """Units that are received twice are there twice."""
    store.reset()
    assert store.command("FCALL", "double", "0", "2") == 4


DOUBLE = b"#!lua name=mine\nredis.register_function('double', function(_, given)\nreturn given[1] * 2\nend)"
CASE = Case("a case", a_case, frozenset({3}), frozenset(), 0.01)


def mutant_of(start: int, text: bytes) -> Mutant:
    return Mutant("mine.lua", "", "", "", 0, 3, 3, Edit(start, start + 1, text, ""))


def test_a_case_that_goes_wrong_kills(monkeypatch):
    monkeypatch.setattr("tests.mutation.mutants.source", lambda: DOUBLE)
    where = DOUBLE.index(b"* 2")

    killed, alive = mutant_of(where, b"-"), mutant_of(where, b"*")

    assert [Judge([CASE]).judge(mutant).by for mutant in (killed, alive)] == ["a case", ""]


def test_what_runs_for_ever_is_killed(monkeypatch):
    endless = DOUBLE.replace(b"return", b"while true do end return")
    monkeypatch.setattr("tests.mutation.mutants.source", lambda: endless)

    verdict = Judge([CASE]).judge(mutant_of(endless.index(b"* 2"), b"*"))

    assert verdict.by == "a case"
    assert verdict.seconds < 10


def test_what_does_not_compile_is_no_mutant(monkeypatch):
    monkeypatch.setattr("tests.mutation.mutants.source", lambda: DOUBLE)

    verdict = Judge([CASE]).judge(mutant_of(DOUBLE.index(b"* 2"), b"end"))

    assert not verdict.compiles


def test_a_text_that_is_no_library_is_told():
    with pytest.raises(BrokenLibrary):
        MutantStore(b"#!lua name=mine\nreturn nowhere()")


# --- the list ------------------------------------------------------------------------------------------------------


def test_a_survivor_counts_against_the_outcome_unless_it_is_listed_and_alive():
    alive, dead = mutants()[0], mutants()[1]
    tried = [(alive, Verdict(0, "", "", 0)), *[(dead, Verdict(1, "a case", "why", 0))] * 99]

    assert Outcome(tried, {alive.name: "a reason"}).good
    assert not Outcome(tried, {}).good
    assert not Outcome(tried, {alive.name: "a reason", dead.name: "a reason"}).good
    assert not Outcome(tried, {alive.name: "a reason", ("gone.lua", "", "", ""): "a reason"}).good


@pytest.mark.parametrize(("alive", "good"), [(30, True), (15, False)], ids=["one of 30 lives", "one of 15 lives"])
def test_of_all_mutants_nearly_all_must_be_killed_though_all_others_are_listed(alive, good):
    tried = [(mutant, Verdict(n, "by" if n % alive else "", "", 0)) for n, mutant in enumerate(mutants())]

    assert Outcome(tried, {mutant.name: "a reason" for mutant, verdict in tried if not verdict.killed}).good == good


def test_what_is_printed_for_the_list_can_be_read_again(tmp_path):
    chosen = mutants()[:: len(mutants()) // 200]
    file = tmp_path / "survivors.toml"
    file.write_text(as_toml(chosen).replace('reason = ""', 'reason = "it is so"'))

    assert listed(file) == {mutant.name: "it is so" for mutant in chosen}


def test_an_entry_without_a_reason_is_refused(tmp_path):
    file = tmp_path / "survivors.toml"
    file.write_text(as_toml(mutants()[:1]))

    with pytest.raises(ValueError, match="no reason"):
        listed(file)
