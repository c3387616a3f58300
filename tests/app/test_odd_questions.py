"""What a database cannot compare is refused or not found, and never an error of ours."""

from base64 import urlsafe_b64encode

from tests.app.receiver import add

HUGE = 10**30


def packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


QUESTIONS = [
    ("audit", {"cursor": str(2**31)}),
    ("audit", {"cursor": str(HUGE)}),
    ("audit", {"since_ms": HUGE}),
    ("audit", {"actor": "\0"}),
    ("keys", {"cursor": f"{HUGE}.x"}),
    ("keys", {"cursor": "1.\0"}),
    ("webhooks/WEBHOOK/deliveries", {"cursor": packed(f"{HUGE}.x")}),
    ("webhooks/WEBHOOK/deliveries", {"cursor": packed("1.\0")}),
    ("webhooks/%00", {}),
    ("webhooks/deliveries/%00", {}),
    ("config/changes", {"cursor": packed(str(2**31))}),
    ("config/changes", {"cursor": packed(str(HUGE))}),
    ("config/changes", {"kind": "skus", "key": "\0"}),
    (f"config/changes/{2**31}", {}),
    (f"config/changes/{HUGE}", {}),
    ("skus", {"category": "\0"}),
    ("skus", {"gtin": "\0"}),
    ("skus", {"cursor": packed("\0")}),
    ("listings", {"cursor": packed("\0/\0")}),
    ("listings", {"sku": "\0"}),
    ("listings", {"channel": "\0"}),
    ("rules", {"sku": "\0"}),
    ("rules", {"category": "\0"}),
    ("locations", {"cursor": packed("\0")}),
    ("orders", {"from_ms": HUGE}),
    ("orders", {"until_ms": HUGE}),
    ("orders", {"cursor": packed(f'[{HUGE},"\\u0000",""]')}),
    ("orders", {"cursor": packed(f'[-{HUGE},"",""]')}),
    ("shipments", {"from_ms": HUGE, "until_ms": HUGE}),
    ("shipments", {"cursor": packed(f'[{HUGE},{HUGE},"\\u0000"]')}),
    ("transfers", {"from_ms": HUGE, "until_ms": HUGE}),
    ("transfers", {"cursor": packed(f'[{HUGE},"\\u0000"]')}),
    ("holds", {"from_ms": HUGE, "until_ms": HUGE}),
    ("holds", {"cursor": packed(f'[{HUGE},"\\u0000"]')}),
    ("movements", {"from_ms": HUGE, "until_ms": HUGE}),
    ("movements", {"cursor": packed(f"[{HUGE},{HUGE}]")}),
    ("balances", {"cursor": packed('["\\u0000"]')}),
    ("balances/CUP", {"at_ms": HUGE}),
    ("balances/CUP", {"entry": HUGE}),
    ("zones", {"cursor": packed("\0")}),
]


async def test_a_question_no_database_can_answer_is_refused_or_finds_nothing(client):
    webhook = (await add(client)).json()["webhook"]["id"]

    asked = [
        (path, query, await client.get(f"/v1/{path.replace('WEBHOOK', webhook)}", params=query))
        for path, query in QUESTIONS
    ]

    failed = [(path, query, answer.text) for path, query, answer in asked if answer.status_code >= 500]
    assert failed == []


async def test_a_time_or_a_cursor_beyond_all_numbers_is_on_its_side_of_everything(client, key):
    entries = (await client.get("/v1/audit", params={"cursor": HUGE})).json()["data"]
    later = (await client.get("/v1/audit", params={"since_ms": HUGE})).json()["data"]
    keys = (await client.get("/v1/keys", params={"cursor": f"{HUGE}.x"})).json()["data"]

    assert entries == (await client.get("/v1/audit")).json()["data"] != []
    assert (later, keys) == ([], [])
