import httpx
import pytest
from fastapi import Depends, Header, Request
from structlog.testing import capture_logs

from allocator import errors
from app import errors as own
from app.config.errors import ConfigRefused
from app.main import create_app
from app.opening import make_first_key
from app.problems import BY_SLUG, PROBLEMS
from tests.app.talk import atp, line, order, slug
from tests.servers import Server, present

SLUGS = {
    "too-many-streams": 503,
    "too-many-webhooks": 409,
    "count-stands": 409,
    "draft-over": 409,
    "unknown-draft": 404,
    "second-person": 403,
    "unknown-count": 404,
    "unknown-delivery": 404,
    "unknown-webhook": 404,
    "unknown-connection": 404,
    "too-many-connections": 409,
    "channel-connected": 409,
    "secrets-unreadable": 503,
    "wrong-signature": 403,
    "forged-webhook": 401,
    "channel-away": 503,
    "webhook-disabled": 409,
    "body-too-large": 413,
    "database-away": 503,
    "failed": 500,
    "has-left": 409,
    "hold-ended": 409,
    "already-accepted": 409,
    "other-sku": 409,
    "idempotency-key-missing": 400,
    "invalid": 422,
    "history-away": 503,
    "keys-unknown": 503,
    "ledger-full": 503,
    "malformed": 400,
    "method-not-allowed": 405,
    "no-key": 401,
    "scope-missing": 403,
    "outside-limits": 403,
    "beyond-own-rights": 403,
    "unknown-key": 404,
    "rotation-under-way": 409,
    "rate-limited": 429,
    "not-committed": 409,
    "not-enough": 409,
    "not-found": 404,
    "not-in-ledger": 503,
    "level-unreachable": 503,
    "not-ready": 503,
    "behind": 503,
    "not-shipped": 409,
    "op-conflict": 422,
    "over-limit": 409,
    "pick-started": 409,
    "short": 409,
    "sku-frozen": 503,
    "checking": 503,
    "stale-config": 503,
    "superseded": 409,
    "too-many-returns": 409,
    "unanswered": 503,
    "unfit": 422,
    "unknown-channel": 404,
    "unknown-hold": 404,
    "unknown-line": 404,
    "unknown-location": 404,
    "unknown-reason": 404,
    "unknown-order": 404,
    "unknown-sku": 404,
    "unknown-transfer": 404,
    "unroutable": 409,
    "at-capacity": 409,
    "incomplete": 409,
    "changed-meanwhile": 412,
    "changed-since-inspected": 409,
    "if-match-missing": 428,
    "in-use": 409,
    "rule-clash": 409,
    "too-much": 422,
    "unknown-change": 404,
    "unknown-item": 404,
}
"""What clients compare with; none of these may ever change."""


def leaves(error: type[Exception]) -> list[type[Exception]]:
    below = error.__subclasses__()
    return [leaf for child in below for leaf in leaves(child)] if below else [error]


def test_no_slug_and_no_status_ever_changes():
    assert {kind.slug: kind.status for kind in PROBLEMS.values()} == SLUGS


@pytest.mark.parametrize("root", [errors.AllocatorError, own.RequestRefused, own.KeysUnknown, ConfigRefused])
def test_every_error_there_is_has_a_problem(root: type[Exception]):
    assert set(leaves(root)) <= PROBLEMS.keys()


@pytest.mark.parametrize("name", sorted(SLUGS))
async def test_every_problem_is_explained_at_its_own_address(stranger, name: str):
    answer = await stranger.get(f"/problems/{name}")

    explained = answer.json()
    assert (explained["type"], explained["status"]) == (f"/problems/{name}", SLUGS[name])
    assert all(len(explained[part]) > 4 for part in ("title", "when", "do"))


async def test_a_problem_nobody_has_is_not_found_with_those_there_are(stranger):
    answer = await stranger.get("/problems/bad-luck")

    assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert "unroutable" in answer.json()["detail"]


async def test_only_an_answer_that_is_lost_or_not_at_its_level_yet_leaves_the_outcome_open():
    open_ones = {kind.slug for kind in BY_SLUG.values() if kind.outcome != "not_applied"}

    assert open_ones == {"unanswered", "database-away", "failed", "not-in-ledger"}


async def test_an_unknown_address_is_a_problem(stranger):
    answer = await stranger.get("/v1/nothing")

    assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert answer.json()["instance"] == "/v1/nothing"


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(stranger):
    answer = await stranger.patch("/v1/orders/shop/1")

    assert (answer.status_code, slug(answer)) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, PUT"


async def test_a_store_that_is_gone_leaves_the_outcome_open(settings):
    server = Server(present()[0])
    app = create_app(settings.model_copy(update={"redis_url": server.url}))
    try:
        async with app.router.lifespan_context(app):
            key = await make_first_key(app.service, None)
            headers = {"Authorization": f"Bearer {key}"}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://allot", headers=headers) as client:
                server.kill()

                answer = await order(client, "shop/1", line("CUP", 1))
    finally:
        server.stop()

    assert (answer.status_code, slug(answer), answer.json()["outcome"]) == (503, "unanswered", "unknown")
    assert answer.headers["retry-after"] == "1"


async def test_a_flushed_store_is_not_ready_and_never_empty(client, redis_of_service):
    await redis_of_service.flushall()

    ordered = await order(client, "shop/1", line("CUP", 1))
    asked = await client.get("/v1/availability/CUP")

    assert [(answer.status_code, slug(answer)) for answer in (ordered, asked)] == [(503, "not-ready")] * 2
    assert ordered.headers["retry-after"] == "5"
    assert ordered.json()["facts"] == {"epoch_found": "", "why": ""}


@pytest.fixture
def broken(app):
    """The service with an endpoint that has a bug."""

    async def bug() -> None:
        raise ZeroDivisionError("secret detail")

    app.add_api_route("/bug", bug)
    return app


async def test_a_bug_is_a_problem_with_a_request_id_and_no_details(broken, stranger):
    with capture_logs() as events:
        answer = await stranger.get("/bug", headers={"X-Request-Id": "try-7"})

    assert (answer.status_code, slug(answer)) == (500, "failed")
    assert (answer.json()["request_id"], answer.headers["x-request-id"]) == ("try-7", "try-7")
    assert "secret detail" not in answer.text
    assert [event["event"] for event in events] == ["request_failed", "request"]


async def test_what_the_framework_refuses_looks_like_everything_else(app, stranger):
    async def number(x_number: int = Header()) -> int:
        return x_number

    async def double(request: Request, value: int = Depends(number)) -> int:
        return 2 * value

    app.add_api_route("/double", double)

    answer = await stranger.get("/double", headers={"X-Number": "many"})

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "unfit", "header x-number")


async def test_the_service_goes_on_after_a_bug(broken, client, stranger):
    await stranger.get("/bug")

    assert await atp(client, "CUP") == 15


async def test_a_request_id_that_could_forge_a_log_is_not_taken(stranger):
    answer = await stranger.get("/livez", headers={"X-Request-Id": 'x" event="all is well'})

    assert len(answer.headers["x-request-id"]) == 16
