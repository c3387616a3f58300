"""One eBay account, its connector and its sandbox, for tests."""

from collections.abc import Generator
from typing import Any

from channels.ebay import Ebay, EbaySecrets, EbaySettings
from channels.errors import Unclear
from channels.sandbox.ebay import EbaySandbox
from channels.sandbox.ebay_notices import Ask
from tests.channels.contract import Bench, Clock, bench_of, courier_of

URL = "https://api.ebay.test"
SETTINGS = EbaySettings(url=URL, seller="u-1")
SECRETS = EbaySecrets(
    client_id="id-1", client_secret="cert-1", refresh_token="refresh-1", verification_token="proof-" + "7" * 32
)


def new_bench(settings: EbaySettings = SETTINGS, ask: Ask | None = None) -> Bench:
    clock, inbox = Clock(), []
    sandbox = EbaySandbox(courier_of(inbox), clock, SECRETS, ask)
    sandbox.sells("CUP", 10)
    sandbox.sells("TEE", 10)
    return bench_of(Ebay(settings, SECRETS), sandbox, clock, inbox, ("CUP", "TEE"))


def unsent(steps: Generator, method: str, path: str) -> Generator[Any, Any, Any]:
    """The same steps, of which one call never arrives, and nobody knows that."""
    call = next(steps)
    while True:
        try:
            if (call.method, call.path.endswith(path)) == (method, True):
                call = steps.throw(Unclear("the connection broke"))
            else:
                call = steps.send((yield call))
        except StopIteration as done:
            return done.value
