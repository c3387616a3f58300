"""
What a connector provides: pure translations between our words and one channel's wire format.

Everything that all channels have in common is in `engine`: tokens, limits, retries, the breaker, the log. A connector
knows its vendor's paths, bodies and quirks, and nothing else.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import msgspec

from .errors import Busy, Down, Refused, Unauthorized
from .pacing import Learned, Rate
from .wire import Answer, Call, Steps

Settings = TypeVar("Settings")
Secrets = TypeVar("Secrets")

Counts = Literal["net", "gross"]
"""
What a channel takes the pushed number for.

net: what may be sold on top of its open orders, which it has taken from its own number already. gross: what may be sold
including its open orders, which it takes off by itself.
"""

OrderState = Literal["unpaid", "paid", "cancel_requested", "cancelled", "shipped", "returned"]

BUSY_WAIT_S = 1.0
"""How long to wait for a channel that is busy and does not say how long."""


class Facts(NamedTuple):
    """
    What is true of a channel, whoever sells there.

    docs: the vendor's documentation. batch: most listings of one push. rates: limits by operation, per account, until
    the channel says better. quantity_max: the largest number it takes. revisions_per_day: how often one listing may be
    changed in a day, None for as often as one likes; day_zone: where that day begins at midnight. bulk: most listings
    of one bulk push, 0 where there is none; bulk_from: from how many on it is the shorter way. poll_s: how often orders
    are looked for; overlap_s: how far back each look goes behind the last one. reads_back: whether it can be asked what
    it shows. spreads: whether it shows numbers by location. shown_after_s: how long it usually takes until a number
    that was accepted is shown; told_after_s: until an order that changed is found. signs_body: whether a webhook's
    signature covers its body; where none does, a webhook only names orders, and what they are is asked of the channel.
    """

    name: str
    docs: str
    batch: int
    rates: Mapping[str, Rate]
    counts: Counts
    quantity_max: int
    revisions_per_day: int | None = None
    day_zone: str = "UTC"
    bulk: int = 0
    bulk_from: int = 0
    poll_s: int = 60
    overlap_s: int = 300
    reads_back: bool = True
    spreads: bool = False
    shown_after_s: int = 0
    told_after_s: int = 0
    signs_body: bool = True
    posts: bool = True


class Listing(msgspec.Struct, frozen=True):
    """
    What a channel sells, in its own words.

    listing: the id by which its orders name it. refs: other ids the connector needs and has found out before.
    """

    listing: str
    refs: Mapping[str, str] = {}


class Level(msgspec.Struct, frozen=True):
    """
    A number to be shown: whole units of the listing.

    places: by the channel's own ids of locations, for channels that show them; they sum up to `units`. shown: what the
    channel said last that it shows, None for not known; shown_places: the same by location. key: the attempt's own,
    the same however often it is sent.
    """

    listing: Listing
    units: int
    places: Mapping[str, int] = {}
    shown: int | None = None
    shown_places: Mapping[str, int] = {}
    key: str = ""


class Pushed(msgspec.Struct, frozen=True):
    """
    What became of one level.

    outcome: accepted; stale (the channel shows another number than we thought: `shown`); refused (`code`, `says`; it
    will be again); failed (may work later). applied: it is what the channel shows now, not only taken for later. refs:
    ids that were found out on the way.
    """

    listing: str
    outcome: Literal["accepted", "stale", "refused", "failed"]
    applied: bool = False
    shown: int | None = None
    places: Mapping[str, int] = {}
    code: str = ""
    says: str = ""
    refs: Mapping[str, str] = {}


class Shown(msgspec.Struct, frozen=True):
    """What a channel shows for a listing, by location too; None when it shows no number. sku: what it calls it."""

    listing: str
    units: int | None
    sku: str = ""
    places: Mapping[str, int] = {}
    refs: Mapping[str, str] = {}


class OrderLine(msgspec.Struct, frozen=True):
    """One line of a channel's order. units: of the listing, those still wanted; returned: of those shipped."""

    line: str
    listing: str
    sku: str
    units: int
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0


class Order(msgspec.Struct, frozen=True):
    """
    An order as the channel tells it, without anything about its buyer but where the goods go.

    revision: rises with every change, so that an old picture never overwrites a newer one. fulfilled_elsewhere: the
    channel ships it from its own stock: nothing of it is ours to take.
    """

    external_id: str
    revision: int
    state: OrderState
    placed_ms: int
    lines: Sequence[OrderLine]
    number: str = ""
    country: str = ""
    region: str = ""
    ship_by_ms: int | None = None
    fulfilled_elsewhere: bool = False


class Odd(msgspec.Struct, frozen=True):
    """An order that cannot be understood, and why: somebody has to look at it, and all others go on."""

    external_id: str
    says: str


class Page(NamedTuple):
    """
    Orders that changed in a window; `cursor` '' when these are the last.

    watermark_ms: how far the channel is. odd: those of the page that cannot be understood.
    """

    orders: Sequence[Order]
    cursor: str
    watermark_ms: int | None = None
    odd: Sequence[Odd] = ()


class Window(NamedTuple):
    """Changes from and until, in milliseconds."""

    since_ms: int
    until_ms: int


class Parcel(msgspec.Struct, frozen=True):
    """Units of an order, by its lines, that left together. key: our own id of it. is_last: nothing is to follow."""

    key: str
    external_id: str
    units: Mapping[str, int]
    is_last: bool = True
    carrier: str = ""
    tracking: str = ""
    shipped_ms: int = 0


class Delivery(msgspec.Struct, frozen=True):
    """A webhook as it came in: names of headers in lower case, the raw body, and the address it was sent to."""

    headers: Mapping[str, str]
    body: bytes
    url: str = ""
    params: Mapping[str, str] = {}


class News(msgspec.Struct, frozen=True):
    """
    What a webhook says.

    id: the vendor's own, the same when it is sent again. orders: whole pictures it carried; ask: orders it only names;
    odd: orders it carried that cannot be understood. shown: numbers it told us; look: listings to be read again.
    finished: tickets of bulk pushes that are done. reply: the body to answer with, for handshakes.
    """

    id: str
    topic: str = ""
    orders: Sequence[Order] = ()
    ask: Sequence[str] = ()
    odd: Sequence[Odd] = ()
    shown: Sequence[Shown] = ()
    look: Sequence[str] = ()
    finished: Sequence[str] = ()
    reply: bytes = b""


class Token(msgspec.Struct, frozen=True):
    """What lets us in until it ends. refresh: what the next one is asked for with, where it changes every time."""

    value: str
    expires_ms: int
    refresh: str = ""


class Connector(Generic[Settings, Secrets]):
    """
    The translations of one account. Subclasses override what their channel has.

    `settings` and `secrets` are the connection's, of the types named here; neither changes while it lives.
    """

    facts: ClassVar[Facts]
    has_token: bool = True
    settings_type: ClassVar[Any]
    secrets_type: ClassVar[Any]

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self.settings = settings
        self.secrets = secrets

    @property
    def reads_back(self) -> bool:
        """Whether this account can be asked what it shows."""
        return self.facts.reads_back

    # --- every call ---------------------------------------------------------------------------------------------

    def base_url(self) -> str:
        """The address that paths are below."""
        raise NotImplementedError

    def token(self, before: Token | None, now_ms: int) -> Steps[Token | None]:
        """A new token; None when the keys themselves let us in."""
        yield from ()
        return None

    def authorize(self, call: Call, token: Token | None, now_ms: int) -> Call:
        """The call with what lets it in."""
        raise NotImplementedError

    def judge(self, call: Call, answer: Answer) -> None:
        """Raise what an answer means that is no success: Busy, Unauthorized, Down, Refused."""
        judge_status(answer)

    def learn(self, call: Call, answer: Answer) -> Learned | None:
        """What the answer says of the limit of this call's bucket."""
        return None

    # --- stock out ----------------------------------------------------------------------------------------------

    def push(self, levels: Sequence[Level]) -> Steps[list[Pushed]]:
        """Show these numbers: at most `facts.batch`; one result for each, in order."""
        raise NotImplementedError

    def push_bulk(self, levels: Sequence[Level]) -> Steps[str]:
        """
        Show these numbers, at most `facts.bulk`, some time later; a ticket to ask with what became of them.

        Those that cannot go this way are left out, and `follow` says nothing of them: they go by `push`. Raises Refused
        when that is all of them.
        """
        raise NotImplementedError

    def follow(self, ticket: str) -> Steps[list[Pushed] | None]:
        """
        What became of a bulk push, one result for each level that it carried; None as long as it is not finished.

        Raises Refused when nothing of it was done.
        """
        raise NotImplementedError

    def read(self, listings: Sequence[Listing]) -> Steps[list[Shown]]:
        """What the channel shows for these: at most `facts.batch`; one for each, in order."""
        raise NotImplementedError

    def list_listings(self, cursor: str) -> Steps[tuple[list[Shown], str]]:
        """What the channel sells, a page at a time, and the next page's cursor or ''."""
        raise NotImplementedError

    # --- orders in ----------------------------------------------------------------------------------------------

    def orders(self, window: Window, cursor: str) -> Steps[Page]:
        """Orders that changed in the window, a page at a time; one that is odd keeps no other from being read."""
        raise NotImplementedError

    def order(self, external_id: str) -> Steps[Order]:
        """One order as it stands. Raises Refused when there is none, Nonsense when it cannot be understood."""
        raise NotImplementedError

    def hear(self, delivery: Delivery, now_ms: int) -> Steps[News]:
        """What a webhook says, once its signature is proved. Raises Unauthorized."""
        raise NotImplementedError

    # --- back ---------------------------------------------------------------------------------------------------

    def ship(self, parcel: Parcel) -> Steps[None]:
        """Tell the channel that goods have left; told twice, it is one parcel there."""
        raise NotImplementedError

    def cancel(self, external_id: str, reason: str) -> Steps[bool]:
        """Cancel an order on the channel; False where only its own people can."""
        yield from ()
        return False

    # --- webhooks' health ---------------------------------------------------------------------------------------

    def subscribe(self, url: str) -> Steps[int]:
        """Make sure that webhooks come to this address; how many had to be made or woken."""
        yield from ()
        return 0


def judge_status(answer: Answer, *, says: str = "", code: str = "") -> None:
    """What a status means where the vendor says nothing special about it."""
    if answer.is_fine:
        return
    says = says or f"status {answer.status}"
    if answer.status == 401:
        raise Unauthorized(says)
    if answer.status == 429:
        raise Busy(says, retry_after_s(answer))
    if answer.status >= 500 or answer.status == 408:
        raise Down(says)
    raise Refused(says, code, answer.status)


def retry_after_s(answer: Answer, otherwise: float = BUSY_WAIT_S) -> float:
    """The header Retry-After, seconds or a date, in seconds; `otherwise` when it is not there or neither."""
    after = answer.headers.get("retry-after", "")
    with suppress(ValueError):
        return max(0.0, float(after))
    with suppress(ValueError, KeyError, TypeError):
        # By the channel's own clock: ours may be another one.
        wait = parsedate_to_datetime(after) - parsedate_to_datetime(answer.headers["date"])
        return max(0.0, wait.total_seconds())
    return otherwise
