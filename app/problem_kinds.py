"""What a kind of problem is, and the kinds of the allocator, keys and counts; `problems` has the whole table."""

from typing import Final, NamedTuple

from allocator import errors

from .errors import (
    BeyondOwnRights,
    CountStands,
    CountUnknown,
    KeyUnknown,
    NoKey,
    OutsideLimits,
    RateLimited,
    RotationUnderWay,
    ScopeMissing,
    SecondPerson,
)


class Kind(NamedTuple):
    """One kind of problem: status, slug, when it happens, what to do, and after how many seconds to try again."""

    status: int
    slug: str
    title: str
    when: str
    do: str
    retry_s: int = 0
    outcome: str = "not_applied"


ALLOCATOR_KINDS: Final[dict[type[Exception], Kind]] = {
    errors.Short: Kind(
        409,
        "short",
        "Fewer units may be promised than are asked for",
        "A hold or an order asks for more than the channel may promise now. `facts.lines` has atp_now for each line.",
        "Ask for fewer units or with partial. This answer is final for this id: a new try is a new hold id or attempt.",
    ),
    errors.AtCapacity: Kind(
        409,
        "at-capacity",
        "Every day that could be promised is full",
        "There are enough units, but at a location that is needed for them every day is full. `facts.trace` has all.",
        "Try again after its next cut-off, raise its daily_orders, or ship elsewhere; then use a new attempt.",
    ),
    errors.Unroutable: Kind(
        409,
        "unroutable",
        "The units are not at places that may serve this together",
        "There are enough units, but not within the channel's split limit or region. `facts.trace` has every location.",
        "Split the order, raise the channel's split limit, or ship elsewhere; then use a new hold id or attempt.",
    ),
    errors.OpConflict: Kind(
        422,
        "op-conflict",
        "This id was used for another request",
        "The same hold id, order and attempt, or Idempotency-Key came before with another content.",
        "Repeat the first request exactly, or choose a new id.",
    ),
    errors.UnknownSku: Kind(
        404,
        "unknown-sku",
        "There is no such sku",
        "A sku is not part of the seller's config. `facts.skus` names it.",
        "Check the spelling, or add the sku to the config.",
    ),
    errors.UnknownLocation: Kind(
        404,
        "unknown-location",
        "There is no such location",
        "A location is not part of the seller's config. `facts.locations` names it.",
        "Check the spelling, or add the location to the config.",
    ),
    errors.UnknownReason: Kind(
        404,
        "unknown-reason",
        "There is no such reason for a reject",
        "A reject names a reason that is none of the seller's. `facts.allowed` has those that there are.",
        "Name one of them, or add the reason to the config: PUT /v1/reasons/{code}.",
    ),
    errors.UnknownChannel: Kind(
        404,
        "unknown-channel",
        "There is no such channel",
        "A channel is not part of the seller's config. `facts.channel` names it.",
        "Check the spelling, or add the channel to the config.",
    ),
    errors.UnknownHold: Kind(
        404,
        "unknown-hold",
        "There is no such hold",
        "No hold was made under this id.",
        "Check the id; PUT /v1/holds/{hold_id} makes a hold.",
    ),
    errors.UnknownOrder: Kind(
        404,
        "unknown-order",
        "There is no such order",
        "No order was accepted under this channel and id.",
        "Check channel and id; PUT /v1/orders/{channel}/{external_id} places an order.",
    ),
    errors.UnknownLine: Kind(
        404,
        "unknown-line",
        "The order has no such line",
        "A change names a line the order does not have. `facts.line` is its name.",
        "Read the order for the names of its lines; without names of your own they are 1, 2, 3, ...",
    ),
    errors.AlreadyAccepted: Kind(
        409,
        "already-accepted",
        "An order that is accepted was to wait for its payment",
        "A pending order came after the same one had been accepted.",
        "Nothing: it is accepted. What is no longer wanted of it is cancelled.",
    ),
    errors.HoldEnded: Kind(
        409,
        "hold-ended",
        "The hold has ended already",
        "The hold was released, expired, replaced or ordered. `facts.state` says which.",
        "Make a new hold under a new id.",
    ),
    errors.NotEnough: Kind(
        409,
        "not-enough",
        "Fewer units are there than the movement takes away",
        "A movement would take what is not there. `facts` name sku, location and the units there.",
        "Correct the units and send the movement under a new Idempotency-Key, a transfer under a new id.",
    ),
    errors.OverLimit: Kind(
        409,
        "over-limit",
        "More units than one place can count",
        "A movement would raise a counter beyond its limit. `facts` name sku, location and the units there.",
        "Check the units: most likely they are wrong. Correct them under a new Idempotency-Key.",
    ),
    errors.NotCommitted: Kind(
        409,
        "not-committed",
        "More units than the order has committed there",
        "A pick, shipment or cancellation is for units the order does not have at that location (any more).",
        "Read the order: `lines[].takes` says what is committed where.",
    ),
    errors.PickStarted: Kind(
        409,
        "pick-started",
        "The pick of these units has started",
        "Units that are being picked are cancelled only where `picked` says so: the warehouse has to put them away.",
        "Cancel with `picked`, or only what is not being picked, or let it ship and book the return.",
    ),
    errors.Superseded: Kind(
        409,
        "superseded",
        "This return was announced before with this revision or a newer one",
        "An announcement came late. `facts.revision` is the last one's.",
        "Nothing, if the last one is right; else announce what is with a higher revision.",
    ),
    errors.TooManyReturns: Kind(
        409,
        "too-many-returns",
        "More units are announced to come back than can",
        "More of a line is expected, over all its returns, than was shipped and has not come back (`facts.lines`).",
        "Correct the units, or withdraw another return, and announce it with a higher revision.",
    ),
    errors.HasLeft: Kind(
        409,
        "has-left",
        "The goods of this order had left when it came",
        "An edit asks for more of an order of the kind gone: what leaves over a counter later is another sale.",
        "Place another order for what has left now; goods that come back are a return.",
    ),
    errors.OtherSku: Kind(
        409,
        "other-sku",
        "The line of the order is of another sku",
        "An edit names a line the order has, with another sku. `facts.sku` is the line's own.",
        "Ask for 0 units of that line, and for the other sku on a line with a name of its own.",
    ),
    errors.Incomplete: Kind(
        409,
        "incomplete",
        "The order is shipped all at once, and units of it wait",
        "An order with ship_complete was to be picked or shipped while units of it have no shelf. `facts` has a line.",
        "Wait until they are served, or cancel what is missing.",
    ),
    errors.NotShipped: Kind(
        409,
        "not-shipped",
        "More units than were shipped and not returned yet",
        "A return is for more units than the line has shipped. `facts.units` is what may come back.",
        "Correct the units; goods without an order go to POST /v1/stock/return.",
    ),
    errors.ChangedMeanwhile: Kind(
        409,
        "changed-since-inspected",
        "It is not as it was inspected any more",
        "A repair names what it saw; that has changed since, and nothing was repaired. `facts` say what and which.",
        "Look again, and repair what is still wrong.",
    ),
    errors.Invalid: Kind(
        422,
        "invalid",
        "The request makes no sense",
        "The values contradict each other or are out of range; `detail` says which.",
        "Correct the request. Nothing was remembered: the same id may be used again.",
    ),
    errors.Unanswered: Kind(
        503,
        "unanswered",
        "The store did not answer, so the outcome is unknown",
        "The connection to Valkey broke or timed out. The change may have been made.",
        "Send the same request with the same id again: it has one effect and one answer.",
        retry_s=1,
        outcome="unknown",
    ),
    errors.NotReady: Kind(
        503,
        "not-ready",
        "The store is not ready",
        "Valkey has no data or those of another data set than the database remembers: it was flushed, restored, or is "
        "the wrong server; or its gate is shut for the reason in `facts.why`. Nothing is decided until that is "
        "settled. `facts.epoch_found` is what it says it is.",
        "Operators: /readyz says why. Check ALLOT_REDIS_URL, put Valkey's files back, or fill it again by `allot "
        "rebuild`. Callers: repeat later, same id.",
        retry_s=5,
    ),
    errors.Frozen: Kind(
        503,
        "sku-frozen",
        "The sku is frozen",
        "The records of this sku contradict each other, so no unit of it moves: better none than one twice. Nothing "
        "was done, and other skus go on. `facts.evidence` is what was found.",
        "Operators: look at it, then `allot check --repair`. Callers: repeat later, same id.",
        retry_s=60,
    ),
    errors.Checking: Kind(
        503,
        "checking",
        "The sku has yet to be checked",
        "Valkey was started anew, and this sku has not been compared with the ledger yet. Nothing was done.",
        "Repeat in a moment, same id: skus are opened one by one, those sold most first.",
        retry_s=1,
    ),
    errors.HistoryAway: Kind(
        503,
        "history-away",
        "The database cannot be asked what was done long ago",
        "Answers, shipped orders and ended holds older than ALLOT_ANSWER_DAYS are in the database alone. This request "
        "may be the repetition of one of them, or is about one of them, and the database does not answer.",
        "Repeat later, with the same id.",
        retry_s=5,
    ),
    errors.StaleConfig: Kind(
        503,
        "stale-config",
        "The config changed meanwhile",
        "Somebody else changed the config at the same moment.",
        "Repeat the request.",
        retry_s=1,
    ),
}

KEY_KINDS: Final[dict[type[Exception], Kind]] = {
    NoKey: Kind(
        401,
        "no-key",
        "A good API key is needed",
        "The request has no API key, or one that is malformed, unknown or revoked.",
        "Send the header Authorization: Bearer allot_live_<id>_<secret>. `allot serve` shows a key on its first start.",
    ),
    ScopeMissing: Kind(
        403,
        "scope-missing",
        "The key's role may not do this",
        "Each endpoint needs one scope, and a role has some of them; a key with limits has none that concerns the "
        "whole seller. `where` names the scope, GET /v1/me shows what the key has.",
        "Use a key of another role.",
    ),
    OutsideLimits: Kind(
        403,
        "outside-limits",
        "The key is limited to other channels or locations",
        "A key can be limited to channels and locations. It must name what it acts on, and all of it must be its own.",
        "Name channels and locations of the key (GET /v1/me), or use another key.",
    ),
    BeyondOwnRights: Kind(
        403,
        "beyond-own-rights",
        "A key may not give or touch more rights than it has",
        "The key that is to be made would have scopes, channels or locations that the caller's own key does not have.",
        "Ask for fewer rights, or use a key that has them.",
    ),
    KeyUnknown: Kind(
        404,
        "unknown-key",
        "There is no such key",
        "The seller has no key with this id.",
        "GET /v1/keys lists the keys.",
    ),
    RotationUnderWay: Kind(
        409,
        "rotation-under-way",
        "The key cannot be rotated now",
        "The key has ended, or it and the key it follows, or the one that follows it, are both valid still: there are "
        "never more than two at once.",
        "Revoke the older key or wait until it ends; then rotate the newest.",
    ),
    RateLimited: Kind(
        429,
        "rate-limited",
        "Too many requests",
        "The key has a limit of requests a minute and has used it up, or too many wrong keys came from this address.",
        "Wait as many seconds as the header Retry-After says, then send the same request with the same id.",
    ),
}

COUNT_KINDS: Final[dict[type[Exception], Kind]] = {
    CountUnknown: Kind(
        404,
        "unknown-count",
        "There is no such count",
        "No count was sent under this id, or another key sent it and you want to go on with it.",
        "GET /v1/counts lists the counts; the id is the Idempotency-Key under which it was sent.",
    ),
    CountStands: Kind(
        409,
        "count-stands",
        "The count is not in a state for this",
        "Parts are added while a snapshot is open, and it is released or discarded while it is parked; `detail` says "
        "how it stands.",
        "GET the count and see its state.",
    ),
    SecondPerson: Kind(
        403,
        "second-person",
        "A second person is needed",
        "A snapshot that would change too much is released by somebody else than its sender, who looks at it first.",
        "Let the holder of another key with the scope counts:release look at its figures and release it.",
    ),
}
