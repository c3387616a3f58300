"""
Puts a fault into the real code, and takes it out again: a text of one file is replaced by another.

The text must be there exactly once, so that no refactoring can quietly make a planted bug harmless. Lua is replaced
where the library is put together from; of Python the functions whose code differs get that code, so that everybody who
has them already runs it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from allocator import scripts
from tests.servers import ROOT


class PatchFails(Exception):
    """The text is not there, or there more than once, or nothing that runs would change."""


class Patch(NamedTuple):
    """In this file of the checkout `old` becomes `new`."""

    file: str
    old: str
    new: str


@contextmanager
def applied(patch: Patch) -> Iterator[None]:
    """Inside, the fault is there. Raises PatchFails."""
    how = _lua if patch.file.endswith(".lua") else _python
    with how(patch):
        yield


def _replaced(text: str, patch: Patch) -> str:
    if text.count(patch.old) != 1:
        raise PatchFails(f"{patch.file} has {text.count(patch.old)} times: {patch.old}")
    return text.replace(patch.old, patch.new)


# --- Lua ---------------------------------------------------------------------------------------------------------


@contextmanager
def _lua(patch: Patch) -> Iterator[None]:
    texts = scripts.modules() if "/shared/" in patch.file else scripts.verbs()
    name = Path(patch.file).stem
    kept = texts[name]
    texts[name] = _replaced(kept, patch)
    _forget_library()
    try:
        yield
    finally:
        texts[name] = kept
        _forget_library()


def _forget_library() -> None:
    scripts.library.cache_clear()
    scripts.scripts.cache_clear()


# --- Python ------------------------------------------------------------------------------------------------------


@contextmanager
def _python(patch: Patch) -> Iterator[None]:
    module = import_module(patch.file.removesuffix(".py").replace("/", "."))
    text = (ROOT / patch.file).read_text("utf-8")
    before, now = (_functions(compile(one, patch.file, "exec")) for one in (text, _replaced(text, patch)))
    after = {name: code for name, code in now.items() if _meaning(code) != _meaning(before[name])}
    if not after:
        raise PatchFails(f"{patch.file}: no function of it would run otherwise")
    changed = [(_function(module, name), code) for name, code in after.items()]
    kept = [function.__code__ for function, _ in changed]
    for function, code in changed:
        function.__code__ = code
    try:
        yield
    finally:
        for (function, _), code in zip(changed, kept, strict=True):
            function.__code__ = code


def _functions(code: CodeType) -> dict[str, CodeType]:
    """Functions of a module and methods of its classes, by qualified name."""
    found: dict[str, CodeType] = {}
    for part in code.co_consts:
        if isinstance(part, CodeType):
            if part.co_flags & 0x2:  # it has locals of its own, so it is no class
                found[part.co_qualname] = part
            else:
                found |= _functions(part)
    return found


def _meaning(code: CodeType) -> Any:
    """What a function does, wherever its lines stand."""
    constants = [_meaning(part) if isinstance(part, CodeType) else (type(part), part) for part in code.co_consts]
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars


def _function(module: Any, name: str) -> FunctionType:
    found = module
    for part in name.split("."):
        found = found.__dict__[part]
    found = unwrap(getattr(found, "__func__", found))
    assert isinstance(found, FunctionType), f"{name} is no plain function"
    return found
