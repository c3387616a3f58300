"""
The settings that say where a process of ours is found on this machine.

They are apart from the others because `allot health` needs them alone: it runs every few seconds, and what the rest
stands on takes a second to import.
"""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Whereabouts(BaseSettings):
    """Where it listens, and where it leaves its heartbeat."""

    model_config = SettingsConfigDict(
        env_prefix="ALLOT_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    run_dir: Path | None = Field(
        None, description="Folder of heartbeats for `allot health`; without it one in the temporary folder."
    )


def in_a_line(error: ValidationError) -> str:
    """What is wrong with settings, without the values: some of them are secrets."""
    return "; ".join(_says(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors())


def _says(where: str, what: str) -> str:
    what = what.removeprefix("Value error, ")
    return f"ALLOT_{where.upper()}: {what}" if where else what
