"""
What an operator can set: environment variables that begin with ALLOT_, or the same names in a file `.env`.

Made once in `main` and handed on as plain values; nothing imports settings as a global.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from allocator import Acknowledge
from allocator.client import UNSAFE_NAMES

from .store.desk import LOSING
from .store.durability import UNSAFE_NAMES as UNSAFE_DATABASE_NAMES
from .whereabouts import Whereabouts

KNOWN_UNSAFE = UNSAFE_NAMES | UNSAFE_DATABASE_NAMES


class Settings(Whereabouts):
    """Every setting with its default; an empty variable counts as not set."""

    data_dir: Path = Field(Path("allot-data"), description="Folder of the embedded Valkey, SQLite and pepper.")
    redis_url: str | None = Field(None, description="A Valkey or Redis to use instead of the embedded one.")
    database_url: str | None = Field(None, description="A PostgreSQL or SQLite to use instead of the one in data_dir.")
    allow_unsafe: Annotated[frozenset[str], NoDecode] = Field(
        frozenset(),
        description="Reasons for refusing a server that are accepted, by name, separated by commas.",
    )

    body_bytes_max: int = Field(1_048_576, ge=1_024, description="Largest request body, in bytes.")

    acknowledge: Acknowledge = Field(
        "fsynced", description="The least level at which changes are answered: fsynced, replicated or ledger."
    )
    replicas: int = Field(1, ge=1, description="How many replicas must have what is answered as replicated.")

    hold_seconds: int = Field(900, ge=1, description="How long a hold lasts when the request does not say.")
    hold_seconds_max: int = Field(86_400, ge=1, description="The longest a hold may be asked for.")

    requests_per_minute: int | None = Field(
        None, ge=1, description="What a key without a limit of its own may ask each API process; none is no limit."
    )
    secrets_key: SecretStr | None = Field(
        None,
        description="Secrets of 32 characters or more, separated by commas, that seal keys of channels in SQL: the "
        "first seals, all of them and the pepper open. Without one the pepper seals.",
    )
    channels_allow_private: bool = Field(
        False, description="Reach channels at private addresses too, and there by http; for shops beside us."
    )
    exchange_days: int = Field(14, ge=1, description="How long what was said with channels is kept.")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+$",
        description="Address under which channels reach this service with their webhooks; without one they are not "
        "subscribed, and orders are looked for alone.",
    )

    streams_max: int = Field(1_000, ge=1, description="Most streams of events that one process keeps open.")
    webhooks_allow_private: bool = Field(
        False, description="Send webhooks to private addresses too, and there by http; for receivers beside us."
    )
    webhook_log_days: int = Field(30, ge=1, description="How long deliveries of webhooks are kept.")
    low_stock: int = Field(3, ge=0, description="A sku with this many free units or fewer counts as low in metrics.")
    metrics_key: SecretStr | None = Field(
        None, min_length=16, description="Bearer token that /metrics asks for; without one it is open."
    )

    key_pepper: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret mixed into stored API keys; without it one is made and kept in data_dir.",
    )
    seed_path: Path | None = Field(None, description="YAML with locations, channels, skus and stock for a first start.")

    drain: bool = Field(
        True, description="Let `serve` copy the ledger into SQL; false where `allot worker` does it elsewhere."
    )

    ledger_bytes_max: int = Field(
        1_073_741_824,
        ge=1_024,
        description="Bytes of ledger in Valkey that are not in SQL, of all sellers, from which on holds and promises "
        "are refused; at most a quarter of Valkey's memory.",
    )

    answer_days: int = Field(
        7, ge=1, description="Days until answers, closed orders and ended holds leave Valkey for SQL alone."
    )

    count_zeroed_percent: int = Field(
        10, ge=0, le=100, description="A snapshot that empties more of the places that have units is parked."
    )
    count_changed_percent: int = Field(
        50, ge=0, le=100, description="A snapshot that changes more of the places it counts is parked."
    )
    count_tenfold_percent: int = Field(
        1, ge=0, le=100, description="A snapshot with more rows of ten times our number, or a tenth, is parked."
    )

    losers: Annotated[tuple[str, ...], NoDecode] = Field(
        ("channel_rank", "newest"),
        description="Whose units go first where some are missing: channel_rank (lowest first), newest, ship_by (latest)"
        ", in this order; the first that does not tie decides.",
    )
    reject_days: int = Field(14, ge=1, le=366, description="Days whose rejects lower a location's rank.")
    reject_units_min: int = Field(
        20, ge=1, description="Units that orders must have got from a location before its rejects count."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    log_changes: bool = Field(False, description="Log every request that changes something, not only refusals.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, else json."
    )

    @field_validator("allow_unsafe", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("losers", mode="before")
    @classmethod
    def _split_losers(cls, value: object) -> object:
        return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value

    @field_validator("losers")
    @classmethod
    def _know_losers(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if not words or not LOSING.keys() >= {*words} or len({*words}) < len(words):
            message = f"one or more of {', '.join(LOSING)}, each once, separated by commas; not {', '.join(words)!r}"
            raise ValueError(message)
        return words

    @field_validator("secrets_key")
    @classmethod
    def _judge_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(part.strip()) < 32 for part in value.get_secret_value().split(",")):
            message = "each of them has 32 characters or more"
            raise ValueError(message)
        return value

    @field_validator("allow_unsafe")
    @classmethod
    def _know_names(cls, names: frozenset[str]) -> frozenset[str]:
        unknown = names - KNOWN_UNSAFE
        if unknown:
            message = f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(sorted(KNOWN_UNSAFE))}"
            raise ValueError(message)
        return names

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.hold_seconds > self.hold_seconds_max:
            message = f"hold_seconds {self.hold_seconds} is longer than hold_seconds_max {self.hold_seconds_max}"
            raise ValueError(message)
        # Processes that share a database check each other's keys, and each would make a pepper of its own.
        if self.database_url and not self.database_url.startswith("sqlite") and self.key_pepper is None:
            message = "a shared database needs ALLOT_KEY_PEPPER, the same for every process"
            raise ValueError(message)
        return self
