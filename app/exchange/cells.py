"""
What one cell of a table says, and how a value is written into one.

A text that a spreadsheet would take for a formula, or would trim, gets an apostrophe in front; reading takes it away
again. Both ways together lose nothing: `plain(protect(text)) == text` for every text, and an apostrophe alone is the
empty text where an empty cell means something else.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time
from math import isfinite
from typing import Any, Final

import msgspec

Cell = Any
"""What a file has in a cell: text in CSV; in XLSX also int, float, bool, datetime, time, or None for nothing."""

FORMULA: Final = "=+-@"
"""How texts begin that a spreadsheet may run as a formula."""

LIST: Final = ";"
"""Between the members of a list in one cell."""

OWN_SHELF: Final = "*"
"""Behind a location's code in a channel's list: the channel ignores the safety stock there."""

EXACT_MAX: Final = 2**53
"""Up to here a spreadsheet's number is a whole number without doubt."""

TRUE: Final = frozenset({"yes", "y", "true", "1", "ja", "oui", "x"})
FALSE: Final = frozenset({"no", "n", "false", "0", "nein", "non"})
TIME_EXAMPLE: Final = "2026-12-24T00:00:00Z"

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,15}(?:[.,][0-9]{1,25})?(?:[eE][+-]?[0-9]{1,3})?")
_PERCENT: Final = re.compile(r"([0-9]{1,5})(?:[.,]([0-9]{1,2})0*)?\s*%?")


class CellRefused(ValueError):
    """The cell does not say what its column needs; the message tells a person why."""


# --- text ------------------------------------------------------------------------------------------------------


def plain(cell: Cell) -> str:
    """The text of a cell as it was meant. Raises CellRefused for a date: a spreadsheet has most likely made it one."""
    if type(cell) is not str:
        return _number_text(cell)
    if cell[:1] == "'" and _is_protected(cell):
        return cell[1:]
    return cell.strip()


def protect(text: str) -> str:
    """The text as it is written into a cell; `''` is the caller's to decide (see EMPTY_TEXT)."""
    if not text:
        return text
    needs = text[0] in FORMULA or text[0].isspace() or text[-1].isspace() or (text[0] == "'" and _is_protected(text))
    return f"'{text}" if needs else text


EMPTY_TEXT: Final = "'"
"""The cell of an empty text where an empty cell would mean the default."""


def _is_protected(cell: str) -> bool:
    second = cell[1:2]
    return second in FORMULA + "'" or second.isspace() or cell[-1].isspace()


def _number_text(cell: Cell) -> str:
    """A spreadsheet's number as text: a GTIN that was typed is stored as a number, sometimes with an exponent."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float):
        return str(int(cell)) if _is_whole(cell) else repr(cell)
    if isinstance(cell, time):
        return cell.strftime("%H:%M")
    raise CellRefused("the spreadsheet has made it a date; give the column the format Text and type it again")


def _is_whole(number: float) -> bool:
    return isfinite(number) and number.is_integer() and abs(number) <= EXACT_MAX


# --- reading: each takes a cell that is not empty ---------------------------------------------------------------


def read_whole(cell: Cell) -> int:
    """A whole number. Raises CellRefused for a fraction, a text, a formula."""
    if isinstance(cell, float) and _is_whole(cell):
        return int(cell)
    text = plain(cell)
    if not _WHOLE.fullmatch(text):
        raise CellRefused(f"must be a whole number, not {_quote(text)}{_formula_hint(text)}")
    return int(text)


def read_decimal(cell: Cell) -> float:
    """A number with a decimal point or a decimal comma. Raises CellRefused."""
    text = plain(cell)
    if not _DECIMAL.fullmatch(text):
        raise CellRefused(f"must be a number such as 52.09, not {_quote(text)}{_formula_hint(text)}")
    return float(text.replace(",", "."))


def read_percent(cell: Cell) -> int:
    """
    A percentage such as 2.5, 2,5 or 2.5 % as hundredths of a percent. Raises CellRefused.

    A spreadsheet stores 100 % as the number 1 and 5 % as 0.05, so numbers up to 1 could mean either.
    """
    text = plain(cell)
    if not isinstance(cell, str) and 0 < cell <= 1:
        raise CellRefused(f"{text} may mean {text} % or {cell:.0%}: write it as text, or as percent_bp")
    found = _PERCENT.fullmatch(text)
    if not found:
        raise CellRefused(f"must be a percentage such as 2.5, at most two decimals, not {_quote(text)}")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def read_yes(cell: Cell) -> bool:
    """Yes or no. Raises CellRefused."""
    word = plain(cell).casefold()
    if word not in TRUE and word not in FALSE:
        raise CellRefused(f"must be yes or no, not {_quote(word)}")
    return word in TRUE


def read_time(cell: Cell) -> str:
    """A moment in RFC 3339; a date cell of a spreadsheet has no zone and counts as UTC. Raises CellRefused."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    text = plain(cell)
    try:
        zoned = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        zoned = False
    if not zoned:
        raise CellRefused(f"must be a time with its zone such as {TIME_EXAMPLE}, not {_quote(text)}")
    return text


def read_list(cell: Cell) -> list[str]:
    """Texts between semicolons."""
    return [part.strip() for part in plain(cell).split(LIST) if part.strip()]


def read_shelves(cell: Cell) -> list[dict[str, Any]]:
    """A channel's locations in their order, `utrecht*;gent`: the star is for its own shelf."""
    return [
        {"code": part.removesuffix(OWN_SHELF).rstrip(), "own_shelf": part.endswith(OWN_SHELF)}
        for part in read_list(cell)
    ]


def read_rows(cell: Cell) -> list[Any]:
    """A JSON list of objects, such as a carrier's rates. Raises CellRefused."""
    text = plain(cell)
    if not text:
        return []
    try:
        rows = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise CellRefused(f"must be a JSON list, not {_quote(text)}") from error
    if not isinstance(rows, list):
        raise CellRefused(f"must be a JSON list, not {_quote(text)}")
    return rows


def read_word(words: Mapping[str, str]) -> Callable[[Cell], str]:
    """A reader of one of the words, whatever their case; `words` maps the folded word to the right one."""

    def read(cell: Cell) -> str:
        word = plain(cell)
        if word.casefold() not in words:
            raise CellRefused(f"must be one of {', '.join(words.values())}, not {_quote(word)}")
        return words[word.casefold()]

    return read


def _quote(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _formula_hint(text: str) -> str:
    return " (a formula: save its values instead)" if text.startswith("=") else ""


# --- writing ---------------------------------------------------------------------------------------------------


def write_yes(value: bool) -> str:
    """Yes or no."""
    return "yes" if value else "no"


def write_decimal(value: float) -> Cell:
    """A number; as text where the 16 digits that a spreadsheet is given would not be all of it."""
    return value if float(f"{value:.16g}") == value else repr(value)


def write_list(value: list[str]) -> str:
    """Texts between semicolons."""
    return protect(LIST.join(value))


def write_rows(value: list[Any]) -> str:
    """A JSON list."""
    return msgspec.json.encode(value).decode()


def write_shelves(value: list[Mapping[str, Any]]) -> str:
    """A channel's locations, a star behind its own shelves."""
    return LIST.join(shelf["code"] + OWN_SHELF * bool(shelf["own_shelf"]) for shelf in value)
