"""What each role of a deployment stands on: a Valkey and a database that all its processes share, and one pepper."""

from typing import Any, Final

from pydantic import ValidationError
from redis.exceptions import RedisError

from allocator import UnsafeServer
from allocator.errors import AllocatorError

from .data_folder import FolderForeign, FolderInUse
from .errors import LevelUnreachable
from .server_process import ServerFailed
from .settings import Settings
from .store.datasets import OtherDataset
from .whereabouts import in_a_line

SHARED: Final = ("redis_url", "database_url", "key_pepper")
"""What processes of one deployment must have in common, on whatever machines they run."""


EXPECTED: Final = (
    AllocatorError,
    FolderForeign,
    FolderInUse,
    LevelUnreachable,
    OSError,
    OtherDataset,
    RedisError,
    ServerFailed,
    UnsafeServer,
    ValidationError,
)
"""What operators can put right: told in a line, without a traceback."""


class NotFit(Exception):
    """The settings do not fit the role; the message is one line."""


def settings_for(role: str, given: dict[str, Any]) -> Settings:
    """The settings of a process of this role. Raises NotFit."""
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise NotFit(f"allot {role}: {in_a_line(error)}") from error
    missing = [f"ALLOT_{name.upper()}" for name in SHARED if getattr(settings, name) is None]
    if missing:
        says = f"allot {role} needs {', '.join(missing)}: it shares its work with other processes"
        raise NotFit(f"{says} (`allot serve` needs nothing)")
    return settings
