"""Where channels post their webhooks: open to all, because a webhook's signature is the proof."""

# ruff: noqa: FAST003 - a path is read by edge.Path, which says what is wrong with it

from typing import Final

from fastapi import APIRouter, Request, Response

from app.body import limited
from app.deps import state_of
from app.edge import Path
from app.errors import ConnectionUnknown
from app.guarding import operation_id
from app.openapi import open_to_all
from app.sync.desk import find_among
from app.sync.hearing import hear
from app.sync.words import Heard, HookPath, webhook_path
from channels import CHANNELS
from channels.base import Delivery

router = APIRouter(prefix="/v1/hooks", tags=["connections"], generate_unique_id_function=operation_id)

HOOK: Final = Path(HookPath)

BYTES_MAX: Final = 4_194_304
"""Of a webhook: an order of many lines is larger than what callers of ours may send."""

TYPE: Final = "application/json"


@router.post("/{seller}/{connection}", **open_to_all(HOOK, answers=Heard))
async def hear_webhook(request: Request) -> Response:
    """
    A channel says that something happened. It is answered once that is written down, and taken after that.

    The same webhook again is answered the same and changes nothing. A paused connection hears, and acts later.
    """
    return await _hear(request)


@router.get("/{seller}/{connection}", **open_to_all(HOOK, answers=Heard))
async def answer_handshake(request: Request) -> Response:
    """A channel asks whether this address is ours; what it wants to hear differs by channel."""
    return await _hear(request)


async def _hear(request: Request) -> Response:
    path, state = HOOK(request), state_of(request)
    facts = await find_among(state, path.seller, path.connection)
    if not CHANNELS[facts.connector].facts.posts:
        raise ConnectionUnknown(f"there is no connection {path.connection}", where="path connection")
    delivery = Delivery(
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await _body(request),
        url=_url(request, path),
        params=dict(request.query_params),
    )
    reply = await hear(state, facts, delivery)
    return Response(reply or b'{"heard":true}', media_type=TYPE)


async def _body(request: Request) -> bytes:
    """The raw body, which is what was signed. Raises BodyTooLarge."""
    return await Request(request.scope, limited(request.scope, request.receive, BYTES_MAX)).body()


def _url(request: Request, path: HookPath) -> str:
    """The address as the channel knows it: ours is the one that it was told, whatever a proxy has made of it."""
    base = state_of(request).settings.public_url or str(request.base_url).rstrip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{base}{webhook_path(path.seller, path.connection)}{query}"
