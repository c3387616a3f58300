"""What load balancers and people with a problem ask, without a key."""

# ruff: noqa: FAST003 - a path is read by edge.Path, which says what is wrong with it

from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response

from allocator import errors
from app.answers import Alive, Explanation, Ready
from app.deps import State, operation_id, state_of
from app.edge import Path, answer
from app.openapi import open_to_all
from app.problems import BY_SLUG, NotFound, problem_type
from app.requests import ProblemPath
from app.store.sellers import list_sellers

router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)

PROBLEM = Path(ProblemPath)


@router.get("/livez", **open_to_all(answers=Alive))
async def is_alive(_: Request) -> Response:
    """The process answers."""
    return answer(Alive())


@router.get("/readyz", **open_to_all(answers=Ready, also=503))
async def is_ready(request: Request) -> Response:
    """Whether orders can be taken: 200, or 503 with the reason."""
    state = state_of(request)
    store, database = await _said(_ask_store(state)), await _said(_ask_database(state))
    jumps = ", ".join(f"{seller} by {jump} ms" for seller, jump in state.clock_jumps_ms.items())
    ready = Ready(store == "ok", store, database, f"paused, it jumped: {jumps}" if jumps else "ok")
    return answer(ready, 200 if ready.ready else 503)


@router.get("/problems/{slug}", **open_to_all(PROBLEM, answers=Explanation))
async def explain_problem(request: Request) -> Response:
    """What a problem of this type means and what to do about it."""
    slug = PROBLEM(request).slug
    if slug not in BY_SLUG:
        raise NotFound(f"there is no problem {slug}; there are {', '.join(sorted(BY_SLUG))}")
    kind = BY_SLUG[slug]
    return answer(Explanation(problem_type(slug), kind.title, kind.status, kind.when, kind.do))


async def _ask_store(state: State) -> None:
    for allocator in state.allocators.values():
        await allocator.reload()


async def _ask_database(state: State) -> None:
    async with state.database.reading() as session:
        await list_sellers(session)


async def _said(asking: Awaitable[None]) -> str:
    try:
        await asking
    except errors.NotReady as error:
        return f"{error} It says it is {error.facts.get('epoch_found') or 'nobody'}."
    except Exception as error:  # noqa: BLE001 - whatever is wrong there is the answer
        return f"does not answer: {type(error).__name__}"
    return "ok"
