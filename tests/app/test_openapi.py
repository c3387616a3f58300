import re

import msgspec
import pytest

from allocator.scripts import scripts
from app import answers, requests
from app.config.kinds import KINDS
from app.examples import EXAMPLES
from app.main import ROUTERS
from app.problems import BY_SLUG
from tests.app.talk import new_op

VERBS = {
    "put_order": "order",
    "pay_order": "order",
    "get_order": "find",
    "pick_order": "pick",
    "ship_order": "ship",
    "cancel_order": "cancel",
    "edit_order": "edit",
    "exchange_order": "exchange",
    "return_order": "return_units",
    "announce_return": "announce_return",
    "reject_order": "reject",
    "move_order": "move",
    "preview_order": "order",
    "get_availability": "availability",
    "ask_availability": "availability",
    "explain_availability": "explain",
    "put_hold": "hold",
    "get_hold": "find",
    "extend_hold": "extend",
    "release_hold": "release",
    "explain_order": "find",
    "get_stock": "stock",
    "list_stock": "stock",
    "receive_stock": "receive",
    "adjust_stock": "adjust",
    "set_unavailable": "unavailable",
    "return_stock": "return_units",
    "set_quota": "set_quota",
    "move_quota": "move_quota",
    "put_transfer": "transfer_out",
    "arrive_transfer": "transfer_in",
    "accept_clock": "expire",
}
"""Every guarded operation, by the id that generated clients call it by, and the script behind it."""

WITHOUT_SCRIPT = {
    "get_me",
    "get_keys",
    "make_key",
    "get_key",
    "revoke_key",
    "rotate_key",
    "name_seller",
    "list_frozen",
    "get_audit",
    "follow_availability",
    "get_webhooks",
    "make_webhook",
    "get_webhook",
    "put_webhook",
    "delete_webhook",
    "rotate_webhook",
    "try_webhook",
    "get_connections",
    "get_connection",
    "put_connection",
    "delete_connection",
    "pause_connection",
    "resume_connection",
    "test_connection",
    "get_sync",
    "list_shown",
    "push_shown",
    "replay_shown",
    "reconcile_shown",
    "list_exchanges",
    "take_till_events",
    "read_till_stock",
    "list_heard_orders",
    "replay_heard_orders",
    "pull_orders",
    "list_errands",
    "replay_errands",
    "get_deliveries",
    "take_count",
    "begin_snapshot",
    "put_count_part",
    "close_snapshot",
    "release_count",
    "discard_count",
    "settle_count",
    "list_all_recounts",
    "list_reject_rates",
    "list_reject_reasons",
    "list_all_counts",
    "get_count",
    "list_count_lines",
    "bulk_orders",
    "list_all_orders",
    "list_all_conflicts",
    "get_story",
    "list_announced",
    "list_movements",
    "list_all_shipments",
    "list_all_holds",
    "get_hold_story",
    "list_all_transfers",
    "get_transfer",
    "list_all_balances",
    "get_balance",
    "get_delivery",
    "resend_delivery",
    "get_config",
    "list_config_changes",
    "get_config_change",
    "roll_config_back",
    "list_drafts",
    "preview_config_draft",
    "get_draft",
    "put_draft",
    "delete_draft",
    "activate_config_draft",
    "preview_rules",
    *(f"{word}_{kind.name}" for kind in KINDS.values() for word in ("list", "bulk")),
    *(f"{word}_{kind.noun}" for kind in KINDS.values() for word in ("get", "put", "delete")),
}
"""Guarded operations that are more or less than one script, by the id that generated clients call them by."""

OPEN = {"is_alive", "is_ready", "explain_problem", "read_metrics", "hear_webhook", "answer_handshake"}

NEVER = {
    "explain_order": {"unknown_hold"},
    "get_order": {"unknown_hold"},
    "get_hold": {"unknown_order"},
    "return_order": {"unknown_sku"},
    "return_stock": {"unknown_order", "unknown_line", "not_shipped"},
    "preview_order": {"op_conflict"},
}
"""Outcomes of a script that this operation cannot have."""

ADDED = {
    "pay_order": {"unknown_order"},
    "get_availability": {"unknown_sku"},
    "get_stock": {"unknown_sku"},
    "reject_order": {"unknown_reason"},
}

every_example = pytest.mark.parametrize("type", EXAMPLES, ids=lambda shown: shown.__name__)


@pytest.fixture
def operations(app) -> dict[str, dict]:
    return {
        operation["operationId"]: {**operation, "path": path, "method": method}
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def body_schema(document: dict, operation: dict) -> dict | None:
    if "requestBody" not in operation:
        return None
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return document["components"]["schemas"][name]


def test_operation_ids_are_unique_and_never_change(operations, app):
    count = sum(len(methods) for methods in app.openapi()["paths"].values())

    assert operations.keys() == VERBS.keys() | WITHOUT_SCRIPT | OPEN
    assert len(operations) == count


def test_every_operation_is_explained_and_grouped(operations):
    for operation in operations.values():
        assert len(operation["description"]) > 15, operation["operationId"]
        assert len(operation["tags"]) == 1


@every_example
def test_every_example_is_what_the_service_reads_or_writes(type: type):
    example = msgspec.json.encode(EXAMPLES[type])

    read = msgspec.json.decode(example, type=type)
    assert isinstance(read, type)


@pytest.mark.parametrize("type", [type for type in EXAMPLES if not issubclass(type, requests.Asked)], ids=str)
def test_every_example_of_an_answer_has_every_field_and_no_other(type: type):
    assert msgspec.to_builtins(msgspec.convert(EXAMPLES[type], type)) == EXAMPLES[type]


def test_every_body_and_every_answer_has_an_example():
    bodies = {value for name, value in vars(requests).items() if name.endswith("Asked") and name != "LineAsked"}
    own = {value for value in vars(answers).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)}

    assert bodies - {requests.Asked} <= EXAMPLES.keys()
    assert own - {msgspec.Struct} - {answers.Level, answers.OrderResult, answers.Placed} <= EXAMPLES.keys()


def test_every_reference_leads_somewhere(app):
    document = app.openapi()

    names = set(re.findall(r"#/components/schemas/(\w+)", msgspec.json.encode(document).decode()))

    assert names <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in names


def test_patterns_are_written_for_every_language(app):
    assert "\\\\Z" not in msgspec.json.encode(app.openapi()).decode()


@pytest.mark.parametrize("id", VERBS)
def test_documents_exactly_the_refusals_of_its_script(operations, id: str):
    refusals = {word.replace("_", "-") for word in scripts()[VERBS[id]].outcomes} & BY_SLUG.keys()
    refusals -= {word.replace("_", "-") for word in NEVER.get(id, set())} | {"stale-config", "checking"}
    refusals |= {word.replace("_", "-") for word in ADDED.get(id, set())}

    documented = {
        slug
        for answer in operations[id]["responses"].values()
        for content in answer.get("content", {}).values()
        for slug in content.get("examples", {})
    }

    service = {"no-key", "keys-unknown", "unfit", "unanswered", "failed", "history-away", "malformed", "body-too-large"}
    service |= {"scope-missing", "outside-limits", "rate-limited", "database-away", "ledger-full"}
    service |= {"sku-frozen", "checking", "level-unreachable", "not-in-ledger"}
    assert documented - service - {"idempotency-key-missing"} == refusals


async def test_every_documented_body_is_the_one_that_is_read(client, operations, app):
    document, tried = app.openapi(), 0
    for operation in operations.values():
        schema = body_schema(document, operation)
        if schema is None:
            continue
        path = re.sub(r"{\w+}", "x", operation["path"])
        answer = await client.request(operation["method"], path, json={"nonsense": 1}, headers=new_op())
        assert answer.json()["allowed"] == list(schema["properties"]), operation["operationId"]
        tried += 1

    assert tried >= 18


async def test_every_documented_key_is_needed_and_no_other(client, operations, app):
    for operation in operations.values():
        names = {row["name"] for row in operation.get("parameters", [])}
        if operation["operationId"] in OPEN:
            continue
        path = re.sub(r"{\w+}", "x", operation["path"])
        answer = await client.request(operation["method"], path, json={})
        missing = answer.status_code == 400 and answer.json()["type"].endswith("idempotency-key-missing")
        assert missing == ("Idempotency-Key" in names), operation["operationId"]


async def test_every_variable_of_a_path_is_documented(operations):
    for operation in operations.values():
        names = {row["name"] for row in operation.get("parameters", []) if row["in"] == "path"}
        assert names == set(re.findall(r"{(\w+)}", operation["path"])), operation["operationId"]


async def test_the_document_and_its_page_are_open(stranger):
    document = await stranger.get("/openapi.json")
    page = await stranger.get("/docs")

    assert document.json()["openapi"].startswith("3.1")
    assert page.status_code == 200


def test_every_router_is_part_of_the_service(operations):
    assert sum(len(router.routes) for router in ROUTERS) == len(operations)
