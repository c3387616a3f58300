"""A seller at Amazon's sandbox, with our connector."""

from channels.amazon import Amazon, AmazonSecrets, AmazonSettings
from channels.sandbox.amazon import AmazonSandbox
from tests.channels.contract import HOOK_URL, Bench, Clock, bench_of, courier_of

SETTINGS = AmazonSettings(
    url="https://sellingpartnerapi-na.amazon.test",
    login="https://api.amazon.test",
    seller="A1SELLER",
    marketplaces=("ATVPDKIKX0DER",),
    queue="arn:aws:sqs:us-east-1:123456789012:allot",
    bus_account="123456789012",
    bus_region="us-east-1",
)
SECRETS = AmazonSecrets(
    client_id="amzn1.client.1", client_secret="amzn1.cs.1", refresh_token="Atzr|1", webhook_secret="knock-knock"
)


def bench_with(settings: AmazonSettings = SETTINGS, secrets: AmazonSecrets = SECRETS) -> Bench:
    clock, inbox = Clock(), []
    sandbox = AmazonSandbox(courier_of(inbox), clock, SECRETS, settings)
    sandbox.notices.forwarded_to = HOOK_URL
    sandbox.sells("CUP", 10)
    sandbox.sells("TEE", 10)
    return bench_of(Amazon(settings, secrets), sandbox, clock, inbox, ("CUP", "TEE"))


def lead_days(bench: Bench, sku: str) -> int | None:
    [own] = bench.sandbox.listings[sku].availability
    return own.get("lead_time_to_ship_max_days")
