"""How full ledgers are, and who pays when they are."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from allocator import Line, OrderRequest
from app.draining.drain import READER, Drain
from app.errors import LedgerFull
from app.fullness import STAGES, refuse_when_full, stage_of_order
from app.metrics import registry_of, written
from app.opening import open_service
from app.store.cursors import begin_at, note_failure, take_lease
from app.times import now_ms
from app.watching import LedgerWatch, full_of


@pytest.fixture
async def state(settings):
    """The service's state without a schedule: these tests run its jobs themselves."""
    async with open_service(settings) as state:
        yield state


def gauges(state) -> dict[str, float]:
    text = written(registry_of(state.metrics), "")[0].decode()
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


async def sell(state, *ids: str) -> None:
    for id in ids:
        wanted = OrderRequest(channel="till", external_id=id, lines=[Line("1", "CUP", 1)])
        await state.allocators["main"].order(wanted)


async def test_says_how_many_entries_and_bytes_are_not_in_sql(state):
    drain, watch = Drain(state.database, state.pipe.client), LedgerWatch()
    await drain.run()
    await watch.run(state)
    none = gauges(state)
    await sell(state, *map(str, range(50)))
    await watch.run(state)
    some = gauges(state)
    await drain.run()
    await watch.run(state)

    assert (none["allot_undrained_entries"], none["allot_undrained_bytes"]) == (0, 0)
    assert some["allot_undrained_entries"] == 50
    assert 50 * 100 < some["allot_undrained_bytes"] < 50 * 3_000
    assert gauges(state)["allot_undrained_entries"] == 0


async def test_entries_that_were_trimmed_are_not_counted_as_if_they_were_there(state):
    """Also where nobody knows any more how many were drained."""
    await Drain(state.database, state.pipe.client).run()
    await state.pipe.client.xtrim("{main}:ledger", maxlen=2, approximate=False)
    async with state.database.writing() as session:
        await begin_at(session, "main", READER, "0-0")

    await LedgerWatch().run(state)

    assert gauges(state)["allot_undrained_entries"] == 2


async def test_the_limit_is_what_is_set_and_at_most_a_quarter_of_the_stores_memory(state, redis_of_service):
    await LedgerWatch().run(state)
    as_set = gauges(state)["allot_undrained_bytes_max"]
    await redis_of_service.config_set("maxmemory", "400mb")
    try:
        await LedgerWatch().run(state)
    finally:
        await redis_of_service.config_set("maxmemory", "0")

    memory = (await redis_of_service.info("memory"))["total_system_memory"]
    assert as_set == min(state.settings.ledger_bytes_max, memory // 4)
    assert gauges(state)["allot_undrained_bytes_max"] == 400 * 1_048_576 // 4


async def test_what_keeps_the_drain_from_going_on_is_a_metric(state):
    async with state.database.writing() as session:
        await begin_at(session, "main", READER, "0-0")
        await take_lease(session, "main", READER, owner="worker", now_ms=now_ms(), until_ms=now_ms() + 60_000)
        await note_failure(session, "main", READER, owner="worker", failing="Gap: gone", now_ms=7)
    watch = LedgerWatch()
    await watch.run(state)
    stopped = gauges(state)["allot_drain_failing"]
    async with state.database.writing() as session:
        await note_failure(session, "main", READER, owner="worker", failing="", now_ms=8)
    await watch.run(state)

    assert (stopped, gauges(state)["allot_drain_failing"]) == (1, 0)


@pytest.mark.parametrize(
    ("sizes", "full"),
    [
        ({"a": 99}, {}),
        ({"a": 100}, {"a": 1.0}),
        ({"a": 250}, {"a": 2.5}),
        ({"a": 60, "b": 60}, {"a": 1.2, "b": 1.2}),
        ({"a": 200, "b": 0, "c": 1}, {"a": 2.01}),
        ({"a": 20, "b": 20}, {}),
    ],
)
def test_the_limit_is_for_all_and_who_has_less_than_a_part_of_it_does_not_pay_for_others(sizes, full):
    assert full_of(sizes, 100) == full


@pytest.mark.parametrize(
    ("kind", "hold", "share", "is_refused"),
    [
        ("promise", "", 1.0, True),
        ("promise", "cart", 1.4, False),
        ("promise", "cart", 1.5, True),
        ("firm", "", 1.99, False),
        ("gone", "", 2.0, True),
    ],
)
def test_an_order_is_refused_the_later_the_less_it_can_be_undone(kind, hold, share, is_refused):
    stage = stage_of_order(kind, hold)

    assert is_refused == (share >= STAGES[stage])
    if is_refused:
        with pytest.raises(LedgerFull, match=f"{share:.0%}"):
            refuse_when_full({"main": share}, "main", stage)
    refuse_when_full({"other": 9.0}, "main", stage)
