"""What load balancers and people with a problem ask, without a key."""

# ruff: noqa: FAST003 - a path is read by edge.Path, which says what is wrong with it

from fastapi import APIRouter, Request, Response

from app.answers import Alive, Explanation, Ready
from app.deps import state_of
from app.edge import Path, Query, answer
from app.guarding import operation_id
from app.openapi import open_to_all
from app.problems import BY_SLUG, NotFound, problem_type
from app.readiness import readiness
from app.requests import ProblemPath, ReadyQuery

router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)

PROBLEM = Path(ProblemPath)
READY = Query(ReadyQuery)


@router.get("/livez", **open_to_all(answers=Alive))
async def is_alive(_: Request) -> Response:
    """The process answers."""
    return answer(Alive())


@router.get("/readyz", **open_to_all(READY, answers=Ready, also=503))
async def is_ready(request: Request) -> Response:
    """Whether orders can be taken: 200, or 503 with the reason."""
    draining = getattr(request.app.state, "draining", False)
    ready = await readiness(state_of(request), draining=draining, verbose=READY(request).verbose is not None)
    return answer(ready, 200 if ready.ready else 503)


@router.get("/problems/{slug}", **open_to_all(PROBLEM, answers=Explanation))
async def explain_problem(request: Request) -> Response:
    """What a problem of this type means and what to do about it."""
    slug = PROBLEM(request).slug
    if slug not in BY_SLUG:
        raise NotFound(f"there is no problem {slug}; there are {', '.join(sorted(BY_SLUG))}")
    kind = BY_SLUG[slug]
    return answer(Explanation(problem_type(slug), kind.title, kind.status, kind.when, kind.do))
