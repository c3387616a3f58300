"""The head of every script is its documentation: what it says must be what the code does."""

import re
from functools import cache
from pathlib import Path

import pytest

from allocator import refusals
from allocator.errors import REFUSALS
from allocator.keys import KEYS
from allocator.scripts import Script, scripts
from tests.servers import ROOT

LUA = ROOT / "allocator" / "lua"
SHARED = sorted((LUA / "shared").glob("*.lua"))
OUTCOME_TABLE = re.compile(r"<!-- outcomes -->\n(.*?)<!-- /?outcomes -->", re.DOTALL)

every_script = pytest.mark.parametrize("script", scripts().values(), ids=lambda script: script.name)

FUNCTION = re.compile(r"^(?:local )?function (\w+(?:\.\w+)?)\(.*?^end$", re.MULTILINE | re.DOTALL)
KEY_TABLE = re.compile(r"^keys = \{.*?\}$", re.MULTILINE | re.DOTALL)
OUTCOMES = [
    re.compile(r"gate\.refuse\(head, '(\w+)'"),
    re.compile(r"return (?:nil, )?\{ '(\w+)',"),
    re.compile(r"\.commit\(.*'(\w+)', (?:answer|cmsgpack)"),
    re.compile(r"return '(short|unroutable)',"),
    re.compile(r"word = facts and '(\w+)'"),
    re.compile(r"closed\[#closed \+ 1\] = \{ '(\w+)',"),
    re.compile(r"return (not_ready)\("),
    re.compile(r"gate\.stop\('(\w+)'"),
]
"""Every way in which an outcome word leaves a script."""

DONE = {
    "announced": "Goods are said to come back; no unit moves.",
    "available": "What may be promised.",
    "begun": "The empty keys carry the mark of this data set.",
    "changed_since": "What the call was about is not so any more; nothing was done.",
    "changed": "A later change of an order was made.",
    "configured": "The config is in force.",
    "exchanged": "Goods came back for one order, and another is accepted.",
    "expired": "Holds whose time is over have ended.",
    "explained": "Every step of the number.",
    "extended": "The hold lives longer.",
    "forgotten": "What SQL has left the store.",
    "found": "The record as it stands.",
    "frozen_now": "No unit of the sku moves any more, or it may again.",
    "held": "The units are held.",
    "met": "How the gate stands.",
    "moved": "The stock movement was made.",
    "opened": "These skus may be sold.",
    "paused": "The clock jumped; nothing expires until that is settled.",
    "placed": "The order is accepted.",
    "recalled": "The record is back from SQL.",
    "released": "The hold was let go.",
    "repaired": "What an inspection found was put right.",
    "rescued": "What was missing left the orders that lose.",
    "served": "Those that waited got what had arrived.",
    "shut": "How the gate stands.",
}
"""What the outcomes mean that are not refusals."""


def functions_of(module: str, text: str) -> dict[str, str]:
    """The functions of one file by full name; what is outside them is called `<module>.`."""
    found = {match[1] if "." in match[1] else f"{module}.{match[1]}": match[0] for match in FUNCTION.finditer(text)}
    return {**found, f"{module}.": FUNCTION.sub("", text)}


def code_of(text: str) -> str:
    """Without comments."""
    return re.sub(r"--(?!@).*$", "", text, flags=re.MULTILINE)


def calls_in(name: str, body: str, known: dict[str, str]) -> set[str]:
    """The known functions that a function's body names, its own module's without their prefix."""
    module = name.split(".", maxsplit=1)[0]
    words = set(re.findall(r"\w+\.\w+", body)) | {f"{module}.{word}" for word in re.findall(r"(?<![.\w])\w+", body)}
    return words & known.keys()


@cache
def reachable(script_name: str) -> str:
    """All code that the script can run: its own, and the functions of included files that it calls."""
    script = scripts()[script_name]
    known = functions_of(script.name, code_of(script.text))
    included = re.findall(r"^--@include (\w+)$", script.text, re.MULTILINE)
    for module in included:
        known |= functions_of(module, code_of((LUA / "shared" / f"{module}.lua").read_text()))
    if "gate.read_op" not in script.text:
        # Only a call with an op is remembered and replayed.
        known |= {"gate.replay": "", "gate.remember": ""}
    reached, waiting = set(), {f"{module}." for module in [script.name, *included]}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= calls_in(name, known[name], known) - reached
    return "\n".join(known[name] for name in sorted(reached))


def key_aliases(script: Script) -> dict[str, str]:
    """What the script calls KEYS[n], by the word its header has for it."""
    table = KEY_TABLE.search(script.text)
    assert table is not None
    names = {int(number): name for name, number in re.findall(r"(\w+) = KEYS\[(\d+)\]", table[0])}
    return {word: names[number] for number, word in enumerate(script.keys, 1)}


@every_script
def test_the_head_says_all_there_is_to_say(script: Script):
    first, second = script.text.splitlines()[:2]

    assert first.startswith("#!lua")
    assert second.startswith(f"-- {script.name}: ")
    assert list(script.sections) == ["KEYS", "ARGV", "RETURNS", "KEEPS"]
    assert all(section.strip(" -\n") for section in script.sections.values())


@every_script
def test_the_keys_used_are_the_keys_declared(script: Script):
    used = [int(number) for number in re.findall(r"\bKEYS\[(\d+)\]", script.text)]
    numbers = [int(number) for number in re.findall(r"^--\s+(\d+) \w", script.sections["KEYS"], re.MULTILINE)]

    assert used == numbers == list(range(1, len(script.keys) + 1))


@every_script
def test_every_declared_key_is_needed(script: Script):
    code = KEY_TABLE.sub("", reachable(script.name))

    needless = [word for word, alias in key_aliases(script).items() if f"keys.{alias}" not in code]

    # By the kind of a record.
    assert set(needless) <= ({"holds", "orders", "ops", "owners"} if "keys[kind]" in code else set())


@every_script
def test_no_key_is_needed_that_is_not_declared(script: Script):
    code = KEY_TABLE.sub("", reachable(script.name))

    assert set(re.findall(r"\bkeys\.(\w+)", code)) <= set(key_aliases(script).values())


@every_script
def test_the_declared_keys_are_those_of_the_data_model(script: Script):
    assert script.keys == {word: KEYS[word].type for word in script.keys}


@every_script
def test_no_key_name_is_made_in_lua(script: Script):
    named = re.findall(r"redis\.call\('(\w+)'(?:, ([^,)]+))?", reachable(script.name))

    assert {key for command, key in named if command != "TIME" and not re.match(r"keys[.\[]\w+", key)} == set()


@every_script
def test_the_outcomes_are_those_declared(script: Script):
    code = reachable(script.name)

    returned = {word for pattern in OUTCOMES for word in pattern.findall(code)}

    # `stale_config` is declared as "never" where no config is named; the shared gate has it all the same.
    assert returned == set(script.outcomes)


@every_script
def test_every_outcome_is_an_error_or_known_to_be_none(script: Script):
    unknown = [word for word in script.outcomes if word not in refusals.ERRORS and word not in DONE]

    assert unknown == []


@every_script
def test_a_script_that_only_reads_says_so_to_the_server(script: Script):
    reads_only = script.text.startswith("#!lua flags=no-writes")

    assert reads_only == ("Nothing is written" in script.sections["KEEPS"])


def test_every_refusal_can_be_met_and_tells_its_facts():
    declared = {word for script in scripts().values() for word in script.outcomes}

    assert set(refusals.ERRORS) | set(DONE) == declared
    assert set(REFUSALS) < set(refusals.ERRORS)
    assert set(refusals.FACTS) == set(refusals.ERRORS)


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.stem)
def test_every_shared_file_starts_with_its_purpose(path: Path):
    assert re.match(rf"-- {path.stem}: \w.*[.?:]", path.read_text())


def test_every_shared_file_is_used():
    used = {name for script in scripts().values() for name in re.findall(r"--@include (\w+)", script.text)}

    assert used == {path.stem for path in SHARED}


def meaning(word: str) -> str:
    return DONE.get(word) or refusals.ERRORS[word].title()


def outcome_table() -> str:
    """The table of README.md: every outcome, the verbs that give it, the error it becomes and what it means."""
    words = sorted({word for script in scripts().values() for word in script.outcomes})
    rows = ["| outcome | verbs | error | meaning |", "|---|---|---|---|"]
    for word in words:
        verbs = [script.name for script in scripts().values() if word in script.outcomes]
        said = "every verb" if len(verbs) == len(scripts()) else ", ".join(verbs)
        error = f"`{refusals.ERRORS[word].__name__}`" if word in refusals.ERRORS else ""
        rows.append(f"| `{word}` | {said} | {error} | {meaning(word)} |")
    return "\n".join(rows) + "\n"


def test_the_readme_lists_every_outcome():
    readme = (ROOT / "allocator" / "README.md").read_text()

    table = OUTCOME_TABLE.search(readme)

    assert table is not None
    assert table[1].strip() == outcome_table().strip()
