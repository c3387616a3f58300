"""What endpoints are handed: the service's state, who asks, and the caller's name for a change."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from starlette.requests import Request

from allocator import Allocator, Pipe

from .audit import Audit
from .errors import OpKeyMissing, Unfit
from .gathering import Gathering
from .levels import Levels
from .lines.lines import Lines
from .metrics import Metrics
from .rights import Caller
from .sealing import Sealer
from .security import Keys
from .settings import Settings
from .standing import Heard
from .store.database import Database, DatabaseAway

OP_KEY: Final = "Idempotency-Key"
OP_KEY_MAX: Final = 128


@dataclass
class State:
    """
    What lives as long as the service.

    `clock_jumps_ms` has the sellers whose clock is paused, `jobs_failing` what each failing job said last.
    `epoch` is the data set's, for sellers made meanwhile. `lines` are those to channels. `heard` is what the scheduler
    at work says, which is mostly another process. `full` has the share of the limit by seller, of those whose ledger
    has reached it (`fullness`). `found` and `notes` gather whose webhooks are and what they say.
    """

    settings: Settings
    database: Database
    keys: Keys
    allocators: dict[str, Allocator]
    pipe: Pipe
    epoch: str
    levels: Levels
    sealer: Sealer
    lines: Lines
    audit: Audit = field(default_factory=Audit)
    clock_jumps_ms: dict[str, int] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    jobs_failing: dict[str, str] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)
    full: dict[str, float] = field(default_factory=dict)
    found: Gathering[Any, Any] = field(default_factory=partial(Gathering, DatabaseAway))
    notes: Gathering[Any, Any] = field(default_factory=partial(Gathering, DatabaseAway))


def state_of(request: Request) -> State:
    """The service's state."""
    state: State = request.scope["app"].service
    return state


def caller_of(request: Request) -> Caller:
    """Who asks; there is one on every guarded route."""
    caller: Caller = request.scope["allot.caller"]
    return caller


def op_key(request: Request) -> str:
    """The caller's name for this change. Raises OpKeyMissing, Unfit."""
    where = f"header {OP_KEY}"
    given = request.headers.get(OP_KEY)
    if given is None:
        raise OpKeyMissing(f"the request has no {OP_KEY} header", where=where)
    # The draft standard quotes the key, most clients do not.
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not 1 <= len(key.encode()) <= OP_KEY_MAX or not key.isprintable():
        raise Unfit(f"the key must be 1 to {OP_KEY_MAX} printable bytes", where=where)
    return key
