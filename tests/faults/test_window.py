"""What may be gone after a loss, and what may not: planted in diaries."""

import pytest

from .ops import Diary, Op, Said, Want
from .window import forget, judge_closed

UNTIL_MS = 1_000
ORDER = Op("order", "1", lines=(Want("CUP", 1),))


def heard(*said: Said, op: Op = ORDER) -> Diary:
    diary = Diary()
    for each in said:
        diary.note(op, each)
    diary.ops[op.id].said[:] = said
    return diary


def accepted(heard_ms: int, sent_ms: int = 0) -> Said:
    return Said("accepted", {}, fresh=True, sent_ms=sent_ms, heard_ms=heard_ms)


def test_what_was_accepted_after_the_store_was_complete_may_be_gone_and_is_asked_again():
    diary = heard(accepted(UNTIL_MS))

    window = forget(diary, set(), UNTIL_MS)

    assert (window.gone, window.faults) == (1, [])
    assert [found.op for found in diary.of("unknown")] == [ORDER]


def test_what_was_accepted_before_is_lost():
    window = forget(heard(accepted(UNTIL_MS - 1)), set(), UNTIL_MS)

    assert [(fault.what, fault.of) for fault in window.faults] == [("lost", ORDER.id)]


def test_the_first_time_it_was_accepted_counts():
    window = forget(heard(accepted(UNTIL_MS - 1), accepted(UNTIL_MS + 1)), set(), UNTIL_MS)

    assert len(window.faults) == 1


def test_what_sql_has_keeps_its_answer():
    diary = heard(accepted(UNTIL_MS - 1))

    window = forget(diary, {ORDER.id}, UNTIL_MS)

    assert (window.gone, window.faults) == (0, [])
    assert diary.ops[ORDER.id].outcome == "accepted"


def test_a_refusal_is_forgotten_without_fault():
    diary = heard(Said("refused", ["short", {}], detail="short", heard_ms=UNTIL_MS - 1))

    window = forget(diary, set(), UNTIL_MS)

    assert (window.gone, window.faults) == (0, [])
    assert diary.ops[ORDER.id].outcome == "unknown"


@pytest.mark.parametrize("outcome", ["accepted", "refused"])
def test_a_decision_of_a_store_without_data_is_found(outcome: str):
    diary = heard(Said(outcome, {}, sent_ms=20, heard_ms=30))

    [fault] = judge_closed(diary, 10, 40)

    assert (fault.what, fault.of) == ("untrue", ORDER.id)


@pytest.mark.parametrize(
    "said",
    [accepted(heard_ms=20, sent_ms=5), accepted(heard_ms=50, sent_ms=20), Said("unknown", sent_ms=20, heard_ms=30)],
    ids=["asked before", "answered after", "put off"],
)
def test_what_was_not_decided_then_is_no_fault(said: Said):
    assert list(judge_closed(heard(said), 10, 40)) == []
