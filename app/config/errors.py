"""
What config refuses.

    ConfigRefused
    ├── ItemUnknown      nothing has this key
    ├── VersionMissing   replacing or deleting needs If-Match
    ├── VersionDiffers   it changed meanwhile, or exists already
    ├── InUse            others refer to it, or units still depend on it
    ├── RuleClash        another rule has the same kind and scope at the same time
    ├── ChangeUnknown    there is no such version of the config
    ├── DraftUnknown     there is no such draft
    ├── DraftOver        the draft is in force, and a draft no more
    └── TooMuch          more than one change may touch

What makes no sense by itself is the allocator's Invalid.
"""

from typing import Any


class ConfigRefused(Exception):
    """The config was not changed."""

    def __init__(self, detail: str = "", **facts: Any) -> None:
        super().__init__(detail or (self.__doc__ or "").strip())
        self.facts = facts


class ItemUnknown(ConfigRefused):
    """The config has nothing with this key."""


class VersionMissing(ConfigRefused):
    """It exists: say with If-Match which version you replace or delete."""


class VersionDiffers(ConfigRefused):
    """Somebody changed it meanwhile."""


class InUse(ConfigRefused):
    """Something still depends on it."""


class RuleClash(ConfigRefused):
    """Another rule has the same kind and scope at the same time."""


class ChangeUnknown(ConfigRefused):
    """The config has no such version."""


class DraftUnknown(ConfigRefused):
    """There is no such draft."""


class DraftOver(ConfigRefused):
    """The draft is in force: save it again to prepare another change."""


class TooMuch(ConfigRefused):
    """One change may not touch that much."""
