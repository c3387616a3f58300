"""
What can go wrong with a channel.

    ChannelError
    ├── Down            it cannot be reached or is broken: later
    ├── Busy            it asks us to slow down: after `wait_s`
    ├── Unauthorized    our keys or the token do not work
    ├── Refused         it says no, and says it again when asked again
    ├── Unclear         nobody knows whether it did what we asked for
    └── Nonsense        its answer is not what its documentation says
"""


class ChannelError(Exception):
    """Something went wrong with a channel."""


class Down(ChannelError):
    """The channel cannot be reached, or is broken: later."""


class Busy(ChannelError):
    """The channel asks us to slow down."""

    def __init__(self, says: str, wait_s: float) -> None:
        super().__init__(says)
        self.wait_s = wait_s


class Unauthorized(ChannelError):
    """Our keys or the token do not work."""


class Refused(ChannelError):
    """The channel says no, and says it again when asked again. `code` is the channel's own word for it."""

    def __init__(self, says: str, code: str = "", status: int = 0) -> None:
        super().__init__(says)
        self.code = code
        self.status = status


class Unclear(ChannelError):
    """Nobody knows whether the channel did what we asked for: look, then ask again with what is true by then."""


class Nonsense(ChannelError):
    """The channel's answer is not what its documentation says."""
