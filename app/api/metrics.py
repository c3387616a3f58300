"""What Prometheus reads. Open, as a probe is, unless ALLOT_METRICS_KEY is set."""

import hmac
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.deps import state_of
from app.errors import NoKey
from app.guarding import operation_id
from app.metrics import registry_of, written
from app.readiness import readiness

router = APIRouter(tags=["health"], generate_unique_id_function=operation_id)

DOCUMENTED: Final[dict[str, Any]] = {
    "responses": {
        "200": {
            "description": "Every metric, as text: https://prometheus.io/docs/instrumenting/exposition_formats/",
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": 'allot_build_info{version="0.1.0"} 1.0'}
            },
        },
        "401": {"description": "ALLOT_METRICS_KEY is set, and the request does not have it."},
    }
}


@router.get("/metrics", openapi_extra=DOCUMENTED)
async def read_metrics(request: Request) -> Response:
    """What this process has counted and last surveyed. No key is needed unless ALLOT_METRICS_KEY is set."""
    state = state_of(request)
    if (key := state.settings.metrics_key) is not None:
        _refuse_without(request, key.get_secret_value())
    await readiness(state, draining=getattr(request.app.state, "draining", False))
    text, media_type = written(registry_of(state.metrics), request.headers.get("accept", ""))
    return Response(text, media_type=media_type)


def _refuse_without(request: Request, key: str) -> None:
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
        raise NoKey("the header must read: Bearer <ALLOT_METRICS_KEY>", where="header Authorization")
