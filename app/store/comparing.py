"""
What callers ask with, made to fit what databases compare: a number beyond every column, a letter no text can have.

Only for conditions. What is written must fit as it is, and is refused before it comes here.
"""

from typing import Final

INTEGER_MAX: Final = 2**31 - 1
BIGINT_MAX: Final = 2**63 - 1

NUL: Final = "\0"
"""PostgreSQL takes it in no text, so nothing stored has it."""


def number(value: int, most: int = BIGINT_MAX) -> int:
    """The number, or the greatest of its column: everything stored is on the same side of both."""
    return min(value, most)


def words(value: str) -> str:
    """The text with another letter for NUL, at which nothing stored begins or ends either."""
    return value.replace(NUL, "\ufffd")
