"""What an entry of the ledger did with an announced return."""

from . import answers
from .announced import AnnouncedReturn
from .records import Entry

VERBS = frozenset({"announce_return", "return"})
"""Verbs, as the ledger calls them, by which a return is announced or comes."""


def return_of(entry: Entry) -> AnnouncedReturn | None:
    """The return that an entry announced, or that goods came with, as it stood then; None for every other entry."""
    if entry.word == "announced":
        return answers.announced_return(answers.unpack(entry.answer))
    if entry.verb in VERBS and entry.word == "changed":
        return answers.changed("", "", entry.answer, replayed=False).announced or None
    return None
