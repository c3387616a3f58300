"""The sequences that are recorded: walks, what hypothesis draws, and the corners a walk does not come to."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test
from redis.exceptions import ResponseError

from tests.allocator import test_model, test_oracle_atp, test_oracle_routing
from tests.allocator.fixtures import CONFIG, NOW
from tests.allocator.walk import Walk
from tests.mutation.recorded import RecordedTwins, Recording, record
from tests.simulator import hard_cases
from tests.simulator.store import Store

WALKS, WALK_STEPS = 6, 150
SHOPS, SHOP_STEPS = 30, 30
NUMBERS, ROUTES = 20, 100

DRAWN: dict[str, Any] = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
"""The same examples every time."""

WITHOUT_ORACLE = {
    hard_cases.a_state_that_cannot_be_read,
    hard_cases.a_gate_that_is_shut,
    hard_cases.answers_that_were_forgotten,
    hard_cases.holds_too_large_to_expire_together,
    hard_cases.more_rankings_than_are_kept,
    hard_cases.more_rules_than_are_kept,
    hard_cases.records_that_left_for_sql,
    hard_cases.repairs,
    hard_cases.skus_that_are_closed,
}
"""Cases of which the oracle knows nothing: damage, what was taken out, a config that is only laid over, caches, gates,
what left for SQL, repairs; and large holds, which take it seconds."""


def recordings(store: Store) -> Iterator[Recording]:
    """All of them, the cheapest and most directed ones first."""
    for case in hard_cases.CASES:
        if case not in WITHOUT_ORACLE:
            yield record(case.__name__, partial(_hard_case, case), store, CONFIG)
    for seed in range(WALKS):
        yield record(f"walk {seed}", partial(_walk, seed), store)
    yield from _shops(store)
    yield record("numbers", _numbers, store)
    yield record("routes", _routes, store, test_oracle_routing.country())


def _walk(seed: int, twins: RecordedTwins) -> None:
    walk = Walk(twins, 1_000 + seed)
    for _ in range(WALK_STEPS):
        walk.step()
    twins.compare_atp()


class FollowedShop(hard_cases.Shop):
    """The shop of the hard cases with the oracle beside it."""

    def __init__(self, twins: RecordedTwins) -> None:
        self.twins, self.store, self.pipe, self.allocator = twins, twins.store, twins.ear, twins.allocator
        self.allocator.now_ms = NOW
        self.made = 0

    def do(self, work: Any) -> Any:
        with suppress(ResponseError):
            return self.twins.ask(work)

    def reconfigure(self, config: Any) -> None:
        self.twins.configure(config)

    def write(self, key: str, field: str, value: bytes) -> None:
        self.twins.rebuilt = True
        self.twins.run(self.twins.client.hset(f"{{main}}:{key}", field, value))


def _hard_case(case: Any, twins: RecordedTwins) -> None:
    case(FollowedShop(twins))


# --- drawn by hypothesis -------------------------------------------------------------------------------------------


class RecordedShop(test_model.Shop):
    """The state machine of the model; whether the books are right is asked once, at the end."""

    def __init__(self, store: Store, done: list[Recording]) -> None:
        RuleBasedStateMachine.__init__(self)
        store.reset()
        self.done = done
        self.begin(RecordedTwins(None, store))

    def teardown(self) -> None:
        self.twins.compare_atp()
        self.done.append(self.twins.recording(f"shop {len(self.done)}"))
        super().teardown()

    @invariant()
    def both_have_the_same_books(self) -> None:
        """Once, at the end."""


def _shops(store: Store) -> list[Recording]:
    done: list[Recording] = []
    how = settings(max_examples=SHOPS, stateful_step_count=SHOP_STEPS, **DRAWN)
    run_state_machine_as_test(partial(RecordedShop, store, done), settings=how)
    return done


def _numbers(twins: RecordedTwins) -> None:
    """Availability and explanations of any stock under any rules."""
    twins.rebuilt = True
    drawn = test_oracle_atp
    steps = drawn.test_availability_and_explain_are_the_five_steps.hypothesis.inner_test

    @settings(max_examples=NUMBERS, **DRAWN)
    @given(drawn.configs(), drawn.stocks, drawn.debts, drawn.questions)
    def ask(config: Any, stock: Any, owed: Any, question: Any) -> None:
        steps(twins, config, stock, owed, question)

    ask()


def _routes(twins: RecordedTwins) -> None:
    """Routes among any stock."""
    twins.rebuilt = True
    drawn = test_oracle_routing
    steps = drawn.test_routing_finds_the_best_set_of_locations.hypothesis.inner_test

    @settings(max_examples=ROUTES, **DRAWN)
    @given(drawn.stocks, drawn.rankings, drawn.demands, drawn.ways)
    def ask(stock: Any, ranking: Any, demand: Any, way: Any) -> None:
        steps(twins, stock, ranking, demand, way)

    ask()
