"""
How every call to eBay gets in, and what its errors mean.

The seller's token comes of a refresh token and lasts two hours. What belongs to the application and to no seller (the
keys of signatures, the addresses of notifications) needs a token of the application's own.
"""

import base64
from typing import Final

import msgspec

from channels.base import BUSY_WAIT_S, Connector, Token, judge_status
from channels.errors import Busy, Down, Nonsense, Unauthorized
from channels.wire import Answer, Call, Steps, get, send_form

from .words import EbaySecrets, EbaySettings, Grant, SaidError, SaidErrors

APP_SCOPE: Final = "https://api.ebay.com/oauth/api_scope"
SCOPES: Final = " ".join(
    f"{APP_SCOPE}/{name}"
    for name in ("sell.inventory", "sell.fulfillment", "sell.account.readonly", "commerce.notification.subscription")
)

CONCURRENT: Final = 25025
NOT_ALLOWED: Final = 1100
SYSTEM: Final = frozenset({25001, 30500, 195000})
"""Errors of eBay itself, whatever the status they come with."""

NOTIFICATIONS: Final = "API_NOTIFICATION"
"""Where 409 says that something is there already, and not that two calls got into each other's way."""


class Account(Connector[EbaySettings, EbaySecrets]):
    """One seller's account, through one application."""

    settings_type = EbaySettings
    secrets_type = EbaySecrets

    def __init__(self, settings: EbaySettings, secrets: EbaySecrets) -> None:
        super().__init__(settings, secrets)
        self._app_token = ""

    def base_url(self) -> str:
        """One host for all interfaces."""
        return self.settings.url

    def token(self, before: Token | None, now_ms: int) -> Steps[Token | None]:
        """By the refresh token, which stays the same."""
        asked = {"grant_type": "refresh_token", "refresh_token": self.secrets.refresh_token, "scope": SCOPES}
        grant = yield from self._grant(asked)
        return Token(grant.access_token, now_ms + 1_000 * grant.expires_in)

    def authorize(self, call: Call, token: Token | None, now_ms: int) -> Call:
        """With the seller's token; what cancels orders has another word for it."""
        assert token is not None, "eBay has tokens"
        scheme = "IAF" if call.path.startswith("/post-order/") else "Bearer"
        return self._letting_in(call, f"{scheme} {token.value}")

    def judge(self, call: Call, answer: Answer) -> None:
        """By the first error it names, and else by its status. A page comes from something in between."""
        if answer.body[:1] == b"<":
            raise Down(f"status {answer.status} with a page instead of JSON: something before eBay answers")
        if answer.is_fine:
            return
        if call.operation == "token" and answer.status in {400, 401}:
            raise Unauthorized("eBay gives no token: the credentials or the consent do not work (any more)")
        errors = errors_of(answer)
        if errors:
            raise_known(errors[0], answer)
        judge_status(answer, says=errors[0].says if errors else "", code=str(errors[0].error_id) if errors else "")

    # --- the application's own ----------------------------------------------------------------------------------

    def _as_app(self, call: Call) -> Steps[Answer]:
        """The answer to a call of the application; its token is kept until it does not work any more."""
        call = msgspec.structs.replace(call, authorized=False)
        if self._app_token:
            try:
                return (yield self._letting_in(call, f"Bearer {self._app_token}"))
            except Unauthorized:
                self._app_token = ""
        grant = yield from self._grant({"grant_type": "client_credentials", "scope": APP_SCOPE})
        self._app_token = grant.access_token
        return (yield self._letting_in(call, f"Bearer {self._app_token}"))

    def _grant(self, asked: dict[str, str]) -> Steps[Grant]:
        keys = f"{self.secrets.client_id}:{self.secrets.client_secret}"
        headers = {"Authorization": f"Basic {base64.b64encode(keys.encode()).decode()}"}
        path = "/identity/v1/oauth2/token"
        answer = yield send_form("token", path, asked, headers=headers, authorized=False, secret=True)
        grant: Grant = answer.json(Grant)
        return grant

    def _letting_in(self, call: Call, authorization: str) -> Call:
        headers = {
            "Authorization": authorization,
            "Accept": "application/json",
            "Content-Language": self.settings.language,
            "X-EBAY-C-MARKETPLACE-ID": self.settings.marketplace,
        }
        return msgspec.structs.replace(call, headers={**call.headers, **headers})


def errors_of(answer: Answer) -> list[SaidError]:
    """The errors an answer names; none when somebody in between says it in another way."""
    try:
        said: SaidErrors = answer.json(SaidErrors)
    except Nonsense:
        return []
    return said.errors


def raise_known(error: SaidError, answer: Answer) -> None:
    """Raise what an error means that has a meaning of its own."""
    if error.error_id == CONCURRENT or (answer.status == 409 and error.domain != NOTIFICATIONS):
        raise Busy(error.says, BUSY_WAIT_S)
    if error.error_id in SYSTEM:
        raise Down(error.says)
    if error.error_id == NOT_ALLOWED:
        raise Unauthorized(f"{error.says}: the seller has not consented to that")


def is_passing(error: SaidError, status: int) -> bool:
    """Whether the same may work later: two calls met, or eBay stumbled."""
    return status >= 500 or status in {409, 429} or error.error_id in SYSTEM | {CONCURRENT}


def ask(operation: str, bucket: str, path: str, **params: str | int) -> Call:
    """A request that changes nothing, under a limit that it shares with others."""
    return msgspec.structs.replace(get(operation, path, **params), bucket=bucket)
