"""
The tables. Nothing outside `app.store` sees these classes.

Times are integer milliseconds since 1970 in UTC. After a change here: `python -m app.store.migrations "what changed"`.
"""

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Index, Text, false
from sqlmodel import Field, SQLModel

# Every constraint has a name, so that a later migration can drop it on any database.
NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMES

EVERY_DAY: Final = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'
"""What locations of older configs work on."""

metadata = SQLModel.metadata


class Dataset(SQLModel, table=True):
    """The one data set this database remembers. `generation` rises when Valkey is rebuilt from SQL."""

    __tablename__ = "dataset"

    id: str = Field(primary_key=True, max_length=32)
    generation: int
    created_ms: int = Field(sa_type=BigInteger)


class Seller(SQLModel, table=True):
    """Who owns stock, channels and orders. `begun` once its keys in Valkey carry the data set's epoch."""

    __tablename__ = "seller"

    code: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=200)
    begun: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class ApiKey(SQLModel, table=True):
    """
    A key of one seller; of its secret only the HMAC is kept.

    `channels` and `locations` are what it is limited to, None for no limit. `expires_ms` ends the overlap of a
    rotation; `replaces` is the id of the key it was made to follow.
    """

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, max_length=12)
    seller: str = Field(foreign_key="seller.code", index=True, max_length=64)
    name: str = Field(max_length=200)
    role: str = Field(max_length=20)
    channels: list[str] | None = Field(default=None, sa_type=JSON)
    locations: list[str] | None = Field(default=None, sa_type=JSON)
    requests_per_minute: int | None = None
    secret_hmac: str = Field(max_length=64)
    replaces: str | None = Field(default=None, max_length=12)
    created_ms: int = Field(sa_type=BigInteger)
    expires_ms: int | None = Field(default=None, sa_type=BigInteger)
    revoked_ms: int | None = Field(default=None, sa_type=BigInteger)
    last_used_ms: int | None = Field(default=None, sa_type=BigInteger)


class AuditEntry(SQLModel, table=True):
    """A privileged act, or a refused request: who, what, when, before and after. Never changed."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_seller_id", "seller", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    seller: str = Field(max_length=64)
    at_ms: int = Field(sa_type=BigInteger)
    actor: str = Field(max_length=128)
    action: str = Field(max_length=64)
    target: str = Field(max_length=300)
    outcome: str = Field(max_length=40)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    request_id: str = Field(default="", max_length=64)


class Lease(SQLModel, table=True):
    """Which of several processes works for all; `beat` rises while it lives, `term` with every take-over."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True, max_length=40)
    owner: str = Field(max_length=64)
    host: str = Field(max_length=255)
    term: int
    beat: int = Field(sa_type=BigInteger)
    said: str = Field(sa_type=Text)


class CheckRound(SQLModel, table=True):
    """The last round of the running check over all that a seller has; violations are those it found, frozen its own."""

    __tablename__ = "check_round"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    started_ms: int = Field(sa_type=BigInteger)
    ended_ms: int = Field(sa_type=BigInteger)
    records: int = Field(sa_type=BigInteger)
    violations: int
    frozen: int


# --- config: one row per thing operators decide; `version` is the config version that changed it last -------------


class LocationRow(SQLModel, table=True):
    """A place where units lie."""

    __tablename__ = "location"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    code: str = Field(primary_key=True, max_length=64)
    version: int
    name: str = Field(max_length=200)
    kind: str = Field(max_length=20)
    active: bool
    priority: int
    country: str = Field(max_length=64)
    region: str = Field(max_length=64)
    latitude: float | None
    longitude: float | None
    costs: dict[str, int] = Field(sa_type=JSON)
    daily_orders: int | None
    cut_off: str = Field(max_length=5)
    time_zone: str = Field(max_length=64)
    handling_days: int = Field(sa_column_kwargs={"server_default": "0"})
    working_days: list[str] = Field(sa_type=JSON, sa_column_kwargs={"server_default": EVERY_DAY})
    closed_on: list[str] = Field(sa_type=JSON, sa_column_kwargs={"server_default": "[]"})
    pickup: bool = Field(sa_column_kwargs={"server_default": false()})
    carriers: list[str] = Field(sa_type=JSON, sa_column_kwargs={"server_default": "[]"})


class ChannelRow(SQLModel, table=True):
    """A place that sells. `locations` is ranked: [{"code", "own_shelf"}]."""

    __tablename__ = "channel"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    code: str = Field(primary_key=True, max_length=64)
    version: int
    name: str = Field(max_length=200)
    kind: str = Field(max_length=20)
    rank: int
    demand: str = Field(max_length=10)
    overflow: str = Field(max_length=10)
    split_limit: int
    locations: list[dict[str, Any]] = Field(sa_type=JSON)
    routing: list[str] = Field(sa_type=JSON)
    same_region_only: bool
    lowers_at: str = Field(max_length=10)
    pending_minutes: int | None = None
    acknowledge: str = Field(max_length=10)
    split_rules: list[dict[str, Any]] = Field(sa_type=JSON, sa_column_kwargs={"server_default": "[]"})


class SkuRow(SQLModel, table=True):
    """An article. Units are whole numbers of 1/scale of `unit`."""

    __tablename__ = "sku"
    __table_args__ = (Index("ix_sku_category", "seller", "category", "sku"), Index("ix_sku_gtin", "seller", "gtin"))

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    sku: str = Field(primary_key=True, max_length=100)
    version: int
    name: str = Field(max_length=200)
    category: str = Field(max_length=64)
    unit: str = Field(max_length=20)
    scale: int
    gtin: str = Field(max_length=14)
    attributes: dict[str, str] = Field(sa_type=JSON)


class ListingRow(SQLModel, table=True):
    """A channel's own id for what it sells: one listing unit is `pack_size` units of the sku."""

    __tablename__ = "listing"
    __table_args__ = (Index("ix_listing_sku", "seller", "sku"),)

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    channel: str = Field(primary_key=True, max_length=64)
    listing: str = Field(primary_key=True, max_length=128)
    version: int
    sku: str = Field(max_length=100)
    pack_size: int
    active: bool


class RuleRow(SQLModel, table=True):
    """One rule; `in_force` says whether the compiled config has it, which its window changes with time."""

    __tablename__ = "rule"
    __table_args__ = (
        Index("ix_rule_scope", "seller", "sku", "category"),
        Index("ix_rule_window", "seller", "in_force", "valid_from_ms", "valid_until_ms"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    id: str = Field(primary_key=True, max_length=64)
    version: int
    kind: str = Field(max_length=20)
    sku: str = Field(max_length=100)
    category: str = Field(max_length=64)
    location: str = Field(max_length=64)
    channel: str = Field(max_length=64)
    units: int
    percent_bp: int
    note: str = Field(max_length=200)
    valid_from_ms: int | None = Field(sa_type=BigInteger)
    valid_until_ms: int | None = Field(sa_type=BigInteger)
    in_force: bool


class ZoneRow(SQLModel, table=True):
    """A delivery zone of a country or of "country/region"."""

    __tablename__ = "zone"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    area: str = Field(primary_key=True, max_length=129)
    version: int
    zone: str = Field(max_length=64)


class CarrierRow(SQLModel, table=True):
    """Who brings goods to buyers. `rates`: [{"origin", "zone", "cost", "transit_days"}]."""

    __tablename__ = "carrier"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    code: str = Field(primary_key=True, max_length=64)
    version: int
    name: str = Field(max_length=200)
    zones: dict[str, str] = Field(sa_type=JSON)
    rates: list[dict[str, Any]] = Field(sa_type=JSON)
    working_days: list[str] = Field(sa_type=JSON)
    closed_on: list[str] = Field(sa_type=JSON)


class ReasonRow(SQLModel, table=True):
    """A reason for rejects, and what it says of the stock."""

    __tablename__ = "reason"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    code: str = Field(primary_key=True, max_length=64)
    version: int
    name: str = Field(max_length=200)
    effect: str = Field(max_length=12)
    recount: bool


class ConfigChange(SQLModel, table=True):
    """One version of the config: staged, then active or failed. `rolls_back_to` is set when it is a roll back."""

    __tablename__ = "config_change"
    __table_args__ = (Index("ix_config_change_state", "seller", "state"),)

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    version: int = Field(primary_key=True)
    base: int
    state: str = Field(max_length=10)
    actor: str = Field(max_length=128)
    note: str = Field(max_length=200)
    rolls_back_to: int | None
    why_failed: str = Field(sa_type=Text)
    at_ms: int = Field(sa_type=BigInteger)


class ConfigChangeRow(SQLModel, table=True):
    """One thing a change of config changed: JSON before and after, None where there was or is nothing."""

    __tablename__ = "config_change_row"
    __table_args__ = (Index("ix_config_change_row_item", "seller", "kind", "key"),)

    seller: str = Field(primary_key=True, max_length=64)
    version: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    kind: str = Field(max_length=20)
    key: str = Field(max_length=200)
    before: str | None = Field(sa_type=Text)
    after: str | None = Field(sa_type=Text)


class ConfigDraft(SQLModel, table=True):
    """A change that is being prepared under a name. `rows` is JSON; `config_version` is what put it in force."""

    __tablename__ = "config_draft"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    name: str = Field(primary_key=True, max_length=64)
    version: int
    state: str = Field(max_length=10)
    note: str = Field(max_length=200)
    rows: str = Field(sa_type=Text)
    config_version: int | None = None
    actor: str = Field(max_length=128)
    at_ms: int = Field(sa_type=BigInteger)


# --- webhooks out -------------------------------------------------------------------------------------------------


class WebhookEndpoint(SQLModel, table=True):
    """
    Where a seller wants events sent.

    `secrets` are {"secret", "op", "until_ms"}, newest first; two while they are rotated, the older with an end.
    """

    __tablename__ = "webhook_endpoint"

    id: str = Field(primary_key=True, max_length=32)
    seller: str = Field(foreign_key="seller.code", index=True, max_length=64)
    url: str = Field(max_length=500)
    events: list[str] = Field(sa_type=JSON)
    channels: list[str] | None = Field(default=None, sa_type=JSON)
    secrets: list[dict[str, Any]] = Field(sa_type=JSON)
    active: bool
    disabled_why: str = Field(max_length=300)
    failing_since_ms: int | None = Field(default=None, sa_type=BigInteger)
    created_ms: int = Field(sa_type=BigInteger)


class WebhookDelivery(SQLModel, table=True):
    """One event for one endpoint: waiting, delivered or failed; the last answer is kept."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("ix_webhook_delivery_due", "endpoint", "state", "next_ms"),
        Index("ix_webhook_delivery_endpoint", "endpoint", "created_ms"),
    )

    id: str = Field(primary_key=True, max_length=64)
    endpoint: str = Field(foreign_key="webhook_endpoint.id", ondelete="CASCADE", max_length=32)
    seller: str = Field(max_length=64)
    event: str = Field(max_length=64)
    payload: str = Field(sa_type=Text)
    state: str = Field(max_length=12)
    attempts: int
    next_ms: int = Field(sa_type=BigInteger)
    last_status: int | None
    last_error: str = Field(max_length=500)
    last_ms: int | None = Field(default=None, sa_type=BigInteger)
    created_ms: int = Field(sa_type=BigInteger)


class LedgerCursor(SQLModel, table=True):
    """
    How far a reader has followed a seller's ledger; `lease` is who reads until `lease_until_ms`.

    `entries` is how many of this ledger it has dealt with. `failing` says what keeps it from going on, since when;
    '' while nothing does.
    """

    __tablename__ = "ledger_cursor"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    reader: str = Field(primary_key=True, max_length=40)
    position: str = Field(max_length=40)
    lease: str = Field(max_length=64)
    lease_until_ms: int = Field(sa_type=BigInteger)
    entries: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    failing: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": ""})
    failing_since_ms: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
